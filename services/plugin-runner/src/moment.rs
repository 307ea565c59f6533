//! The host's three clocks read together, and the watch for jumps between them (T1).
//!
//! Pure: moments are passed in; nothing here reads a clock.

use serde::{Deserialize, Serialize};
use snooze_schemas::sample::Sample;
use snooze_service_runtime::clocks::{DRIFT_LIMIT_MS, Look};

/// One moment on the three clocks of this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Moment {
    /// `CLOCK_MONOTONIC`: stands still while the machine is suspended.
    pub monotonic_ms: u64,
    /// `CLOCK_BOOTTIME`: goes on while the machine is suspended.
    pub boottime_ms: u64,
    /// Real time since 1970; can be set by anybody at any time.
    pub real_ms: i64,
}

impl Moment {
    /// The end of a sample's interval.
    #[must_use]
    pub(crate) fn end_of(sample: &Sample) -> Moment {
        Moment {
            monotonic_ms: sample.ends_monotonic_ms,
            boottime_ms: sample.ends_boottime_ms,
            real_ms: sample.taken_at.as_millisecond(),
        }
    }

    fn suspended_ms(&self) -> i128 {
        i128::from(self.boottime_ms) - i128::from(self.monotonic_ms)
    }

    fn booted_at_ms(&self) -> i128 {
        i128::from(self.real_ms) - i128::from(self.boottime_ms)
    }
}

/// What the clocks say happened between two moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Jump {
    /// Monotonic and boot time drifted apart: the machine was suspended or hibernated.
    Suspended {
        /// For how long.
        ms: u64,
    },
    /// Real time was set.
    RealTimeSet {
        /// By how much, either way.
        ms: u64,
    },
}

impl std::fmt::Display for Jump {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Suspended { ms } => write!(out, "the machine was suspended for {} s", ms / 1000),
            Self::RealTimeSet { ms } => write!(out, "real time was set by {} s", ms / 1000),
        }
    }
}

impl From<Look> for Moment {
    fn from(look: Look) -> Moment {
        Moment {
            monotonic_ms: look.monotonic_ms,
            boottime_ms: look.boottime_ms,
            real_ms: look.wall.as_millisecond(),
        }
    }
}

/// Remembers how the clocks stood to one another.
///
/// It is fed with the clocks as they are read here and with those that samples carry, so that a
/// sample which arrives late tells of a suspend as well as one that arrives in time. It can be kept
/// over a restart, which the runtime's own watch cannot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DriftWatch {
    baseline: Option<Moment>,
}

impl DriftWatch {
    /// Compares this moment with the first one, or with the one at the last jump.
    ///
    /// The baseline stays where it is while nothing jumps, so that many small steps add up to a jump.
    pub(crate) fn observe(&mut self, now: Moment) -> Option<Jump> {
        let Some(baseline) = self.baseline else {
            self.baseline = Some(now);
            return None;
        };
        let distance = |now: i128, then: i128| u64::try_from((now - then).abs()).unwrap_or(u64::MAX);
        let suspended = distance(now.suspended_ms(), baseline.suspended_ms());
        let set = distance(now.booted_at_ms(), baseline.booted_at_ms());
        let jump = if suspended > DRIFT_LIMIT_MS {
            Jump::Suspended { ms: suspended }
        } else if set > DRIFT_LIMIT_MS {
            Jump::RealTimeSet { ms: set }
        } else {
            return None;
        };
        self.baseline = Some(now);
        Some(jump)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(monotonic_ms: u64, boottime_ms: u64, real_ms: i64) -> Moment {
        Moment {
            monotonic_ms,
            boottime_ms,
            real_ms,
        }
    }

    #[test]
    fn t1_a_suspend_is_a_jump() {
        let mut watch = DriftWatch::default();
        assert_eq!(watch.observe(moment(1_000, 1_000, 1_000_000)), None);
        assert_eq!(watch.observe(moment(2_000, 2_000, 1_001_000)), None);
        let resumed = moment(3_000, 33_000, 1_032_000);
        assert_eq!(watch.observe(resumed), Some(Jump::Suspended { ms: 30_000 }));
        assert_eq!(
            watch.observe(moment(4_000, 34_000, 1_033_000)),
            None,
            "once is enough"
        );
    }

    #[test]
    fn t1_setting_the_clock_either_way_is_a_jump() {
        for set in [-3_600_000i64, -2_001, 2_001, 3_600_000] {
            let mut watch = DriftWatch::default();
            watch.observe(moment(0, 0, 10_000_000));
            let jump = watch.observe(moment(1_000, 1_000, 10_001_000 + set));
            assert_eq!(
                jump,
                Some(Jump::RealTimeSet {
                    ms: set.unsigned_abs()
                })
            );
        }
    }

    #[test]
    fn t1_small_steps_add_up() {
        let mut watch = DriftWatch::default();
        let jumps = (0..4)
            .filter(|n| watch.observe(moment(0, n * 900, (n * 900) as i64)).is_some())
            .count();
        assert_eq!(jumps, 1);
    }

    #[test]
    fn a_leap_second_is_no_jump() {
        let mut watch = DriftWatch::default();
        watch.observe(moment(0, 0, 0));
        assert_eq!(watch.observe(moment(60_000, 60_000, 59_000)), None);
    }
}
