//! Lists as they follow upon each other, and what is told of them.

use super::*;
use serde_json::{Value, json};

const START: &str = "21 Jan 2030 09:00:43 GMT";
const MOVED: &str = "22 Jan 2030 09:00:43 GMT";

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn before() -> Timestamp {
    at("2030-01-20T00:00:00Z")
}

fn listed(code: &str, starts: &str, state: &str) -> Value {
    json!({"NotBefore": starts, "Code": code, "Description": "scheduled reboot", "State": state,
        "EventId": "instance-event-0d59937288b749b32", "NotAfter": "21 Jan 2030 09:17:23 GMT"})
}

fn list(entries: &[Value]) -> Vec<u8> {
    serde_json::to_vec(entries).expect("JSON")
}

fn told(read: &Read) -> Vec<(&str, State)> {
    assert_eq!(read.trouble, None);
    let happenings = read.happenings.iter();
    happenings
        .map(|one| (one.occurrence.as_str(), one.state))
        .collect()
}

/// One that was seen, after the history was read.
fn following() -> Maintenance {
    let mut maintenance = Maintenance::default();
    maintenance.history(None, before(), None);
    let read = maintenance.scheduled(Some(&list(&[listed("system-reboot", START, "active")])), None);
    assert_eq!(told(&read), [("reboot@1895216443", State::Raised)]);
    maintenance
}

#[test]
fn e1_a_scheduled_maintenance_is_told_once_with_its_start_as_deadline() {
    let mut maintenance = Maintenance::default();
    let answer = list(&[listed("system-reboot", START, "active")]);
    let first = maintenance.scheduled(Some(&answer), None);
    let happening = &first.happenings[0];
    assert_eq!(happening.deadline, Some(at("2030-01-21T09:00:43Z")));
    assert_eq!(happening.data["code"], "system-reboot");
    assert_eq!(happening.data["notBefore"], "2030-01-21T09:00:43Z");
    assert_eq!(happening.data["notAfter"], "2030-01-21T09:17:23Z");
    for _ in 0..1_000 {
        assert_eq!(told(&maintenance.scheduled(Some(&answer), None)), []);
    }
}

#[test]
fn one_that_is_cancelled_or_completed_is_another_happening_told_once() {
    for (state, wanted) in [("canceled", State::Cancelled), ("completed", State::Cleared)] {
        let mut maintenance = following();
        let answer = list(&[listed("system-reboot", START, state)]);
        let read = maintenance.scheduled(Some(&answer), None);
        assert_eq!(told(&read), [("reboot@1895216443", wanted)]);
        assert_eq!(
            read.happenings[0].deadline, None,
            "nothing has to be done by then"
        );
        assert_eq!(told(&maintenance.scheduled(Some(&answer), None)), []);
        assert_eq!(told(&maintenance.scheduled(Some(b"[]"), None)), []);
        assert!(!maintenance.owes_history());
    }
}

#[test]
fn of_one_that_is_gone_the_history_says_how_it_ended() {
    for (state, wanted) in [("canceled", State::Cancelled), ("completed", State::Cleared)] {
        let mut maintenance = following();
        assert!(!maintenance.owes_history());
        assert_eq!(told(&maintenance.scheduled(None, None)), []);
        assert!(maintenance.owes_history());
        let history = list(&[listed("system-reboot", START, state)]);
        let read = maintenance.history(Some(&history), before(), None);
        assert_eq!(told(&read), [("reboot@1895216443", wanted)]);
        assert!(!maintenance.owes_history());
    }
}

#[test]
fn one_that_is_gone_without_a_word_is_cancelled_before_its_start_and_over_after_it() {
    for (now, wanted) in [
        (before(), State::Cancelled),
        (at("2030-01-21T09:00:43Z"), State::Cleared),
    ] {
        let mut maintenance = following();
        maintenance.scheduled(Some(b"[]"), None);
        let ended = maintenance.without_history(now, None);
        assert_eq!(ended.len(), 1);
        assert_eq!(ended[0].state, wanted);
        assert!(!maintenance.owes_history());
    }
}

#[test]
fn one_that_is_moved_is_cancelled_and_another_one_is_scheduled() {
    let mut maintenance = following();
    let answer = list(&[listed("system-reboot", MOVED, "active")]);
    let read = maintenance.scheduled(Some(&answer), None);
    assert_eq!(
        told(&read),
        [
            ("reboot@1895216443", State::Cancelled),
            ("reboot@1895302843", State::Raised)
        ]
    );
    assert_eq!(told(&maintenance.scheduled(Some(&answer), None)), []);
    assert!(!maintenance.owes_history());
}

#[test]
fn what_cannot_be_read_ends_nothing_and_hides_nothing() {
    let mut maintenance = following();
    for answer in ["", "[", "{}", "[1]", "[{}]", r#"[{"Code": "x"}]"#] {
        let read = maintenance.scheduled(Some(answer.as_bytes()), None);
        assert!(read.trouble.is_some(), "{answer}");
        assert!(read.happenings.is_empty(), "{answer}");
        assert!(!maintenance.owes_history(), "{answer}");
    }
    let other = listed("instance-stop", START, "active");
    let read = maintenance.scheduled(Some(&list(&[json!({"Code": 7}), other])), None);
    assert!(read.trouble.is_some());
    assert_eq!(read.happenings.len(), 1, "the entry that can be read is told");
    assert_eq!(read.happenings[0].occurrence, "stop@1895216443");
}

#[test]
fn two_of_one_effect_at_one_time_are_one_while_either_holds() {
    let mut maintenance = Maintenance::default();
    let (active, ended) = ("active", "canceled");
    for states in [[active, ended], [ended, active], [active, active]] {
        let answer = list(&[
            listed("system-reboot", START, states[0]),
            listed("instance-reboot", START, states[1]),
        ]);
        let read = maintenance.scheduled(Some(&answer), None);
        assert!(told(&read).iter().all(|(_, state)| *state == State::Raised));
    }
    assert_eq!(maintenance.known.len(), 1);
}

#[test]
fn after_a_start_what_ended_meanwhile_is_told_and_what_is_long_over_is_not() {
    let history = list(&[listed("system-reboot", START, "canceled")]);
    let read = Maintenance::default().history(Some(&history), before(), None);
    assert_eq!(told(&read), [("reboot@1895216443", State::Cancelled)]);
    let long_after = at("2030-01-23T00:00:00Z");
    let read = Maintenance::default().history(Some(&history), long_after, None);
    assert_eq!(told(&read), []);
}

#[test]
fn a_list_of_ten_thousand_is_cut_and_said() {
    let many: Vec<Value> = (0..10_000)
        .map(|n| {
            listed(
                "system-reboot",
                &format!("1 Jan {} 00:00:00 GMT", 2030 + n % 5_000),
                "active",
            )
        })
        .collect();
    let read = Maintenance::default().scheduled(Some(&list(&many)), None);
    assert!(read.trouble.is_some());
    assert_eq!(read.happenings.len(), 64);
}
