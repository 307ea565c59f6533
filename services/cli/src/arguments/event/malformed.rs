//! Ten thousand command lines of `event send` that somebody mistyped.

use super::EventSend;
use clap::{CommandFactory, FromArgMatches, Parser};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use snooze_schemas::event::{CustomEvent, FARTHEST_DEADLINE, Severity};

const LINES: usize = 10_000;

#[derive(Debug, Parser)]
struct Typed {
    #[command(flatten)]
    event: EventSend,
}

/// Each argument as it is right, the type first.
const GOOD: [(&str, &str); 6] = [
    ("", "backup.started"),
    ("--host", "web-1"),
    ("--severity", "3"),
    ("--within", "15m"),
    ("--id", "nightly-1"),
    ("--data", r#"{"size": [3, "é"], "to": {"x": null}}"#),
];

/// The text with some characters exchanged, put in, left out or doubled. May be what it was.
fn spoilt(random: &mut StdRng, good: &str) -> String {
    let mut text: Vec<char> = good.chars().collect();
    for _ in 0..random.random_range(1..4) {
        let at = random.random_range(0..=text.len());
        let any = match random.random_range(0..3) {
            0 => char::from(random.random_range(1..128_u8)),
            1 => char::from_u32(random.random_range(1..0x11_0000)).unwrap_or('\u{fffd}'),
            _ => ['.', '-', '9', '{', '"', ' ', '*', '>'][random.random_range(0..8)],
        };
        match random.random_range(0..4) {
            0 => text.insert(at, any),
            1 if at < text.len() => text[at] = any,
            2 if at < text.len() => drop(text.remove(at)),
            _ => text.truncate(at),
        }
    }
    text.into_iter().collect()
}

/// The command line whose argument of this number says so.
fn line(number: usize, text: &str) -> Vec<String> {
    let mut line = vec!["send".to_owned()];
    for (at, (name, good)) in GOOD.into_iter().enumerate() {
        let value = if at == number { text } else { good };
        match name {
            "" => line.push(value.to_owned()),
            name => line.push(format!("{name}={value}")),
        }
    }
    line
}

#[test]
fn ten_thousand_mistyped_events_are_refused_by_name_or_can_be_sent_as_they_are() {
    let mut random = StdRng::seed_from_u64(5);
    let mut refused = 0;
    for number in 0..LINES {
        let at = number % GOOD.len();
        let text = spoilt(&mut random, GOOD[at].1);
        let parsed = Typed::command().try_get_matches_from(line(at, &text));
        let sent = match parsed.and_then(|matches| Typed::from_arg_matches(&matches)) {
            Ok(typed) => typed.event,
            Err(error) => {
                refused += 1;
                let said = error.to_string();
                // What begins with a dash is taken for an argument of another name.
                let name = if at == 0 { "<TYPE>" } else { GOOD[at].0 };
                assert!(said.contains(name) || text.starts_with('-'), "{text:?}: {said}");
                continue;
            }
        };
        assert!(
            sent.within
                .is_none_or(|within| within <= FARTHEST_DEADLINE && !within.is_zero()),
            "{text:?}"
        );
        let event = CustomEvent {
            id: sent.id,
            host: sent.host,
            severity: Some(Severity::try_from(sent.severity).expect("one of four")),
            happened_at: None,
            deadline: None,
            data: sent.data.unwrap_or_default(),
        };
        let body = snooze_bus::encode(&event, snooze_bus::Format::MessagePack).expect("can be sent");
        let read: CustomEvent = snooze_bus::decode(&body).expect("can be read");
        assert_eq!(read, event, "{text:?}");
    }
    assert!(refused > LINES / 2, "{refused} of {LINES} are refused");
}
