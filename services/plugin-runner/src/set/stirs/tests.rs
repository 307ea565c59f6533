//! A plugin whose files change, looked at by a clock of the test's own.

use super::*;
use crate::{
    discovery::Found,
    set::{Grant, contents::Contents},
};
use std::sync::Arc;

const REST: Duration = Duration::from_secs(300);

struct Stand {
    stirs: Stirs,
    now: Instant,
    member: Member,
    changes: u32,
}

impl Stand {
    fn new() -> Stand {
        let found = Found {
            name: "only".parse().expect("a name"),
            path: "/bin/sh".into(),
            manifest: None,
            package: None,
        };
        let grant = Grant::default();
        let identity = Identity::of(&found, &grant).expect("it is there");
        let member = Member {
            found,
            grant,
            identity,
        };
        let mut stand = Stand {
            stirs: Stirs::default(),
            now: Instant::now(),
            member,
            changes: 0,
        };
        assert_eq!(stand.looks(), None);
        stand
    }

    fn looks(&mut self) -> Option<String> {
        self.stirs.hold(&self.member, false, self.now, REST)
    }

    /// Looks after a file has changed.
    fn changes(&mut self) -> Option<String> {
        self.changes += 1;
        self.member.identity.contents = Arc::new(Contents::made_up(&self.changes.to_string()));
        self.looks()
    }

    /// As often as it takes until it is held.
    fn changes_until_it_is_held(&mut self) -> u32 {
        let ran = (0..=STIRS).take_while(|_| self.changes().is_none()).count();
        u32::try_from(ran).expect("small")
    }
}

#[test]
fn t3_a_plugin_whose_files_never_rest_is_held_and_votes_by_no_old_code() {
    let mut stand = Stand::new();
    assert_eq!(stand.changes_until_it_is_held(), STIRS);
    let why = stand
        .looks()
        .expect("it is held, although nothing has changed since");
    assert!(
        why.contains("change again and again") && why.contains("`snooze plugin reload only`"),
        "{why}"
    );
    for _ in 0..100 {
        assert_eq!(stand.changes(), Some(why.clone()));
        stand.now += REST / 2;
    }
}

#[test]
fn t3_a_plugin_that_was_held_runs_when_its_files_have_rested() {
    let mut stand = Stand::new();
    assert_eq!(stand.stirs.next(REST), None);
    stand.changes_until_it_is_held();
    stand.now += REST / 2;
    assert!(stand.changes().is_some());
    assert_eq!(
        stand.stirs.next(REST),
        Some(stand.now + REST),
        "it rests from its last change"
    );
    stand.now += REST;
    assert_eq!(stand.looks(), None);
    assert_eq!(stand.stirs.next(REST), None);
    assert_eq!(stand.changes_until_it_is_held(), STIRS, "it began anew");
}

#[test]
fn t3_changes_that_are_far_apart_are_all_taken() {
    let mut stand = Stand::new();
    for _ in 0..10 * STIRS {
        assert_eq!(stand.changes(), None);
        stand.now += REST;
    }
}

#[test]
fn t3_who_asks_for_a_held_plugin_has_it_run_and_so_has_another_manifest() {
    let mut stand = Stand::new();
    stand.changes_until_it_is_held();
    assert_eq!(stand.stirs.hold(&stand.member, true, stand.now, REST), None);
    assert_eq!(stand.looks(), None);
    assert_eq!(stand.changes_until_it_is_held(), STIRS, "it began anew");
    stand.member.identity.manifest = Some("other".to_owned());
    assert_eq!(stand.looks(), None);
    assert_eq!(stand.changes_until_it_is_held(), STIRS);
    stand.stirs.retain(&BTreeSet::new());
    assert_eq!(stand.looks(), None, "it went, and came back");
}
