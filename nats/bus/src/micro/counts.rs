//! How often an endpoint was asked, and how that went. It never waits, and keeps one error at most.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Characters of an error that are kept: a list of many endpoints has to fit into one message.
const ERROR_CHARS: usize = 256;

/// What was counted of one endpoint.
#[derive(Debug, Default)]
pub struct RequestCounts(Mutex<Counted>);

/// A look at the counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) requests: u64,
    pub(crate) errors: u64,
    pub(crate) last_error: String,
    pub(crate) processing: Duration,
}

impl Counted {
    pub(crate) fn average(&self) -> Duration {
        let nanos = self.processing.as_nanos() / u128::from(self.requests.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl RequestCounts {
    /// A request that was answered.
    pub fn answered(&self, took: Duration) {
        let mut counted = self.lock();
        counted.requests += 1;
        counted.processing = counted.processing.saturating_add(took);
    }

    /// A request that was refused, or whose answer says that it went wrong.
    pub fn failed(&self, took: Duration, why: &str) {
        let text = why.chars().take(ERROR_CHARS).collect();
        let mut counted = self.lock();
        counted.requests += 1;
        counted.errors += 1;
        counted.last_error = text;
        counted.processing = counted.processing.saturating_add(took);
    }

    pub(crate) fn read(&self) -> Counted {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_a_request_too_and_its_text_is_bounded() {
        let counts = RequestCounts::default();
        assert_eq!(counts.read().average(), Duration::ZERO);
        counts.answered(Duration::from_millis(1));
        counts.failed(Duration::from_millis(3), &"ä".repeat(1000));
        let counted = counts.read();
        assert_eq!((counted.requests, counted.errors), (2, 1));
        assert_eq!(counted.average(), Duration::from_millis(2));
        assert_eq!(counted.last_error.chars().count(), ERROR_CHARS);
    }
}
