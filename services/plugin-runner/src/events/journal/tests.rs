//! The journal across restarts and torn writes.

mod reports;

use super::*;
use serde_json::json;
use snooze_schemas::event::{HandlerAtWork, Severity};
use std::{
    collections::BTreeMap,
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
        traceparent: None,
        handlers: BTreeMap::new(),
        begun: BTreeMap::new(),
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

fn begun() -> Begun {
    Begun {
        started_at: "2026-01-01T00:00:01Z".parse().expect("a time"),
        left_ms: 900,
        within_ms: 450,
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
            .start(&id(event), "one".parse().expect("a name"), begun())
            .expect("writes");
    }
    journal.end(&id("started"), handler("one")).expect("writes");
    journal
        .start(&id("started"), "two".parse().expect("a name"), begun())
        .expect("writes");
    for event in ["finished", "over"] {
        journal.finish(outcome(event)).expect("writes");
    }
    journal.reported(&id("over")).expect("writes");
    let report = journal.unreported().expect("there is one").report;
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
        // Under the same name in the trail, where it may be already.
        let finished = Finished {
            outcome: outcome("finished"),
            report: report.clone(),
        };
        assert_eq!(journal.unreported(), Some(finished));
        let handlers = &journal.unfinished()[0].handlers;
        assert_eq!(handlers.values().filter(|ended| ended.is_some()).count(), 1);
        assert_eq!(handlers.values().filter(|ended| ended.is_none()).count(), 1);
        // Who was at work, since when, and who was done.
        let progress = journal.progress(&id("started")).expect("it is not over");
        let two = HandlerAtWork {
            plugin: "two".parse().expect("a name"),
            begun: Some(begun()),
        };
        assert_eq!(
            (progress.at_work, progress.ended),
            (vec![two], vec![handler("one")])
        );
        assert_eq!(journal.progress(&id("finished")), None);
    }
}

#[test]
fn a_journal_of_before_did_not_say_when_a_handler_began() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("events.jsonl");
    let mut journal = Journal::open(path.clone()).expect("opens");
    journal.accept(known("e1")).expect("writes");
    let mut text = fs::read(&path).expect("reads");
    text.extend_from_slice(b"{\"started\":{\"id\":\"e1\",\"plugin\":\"one\"}}\n");
    fs::write(&path, text).expect("writes");
    let journal = Journal::open(path).expect("opens");
    let progress = journal.progress(&id("e1")).expect("it is not over");
    assert_eq!(progress.at_work[0].begun, None);
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
    journal.sync().expect("it stands");
    fs::remove_dir_all(beside).expect("removes");
    journal.lines = journal.lines_limit;
    journal.accept(known("e2")).expect("is written");
    journal.sync().expect("is shortened");
    journal.accept(known("e3")).expect("is written");
    let memory = Memory::read(&path).expect("reads");
    assert_eq!(memory.unfinished.len(), 3, "what follows is in the new file");
}

#[test]
fn e4_a_journal_that_cannot_be_written_anew_at_the_start_goes_on_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("events.jsonl");
    // Nothing can be written where a folder is in the way.
    let beside = path.with_extension("new");
    fs::create_dir_all(beside.join("in the way")).expect("makes");
    Journal::open(path.clone()).expect_err("there is none to go on with");
    let accepted = |id: &str| format!("{}\n", json!({"accepted": known(id)}));
    let torn = r#"{"accepted":{"event":{"id":"e3"#;
    fs::write(&path, accepted("e1") + &accepted("e2") + torn).expect("writes");
    let mut journal = Journal::open(path.clone()).expect("goes on");
    assert_eq!(journal.lines, 2);
    assert_eq!(journal.accept(known("e4")).expect("is written"), Acceptance::New);
    for _ in 0..2 {
        let mut journal = Journal::open(path.clone()).expect("opens");
        for event in ["e1", "e2", "e4"] {
            assert_eq!(
                journal.accept(known(event)).expect("reads"),
                Acceptance::Duplicate,
                "{event}"
            );
        }
        fs::remove_dir_all(&beside).ok();
    }
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
        journal.sync().expect("is synced");
        assert_eq!(file(), before, "{id} is a line of the same file");
    }
    journal.lines = journal.lines_limit;
    journal.accept_own(known("own-3")).expect("is written");
    journal.sync().expect("is synced");
    assert_ne!(file(), before, "twice as many are too many");
}
