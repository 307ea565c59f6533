//! Which hosts an event of the fleet is settled for, while others do not take it yet: a host that is done with it
//! is not asked again.

use snooze_schemas::{EventId, HostId};
use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Events of the fleet that are remembered. More are never on their way at once, save in a flood; forgetting one
/// costs only that its hosts are asked again, who know it.
const REMEMBERED: usize = 1_024;

#[derive(Debug, Default)]
pub(super) struct Settled(Mutex<HashMap<EventId, HashSet<HostId>>>);

impl Settled {
    pub(super) fn of(&self, event: &EventId) -> HashSet<HostId> {
        self.lock().get(event).cloned().unwrap_or_default()
    }

    pub(super) fn add(&self, event: &EventId, host: HostId) {
        let mut events = self.lock();
        if events.len() >= REMEMBERED && !events.contains_key(event) {
            events.clear();
        }
        events.entry(event.clone()).or_default().insert(host);
    }

    pub(super) fn forget(&self, event: &EventId) {
        self.lock().remove(event);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<EventId, HashSet<HostId>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
