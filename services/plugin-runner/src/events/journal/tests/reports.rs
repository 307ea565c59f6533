//! What waits to be reported, and what is remembered once it was.

use super::*;

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
    let first = journal.unreported().expect("there is one").outcome;
    journal.reported(&first.id).expect("writes");
    let mut told = vec![first.id.to_string()];
    // Twice, because the second start reads what the first one wrote anew.
    drop(Journal::open(path.clone()).expect("opens"));
    let mut journal = Journal::open(path).expect("opens");
    while let Some(Finished { outcome: next, .. }) = journal.unreported() {
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
            journal.memory.take(Line::Finished {
                outcome,
                severity,
                report: drawn(),
            });
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
