//! The two kinds of time that deciding knows. It never reads a clock; whoever asks passes the time in.
//!
//! [`Boot`] is what every rule counts on: the boot-time clock of the machine that runs this code, which
//! goes on during suspend and never jumps. It means nothing on another machine and is never written down.
//! [`Wall`] is for what people are told and for ends that outlive a process (a lease, a cool-down).
//! Executors' wall clocks are expected to agree within [`WALL_TOLERANCE_MS`]; no safety rule rests on
//! them, because what competes with a stop competes through the revision of the host's key.

/// By how much the wall clocks of two executors may differ without a lease or cool-down ending early.
///
/// 2 s is what the hosts themselves call a clock jump; machines kept by NTP stay far below it.
pub const WALL_TOLERANCE_MS: u64 = 2_000;

/// Milliseconds on this machine's boot-time clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Boot(pub u64);

/// Milliseconds since 1970 in UTC, as this machine believes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Wall(pub u64);

/// One moment on both clocks of one machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// What durations are counted on.
    pub boot: Boot,
    /// What is written down.
    pub wall: Wall,
}

impl Boot {
    /// So many milliseconds later; never past the end of the type.
    #[must_use]
    pub fn plus(self, ms: u64) -> Boot {
        Boot(self.0.saturating_add(ms))
    }

    /// For how long `earlier` has been over; 0 where it is not.
    #[must_use]
    pub fn since(self, earlier: Boot) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Wall {
    /// So many milliseconds later; never past the end of the type.
    #[must_use]
    pub fn plus(self, ms: u64) -> Wall {
        Wall(self.0.saturating_add(ms))
    }

    /// For how long something that ends at `self` still holds, seen from `now`.
    ///
    /// Another executor may have written `self`, so it holds for the tolerance longer: too long is
    /// money, too short is a machine stopped that somebody wanted awake.
    #[must_use]
    pub fn left_at(self, now: Wall) -> u64 {
        self.plus(WALL_TOLERANCE_MS).0.saturating_sub(now.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_written_by_another_clock_holds_for_the_tolerance_longer() {
        assert_eq!(Wall(10_000).left_at(Wall(9_000)), 3_000);
        assert_eq!(Wall(10_000).left_at(Wall(11_000)), 1_000);
        assert_eq!(Wall(10_000).left_at(Wall(12_000)), 0);
    }

    #[test]
    fn no_time_overflows() {
        assert_eq!(Boot(u64::MAX).plus(1), Boot(u64::MAX));
        assert_eq!(Boot(1).since(Boot(2)), 0);
        assert_eq!(Wall(u64::MAX).left_at(Wall(0)), u64::MAX);
    }
}
