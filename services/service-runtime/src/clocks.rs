//! The three clocks of a host, and what tells when they drift apart (rule T1).
//!
//! Durations of idleness run on the monotonic clock, which stands still while the machine sleeps; ages
//! and deadlines on the boot-time clock, which does not; times of day only label records. Nothing here
//! compares the clocks of two machines.

use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// What all three clocks say at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Time of day, in UTC.
    pub wall: Timestamp,
    /// `CLOCK_MONOTONIC`, milliseconds.
    pub monotonic_ms: u64,
    /// `CLOCK_BOOTTIME`, milliseconds since the boot, sleep included.
    pub boottime_ms: u64,
}

/// A handle to the clocks; cheap to clone, the clones agree.
#[derive(Debug, Clone)]
pub struct Clocks(Source);

#[derive(Debug, Clone)]
enum Source {
    Real,
    Manual(Arc<Mutex<Look>>),
}

impl Clocks {
    /// The machine's own clocks.
    #[must_use]
    pub fn real() -> Clocks {
        Clocks(Source::Real)
    }

    /// Clocks that stand still until a test moves them; they start at 2030-01-01T00:00:00Z, one hour after a boot.
    #[must_use]
    pub fn manual() -> ManualClocks {
        let start = Look {
            wall: Timestamp::from_second(1_893_456_000).expect("2030 is a valid time"),
            monotonic_ms: 3_600_000,
            boottime_ms: 3_600_000,
        };
        ManualClocks(Arc::new(Mutex::new(start)))
    }

    /// All three clocks, read one after the other within microseconds.
    #[must_use]
    pub fn look(&self) -> Look {
        match &self.0 {
            Source::Real => Look {
                wall: Timestamp::now(),
                monotonic_ms: kernel_ms(ClockId::Monotonic),
                boottime_ms: kernel_ms(ClockId::Boottime),
            },
            Source::Manual(look) => *lock(look),
        }
    }

    /// Time of day, for labels only.
    #[must_use]
    pub fn wall(&self) -> Timestamp {
        self.look().wall
    }

    /// `CLOCK_MONOTONIC`, for durations of idleness.
    #[must_use]
    pub fn monotonic_ms(&self) -> u64 {
        match &self.0 {
            Source::Real => kernel_ms(ClockId::Monotonic),
            Source::Manual(look) => lock(look).monotonic_ms,
        }
    }

    /// `CLOCK_BOOTTIME`, for ages and deadlines.
    #[must_use]
    pub fn boottime_ms(&self) -> u64 {
        match &self.0 {
            Source::Real => kernel_ms(ClockId::Boottime),
            Source::Manual(look) => lock(look).boottime_ms,
        }
    }
}

/// The hand that moves a test's clocks.
#[derive(Debug, Clone)]
pub struct ManualClocks(Arc<Mutex<Look>>);

impl ManualClocks {
    /// A handle for the code under test.
    #[must_use]
    pub fn clocks(&self) -> Clocks {
        Clocks(Source::Manual(Arc::clone(&self.0)))
    }

    /// Time passes: all three clocks move.
    pub fn advance(&self, by: Duration) {
        let mut look = lock(&self.0);
        look.monotonic_ms += millis(by);
        look.boottime_ms += millis(by);
        look.wall += by;
    }

    /// The machine sleeps: the monotonic clock stands still.
    pub fn suspend(&self, by: Duration) {
        let mut look = lock(&self.0);
        look.boottime_ms += millis(by);
        look.wall += by;
    }

    /// Somebody sets the time of day; negative is into the past.
    pub fn jump_wall_ms(&self, by_ms: i64) {
        lock(&self.0).wall += jiff::SignedDuration::from_millis(by_ms);
    }
}

/// Why runs of idleness end though nobody did anything (rule T1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockBreak {
    /// The machine slept for so long.
    Suspended {
        /// Milliseconds.
        for_ms: u64,
    },
    /// The time of day was set.
    Jumped {
        /// Milliseconds; negative is into the past.
        by_ms: i64,
    },
}

