//! How much room there is for notes, and for which severities it suffices.
//!
//! A full bucket refuses every note, however urgent. So it is looked at again and again, and below a mark of its own
//! each severity but the highest leaves the rest to those above: its events wait in their lane until notes have ended.

use snooze_bus::{BatchWrite, Bucket, BucketKept, Bus};
use snooze_schemas::event::Severity;
use snooze_service_runtime::exit::one_line;
use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Between two looks; in between it is reckoned with what this gateway writes.
const LOOK: Duration = Duration::from_secs(1);
/// What the server keeps of a note besides its key and value, at most: headers, a checksum and lengths.
const AROUND_BYTES: usize = 256;

/// How many percent of the bucket may be full for the note of a new event of this severity.
const fn full_for(severity: Severity) -> u64 {
    match severity {
        Severity::Info => 50,
        Severity::Warning => 65,
        Severity::Urgent => 80,
        Severity::Critical => u64::MAX,
    }
}

/// What is known of the bucket.
#[derive(Debug, Clone, Default)]
pub(super) struct Room(Arc<Filled>);

#[derive(Debug, Default)]
struct Filled {
    bytes: AtomicU64,
    /// Not known before the first look.
    most: AtomicU64,
}

impl Room {
    /// Whether there is room for the note of a new event.
    pub(super) fn has_room(&self, severity: Severity) -> bool {
        self.percent() < full_for(severity)
    }

    /// Reckons with a note that is written.
    pub(super) fn wrote(&self, note: &BatchWrite) {
        let value = note.value.as_ref().map_or(0, Vec::len);
        let bytes = note.key.len() + value + AROUND_BYTES;
        self.0
            .bytes
            .fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Looks for ever. Before the first look, and while it cannot be looked at, the bucket says itself what it takes.
    pub(super) async fn look(&self, bus: &Bus) -> Infallible {
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut was_full = false;
        loop {
            looks.tick().await;
            match bus.bucket(Bucket::Open).kept().await {
                Ok(kept) => self.saw(&kept),
                Err(error) => tracing::debug!(
                    error = one_line(&error),
                    "the bucket of open events was not looked at; tried again"
                ),
            }
            was_full = self.tell(was_full);
        }
    }

    fn saw(&self, kept: &BucketKept) {
        self.0.bytes.store(kept.bytes, Ordering::Relaxed);
        self.0
            .most
            .store(kept.max_bytes.unwrap_or_default(), Ordering::Relaxed);
    }

    fn percent(&self) -> u64 {
        let most = self.0.most.load(Ordering::Relaxed);
        let bytes = self.0.bytes.load(Ordering::Relaxed);
        bytes.saturating_mul(100).checked_div(most).unwrap_or(0)
    }

    fn tell(&self, was_full: bool) -> bool {
        let percent = self.percent();
        let is_full = percent >= full_for(Severity::Info);
        match (was_full, is_full) {
            (false, true) => tracing::error!(
                percent,
                "the bucket of open events fills up: the least urgent events wait until others have ended"
            ),
            (true, false) => tracing::info!(percent, "the bucket of open events has room again"),
            _ => {}
        }
        is_full
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(percent: u64) -> BucketKept {
        BucketKept {
            bytes: percent * 10_000,
            max_bytes: Some(1_000_000),
        }
    }

    #[test]
    fn e3_the_last_room_is_for_the_most_urgent() {
        let room = Room::default();
        let with_room = |percent| {
            room.saw(&seen(percent));
            Severity::DESCENDING.map(|severity| room.has_room(severity))
        };
        assert_eq!(with_room(0), [true; 4]);
        assert_eq!(with_room(50), [true, true, true, false]);
        assert_eq!(with_room(65), [true, true, false, false]);
        assert_eq!(with_room(80), [true, false, false, false]);
        assert_eq!(with_room(100), [true, false, false, false]);
        assert_eq!(with_room(49), [true; 4], "room comes back");
    }

    #[test]
    fn what_is_written_between_two_looks_counts() {
        let room = Room::default();
        assert!(room.has_room(Severity::Info), "nothing is known yet");
        room.saw(&seen(49));
        let note = BatchWrite {
            key: "h1.e1".to_owned(),
            value: Some(vec![0; 9_000]),
            expected_revision: 0,
            ttl: None,
        };
        room.wrote(&note);
        assert!(room.has_room(Severity::Info));
        room.wrote(&note);
        assert!(!room.has_room(Severity::Info) && room.has_room(Severity::Warning));
    }
}
