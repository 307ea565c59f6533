//! How values are written on the command line: durations, points in time, reasons, JSON, paths.

use super::Since;
use clap::{
    Arg, Command,
    builder::{OsStringValueParser, StringValueParser, TypedValueParser},
    error::ErrorKind,
};
use serde_json::{Map, Value};
use snooze_schemas::{Timestamp, event::FARTHEST_DEADLINE, ops::MAX_REASON_CHARS, unambiguous::Unambiguous};
use std::{ffi::OsStr, path::PathBuf, time::Duration};

/// Takes the empty path too: clap's own parser refuses it, and with it `SNOOZE_STATE= snooze …`.
pub(super) fn maybe_path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

/// The longest duration, in days: as long as the audit trail is kept.
const MOST_DAYS: u64 = 400;

/// How far ahead a deadline may lie, in days.
const DEADLINE_DAYS: u64 = FARTHEST_DEADLINE.as_secs() / DAY;

/// A day, in seconds.
const DAY: u64 = 86_400;

/// Why a text is no duration, as clap prints it after the text itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidDuration {
    /// It has another form.
    #[error("write it as 90s, 15m, 8h or 2d")]
    Form,
    /// A number alone, which one reader takes for seconds and another for hours.
    #[error("{0} of what? write {0}s, {0}m, {0}h or {0}d")]
    NoUnit(String),
    /// No time at all, or longer than so many days.
    #[error("it must be between 1 s and {0} d")]
    Range(u64),
}

/// Reads `90s`, `15m`, `8h` or `7d`.
pub(super) fn duration(text: &str) -> Result<Duration, InvalidDuration> {
    duration_up_to(text, MOST_DAYS)
}

/// The same, for how long something can be done about an event.
pub(super) fn time_left(text: &str) -> Result<Duration, InvalidDuration> {
    duration_up_to(text, DEADLINE_DAYS)
}

fn duration_up_to(text: &str, days: u64) -> Result<Duration, InvalidDuration> {
    let (digits, unit) = text.split_at(text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).len());
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(InvalidDuration::Form);
    }
    let factor = match unit {
        "" => return Err(InvalidDuration::NoUnit(digits.to_owned())),
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => DAY,
        _ => return Err(InvalidDuration::Form),
    };
    // Digits that are no number are too many of them.
    let number: u64 = digits.parse().map_err(|_| InvalidDuration::Range(days))?;
    number
        .checked_mul(factor)
        .filter(|seconds| (1..=days * DAY).contains(seconds))
        .map(Duration::from_secs)
        .ok_or(InvalidDuration::Range(days))
}

/// Reads a point in time, or a duration before now.
pub(super) fn since(text: &str) -> Result<Since, String> {
    match (text.parse::<Timestamp>(), duration(text)) {
        (Ok(time), _) => Ok(Since::Time(time)),
        (Err(_), Ok(duration)) => Ok(Since::Ago(duration)),
        (Err(_), Err(InvalidDuration::Form)) => {
            Err("write it as 2026-01-31T12:00:00Z, or as 90s, 15m, 8h, 7d".to_owned())
        }
        (Err(_), Err(wrong)) => Err(wrong.to_string()),
    }
}

/// Why somebody asks for something, no longer than is kept of it: the rest would be cut where the person who typed
/// it does not see it. Clap's own refusal would print the whole of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reason;

impl TypedValueParser for Reason {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<String, clap::Error> {
        let text = StringValueParser::new().parse_ref(command, argument, value)?;
        let chars = text.chars().count();
        if chars <= MAX_REASON_CHARS {
            return Ok(text);
        }
        let refusal = format!("the reason has {chars} characters; {MAX_REASON_CHARS} are kept at most\n");
        Err(clap::Error::raw(ErrorKind::ValueValidation, refusal).with_cmd(command))
    }
}

pub(super) fn json_object(text: &str) -> Result<Map<String, Value>, String> {
    match serde_json::from_str(text) {
        Ok(Unambiguous(Value::Object(object))) => Ok(object),
        Ok(_) => Err("not a JSON object".to_owned()),
        Err(error) if error.is_data() => Err(error.to_string()),
        Err(error) => Err(format!("not a JSON object: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_their_unit() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("15m"), Ok(Duration::from_secs(900)));
        assert_eq!(duration("7d"), Ok(Duration::from_secs(604_800)));
        for wrong in ["", "m", "1w", "-1s", "1.5h", "+5s", "1é"] {
            assert_eq!(duration(wrong), Err(InvalidDuration::Form), "{wrong:?}");
        }
        for far in ["0s", "401d", "99999d", "999999999999999999999999s"] {
            assert_eq!(duration(far), Err(InvalidDuration::Range(400)), "{far:?}");
        }
    }

    #[test]
    fn the_words_of_a_limit_are_the_limit() {
        type Read = fn(&str) -> Result<Duration, InvalidDuration>;
        let limits: [(Read, Duration); 2] = [
            (duration, Duration::from_secs(400 * 86_400)),
            (time_left, FARTHEST_DEADLINE),
        ];
        for (read, longest) in limits {
            let days = longest.as_secs() / 86_400;
            assert_eq!(read(&format!("{days}d")), Ok(longest));
            let refused = read(&format!("{}s", longest.as_secs() + 1)).map_err(|wrong| wrong.to_string());
            assert_eq!(refused, Err(format!("it must be between 1 s and {days} d")));
        }
    }

    #[test]
    fn a_key_that_stands_twice_in_an_object_is_refused_by_its_name() {
        for (text, key) in [
            (r#"{"a": 1, "a": 2}"#, "\"a\""),
            (r#"{"a": [{"deep": 1, "deep": 1}]}"#, "\"deep\""),
        ] {
            let refused = json_object(text).expect_err(text);
            assert!(
                refused.starts_with(&format!("the key {key} stands there twice")),
                "{refused}"
            );
        }
        for text in ["[]", "1", "{", r#"{"a"}"#] {
            let refused = json_object(text).expect_err(text);
            assert!(refused.starts_with("not a JSON object"), "{refused}");
        }
        assert!(json_object(r#"{"a": {"b": 1}, "b": {"a": 1}}"#).is_ok());
    }

    #[test]
    fn a_number_alone_is_no_duration() {
        let wrong = duration("8").map_err(|wrong| wrong.to_string());
        assert_eq!(wrong, Err("8 of what? write 8s, 8m, 8h or 8d".to_owned()));
        assert_eq!(since("8"), Err("8 of what? write 8s, 8m, 8h or 8d".to_owned()));
    }

    #[test]
    fn since_takes_a_time_or_a_duration_and_names_the_mistake_that_was_made() {
        assert_eq!(since("8h"), Ok(Since::Ago(Duration::from_secs(28_800))));
        assert!(matches!(since("2026-01-31T12:00:00Z"), Ok(Since::Time(_))));
        assert_eq!(
            since("99999d"),
            Err("it must be between 1 s and 400 d".to_owned())
        );
        assert!(since("yesterday").is_err_and(|wrong| wrong.contains("2026-01-31T12:00:00Z")));
    }

    #[test]
    fn a_reason_is_kept_whole_or_refused() {
        let command = Command::default();
        let read = |text: String| Reason.parse_ref(&command, None, OsStr::new(&text));
        assert!(read("é".repeat(MAX_REASON_CHARS)).is_ok());
        let refused = read("é".repeat(MAX_REASON_CHARS + 1)).expect_err("it is too long");
        let told = refused.to_string();
        assert!(
            told.contains("the reason has 301 characters; 300 are kept at most") && !told.contains('é'),
            "{told}"
        );
    }
}
