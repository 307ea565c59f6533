//! How long to wait when EventBridge does not take what it is told, and what is said of it: once when that
//! begins, once when it is over.

use snooze_bus::BusError;
use snooze_service_runtime::exit::one_line;
use std::time::Duration;

/// The longest wait between two calls: an outage that is over is noticed within it.
const LONGEST: Duration = Duration::from_secs(60);
/// At most so often it is said that entries are too old: who begins to publish may meet a year of them.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// How the last calls went.
#[derive(Debug)]
pub(super) struct Pace {
    first: Duration,
    failures: u32,
    too_old: u64,
    said_too_old_ms: Option<u64>,
    has_said_not_taken: bool,
}

impl Pace {
    pub(super) fn new(first: Duration) -> Pace {
        Pace {
            first,
            failures: 0,
            too_old: 0,
            said_too_old_ms: None,
            has_said_not_taken: false,
        }
    }

    /// A call failed, or not all of it was taken. For how long to wait.
    pub(super) fn failed(&mut self, why: &str) -> Duration {
        self.failures = self.failures.saturating_add(1);
        if self.failures == 1 {
            tracing::warn!(why, "decisions are not published; tried again and again");
        } else {
            tracing::debug!(why, failures = self.failures, "decisions are still not published");
        }
        self.pause_after(self.failures)
    }

    /// All of a call was taken: nothing to wait for.
    pub(super) fn went_well(&mut self) -> Duration {
        if self.failures > 0 {
            tracing::info!(failures = self.failures, "decisions are published again");
        }
        self.failures = 0;
        Duration::ZERO
    }

    /// Twice as long after each further try. Gateways that failed together do not come back together.
    pub(super) fn pause_after(&self, tries: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(tries.saturating_sub(1));
        let longest = self.first.saturating_mul(doubled).min(LONGEST);
        longest.mul_f64(0.5 + rand::random::<f64>() / 2.0)
    }

    /// Nothing could be taken from the trail.
    pub(super) fn not_taken(&mut self, error: &BusError) {
        let is_missing = error.is_missing();
        let error = one_line(error);
        match (self.has_said_not_taken, is_missing) {
            (true, _) => tracing::debug!(error, "decisions are still not taken"),
            (false, true) => tracing::error!(
                error,
                "decisions are not published: nobody but the set-up may make what they are taken from; run the \
                 set-up of this version"
            ),
            (false, false) => tracing::warn!(error, "decisions are not taken; tried again and again"),
        }
        self.has_said_not_taken = true;
    }

    /// Something was.
    pub(super) fn taken(&mut self) {
        if self.has_said_not_taken {
            tracing::info!("decisions are taken again");
        }
        self.has_said_not_taken = false;
    }

    /// An entry is too old to be published.
    pub(super) fn too_old(&mut self, now_ms: u64) {
        self.too_old += 1;
        let since = self.said_too_old_ms.map(|said| now_ms.saturating_sub(said));
        if since.is_none_or(|since| Duration::from_millis(since) >= SAID_EVERY) {
            let number = std::mem::take(&mut self.too_old);
            tracing::warn!(number, "decisions are too old and are not published");
            self.said_too_old_ms = Some(now_ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_further_failure_waits_longer_and_none_longer_than_a_minute() {
        let mut pace = Pace::new(Duration::from_secs(1));
        for exponent in 0..6 {
            let most = Duration::from_secs(1 << exponent);
            let pause = pace.failed("away");
            assert!(most / 2 <= pause && pause <= most, "{exponent}: {pause:?}");
        }
        for _ in 0..1_000 {
            let pause = pace.failed("away");
            assert!(LONGEST / 2 <= pause && pause <= LONGEST, "{pause:?}");
        }
        assert!(pace.pause_after(u32::MAX) <= LONGEST);
    }

    #[test]
    fn what_went_well_waits_for_nothing_and_begins_anew() {
        let mut pace = Pace::new(Duration::from_secs(1));
        for _ in 0..10 {
            pace.failed("away");
        }
        assert_eq!(pace.went_well(), Duration::ZERO);
        assert!(pace.failed("away") <= Duration::from_secs(1));
    }

    #[test]
    fn a_year_of_old_entries_is_said_once_a_minute() {
        let mut pace = Pace::new(Duration::from_secs(1));
        pace.too_old(1_000);
        assert_eq!(pace.too_old, 0, "the first is said at once");
        for _ in 0..1_000_000 {
            pace.too_old(60_999);
        }
        assert_eq!(pace.too_old, 1_000_000);
        pace.too_old(61_000);
        assert_eq!(pace.too_old, 0);
    }
}
