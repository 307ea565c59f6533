//! What became of events and is not filed yet: the most severe first, and of those that are equally severe the one
//! that ended first.

use super::line::Finished;
use snooze_schemas::{EventId, event::Severity};
use std::{cmp::Reverse, collections::BTreeMap};

/// Where one stands in the order in which they are filed.
type Place = (Reverse<Severity>, u64);

/// The outcomes that are not filed yet.
#[derive(Debug, Default)]
pub(super) struct Unreported {
    /// How many have come so far.
    came: u64,
    outcomes: BTreeMap<Place, Finished>,
    places: BTreeMap<EventId, Place>,
}

impl Unreported {
    pub(super) fn add(&mut self, severity: Severity, finished: Finished) {
        let id = finished.outcome.id.clone();
        self.remove(&id);
        self.came += 1;
        let place = (Reverse(severity), self.came);
        self.places.insert(id, place);
        self.outcomes.insert(place, finished);
    }

    /// Takes one out that was filed, and returns how severe it was.
    pub(super) fn remove(&mut self, id: &EventId) -> Option<Severity> {
        let place = self.places.remove(id)?;
        self.outcomes.remove(&place);
        Some(place.0.0)
    }

    /// Which is to be filed next.
    pub(super) fn first(&self) -> Option<&Finished> {
        self.outcomes.first_key_value().map(|(_, finished)| finished)
    }

    pub(super) fn contains(&self, id: &EventId) -> bool {
        self.places.contains_key(id)
    }

    pub(super) fn len(&self) -> usize {
        self.outcomes.len()
    }

    /// All of them, in the order in which they are filed.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Severity, &Finished)> {
        self.outcomes
            .iter()
            .map(|((severity, _), finished)| (severity.0, finished))
    }
}