/// Clocks that differ by more than this do not describe the same time any more.
///
/// Two seconds let a leap second pass and are far below any naptime.
pub const DRIFT_LIMIT_MS: u64 = 2_000;

/// Looks at the clocks again and again and says when they drifted apart.
///
/// Drift is counted from the last break and not from the last look, so that many short sleeps count
/// as much as one long one. Adjusting the clock's *rate* moves all three alike and is no drift.
#[derive(Debug)]
pub struct ClockWatch {
    clocks: Clocks,
    base: Look,
}

impl ClockWatch {
    /// Begins to watch.
    #[must_use]
    pub fn new(clocks: &Clocks) -> ClockWatch {
        ClockWatch {
            clocks: clocks.clone(),
            base: clocks.look(),
        }
    }

    /// Looks, and says what happened since the last break, once.
    pub fn look(&mut self) -> Option<ClockBreak> {
        let now = self.clocks.look();
        let monotonic = now.monotonic_ms.saturating_sub(self.base.monotonic_ms);
        let boottime = now.boottime_ms.saturating_sub(self.base.boottime_ms);
        let wall = now.wall.as_millisecond() - self.base.wall.as_millisecond();
        let slept = boottime.saturating_sub(monotonic);
        let jumped = wall - i64::try_from(boottime).unwrap_or(i64::MAX);
        let found = if slept > DRIFT_LIMIT_MS {
            ClockBreak::Suspended { for_ms: slept }
        } else if jumped.unsigned_abs() > DRIFT_LIMIT_MS {
            ClockBreak::Jumped { by_ms: jumped }
        } else {
            return None;
        };
        self.base = now;
        Some(found)
    }
}

fn kernel_ms(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    let seconds = u64::try_from(now.tv_sec).expect("these clocks start at zero");
    seconds * 1_000 + u64::try_from(now.tv_nsec).expect("nanoseconds are not negative") / 1_000_000
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn lock(look: &Mutex<Look>) -> MutexGuard<'_, Look> {
    look.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t1_time_that_passes_is_no_break() {
        let hand = Clocks::manual();
        let mut watch = ClockWatch::new(&hand.clocks());
        for _ in 0..100 {
            hand.advance(Duration::from_secs(600));
            assert_eq!(watch.look(), None);
        }
    }

    #[test]
    fn t1_a_suspend_of_more_than_two_seconds_is_reported_once() {
        let hand = Clocks::manual();
        let mut watch = ClockWatch::new(&hand.clocks());
        hand.suspend(Duration::from_millis(2_001));
        assert_eq!(watch.look(), Some(ClockBreak::Suspended { for_ms: 2_001 }));
        assert_eq!(watch.look(), None);
    }

    #[test]
    fn t1_short_sleeps_add_up() {
        let hand = Clocks::manual();
        let mut watch = ClockWatch::new(&hand.clocks());
        hand.suspend(Duration::from_secs(1));
        assert_eq!(watch.look(), None);
        hand.advance(Duration::from_secs(60));
        hand.suspend(Duration::from_millis(1_500));
        assert_eq!(watch.look(), Some(ClockBreak::Suspended { for_ms: 2_500 }));
    }

    #[test]
    fn t1_a_jump_of_the_time_of_day_is_reported_in_both_directions() {
        let hand = Clocks::manual();
        let mut watch = ClockWatch::new(&hand.clocks());
        hand.jump_wall_ms(-3_600_000);
        assert_eq!(watch.look(), Some(ClockBreak::Jumped { by_ms: -3_600_000 }));
        hand.jump_wall_ms(2_001);
        assert_eq!(watch.look(), Some(ClockBreak::Jumped { by_ms: 2_001 }));
        hand.jump_wall_ms(1_000);
        assert_eq!(watch.look(), None, "a leap second is no jump");
    }

    #[test]
    fn t1_the_real_clocks_agree_with_each_other() {
        let clocks = Clocks::real();
        let mut watch = ClockWatch::new(&clocks);
        let look = clocks.look();
        assert!(look.boottime_ms >= look.monotonic_ms);
        assert_eq!(watch.look(), None);
    }
}
