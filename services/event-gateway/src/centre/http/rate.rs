//! How many events each source may send: so many a second for long, and some at once.
//!
//! Counted by this gateway alone; another has its own count. Only sources whose credential was known have one, so
//! there are no more counts than sources.

use super::mode::MAX_EVENTS;
use snooze_schemas::SourceName;
use snooze_service_runtime::Clocks;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// The counts of all sources.
#[derive(Debug)]
pub(super) struct Rates {
    per_second: f64,
    at_once: f64,
    clocks: Clocks,
    counts: Mutex<HashMap<SourceName, Count>>,
}

#[derive(Debug, Clone, Copy)]
struct Count {
    left: f64,
    at_ms: u64,
}

impl Rates {
    pub(super) fn new(per_second: f64, clocks: Clocks) -> Rates {
        let largest = u32::try_from(MAX_EVENTS).expect("a small number");
        Rates {
            per_second,
            // A whole batch has to fit, however slow the rate.
            at_once: per_second.max(f64::from(largest)),
            clocks,
            counts: Mutex::new(HashMap::new()),
        }
    }

    /// Takes so many of what a source has left; says how long it has to wait where there are not so many.
    pub(super) fn take(&self, source: &SourceName, events: usize) -> Result<(), Duration> {
        let events = f64::from(u32::try_from(events).unwrap_or(u32::MAX));
        let now_ms = self.clocks.monotonic_ms();
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(source.clone()).or_insert(Count {
            left: self.at_once,
            at_ms: now_ms,
        });
        let passed = Duration::from_millis(now_ms.saturating_sub(count.at_ms));
        count.left = (count.left + passed.as_secs_f64() * self.per_second).min(self.at_once);
        count.at_ms = now_ms;
        if count.left < events {
            return Err(Duration::from_secs_f64((events - count.left) / self.per_second));
        }
        count.left -= events;
        Ok(())
    }

    /// Takes as many as there are besides the one that was taken before they were counted; that one is taken again when
    /// they come again, and the wait is for it too, or a slow rate would never let them through.
    pub(super) fn take_others(&self, source: &SourceName, others: usize) -> Result<(), Duration> {
        let one = Duration::from_secs_f64(1.0 / self.per_second);
        self.take(source, others).map_err(|wait| wait + one)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_sends_as_many_for_long_as_it_may_and_takes_nothing_from_another() {
        let clocks = Clocks::manual();
        let rates = Rates::new(2.0, clocks.clocks());
        let (one, other) = ("one".parse().expect("a name"), "other".parse().expect("a name"));
        assert_eq!(rates.take(&one, MAX_EVENTS), Ok(()));
        assert_eq!(rates.take(&one, 1), Err(Duration::from_millis(500)));
        assert_eq!(rates.take(&other, MAX_EVENTS), Ok(()));
        clocks.advance(Duration::from_secs(10));
        assert_eq!(rates.take(&one, 20), Ok(()));
        assert_eq!(rates.take(&one, 1), Err(Duration::from_millis(500)));
        clocks.advance(Duration::from_secs(3_600));
        assert_eq!(rates.take(&one, MAX_EVENTS + 1), Err(Duration::from_millis(500)));
    }

    #[test]
    fn whoever_waits_as_long_as_it_is_told_has_its_batch_taken_however_slow_the_rate() {
        for per_second in [0.1, 0.5, 1.0, 30.0] {
            let clocks = Clocks::manual();
            let rates = Rates::new(per_second, clocks.clocks());
            let source = "one".parse().expect("a name");
            let batch = || {
                rates.take(&source, 1)?;
                rates.take_others(&source, MAX_EVENTS - 1)
            };
            assert_eq!(batch(), Ok(()));
            for _ in 0..3 {
                let wait = batch().expect_err("too soon");
                // As it is told: in whole seconds.
                clocks.advance(Duration::from_secs_f64(wait.as_secs_f64().ceil().max(1.0)));
                let again = batch();
                let Err(wait) = again else { continue };
                // The first wait was for the one that is taken before a batch is read.
                clocks.advance(Duration::from_secs_f64(wait.as_secs_f64().ceil().max(1.0)));
                assert_eq!(batch(), Ok(()), "at {per_second} a second");
            }
        }
    }
}
