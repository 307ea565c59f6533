//! The journal across restarts and torn writes.

use super::*;
use serde_json::json;

fn known(id: &str) -> Known {
    let event = serde_json::from_value(json!({
        "id": id, "type": "custom.backup", "severity": 1, "source": "custom.test", "host": "h1",
        "noticed_at": "2026-01-01T00:00:00Z",
    }));
    Known {
        event: event.expect("an event"),
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
        handlers: Vec::new(),
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
    assert_eq!(journal.accept(known("e1"), 10).expect("writes"), Acceptance::New);
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
        journal.accept(known(event), 10).expect("writes");
        journal
            .start(&id(event), "one".parse().expect("a name"))
            .expect("writes");
    }
    journal.end(&id("started"), handler("one")).expect("writes");
    journal
        .start(&id("started"), "two".parse().expect("a name"))
        .expect("writes");
    for event in ["finished", "over"] {
        journal.finish(&id(event), outcome(event)).expect("writes");
    }
    journal.reported(&id("over")).expect("writes");
    // Twice, because the second start reads what the first one wrote anew.
    for _ in 0..2 {
        let mut journal = Journal::open(path.clone()).expect("opens");
        for event in ["started", "finished", "over"] {
            assert_eq!(
                journal.accept(known(event), 10).expect("reads"),
                Acceptance::Duplicate,
                "{event}"
            );
        }
        assert_eq!(journal.unreported(), [outcome("finished")]);
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
    journal.accept(known("e1"), 10).expect("writes");
    let mut text = fs::read(&path).expect("reads");
    text.extend_from_slice(b"{\"accepted\":{\"event\":{\"id\":\"e2");
    fs::write(&path, text).expect("writes");
    let mut journal = Journal::open(path).expect("opens");
    assert_eq!(
        journal.accept(known("e1"), 10).expect("reads"),
        Acceptance::Duplicate
    );
    assert_eq!(journal.accept(known("e2"), 10).expect("writes"), Acceptance::New);
}

#[test]
fn there_is_a_bound_on_what_is_handled_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut journal = Journal::open(folder.path().join("events.jsonl")).expect("opens");
    assert_eq!(journal.accept(known("e1"), 1).expect("writes"), Acceptance::New);
    assert_eq!(journal.accept(known("e2"), 1).expect("writes"), Acceptance::Full);
}
