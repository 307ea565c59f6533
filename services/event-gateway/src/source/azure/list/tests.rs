//! What is told of lists: documents in, happenings out.

use super::*;
use serde_json::json;
use snooze_schemas::event::severity_of;

const TIME: &str = "Tue, 01 Jan 2030 00:15:00 GMT";
const LATER: &str = "Tue, 01 Jan 2030 02:00:00 GMT";

fn entry(id: &str, event_type: &str, machines: &[&str]) -> Value {
    json!({
        "EventId": id, "EventType": event_type, "ResourceType": "VirtualMachine", "Resources": machines,
        "EventStatus": "Scheduled", "NotBefore": TIME, "Description": "Host server is undergoing maintenance.",
        "EventSource": "Platform", "DurationInSeconds": 5,
    })
}

fn with(mut entry: Value, name: &str, value: impl Into<Value>) -> Value {
    entry[name] = value.into();
    entry
}

fn started(entry: Value) -> Value {
    with(with(entry, "EventStatus", "Started"), "NotBefore", "")
}

fn document(entries: &[Value]) -> Vec<u8> {
    json!({ "DocumentIncarnation": 7, "Events": entries })
        .to_string()
        .into_bytes()
}

fn now() -> Look {
    Look {
        wall: "2030-01-01T00:00:00Z".parse().expect("a time"),
        monotonic_ms: 3_600_000,
        boottime_ms: 3_600_000,
    }
}

impl List {
    fn told(&mut self, entries: &[Value]) -> Vec<Happening> {
        let read = self.read(&document(entries), "web_0", now()).expect("a list");
        assert!(read.unreadable.is_none(), "{:?}", read.unreadable);
        read.happenings
    }
}

fn states(told: &[Happening]) -> Vec<(&str, &str, State)> {
    told.iter()
        .map(|it| (it.event_type.as_str(), it.occurrence.as_str(), it.state))
        .collect()
}

#[test]
fn e1_each_type_of_azure_has_one_of_ours_with_a_severity() {
    for (azure, ours) in [
        ("Preempt", "cloud.spot.interrupt"),
        ("Terminate", "cloud.instance.termination"),
        ("Reboot", "cloud.instance.maintenance"),
        ("Redeploy", "cloud.instance.maintenance"),
        ("Freeze", "cloud.instance.maintenance"),
    ] {
        let told = List::default().told(&[entry("A", azure, &["web_0"])]);
        assert_eq!(states(&told), [(ours, "a", State::Raised)]);
        assert!(severity_of(&told[0].event_type).is_some());
        assert_eq!(
            told[0].deadline,
            Some("2030-01-01T00:15:00Z".parse().expect("a time"))
        );
        assert_eq!(told[0].data["event_type"], azure);
        assert_eq!(told[0].data["duration_seconds"], 5);
    }
}

#[test]
fn e1_the_same_event_in_every_list_is_told_once_and_after_a_restart_as_the_same() {
    let mut list = List::default();
    let first = list.told(&[entry("A", "Reboot", &["web_0"])]);
    for _ in 0..10 {
        assert_eq!(list.told(&[entry("A", "Reboot", &["web_0"])]), []);
    }
    assert_eq!(
        list.told(&[started(entry("A", "Reboot", &["web_0"]))]),
        [],
        "that it begins"
    );
    let again = List::default().told(&[started(entry("a", "Reboot", &["web_0"]))]);
    assert_eq!(states(&again), states(&first), "a restart while it goes on");
    assert_eq!(again[0].deadline, None, "its time is blank");
}

#[test]
fn what_happens_to_other_machines_is_not_told() {
    let mut list = List::default();
    let others = entry("A", "Preempt", &["web_1", "web_00", "web"]);
    assert_eq!(list.told(&[others, entry("B", "Preempt", &[])]), []);
    let disk = with(entry("C", "Preempt", &["web_0"]), "ResourceType", "Disk");
    assert_eq!(list.told(&[disk]), []);
    assert_eq!(list.told(&[entry("D", "Preempt", &["web_1", "WEB_0"])]).len(), 1);
}

#[test]
fn e1_an_event_that_moves_is_another_happening_with_another_deadline() {
    let mut list = List::default();
    list.told(&[entry("A", "Reboot", &["web_0"])]);
    let moved = with(entry("A", "Reboot", &["web_0"]), "NotBefore", LATER);
    let told = list.told(std::slice::from_ref(&moved));
    let wanted = [(
        "cloud.instance.maintenance",
        "a@2030-01-01T02:00:00Z",
        State::Raised,
    )];
    assert_eq!(states(&told), wanted);
    assert_eq!(
        told[0].deadline,
        Some("2030-01-01T02:00:00Z".parse().expect("a time"))
    );
    assert_eq!(list.told(&[moved]), []);
    assert_eq!(
        states(&list.told(&[])),
        [("cloud.instance.maintenance", "a", State::Cancelled)]
    );
}

