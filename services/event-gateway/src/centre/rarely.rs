//! Something that strangers can make happen as often as they like, and that is logged once a minute at most.

use snooze_service_runtime::Clocks;
use std::sync::{Mutex, PoisonError};

const BETWEEN_MS: u64 = 60_000;

/// How often it happened, and when that was last told.
#[derive(Debug)]
pub(crate) struct Rarely {
    clocks: Clocks,
    seen: Mutex<(u64, Option<u64>)>,
}

impl Rarely {
    pub(crate) fn new(clocks: Clocks) -> Rarely {
        Rarely {
            clocks,
            seen: Mutex::new((0, None)),
        }
    }

    /// It happened once more; how often since it was last told, where it is to be told now.
    pub(crate) fn count(&self) -> Option<u64> {
        let now_ms = self.clocks.monotonic_ms();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.0 = seen.0.saturating_add(1);
        if seen
            .1
            .is_some_and(|told_ms| now_ms.saturating_sub(told_ms) < BETWEEN_MS)
        {
            return None;
        }
        let count = seen.0;
        *seen = (0, Some(now_ms));
        Some(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_happens_often_is_told_once_a_minute_with_its_count() {
        let clocks = Clocks::manual();
        let rarely = Rarely::new(clocks.clocks());
        assert_eq!(rarely.count(), Some(1));
        assert_eq!((rarely.count(), rarely.count()), (None, None));
        clocks.advance(Duration::from_millis(BETWEEN_MS));
        assert_eq!(rarely.count(), Some(3));
        assert_eq!(rarely.count(), None);
    }
}
