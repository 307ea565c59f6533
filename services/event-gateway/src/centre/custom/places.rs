//! How many events of each source are under way at once: none of them turns another's away.

use snooze_schemas::SourceName;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Of one source: an eighth of all. Each is one write.
const AT_ONCE: usize = 128;

/// Who has how many. Only sources with something under way stand in it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places(Arc<Mutex<HashMap<SourceName, usize>>>);

/// One that is taken; it is free again once this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    source: SourceName,
    all: Places,
}

impl Places {
    /// A place for an event of this source, where it has one left.
    pub(super) fn take(&self, source: &SourceName) -> Option<Place> {
        let mut taken = self.lock();
        let count = taken.entry(source.clone()).or_insert(0);
        if *count >= AT_ONCE {
            return None;
        }
        *count += 1;
        Some(Place {
            source: source.clone(),
            all: self.clone(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SourceName, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.all.lock();
        match taken.get_mut(&self.source) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                taken.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_has_its_own_places_and_leaves_nothing_behind() {
        let places = Places::default();
        let [one, other] = ["one", "other"].map(|name| name.parse::<SourceName>().expect("a source"));
        let mut all: Vec<Place> = (0..AT_ONCE).filter_map(|_| places.take(&one)).collect();
        assert_eq!(all.len(), AT_ONCE);
        assert!(places.take(&one).is_none());
        let others = places.take(&other);
        assert!(others.is_some(), "nobody takes another's");
        all.pop();
        assert!(places.take(&one).is_some());
        drop((all, others));
        assert!(places.lock().is_empty());
    }
}
