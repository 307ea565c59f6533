//! How long to wait before a plugin is started again, and when it has crashed too often for that.
//!
//! Pure: it counts, it does not wait.

use std::time::Duration;

/// How restarts are spaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restarts {
    /// Before the first restart.
    pub first: Duration,
    /// Never longer than this.
    pub longest: Duration,
    /// A process that lived so long starts over with the first wait.
    pub forgiven_after: Duration,
    /// After so many crashes in a row it is quarantined.
    pub crashes: u32,
    /// So long is it in quarantine before it is tried once more.
    pub quarantine: Duration,
}

impl Default for Restarts {
    /// Half a second keeps a plugin that fell over once useful; two minutes let what passes by itself pass. Ten crashes
    /// are then some four minutes, in which a server that comes up late has come up. One try an hour costs next to
    /// nothing, and nobody has to go to every host of a fleet when what ailed its plugins is over: a required voter in
    /// quarantine keeps its host running for as long as it is there.
    fn default() -> Self {
        Restarts {
            first: Duration::from_millis(500),
            longest: Duration::from_secs(120),
            forgiven_after: Duration::from_secs(300),
            crashes: 10,
            quarantine: Duration::from_secs(3600),
        }
    }
}

/// The failures of one plugin in a row.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
    /// Those of them that were a process's own.
    crashes: u32,
}

/// What comes after a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aftermath {
    /// It is started again after this.
    Again(Duration),
    /// It has crashed so often that it is not, for long.
    Quarantine {
        /// How often.
        crashes: u32,
        /// Whether it was not in quarantine before this try.
        is_news: bool,
    },
}

impl Backoff {
    /// Counts a failure of a process that lived for so long, and says how long to wait: twice as long
    /// as before, up to the longest.
    pub(crate) fn failed_after(&mut self, lived: Duration, restarts: &Restarts) -> Duration {
        if lived >= restarts.forgiven_after {
            *self = Backoff::default();
        }
        let doubled = 2u32.saturating_pow(self.failures.min(31));
        self.failures = self.failures.saturating_add(1);
        restarts.first.saturating_mul(doubled).min(restarts.longest)
    }

    /// Counts a failure that was the process's own, after it lived for so long, and says what comes of it.
    pub(crate) fn crashed_after(&mut self, lived: Duration, restarts: &Restarts) -> Aftermath {
        let wait = self.failed_after(lived, restarts);
        self.crashes = self.crashes.saturating_add(1);
        if self.crashes < restarts.crashes {
            return Aftermath::Again(wait);
        }
        Aftermath::Quarantine {
            crashes: self.crashes,
            is_news: self.crashes == restarts.crashes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_waits_twice_as_long_up_to_the_longest() {
        let restarts = Restarts::default();
        let mut backoff = Backoff::default();
        let waits: Vec<u64> = (0..12)
            .map(|_| {
                backoff
                    .failed_after(Duration::ZERO, &restarts)
                    .as_millis()
                    .try_into()
                    .expect("small")
            })
            .collect();
        assert_eq!(waits[..4], [500, 1_000, 2_000, 4_000]);
        assert_eq!(waits[11], 120_000);
    }

    #[test]
    fn t3_after_ten_crashes_in_a_row_it_is_quarantined_and_each_try_that_crashes_is_no_news() {
        let restarts = Restarts::default();
        let mut backoff = Backoff::default();
        let mut crash = |lived| backoff.crashed_after(lived, &restarts);
        for _ in 0..9 {
            assert!(matches!(crash(Duration::ZERO), Aftermath::Again(_)));
        }
        let quarantine = |crashes, is_news| Aftermath::Quarantine { crashes, is_news };
        assert_eq!(crash(Duration::ZERO), quarantine(10, true));
        assert_eq!(crash(restarts.forgiven_after / 2), quarantine(11, false));
        assert_eq!(
            crash(restarts.forgiven_after),
            Aftermath::Again(restarts.first),
            "who lived long begins anew"
        );
    }

    #[test]
    fn t3_what_could_not_be_started_has_not_crashed() {
        let restarts = Restarts::default();
        let mut backoff = Backoff::default();
        for _ in 0..100 {
            backoff.failed_after(Duration::ZERO, &restarts);
        }
        assert_eq!(
            backoff.crashed_after(Duration::ZERO, &restarts),
            Aftermath::Again(restarts.longest)
        );
    }

    #[test]
    fn a_process_that_lived_long_is_forgiven() {
        let restarts = Restarts::default();
        let mut backoff = Backoff::default();
        for _ in 0..5 {
            backoff.failed_after(Duration::ZERO, &restarts);
        }
        assert_eq!(
            backoff.failed_after(restarts.forgiven_after, &restarts),
            restarts.first
        );
    }
}
