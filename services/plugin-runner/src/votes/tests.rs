//! The built-in voters at and around their thresholds, and what they make of what is not known.

use super::*;
use snooze_schemas::sample::name;

fn sample(readings: &[(&str, f64, Unit)]) -> Sample {
    Sample {
        host: "h1".parse().expect("a host id"),
        boot_id: "b".to_owned(),
        agent: "a".to_owned(),
        seq: 1,
        taken_at: snooze_schemas::Timestamp::UNIX_EPOCH,
        covers_ms: 1000,
        ends_monotonic_ms: 5000,
        ends_boottime_ms: 5000,
        readings: readings
            .iter()
            .map(|(name, value, unit)| {
                let (value, unit) = (*value, *unit);
                (
                    (*name).to_owned(),
                    Reading::Known {
                        value,
                        unit,
                        took_ms: 0,
                    },
                )
            })
            .collect(),
        gpus: Vec::new(),
    }
}

fn quiet() -> Sample {
    sample(&[
        (name::CPU_PERCENT, 9.9, Unit::Percent),
        (name::MEMORY_PERCENT, 29.9, Unit::Percent),
        (name::NETWORK_KBPS, 49.9, Unit::KibPerSecond),
        (name::DISK_IO_KBPS, 99.9, Unit::KibPerSecond),
        (name::INPUT_IDLE_SECS, 900.0, Unit::Seconds),
        (name::PEOPLE_PRESENT, 0.0, Unit::Count),
    ])
}

fn state(votes: &[BuiltIn], who: &str) -> Option<VoteState> {
    votes
        .iter()
        .find(|vote| vote.voter.as_str() == who)
        .map(|vote| vote.opinion.state)
}

#[test]
fn everything_below_the_originals_thresholds_is_idle() {
    let votes = built_in(&quiet(), &Policy::default());
    assert_eq!(votes.len(), 6);
    for vote in votes {
        assert_eq!(vote.opinion.state, VoteState::Idle, "{vote:?}");
        assert!(!vote.opinion.reason.is_empty());
    }
}

#[test]
fn a_reading_at_its_threshold_is_busy() {
    let loud = sample(&[
        (name::CPU_PERCENT, 10.0, Unit::Percent),
        (name::MEMORY_PERCENT, 30.0, Unit::Percent),
        (name::NETWORK_KBPS, 50.0, Unit::KibPerSecond),
        (name::DISK_IO_KBPS, 100.0, Unit::KibPerSecond),
        (name::INPUT_IDLE_SECS, 899.0, Unit::Seconds),
        (name::PEOPLE_PRESENT, 1.0, Unit::Count),
        (name::GPU_PERCENT, 5.0, Unit::Percent),
    ]);
    let votes = built_in(&loud, &Policy::default());
    assert_eq!(votes.len(), 7);
    for vote in votes {
        assert_eq!(vote.opinion.state, VoteState::Busy, "{vote:?}");
    }
}

#[test]
fn an_unreadable_sensor_is_unknown_never_idle() {
    let mut blind = quiet();
    for name in [name::CPU_PERCENT, name::GPU_PERCENT] {
        let unknown = Reading::Unknown {
            unknown: "permission denied".to_owned(),
            took_ms: 1,
        };
        blind.readings.insert(name.to_owned(), unknown);
    }
    blind.readings.remove(name::MEMORY_PERCENT);
    let votes = built_in(&blind, &Policy::default());
    for who in ["cpu", "gpu", "memory"] {
        assert_eq!(state(&votes, who), Some(VoteState::Unknown), "{who}");
    }
    let cpu = &votes[0].opinion;
    assert!(cpu.reason.contains("permission denied"), "{}", cpu.reason);
}

#[test]
fn an_implausible_value_or_unit_is_unknown() {
    for (value, unit) in [
        (f64::NAN, Unit::Percent),
        (-1.0, Unit::Percent),
        (1.0, Unit::Count),
    ] {
        let votes = built_in(&sample(&[(name::CPU_PERCENT, value, unit)]), &Policy::default());
        assert_eq!(state(&votes, "cpu"), Some(VoteState::Unknown), "{value} {unit:?}");
    }
}

#[test]
fn input_leaves_the_vote_at_threshold_zero() {
    let policy = Policy {
        input_idle_threshold_secs: 0,
        ..Policy::default()
    };
    assert_eq!(state(&built_in(&quiet(), &policy), "input"), None);
    assert_eq!(
        state(&built_in(&quiet(), &policy), "people"),
        Some(VoteState::Idle)
    );
}

#[test]
fn no_gpu_is_no_voter_and_one_not_looked_at_neither() {
    assert_eq!(state(&built_in(&quiet(), &Policy::default()), "gpu"), None);
    let mut with_gpu = quiet();
    let busy = Reading::Known {
        value: 80.0,
        unit: Unit::Percent,
        took_ms: 0,
    };
    with_gpu.readings.insert(name::GPU_PERCENT.to_owned(), busy);
    assert_eq!(
        state(&built_in(&with_gpu, &Policy::default()), "gpu"),
        Some(VoteState::Busy)
    );
    let policy = Policy {
        gpu_monitoring_enabled: false,
        ..Policy::default()
    };
    assert_eq!(state(&built_in(&with_gpu, &policy), "gpu"), None);
}

#[test]
fn another_threshold_is_another_term() {
    let terms = |policy: &Policy| -> Vec<String> {
        built_in(&quiet(), policy)
            .into_iter()
            .map(|vote| vote.terms)
            .collect()
    };
    let tighter = Policy {
        cpu_threshold_percent: 5.0,
        ..Policy::default()
    };
    assert_ne!(terms(&Policy::default()), terms(&tighter));
}

#[test]
fn a_plugin_cannot_flood_the_verdict_with_reason_or_evidence() {
    let mut opinion = Opinion::new(VoteState::Busy, "ä".repeat(10_000));
    assert_eq!(opinion.reason.chars().count(), REASON_LIMIT);
    for n in 0..100 {
        opinion = opinion.with(&format!("k{n}"), n);
    }
    assert_eq!(opinion.evidence.len(), EVIDENCE_LIMIT);
}

#[test]
fn s10_people_present_are_busy_whatever_else_is_idle() {
    let mut sample = quiet();
    let present = Reading::Known {
        value: 2.0,
        unit: Unit::Count,
        took_ms: 0,
    };
    sample.readings.insert(name::PEOPLE_PRESENT.to_owned(), present);
    let votes = built_in(&sample, &Policy::default());
    assert_eq!(state(&votes, "people"), Some(VoteState::Busy));
    sample.readings.remove(name::PEOPLE_PRESENT);
    assert_eq!(
        state(&built_in(&sample, &Policy::default()), "people"),
        Some(VoteState::Unknown)
    );
}
