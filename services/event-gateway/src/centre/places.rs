//! How many events of one host may be open at once.
//!
//! The bucket of notes has an end. A host that files without one, or about which people do, would fill it, and everybody
//! else's events would wait for it. So a host has a number of places for each severity, and for what was noticed and what
//! people sent each by itself: its infos take none of a critical one's, and what people send none of a spot notice's. An
//! event that finds no place ends in DEAD and says so: waiting in its lane it would be tried again and again, and so many
//! are the end of the lane for all other hosts (E3). An event of the fleet is one note for each host and takes nobody's place.
//!
//! Each gateway counts what it hears of the bucket and what it is about to write there. Two of them that write at once
//! may let in a few more: it is a bound and no balance.

mod taken;

use snooze_bus::{Change, keys};
use snooze_schemas::{
    EventId, HostId,
    event::{Event, EventOrigin, OpenEvent, Scope, Severity},
};
use snooze_service_runtime::Clocks;
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};
use taken::Taken;

/// Why an event ends that found no place.
pub(super) const NO_PLACE: &str =
    "as many events of its host, of this severity, as may be open at once had not ended yet";

/// The events that share a number of places.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Crowd {
    host: HostId,
    severity: Severity,
    origin: EventOrigin,
}

impl Crowd {
    /// None for an event of the fleet.
    fn of(event: &Event) -> Option<Crowd> {
        Some(Crowd {
            host: event.host.host()?.clone(),
            severity: event.severity,
            origin: EventOrigin::of(&event.event_type),
        })
    }
}

/// What is known of places.
#[derive(Debug, Clone)]
pub(crate) struct Places(Arc<Known>);

#[derive(Debug)]
struct Known {
    clocks: Clocks,
    at_most: usize,
    taken: Mutex<Taken>,
}

impl Places {
    /// `at_most` is their number.
    pub(crate) fn new(clocks: Clocks, at_most: usize) -> Places {
        Places(Arc::new(Known {
            clocks,
            at_most,
            taken: Mutex::default(),
        }))
    }

    /// A place for an event; none where all are taken. One that was noted before keeps the one it has.
    pub(crate) fn enter(&self, event: &Event) -> Option<Place> {
        let taken = Crowd::of(event).map(|crowd| (crowd, event.id.clone()));
        if let Some((crowd, id)) = &taken {
            let now = self.0.clocks.boottime_ms();
            if !self.taken().take(crowd, id, self.0.at_most, now) {
                return None;
            }
        }
        Some(Place {
            places: self.clone(),
            taken,
            is_kept: AtomicBool::new(false),
        })
    }

    /// What is told from now on is all there is.
    pub(crate) fn begin(&self) {
        self.taken().begin();
    }

    /// Hears of a note.
    pub(crate) fn saw(&self, change: &Change<OpenEvent>) {
        let mut taken = self.taken();
        match change {
            Change::Put(entry) => {
                if let Some(crowd) = Crowd::of(&entry.value.event) {
                    taken.noted(&crowd, &entry.value.event.id);
                }
            }
            Change::Ready => taken.is_whole(),
            Change::Deleted { key, .. } | Change::Unreadable { key, .. } => {
                if let Some((Scope::Host(host), id)) = keys::open_parts(key) {
                    taken.free(&host, &id);
                }
            }
        }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One event's place, for as long as it is not known whether it is noted.
#[derive(Debug)]
pub(crate) struct Place {
    places: Places,
    /// None for an event of the fleet.
    taken: Option<(Crowd, EventId)>,
    is_kept: AtomicBool,
}

impl Place {
    /// The event is noted: the place is free again when the note is gone.
    pub(crate) fn keep(&self) {
        self.is_kept.store(true, Ordering::Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some((crowd, id)) = &self.taken
            && !self.is_kept.load(Ordering::Relaxed)
        {
            self.places.taken().give_up(&crowd.host, id);
        }
    }
}