#[test]
fn e1_what_vanishes_is_over_where_it_had_begun_and_else_will_not_happen() {
    let end = |last: Value| {
        let mut list = List::default();
        list.told(&[entry("A", "Freeze", &["web_0"])]);
        list.told(&[last]);
        let told = list.told(&[]);
        assert_eq!(list.told(&[]), [], "an end is told once");
        (told[0].state, told[0].occurrence.clone(), told[0].deadline)
    };
    let event = entry("A", "Freeze", &["web_0"]);
    assert_eq!(end(event.clone()), (State::Cancelled, "a".to_owned(), None));
    assert_eq!(
        end(started(event.clone())),
        (State::Cleared, "a".to_owned(), None)
    );
    // Its time had come; that it began was not seen.
    let past = with(event, "NotBefore", "Mon, 31 Dec 2029 23:59:00 GMT");
    assert_eq!(end(past), (State::Cleared, "a".to_owned(), None));
}

#[test]
fn an_event_that_turns_into_another_kind_ends_and_the_other_begins() {
    let mut list = List::default();
    list.told(&[entry("A", "Reboot", &["web_0"])]);
    let told = list.told(&[entry("A", "Terminate", &["web_0"])]);
    let wanted = [
        ("cloud.instance.termination", "a", State::Raised),
        ("cloud.instance.maintenance", "a", State::Cancelled),
    ];
    assert_eq!(states(&told), wanted);
}

#[test]
fn a_list_with_an_entry_that_cannot_be_read_tells_the_others_and_takes_nothing_away() {
    let mut list = List::default();
    list.told(&[entry("A", "Reboot", &["web_0"])]);
    let wrong = [
        json!(7),
        json!({}),
        with(entry("B", "Vanish", &["web_0"]), "Resources", json!(["web_0"])),
        with(entry("B", "Reboot", &["web_0"]), "EventStatus", "Completed"),
        with(entry("", "Reboot", &["web_0"]), "Description", Value::Null),
        with(entry("B", "Reboot", &["web_0"]), "Resources", "web_0"),
    ];
    for (turn, wrong) in wrong.into_iter().enumerate() {
        let shown = wrong.to_string();
        let entries = [wrong, entry(&turn.to_string(), "Preempt", &["web_0"])];
        let read = list.read(&document(&entries), "web_0", now()).expect("a list");
        assert!(read.unreadable.is_some(), "{shown}");
        let told = states(&read.happenings);
        let wanted = [("cloud.spot.interrupt", turn.to_string())];
        let told: Vec<_> = told.iter().map(|it| (it.0, it.1.to_owned())).collect();
        assert_eq!(told, wanted, "{shown}");
    }
}

#[test]
fn an_event_whose_time_cannot_be_read_is_told_without_a_deadline() {
    let odd = with(entry("A", "Preempt", &["web_0"]), "NotBefore", "soon");
    let told = List::default().told(&[odd]);
    assert_eq!(
        (told[0].deadline, &told[0].data["not_before"]),
        (None, &json!("soon"))
    );
}

#[test]
fn an_event_is_due_for_approval_after_its_time_here_and_once() {
    let mut list = List::default();
    list.told(&[entry("A", "Reboot", &["web_0"]), entry("B", "Reboot", &["web_1"])]);
    let (after, noticed_ms) = (Duration::from_secs(60), now().boottime_ms);
    assert_eq!(list.due(noticed_ms + 59_999, after), None);
    assert_eq!(list.due(noticed_ms + 60_000, after).as_deref(), Some("A"));
    list.approved("A");
    assert_eq!(list.due(noticed_ms + 60_000, after), None);
    let mut begun = List::default();
    begun.told(&[started(entry("A", "Reboot", &["web_0"]))]);
    assert_eq!(
        begun.due(u64::MAX, after),
        None,
        "what has begun needs no approval"
    );
}

#[test]
fn ten_thousand_malformed_lists_take_nothing_away() {
    let whole = document(&[
        entry("A", "Reboot", &["web_0"]),
        entry("B", "Preempt", &["web_0"]),
    ]);
    let mut random = crate::source::malformed::Random::new(11);
    let (mut refused, mut read) = (0, 0);
    for _ in 0..10_000 {
        let mut list = List::default();
        list.told(&[
            entry("A", "Reboot", &["web_0"]),
            entry("B", "Preempt", &["web_0"]),
        ]);
        let body = random.spoil(&whole);
        match list.read(&body, "web_0", now()) {
            Err(_) => refused += 1,
            Ok(one) if one.unreadable.is_some() => {
                refused += 1;
                assert!(one.happenings.iter().all(|it| it.state == State::Raised));
            }
            // Still a list, that says something else in a place or two.
            Ok(one) => {
                read += 1;
                assert!(one.happenings.len() <= 4, "{}", body.escape_ascii());
            }
        }
        let shown: Vec<_> = list.known.values().map(|known| known.last.id.len()).collect();
        assert!(shown.iter().all(|length| (1..=128).contains(length)));
    }
    assert!(refused > 5_000 && read > 100, "{refused} refused, {read} read");
}
