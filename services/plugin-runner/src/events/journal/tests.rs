//! The journal across restarts and torn writes.

use super::*;
use serde_json::json;
use snooze_schemas::event::Severity;
use std::{
    fs::{self, OpenOptions},
    os::unix::fs::MetadataExt,
};

fn known(id: &str) -> Known {
    let event = serde_json::from_value(json!({
        "id": id, "type": "custom.backup", "severity": 1, "source": "custom.test", "host": "h1",
        "noticed_at": "2026-01-01T00:00:00Z",
    }));
    Known {
        event: event.expect("an event"),
        accepted_at: None,
        boot_id: "boot".to_owned(),
        deadline_boottime_ms: 1_000,
        handlers: BTreeMap::new(),
    }
}

fn id(text: &str) -> EventId {
    text.parse().expect("an id")
}

fn outcome(event: &str) -> EventOutcome {
    EventOutcome {
        id: id(event),
        event_type: "custom.backup".parse().expect("a type"),
        accepted_at: None,
        handlers: Vec::new(),
        not_asked: None,
    }
}

fn handler(plugin: &str) -> HandlerOutcome {
    serde_json::from_value(json!({"plugin": plugin, "handled": true, "succeeded": true, "took_ms": 1}))
        .expect("an outcome")
}

#[test]
fn e4_an_accepted_event_is_on_the_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("events.jsonl");
    let mut journal = Journal::open(path.clone()).expect("opens");
    assert_eq!(journal.accept(known("e1")).expect("writes"), Acceptance::New);
    // Another process sees it while the first still has the file open.
    let other = Memory::read(&path).expect("reads");
    assert!(other.unfinished.contains_key(&id("e1")));
}

#[test]
fn e6_an_event_is_known_for_good_also_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("events.jsonl");
    let mut journal = Journal::open(path.clone()).expect("opens");
    for event in ["started", "finished", "over"] {
        journal.accept(known(event)).expect("writes");
        journal
            .start(&id(event), "one".parse().expect("a name"))
            .expect("writes");
    }
    journal.end(&id("started"), handler("one")).expect("writes");
    journal
        .start(&id("started"), "two".parse().expect("a name"))
        .expect("writes");
    for event in ["finished", "over"] {
        journal.finish(outcome(event)).expect("writes");
    }
    journal.reported(&id("over")).expect("writes");
    // Twice, because the second start reads what the first one wrote anew.
    for _ in 0..2 {
        let mut journal = Journal::open(path.clone()).expect("opens");
        for event in ["started", "finished", "over"] {
            assert_eq!(
                journal.accept(known(event)).expect("reads"),
                Acceptance::Duplicate,
                "{event}"
            );
        }
        assert_eq!(journal.unreported(), Some(outcome("finished")));
        let handlers = &journal.unfinished()[0].handlers;
        assert_eq!(handlers.values().filter(|ended| ended.is_some()).count(), 1);
        assert_eq!(handlers.values().filter(|ended| ended.is_none()).count(), 1);
    }
}

#[test]
fn a_torn_line_costs_only_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("events.jsonl");
    let mut journal = Journal::open(path.clone()).expect("opens");
    journal.accept(known("e1")).expect("writes");
    let mut text = fs::read(&path).expect("reads");
    text.extend_from_slice(b"{\"accepted\":{\"event\":{\"id\":\"e2");
    fs::write(&path, text).expect("writes");
    let mut journal = Journal::open(path).expect("opens");
    assert_eq!(journal.accept(known("e1")).expect("reads"), Acceptance::Duplicate);
    assert_eq!(journal.accept(known("e2")).expect("writes"), Acceptance::New);
}

#[test]
fn e4_what_a_failed_write_left_spoils_no_later_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("events.jsonl");
    let mut journal = Journal::open(path.clone()).expect("opens");
    journal.accept(known("e1")).expect("writes");
    // As a disk that was full in the middle of a line leaves it.
    let mut other = OpenOptions::new().append(true).open(&path).expect("opens");
    other.write_all(b"{\"accepted\":{\"event\"").expect("writes");
    journal.accept(known("e2")).expect("writes");
    let mut journal = Journal::open(path).expect("opens");
    for event in ["e1", "e2"] {
        assert_eq!(
            journal.accept(known(event)).expect("reads"),
            Acceptance::Duplicate,
            "{event}"
        );
    }
}

#[test]
fn e4_a_journal_that_cannot_be_shortened_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("events.jsonl");
    let mut journal = Journal::open(path.clone()).expect("opens");
    journal.lines = journal.lines_limit;
    // Nothing can be written where a folder is in the way.
    let beside = path.with_extension("new");
    fs::create_dir_all(beside.join("in the way")).expect("makes");
    assert_eq!(journal.accept(known("e1")).expect("is written"), Acceptance::New);
    fs::remove_dir_all(beside).expect("removes");
    journal.lines = journal.lines_limit;
    journal.accept(known("e2")).expect("is written, and shortened");
    journal.accept(known("e3")).expect("is written");
    let memory = Memory::read(&path).expect("reads");
    assert_eq!(memory.unfinished.len(), 3, "what follows is in the new file");
}

