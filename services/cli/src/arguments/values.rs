//! How values are written on the command line: durations, points in time, JSON, paths.

use super::Since;
use clap::builder::{OsStringValueParser, TypedValueParser};
use snooze_schemas::Timestamp;
use std::{path::PathBuf, time::Duration};

/// Takes the empty path too: clap's own parser refuses it, and with it `SNOOZE_STATE= snooze …`.
pub(super) fn maybe_path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

/// Reads `90s`, `15m`, `8h`, `7d` or a plain number of seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    const FORM: &str = "write it as 90s, 15m, 8h or 7d";
    let (digits, unit) = text.split_at(text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).len());
    let factor = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(FORM.to_owned()),
    };
    let number: u64 = digits.parse().map_err(|_| FORM.to_owned())?;
    number
        .checked_mul(factor)
        .filter(|seconds| (1..=MAX_SECONDS).contains(seconds))
        .map(Duration::from_secs)
        .ok_or_else(|| "it must be between 1 s and 400 d".to_owned())
}

/// The longest duration: as long as the audit trail is kept.
const MAX_SECONDS: u64 = 400 * 86_400;

pub(super) fn since(text: &str) -> Result<Since, String> {
    match text.parse::<Timestamp>() {
        Ok(time) => Ok(Since::Time(time)),
        Err(_) => duration(text)
            .map(Since::Ago)
            .map_err(|_| "write it as 2026-01-31T12:00:00Z, or as 90s, 15m, 8h, 7d".to_owned()),
    }
}

pub(super) fn json_object(text: &str) -> Result<serde_json::Map<String, serde_json::Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("not a JSON object: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_their_unit() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("15m"), Ok(Duration::from_secs(900)));
        assert_eq!(duration("7d"), Ok(Duration::from_secs(604_800)));
        assert_eq!(duration("5"), Ok(Duration::from_secs(5)));
        for wrong in ["", "m", "1w", "-1s", "1.5h", "0s", "99999999999999d", "1é"] {
            assert!(duration(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn since_takes_a_time_or_a_duration() {
        assert_eq!(since("8h"), Ok(Since::Ago(Duration::from_secs(28_800))));
        assert!(matches!(since("2026-01-31T12:00:00Z"), Ok(Since::Time(_))));
        assert!(since("yesterday").is_err());
    }
}
