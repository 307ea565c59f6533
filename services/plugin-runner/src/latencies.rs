//! How long something took, as a plugin to say whether the host is idle: quantiles of all since the runner started, in bounded memory.

use hdrhistogram::Histogram;
use snooze_schemas::plugin::inspection::Latency;
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Two significant digits up to ten milliseconds cost some 4 KB, up to two minutes some 10 KB.
const DIGITS: u8 = 2;
/// No question has longer.
const LONGEST_US: u64 = 120_000_000;

/// The latencies of one plugin, or of one kind of event.
#[derive(Debug)]
pub(crate) struct Latencies {
    longest_us: u64,
    seen: Mutex<Option<Histogram<u32>>>,
}

impl Default for Latencies {
    fn default() -> Self {
        Latencies {
            longest_us: LONGEST_US,
            seen: Mutex::default(),
        }
    }
}

impl Latencies {
    /// Those of which none counts as longer than this.
    pub(crate) fn up_to(longest: Duration) -> Latencies {
        Latencies {
            longest_us: u64::try_from(longest.as_micros()).unwrap_or(u64::MAX),
            ..Latencies::default()
        }
    }

    /// Counts one.
    pub(crate) fn add(&self, took: Duration) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let histogram = seen.get_or_insert_with(|| {
            let mut histogram = Histogram::new(DIGITS).expect("two digits are allowed");
            histogram.auto(true);
            histogram
        });
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        // It grows up to the longest one that there was, and no counter runs over.
        let recorded = histogram.record(micros.clamp(1, self.longest_us));
        recorded.expect("it grows to the longest");
    }

    /// How many there were.
    pub(crate) fn count(&self) -> u64 {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.as_ref().map_or(0, Histogram::len)
    }

    /// The quantiles; nothing before the first.
    pub(crate) fn quantiles(&self) -> Option<Latency> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let histogram = seen.as_ref()?;
        Some(Latency {
            p50_us: histogram.value_at_quantile(0.5),
            p99_us: histogram.value_at_quantile(0.99),
            max_us: histogram.max(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_all_answers_within_two_digits() {
        let latencies = Latencies::default();
        assert_eq!(latencies.quantiles(), None);
        for micros in 1..=1000 {
            latencies.add(Duration::from_micros(micros));
        }
        let found = latencies.quantiles().expect("some");
        for (found, wanted) in [(found.p50_us, 500), (found.p99_us, 990), (found.max_us, 1000)] {
            assert!(found.abs_diff(wanted) * 100 <= wanted, "{found} for {wanted}");
        }
    }

    #[test]
    fn what_is_beyond_the_range_counts_as_its_end() {
        let latencies = Latencies::default();
        latencies.add(Duration::ZERO);
        latencies.add(Duration::from_secs(1_000_000));
        let found = latencies.quantiles().expect("some");
        assert_eq!(found.p50_us, 1);
        assert!(
            found.max_us.abs_diff(LONGEST_US) * 100 <= LONGEST_US,
            "{}",
            found.max_us
        );
    }
}