#[test]
fn e3_a_flood_of_the_lower_leaves_places_for_the_higher() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut journal = Journal::open(folder.path().join("events.jsonl")).expect("opens");
    let mut count = 0;
    for severity in [
        Severity::Info,
        Severity::Warning,
        Severity::Urgent,
        Severity::Critical,
    ] {
        let accepted = std::iter::from_fn(|| {
            count += 1;
            let mut known = known(&format!("e{count}"));
            known.event.severity = severity;
            (journal.accept(known).expect("writes") == Acceptance::New).then_some(())
        });
        assert!(accepted.count() >= 32, "{severity:?}");
    }
    assert_eq!(journal.accept(known("e1")).expect("reads"), Acceptance::Duplicate);
    assert_eq!(journal.accept_own(known("own")).expect("writes"), Acceptance::New);
}

#[test]
fn e4_the_most_severe_is_reported_first_also_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("events.jsonl");
    let mut journal = Journal::open(path.clone()).expect("opens");
    let all = [
        ("a", Severity::Warning),
        ("b", Severity::Critical),
        ("c", Severity::Info),
        ("d", Severity::Critical),
    ];
    for (event, severity) in all {
        let mut known = known(event);
        known.event.severity = severity;
        journal.accept(known).expect("writes");
    }
    for event in ["c", "d", "a", "b"] {
        journal.finish(outcome(event)).expect("writes");
    }
    let first = journal.unreported().expect("there is one");
    journal.reported(&first.id).expect("writes");
    let mut told = vec![first.id.to_string()];
    // Twice, because the second start reads what the first one wrote anew.
    drop(Journal::open(path.clone()).expect("opens"));
    let mut journal = Journal::open(path).expect("opens");
    while let Some(next) = journal.unreported() {
        journal.reported(&next.id).expect("writes");
        told.push(next.id.to_string());
    }
    assert_eq!(told, ["d", "b", "a", "c"]);
}

#[test]
fn e3_what_waits_to_be_reported_is_bounded_and_leaves_places_for_the_higher() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut journal = Journal::open(folder.path().join("events.jsonl")).expect("opens");
    let mut count = 0;
    for severity in [
        Severity::Info,
        Severity::Warning,
        Severity::Urgent,
        Severity::Critical,
    ] {
        let accepted = std::iter::from_fn(|| {
            count += 1;
            let id = format!("e{count}");
            if !journal.memory.has_place(severity) {
                return None;
            }
            let outcome = Box::new(outcome(&id));
            let severity = Some(severity);
            journal.memory.take(Line::Finished { outcome, severity });
            Some(())
        });
        assert!(accepted.take(10_000).count() >= 256, "{severity:?}");
        let mut known = known("one-more");
        known.event.severity = severity;
        assert_eq!(
            journal.accept(known).expect("reads"),
            Acceptance::Full,
            "{severity:?}"
        );
    }
    assert!(count < 10_000, "there is a bound");
}

#[test]
fn e4_a_journal_of_which_much_is_not_over_is_not_written_anew_with_every_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("events.jsonl");
    let accepted = |number| format!("{{\"accepted\":{}}}\n", json!(known(&format!("e{number}"))));
    fs::write(&path, (0..=LINES_LIMIT).map(accepted).collect::<String>()).expect("writes");
    let mut journal = Journal::open(path.clone()).expect("opens");
    let file = || fs::metadata(&path).expect("it is there").ino();
    let before = file();
    for id in ["own-1", "own-2"] {
        journal.accept_own(known(id)).expect("is written");
        assert_eq!(file(), before, "{id} is a line of the same file");
    }
    journal.lines = journal.lines_limit;
    journal.accept_own(known("own-3")).expect("is written");
    assert_ne!(file(), before, "twice as many are too many");
}

#[test]
fn e4_what_was_filed_is_not_filed_again_because_that_cannot_be_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut journal = Journal::open(folder.path().join("events.jsonl")).expect("opens");
    journal.accept(known("e1")).expect("writes");
    journal.finish(outcome("e1")).expect("writes");
    let full = OpenOptions::new().append(true).open("/dev/full").expect("opens");
    let well = journal.write_to(full);
    journal.reported(&id("e1")).expect_err("the disk is full");
    assert_eq!(journal.unreported(), None);
    drop(journal.write_to(well));
    assert_eq!(journal.accept(known("e1")).expect("reads"), Acceptance::Duplicate);
}

#[test]
fn e7_a_flood_of_the_lower_has_none_of_the_higher_forgotten() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("events.jsonl");
    let mut journal = Journal::open(path.clone()).expect("opens");
    let mut critical = known("critical");
    critical.event.severity = Severity::Critical;
    journal.accept(critical.clone()).expect("writes");
    journal.finish(outcome("critical")).expect("writes");
    journal.reported(&id("critical")).expect("writes");
    drop(journal);
    let flood = |number| format!("{}\n", json!({"reported": {"id": format!("e{number}")}}));
    let mut file = OpenOptions::new().append(true).open(&path).expect("opens");
    let flood: String = (0..20_000).map(flood).collect();
    file.write_all(flood.as_bytes()).expect("writes");
    // Twice, because the second start reads what the first one wrote anew.
    for _ in 0..2 {
        let mut journal = Journal::open(path.clone()).expect("opens");
        assert_eq!(
            journal.accept(critical.clone()).expect("reads"),
            Acceptance::Duplicate
        );
        assert!(journal.knows(&id("e19999")) && journal.knows(&id("e10000")));
        assert!(!journal.knows(&id("e9999")), "the lower is bounded by itself");
    }
}
