//! Which change of a value is which happening, also over restarts.

use super::*;
use snooze_schemas::event::severity_of;

const ALL: [Notice; 3] = [Notice::Preemption, Notice::Migration, Notice::Termination];

fn now() -> Timestamp {
    "2030-01-01T00:00:00Z".parse().expect("a time")
}

#[test]
fn e1_every_type_is_in_the_table_of_severities() {
    for notice in ALL {
        let happening = Seen::default().take(Some(notice), None, now()).remove(0);
        assert!(severity_of(&happening.event_type).is_some(), "{notice:?}");
    }
}

#[test]
fn e1_a_notice_is_told_once_and_after_a_restart_as_the_same() {
    for notice in ALL {
        let mut seen = Seen::default();
        let first = seen.take(Some(notice), Some("4a"), now());
        assert_eq!(first.len(), 1);
        for _ in 0..10 {
            assert_eq!(seen.take(Some(notice), Some("4a"), now()), []);
        }
        let later = now() + SignedDuration::from_secs(9);
        let again = Seen::default().take(Some(notice), Some("4a"), later);
        assert_eq!(again[0].occurrence, first[0].occurrence);
    }
}

#[test]
fn e1_a_second_migration_in_one_launch_is_another_happening_though_its_etag_is_the_first_ones() {
    let mut seen = Seen::default();
    let mut told = Vec::new();
    for _ in 0..3 {
        told.extend(seen.take(Some(Notice::Migration), Some("4a"), now()));
        told.extend(seen.take(None, Some("4b"), now()));
    }
    let names: Vec<_> = told.iter().map(|it| (it.occurrence.as_str(), it.state)).collect();
    let wanted = ["4a", "4a#2", "4a#3"]
        .map(|name| [(name, State::Raised), (name, State::Cleared)])
        .concat();
    assert_eq!(names, wanted);
}

/// As it is after a restart, read from its file.
fn restarted(seen: &Seen) -> Seen {
    let text = serde_json::to_string(seen).expect("JSON");
    let seen: Seen = serde_json::from_str(&text).expect("what was written");
    assert!(seen.is_of("boot") && !seen.is_of("another"));
    seen.resumed()
}

#[test]
fn e1_what_was_told_before_a_restart_is_told_to_have_ended_after_it_and_a_second_one_is_another() {
    let mut seen = Seen::nothing_in("boot");
    let first = seen.take(Some(Notice::Migration), Some("4a"), now()).remove(0);
    seen = restarted(&seen);
    assert_eq!(
        seen.take(Some(Notice::Migration), Some("4a"), now()),
        [],
        "it stands"
    );
    seen = restarted(&seen);
    let over = seen.take(None, Some("4b"), now());
    assert_eq!(over.len(), 1, "it ended while nobody looked");
    assert_eq!(
        (over[0].state, &over[0].occurrence),
        (State::Cleared, &first.occurrence)
    );
    seen = restarted(&seen);
    assert_eq!(seen.take(None, Some("4b"), now()), [], "once");
    let second = seen.take(Some(Notice::Migration), Some("4a"), now()).remove(0);
    assert_ne!(
        second.occurrence, first.occurrence,
        "though its ETag is the first one's"
    );
}

#[test]
fn e1_a_migration_that_ended_and_came_again_while_nobody_looked_is_another_and_a_preemption_never_is() {
    let over_a_restart = |notice| {
        let mut seen = Seen::nothing_in("boot");
        seen.take(Some(notice), Some("1"), now());
        // While it is looked at, another ETag alone is no news.
        assert_eq!(seen.take(Some(notice), Some("2"), now()), []);
        let told = restarted(&seen).take(Some(notice), Some("3"), now());
        let told = told.into_iter().map(|it| (it.occurrence, it.state));
        told.collect::<Vec<_>>()
    };
    let both = vec![("3".to_owned(), State::Raised), ("1".to_owned(), State::Cleared)];
    assert_eq!(over_a_restart(Notice::Migration), both);
    assert_eq!(over_a_restart(Notice::Preemption), []);
}

#[test]
fn maintenance_that_turns_worse_is_told_before_what_it_replaces_ends() {
    let mut seen = Seen::default();
    seen.take(Some(Notice::Migration), Some("1"), now());
    let told = seen.take(Some(Notice::Termination), Some("2"), now());
    let told: Vec<_> = told.iter().map(|it| (it.event_type.as_str(), it.state)).collect();
    assert_eq!(
        told,
        [
            ("cloud.instance.termination", State::Raised),
            ("cloud.instance.maintenance", State::Cleared)
        ]
    );
}

#[test]
fn the_deadline_is_the_least_that_is_documented_and_says_that_it_is_assumed() {
    let seconds = ALL.map(|notice| {
        let told = Seen::default().take(Some(notice), None, now()).remove(0);
        assert_eq!(told.data["deadline_is_assumed"], true);
        told.deadline.expect("a deadline").duration_since(now()).as_secs()
    });
    assert_eq!(seconds, [30, 60, 60]);
}
