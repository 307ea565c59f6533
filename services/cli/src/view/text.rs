//! Values as people read them: durations, readings, ages. Pure.

use snooze_schemas::{
    audit::AuditRecord,
    sample::{Reading, Sample, Unit, name},
    verdict::{Role, Vote, VoteState},
};
use snooze_service_runtime::plain::plain;
use std::time::Duration;

/// A duration in its two largest units: `0 s`, `12 s`, `3 m 20 s`, `2 h 5 m`, `4 d 3 h`.
#[must_use]
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let two = |large: u64, unit: &str, small: u64, rest: &str| match small {
        0 => format!("{large} {unit}"),
        _ => format!("{large} {unit} {small} {rest}"),
    };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => two(minutes, "m", seconds % 60, "s"),
        (0, _, _) => two(hours, "h", minutes, "m"),
        _ => two(days, "d", hours, "h"),
    }
}

/// Milliseconds as a duration.
#[must_use]
pub fn millis(ms: u64) -> String {
    duration(Duration::from_millis(ms))
}

/// A reading with its unit, or why there is none.
#[must_use]
pub fn reading(reading: &Reading) -> String {
    match reading {
        Reading::Unknown { unknown, .. } => format!("unknown ({unknown})"),
        Reading::Known { value, unit, .. } => match unit {
            Unit::Percent => format!("{value:.1} %"),
            Unit::KibPerSecond => format!("{value:.1} KiB/s"),
            Unit::Count if value.fract() == 0.0 => format!("{value:.0}"),
            Unit::Count => format!("{value:.2}"),
            // A negative or huge number of seconds is a fault elsewhere; it is shown, not hidden.
            Unit::Seconds => {
                Duration::try_from_secs_f64(*value).map_or_else(|_| format!("{value} s"), self::duration)
            }
        },
    }
}

/// The readings of a sample in the order in which people look for them, each with its short name.
#[must_use]
pub fn readings(sample: &Sample) -> Vec<(String, String)> {
    const ORDER: [(&str, &str); 7] = [
        (name::CPU_PERCENT, "CPU"),
        (name::MEMORY_PERCENT, "memory"),
        (name::NETWORK_KBPS, "network"),
        (name::DISK_IO_KBPS, "disk"),
        (name::INPUT_IDLE_SECS, "last input"),
        (name::PEOPLE_PRESENT, "people"),
        (name::GPU_PERCENT, "GPU"),
    ];
    const GROUPS: [(&str, [&str; 3]); 2] = [
        ("load", [name::LOAD_1M, name::LOAD_5M, name::LOAD_15M]),
        (
            "pressure cpu/memory/io",
            [
                name::PRESSURE_CPU_PERCENT,
                name::PRESSURE_MEMORY_PERCENT,
                name::PRESSURE_IO_PERCENT,
            ],
        ),
    ];
    let known = |name: &str| sample.readings.get(name);
    let mut shown: Vec<(String, String)> = ORDER
        .iter()
        .filter_map(|(name, short)| Some(((*short).to_owned(), reading(known(name)?))))
        .collect();
    for (short, names) in GROUPS {
        let values: Vec<String> = names.iter().filter_map(|name| known(name)).map(reading).collect();
        if !values.is_empty() {
            shown.push((short.to_owned(), values.join(" / ")));
        }
    }
    let listed = |name: &str| {
        ORDER.iter().any(|(known, _)| *known == name) || GROUPS.iter().any(|(_, names)| names.contains(&name))
    };
    let others = sample.readings.iter().filter(|(name, _)| !listed(name));
    shown.extend(others.map(|(name, value)| (name.clone(), reading(value))));
    shown
}

/// What a vote says, in a word.
#[must_use]
pub fn state(state: VoteState) -> &'static str {
    match state {
        VoteState::Idle => "idle",
        VoteState::Busy => "busy",
        VoteState::Unknown => "unknown",
    }
}

/// A vote as short as it can be told, with for how long it has been so.
#[must_use]
pub fn vote(vote: &Vote, said_for: Duration) -> String {
    format!("{} {} {}", vote.voter, state(vote.state), duration(said_for))
}

/// What a vote counts for, in a word.
#[must_use]
pub fn role(role: Role) -> &'static str {
    match role {
        Role::Required => "required",
        Role::Counted => "counted",
        Role::Advisory => "advisory",
    }
}

/// An entry of the audit trail on one line; the time of day is in UTC, as everywhere.
#[must_use]
pub fn audit(record: &AuditRecord) -> String {
    let claim = record
        .claim
        .map(|claim| format!(" [claim {claim}]"))
        .unwrap_or_default();
    let (time, kind, message) = (
        record.at.strftime("%H:%M:%S"),
        record.kind.as_str(),
        printable(&record.message),
    );
    format!("{time} {kind:<9} {message}{claim}")
}

/// Text from elsewhere, without what would steer the terminal.
#[must_use]
pub fn printable(text: &str) -> String {
    plain(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_two_units_at_most() {
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 m"),
            (200, "3 m 20 s"),
            (3_600, "1 h"),
            (7_505, "2 h 5 m"),
            (356_400, "4 d 3 h"),
        ] {
            assert_eq!(duration(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn an_unknown_reading_says_why_and_is_no_zero() {
        let unknown = Reading::Unknown {
            unknown: "no such file".to_owned(),
            took_ms: 1,
        };
        assert_eq!(reading(&unknown), "unknown (no such file)");
    }

    #[test]
    fn text_from_elsewhere_cannot_steer_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\nc\u{9b}"), "a [2Jb c ");
    }
}
