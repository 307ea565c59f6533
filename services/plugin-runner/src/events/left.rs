//! How much time an event has left: by the host's boot-time clock, and by the wall's only where there is no other.
//!
//! It waits for nothing, and gives nobody more than is left.

use super::{Desk, journal::Known};
use snooze_schemas::event::{Event, WITHOUT_DEADLINE};
use std::time::Duration;

impl Desk {
    pub(super) fn boottime_ms(&self) -> u64 {
        self.clocks.boottime_ms()
    }

    /// What is left on this host's boot-time clock; across a reboot on the wall's, which is all there is.
    pub(super) fn left(&self, known: &Known) -> Duration {
        if known.boot_id == self.boot_id {
            Duration::from_millis(known.deadline_boottime_ms.saturating_sub(self.boottime_ms()))
        } else {
            self.left_by_the_wall(&known.event)
        }
    }

    /// A source's deadline is compared with real time once, and counted on boot time from then on.
    pub(super) fn left_by_the_wall(&self, event: &Event) -> Duration {
        match event.deadline {
            None => WITHOUT_DEADLINE,
            Some(deadline) => {
                let left_ms = deadline.as_millisecond() - self.clocks.wall().as_millisecond();
                Duration::from_millis(u64::try_from(left_ms).unwrap_or(0))
            }
        }
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
