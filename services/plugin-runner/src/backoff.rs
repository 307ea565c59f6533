//! How long to wait before a plugin is started again.
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
}

impl Default for Restarts {
    /// Half a second keeps a plugin that fell over once useful; two minutes let one that always
    /// crashes cost next to nothing.
    fn default() -> Self {
        Restarts {
            first: Duration::from_millis(500),
            longest: Duration::from_secs(120),
            forgiven_after: Duration::from_secs(300),
        }
    }
}

/// The failures of one plugin in a row.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Counts a failure of a process that lived for so long, and says how long to wait: twice as long
    /// as before, up to the longest.
    pub(crate) fn failed_after(&mut self, lived: Duration, restarts: &Restarts) -> Duration {
        if lived >= restarts.forgiven_after {
            self.failures = 0;
        }
        let doubled = 2u32.saturating_pow(self.failures.min(31));
        self.failures = self.failures.saturating_add(1);
        restarts.first.saturating_mul(doubled).min(restarts.longest)
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
