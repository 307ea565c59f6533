//! How long a reading took. Only for telling; nothing is decided on it.

use rustix::time::{ClockId, Timespec, clock_gettime};

/// A running measurement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch(Timespec);

impl Stopwatch {
    pub(crate) fn start() -> Stopwatch {
        Stopwatch(clock_gettime(ClockId::Monotonic))
    }

    /// Milliseconds since the start, rounded up, so that nothing ever took no time.
    pub(crate) fn took_ms(self) -> u64 {
        let now = clock_gettime(ClockId::Monotonic);
        let nanos = (now.tv_sec - self.0.tv_sec) * 1_000_000_000 + (now.tv_nsec - self.0.tv_nsec);
        u64::try_from(nanos).unwrap_or(0).div_ceil(1_000_000).max(1)
    }
}
