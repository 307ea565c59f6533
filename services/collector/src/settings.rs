//! What a policy says of measuring, checked once. Everything else in it is not the collector's.

use snooze_schemas::policy::Policy;
use std::time::Duration;

/// Below this the readings' own cost and the clock tick's coarseness would be what is measured.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

/// A day is the longest that a configuration file may name.
const LONGEST_INTERVAL: Duration = Duration::from_secs(86_400);

/// How the host is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// From one sample to the next.
    pub check_interval: Duration,
    /// How recent a sign of life must be for somebody to be here; zero takes only *input* out of the vote.
    pub input_threshold: Duration,
    /// Whether GPUs are looked at.
    pub gpu_enabled: bool,
}

impl Settings {
    /// For how long a sign of life counts. A threshold of zero switches the input vote off, and people
    /// are still looked for as by default.
    pub(crate) fn people_threshold(&self) -> Duration {
        if self.input_threshold.is_zero() {
            Settings::default().input_threshold
        } else {
            self.input_threshold
        }
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings::from(&Policy::default())
    }
}

impl From<&Policy> for Settings {
    fn from(policy: &Policy) -> Settings {
        let interval = Duration::try_from_secs_f64(policy.check_interval_seconds).unwrap_or(LONGEST_INTERVAL);
        Settings {
            check_interval: interval.clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL),
            input_threshold: Duration::from_secs(policy.input_idle_threshold_secs),
            gpu_enabled: policy.gpu_monitoring_enabled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_kept_and_one_that_is_none_is_brought_within_bounds() {
        for (seconds, expected) in [
            (1.0, 1_000),
            (7_200.0, 7_200_000),
            (86_400.0, 86_400_000),
            (0.0, 100),
            (-1.0, 86_400_000),
            (f64::NAN, 86_400_000),
            (f64::INFINITY, 86_400_000),
            (1e9, 86_400_000),
        ] {
            let policy = Policy {
                check_interval_seconds: seconds,
                ..Policy::default()
            };
            let interval = Settings::from(&policy).check_interval;
            assert_eq!(interval, Duration::from_millis(expected), "{seconds}");
        }
    }

    #[test]
    fn people_are_looked_for_also_where_input_does_not_vote() {
        let policy = Policy {
            input_idle_threshold_secs: 0,
            ..Policy::default()
        };
        assert_eq!(
            Settings::from(&policy).people_threshold(),
            Duration::from_secs(900)
        );
    }
}
