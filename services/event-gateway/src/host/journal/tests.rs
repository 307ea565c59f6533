//! The journal over restarts, with a file that was spoiled, and where it is full.

use super::*;
use serde_json::json;

fn id(text: &str) -> EventId {
    text.parse().expect("an id")
}

fn noticed(name: &str, severity: u8) -> Line {
    let event = json!({
        "id": name, "type": "system.cpu.high", "severity": severity, "source": "system", "host": "h1",
        "noticed_at": "2030-01-01T00:00:00Z", "data": {"state": "raised"},
    });
    Line::Noticed(Box::new(Entry {
        event: serde_json::from_value(event).expect("an event"),
        boot_id: "boot".to_owned(),
        until_boottime_ms: 7,
        traceparent: None,
    }))
}

fn ids(open: &[Open]) -> Vec<(&str, bool, bool)> {
    open.iter()
        .map(|open| (open.entry.event.id.as_str(), open.handed, open.filed))
        .collect()
}

/// Writes lines as a gateway does, to its end.
async fn write(folder: &Path, lines: Vec<Line>) {
    let (book, _, writer) = open(folder).expect("opens");
    let stop = CancellationToken::new();
    let writing = tokio::spawn(writer.run(stop.clone()));
    for line in lines {
        book.write(line).await;
    }
    stop.cancel();
    writing.await.expect("no panic").expect("never fails");
}

#[tokio::test]
async fn e7_what_is_not_filed_or_not_handed_over_is_there_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    write(
        folder.path(),
        vec![
            noticed("a", 3),
            noticed("b", 1),
            noticed("c", 1),
            Line::Handed { id: id("a") },
            Line::Filed { id: id("b") },
            Line::Handed { id: id("c") },
            Line::Filed { id: id("c") },
        ],
    )
    .await;
    // Twice: the second time it is read as it was written anew.
    for _ in 0..2 {
        let (book, unfinished, _writer) = open(folder.path()).expect("opens");
        assert_eq!(ids(&unfinished), [("a", true, false), ("b", false, true)]);
        assert!(book.knows(&id("c")), "it is over and remembered (E1)");
        assert!(!book.knows(&id("d")));
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_set_aside_and_costs_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), vec![noticed("a", 3)]).await;
    let path = folder.path().join("events.jsonl");
    let mut text = std::fs::read(&path).expect("reads");
    text.extend_from_slice(b"\xff nonsense\n{\"later\":{}}\n");
    text.extend_from_slice(&serde_json::to_vec(&noticed("b", 3)).expect("JSON"));
    // Cut off in the middle of a write.
    text.extend_from_slice(b"\n{\"filed\":{\"id\":\"a");
    std::fs::write(&path, text).expect("writes");
    let (_, unfinished, _writer) = open(folder.path()).expect("opens");
    assert_eq!(ids(&unfinished), [("a", false, false), ("b", false, false)]);
    let aside = std::fs::read(folder.path().join("events.unreadable")).expect("set aside");
    assert_eq!(aside, b"\xff nonsense\n{\"later\":{}}\n");
}

#[test]
fn e3_places_are_kept_for_what_is_more_urgent() {
    let mut memory = Memory::default();
    let mut count = 0;
    for severity in [0_u8, 1, 2, 3] {
        let class = Severity::try_from(severity).expect("a severity");
        while memory.has_room(class) {
            memory.take(noticed(&format!("e{count}"), severity));
            count += 1;
        }
        assert_eq!(count, places(class));
    }
}

#[tokio::test]
async fn what_the_disk_did_not_take_is_written_with_what_comes_next() {
    let folder = tempfile::tempdir().expect("a folder");
    let (book, _, mut writer) = open(folder.path()).expect("opens");
    writer.file.take_no_more();
    let stop = CancellationToken::new();
    let writing = tokio::spawn(writer.run(stop.clone()));
    book.write(noticed("a", 3)).await;
    let (_, unfinished, _) = open(folder.path()).expect("opens");
    assert_eq!(ids(&unfinished), [], "it is not there");
    book.write(noticed("b", 3)).await;
    stop.cancel();
    writing.await.expect("no panic").expect("never fails");
    let (_, unfinished, _) = open(folder.path()).expect("opens");
    assert_eq!(ids(&unfinished), [("a", false, false), ("b", false, false)]);
}

#[tokio::test]
async fn e7_a_journal_of_another_host_is_set_aside_once_and_costs_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), vec![noticed("a", 3), noticed("b", 1)]).await;
    let clone = "h2".parse().expect("a host");
    let (book, unfinished, writer) = open(folder.path()).expect("opens");
    let ours = set_aside(folder.path(), &clone, unfinished, &book).expect("sets aside");
    assert_eq!(ids(&ours), []);
    let stop = CancellationToken::new();
    let writing = tokio::spawn(writer.run(stop.clone()));
    stop.cancel();
    writing.await.expect("no panic").expect("never fails");
    let path = folder.path().join("events.unreadable");
    let aside = std::fs::read_to_string(&path).expect("set aside");
    let said: Vec<Line> = aside
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line of ours"))
        .collect();
    assert_eq!(said, [noticed("a", 3), noticed("b", 1)]);
    // At the next start they are over, and whose they are is left alone.
    let (book, unfinished, _writer) = open(folder.path()).expect("opens");
    assert_eq!(ids(&unfinished), []);
    write(folder.path(), vec![noticed("c", 3)]).await;
    let (_, unfinished, _writer) = open(folder.path()).expect("opens");
    let own = "h1".parse().expect("a host");
    let ours = set_aside(folder.path(), &own, unfinished, &book).expect("sets nothing aside");
    assert_eq!(ids(&ours), [("c", false, false)]);
    assert_eq!(std::fs::read_to_string(&path).expect("is there"), aside);
}

#[tokio::test]
async fn e7_what_there_was_no_place_for_is_known_here_and_to_no_later_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let (book, _, _writer) = open(folder.path()).expect("opens");
    book.know(id("a"));
    assert!(book.knows(&id("a")), "it is told again and is one event");
    let (after, _, _writer) = open(folder.path()).expect("opens");
    assert!(!after.knows(&id("a")), "nobody has handed it over");
    drop(book.write(Line::Over { id: id("a") }));
    assert!(book.knows(&id("a")));
}
