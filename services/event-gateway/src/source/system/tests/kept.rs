//! What is raised stays the same happening over restarts, and is never mistaken for an older one.

use super::{FILES, Machine, only};
use crate::{happening::State, source::Notices};
use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt};

#[tokio::test]
async fn e1_a_disk_that_stays_low_is_the_same_happening_after_a_restart() {
    let machine = Machine::healthy();
    machine.disk("/", 1, 50);
    let mut watch = machine.begin().await;
    let raised = only(machine.looks(&mut watch, 5).await, State::Raised);
    for _ in 0..5 {
        watch = machine.begin().await;
        assert_eq!(watch.kept.untold(), [], "it was told");
        assert_eq!(machine.looks(&mut watch, 20).await, []);
    }
    machine.disk("/", 50, 50);
    watch = machine.begin().await;
    let cleared = only(machine.looks(&mut watch, 20).await, State::Cleared);
    assert_eq!(cleared.occurrence, raised.occurrence);
    machine.disk("/", 1, 50);
    watch = machine.begin().await;
    let again = only(machine.looks(&mut watch, 20).await, State::Raised);
    assert_ne!(again.occurrence, raised.occurrence, "it is low anew");
}

#[tokio::test]
async fn e1_what_was_noticed_and_maybe_not_told_is_told_after_the_next_start_under_its_identity() {
    let machine = Machine::healthy();
    machine.disk("/", 1, 50);
    let mut watch = machine.begin().await;
    // Killed right after the look that noticed it.
    let noticed = only(machine.looks(&mut watch, 4).await, State::Raised);
    machine.disk("/", 50, 50);
    watch = machine.begin().await;
    assert_eq!(watch.kept.untold(), std::slice::from_ref(&noticed));
    let cleared = only(machine.looks(&mut watch, 10).await, State::Cleared);
    assert_eq!(cleared.occurrence, noticed.occurrence);
    watch = machine.begin().await;
    assert_eq!(watch.kept.untold(), []);
}

#[tokio::test]
async fn e7_what_the_desk_does_not_have_on_its_disk_stays_in_the_file_however_often_is_looked() {
    let machine = Machine::healthy();
    machine.disk("/", 1, 50);
    let mut watch = machine.begin().await;
    let noticed = only(machine.looks(&mut watch, 4).await, State::Raised);
    let (notices, mut told) = Notices::channel();
    for _ in 0..3 {
        watch.tell(&notices).await;
        // A desk that is killed, or whose disk fails, before it has it.
        let lost = told.notice().await.expect("it is told");
        assert_eq!(lost.happening, noticed);
        drop(lost);
        assert_eq!(watch.look().await, []);
        watch = machine.begin().await;
        assert_eq!(watch.kept.untold(), std::slice::from_ref(&noticed));
    }
    watch.tell(&notices).await;
    watch.tell(&notices).await;
    assert_eq!(told.recv().await, Some(noticed));
    assert!(told.try_recv().is_err(), "it is told once while it is under way");
    watch.look().await;
    watch = machine.begin().await;
    assert_eq!(watch.kept.untold(), []);
}

#[tokio::test]
async fn e1_another_boot_or_a_file_that_cannot_be_understood_begins_anew_under_another_identity() {
    let machine = Machine::healthy();
    machine.disk("/", 1, 50);
    let mut watch = machine.begin().await;
    let mut seen = BTreeSet::from([only(machine.looks(&mut watch, 5).await, State::Raised).occurrence]);
    for text in ["", "{", "{}", "[1]", "\u{0}", "{\"boot_id\": \"x\"}"] {
        fs::write(&machine.settings.kept, text).expect("writes");
        watch = machine.begin().await;
        let raised = only(machine.looks(&mut watch, 5).await, State::Raised);
        assert!(seen.insert(raised.occurrence), "{text:?}");
    }
    let (file, _) = FILES[0];
    machine.write(file, "99999999-2222-3333-4444-555555555555\n");
    watch = machine.begin().await;
    let raised = only(machine.looks(&mut watch, 5).await, State::Raised);
    assert!(raised.occurrence.contains("99999999-2222"));
    assert!(seen.insert(raised.occurrence));
}

#[tokio::test]
async fn a_file_that_cannot_be_written_keeps_nothing_from_being_told() {
    let mut machine = Machine::healthy();
    fs::write(machine.folder().join("in-the-way"), "").expect("writes");
    machine.settings.kept = machine.folder().join("in-the-way/system.json");
    machine.disk("/", 1, 50);
    let mut watch = machine.begin().await;
    only(machine.looks(&mut watch, 10).await, State::Raised);
}

#[tokio::test]
async fn the_file_is_replaced_as_a_whole_only_where_something_changed_and_is_nobody_elses() {
    use std::os::unix::fs::MetadataExt;
    let machine = Machine::healthy();
    let mut watch = machine.begin().await;
    machine.looks(&mut watch, 1).await;
    let file = || fs::metadata(&machine.settings.kept).expect("it is there");
    let first = file();
    assert_eq!(first.permissions().mode() & 0o777, 0o600);
    machine.looks(&mut watch, 100).await;
    assert_eq!(
        (file().ino(), file().mtime_nsec()),
        (first.ino(), first.mtime_nsec())
    );
    machine.disk("/", 1, 50);
    machine.looks(&mut watch, 10).await;
    assert_ne!(file().mtime_nsec(), first.mtime_nsec());
    let names = fs::read_dir(machine.settings.kept.parent().expect("a folder")).expect("reads");
    assert_eq!(names.count(), 1, "nothing is left beside it");
}
