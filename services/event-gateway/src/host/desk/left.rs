//! How much time an event has left.
//!
//! A source's deadline is compared with real time once, on receipt, and counted on boot time from then on (T1). After a
//! reboot that clock begins anew, and the comparison with it.

use crate::host::journal::Entry;
use snooze_schemas::event::{Event, WITHOUT_DEADLINE};
use snooze_service_runtime::Clocks;
use std::time::Duration;

impl Entry {
    /// An event that was noticed just now.
    pub(super) fn new(event: Event, boot_id: String, clocks: &Clocks) -> Entry {
        Entry {
            until_boottime_ms: until(&event, clocks),
            event,
            boot_id,
            traceparent: None,
        }
    }

    /// Counts on this boot's clock what was counted on an earlier one's.
    pub(super) fn rebase(&mut self, boot_id: &str, clocks: &Clocks) {
        if self.boot_id != boot_id {
            boot_id.clone_into(&mut self.boot_id);
            self.until_boottime_ms = until(&self.event, clocks);
        }
    }

    /// What is left, never less than nothing.
    pub(super) fn left(&self, clocks: &Clocks) -> Duration {
        Duration::from_millis(self.until_boottime_ms.saturating_sub(clocks.boottime_ms()))
    }
}

fn until(event: &Event, clocks: &Clocks) -> u64 {
    let now = clocks.look();
    let left = match event.deadline {
        None => WITHOUT_DEADLINE.as_millis().try_into().unwrap_or(i64::MAX),
        Some(deadline) => deadline.as_millisecond() - now.wall.as_millisecond(),
    };
    now.boottime_ms.saturating_add(u64::try_from(left).unwrap_or(0))
}
