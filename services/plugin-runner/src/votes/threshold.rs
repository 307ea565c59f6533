//! CPU, memory, network and disk: idle while the reading is below its threshold.

use super::{BuiltIn, Opinion, usable, voter};
use snooze_schemas::{
    policy::Policy,
    sample::{Sample, Unit, name},
    verdict::VoteState,
};

pub(super) fn cpu(sample: &Sample, policy: &Policy) -> BuiltIn {
    below(
        sample,
        "cpu",
        name::CPU_PERCENT,
        Unit::Percent,
        policy.cpu_threshold_percent,
    )
}

pub(super) fn memory(sample: &Sample, policy: &Policy) -> BuiltIn {
    below(
        sample,
        "memory",
        name::MEMORY_PERCENT,
        Unit::Percent,
        policy.memory_threshold_percent,
    )
}

pub(super) fn network(sample: &Sample, policy: &Policy) -> BuiltIn {
    below(
        sample,
        "network",
        name::NETWORK_KBPS,
        Unit::KibPerSecond,
        policy.network_threshold_kbps,
    )
}

pub(super) fn disk_io(sample: &Sample, policy: &Policy) -> BuiltIn {
    below(
        sample,
        "disk_io",
        name::DISK_IO_KBPS,
        Unit::KibPerSecond,
        policy.disk_io_threshold_kbps,
    )
}

/// The vote of a reading that is idle below a threshold.
pub(super) fn below(sample: &Sample, who: &str, reading: &str, unit: Unit, threshold: f64) -> BuiltIn {
    let opinion = match usable(sample, reading, unit) {
        Err(why) => Opinion::unknown(why),
        Ok(value) => {
            let (state, relation) = if value < threshold {
                (VoteState::Idle, "below")
            } else {
                (VoteState::Busy, "not below")
            };
            let symbol = match unit {
                Unit::Percent => "%",
                Unit::KibPerSecond => " KiB/s",
                Unit::Seconds => " s",
                Unit::Count => "",
            };
            Opinion::new(
                state,
                format!("{who} {value:.1}{symbol} is {relation} {threshold}{symbol}"),
            )
            .with(reading, value)
        }
    };
    BuiltIn {
        voter: voter(who),
        terms: format!("below {threshold}"),
        opinion: opinion.with("threshold", threshold),
    }
}
