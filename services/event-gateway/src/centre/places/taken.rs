//! Which places are taken. Pure: events, notes and times in, numbers out.

use super::Crowd;
use snooze_schemas::{
    EventId, HostId,
    event::{EventOrigin, Severity},
};
use std::collections::HashMap;

/// After so long without a word of its note a place is free again: the note was there before and is gone, or will be
/// heard of when it is told again.
const HEARD_WITHIN_MS: u64 = 10_000;

/// All of them, by host.
#[derive(Debug, Default)]
pub(super) struct Taken {
    hosts: HashMap<HostId, Host>,
    round: u64,
}

#[derive(Debug, Default)]
struct Host {
    events: HashMap<EventId, One>,
    counts: HashMap<(Severity, EventOrigin), usize>,
}

#[derive(Debug, Clone, Copy)]
struct One {
    severity: Severity,
    origin: EventOrigin,
    by: By,
}

/// What takes a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// An event that is about to be noted, until then.
    Event { until_ms: u64 },
    /// A note, which was told of in this round.
    Note { round: u64 },
}

impl Taken {
    /// Takes one where one is free, and says whether. Who has one keeps it.
    pub(super) fn take(&mut self, crowd: &Crowd, id: &EventId, at_most: usize, now_ms: u64) -> bool {
        if self.has(&crowd.host, id) {
            return true;
        }
        if self.taken(crowd) >= at_most {
            self.forget_unheard(&crowd.host, now_ms);
            if self.taken(crowd) >= at_most {
                return false;
            }
        }
        let until_ms = now_ms.saturating_add(HEARD_WITHIN_MS);
        self.put(crowd, id, By::Event { until_ms });
        true
    }

    /// How many of a crowd's are taken.
    fn taken(&self, crowd: &Crowd) -> usize {
        let host = self.hosts.get(&crowd.host);
        let count = host.and_then(|host| host.counts.get(&(crowd.severity, crowd.origin)));
        count.copied().unwrap_or(0)
    }

    fn has(&self, host: &HostId, id: &EventId) -> bool {
        let host = self.hosts.get(host);
        host.is_some_and(|host| host.events.contains_key(id))
    }

    /// There is a note, whether or not there was room for it.
    pub(super) fn noted(&mut self, crowd: &Crowd, id: &EventId) {
        let round = self.round;
        self.put(crowd, id, By::Note { round });
    }

    /// An event is not noted after all.
    pub(super) fn give_up(&mut self, host: &HostId, id: &EventId) {
        let taken = self.hosts.get(host).and_then(|host| host.events.get(id));
        if taken.is_some_and(|taken| matches!(taken.by, By::Event { .. })) {
            self.free(host, id);
        }
    }

    /// A note is gone.
    pub(super) fn free(&mut self, host: &HostId, id: &EventId) {
        let Some(known) = self.hosts.get_mut(host) else {
            return;
        };
        let Some(taken) = known.events.remove(id) else {
            return;
        };
        let kind = (taken.severity, taken.origin);
        if let Some(count) = known.counts.get_mut(&kind) {
            *count -= 1;
        }
        if known.events.is_empty() {
            self.hosts.remove(host);
        }
    }

    /// All notes are told anew.
    pub(super) fn begin(&mut self) {
        self.round += 1;
    }

    /// All were told: of those that were not, nobody hears any more.
    pub(super) fn is_whole(&mut self) {
        let round = self.round;
        self.forget(|taken| matches!(taken.by, By::Note { round: told } if told != round));
    }

    fn forget_unheard(&mut self, host: &HostId, now_ms: u64) {
        let unheard = |taken: &One| matches!(taken.by, By::Event { until_ms } if until_ms <= now_ms);
        let known = self.hosts.get(host).into_iter().flat_map(|host| &host.events);
        let unheard: Vec<EventId> = known
            .filter(|(_, taken)| unheard(taken))
            .map(|(id, _)| id.clone())
            .collect();
        for id in unheard {
            self.free(host, &id);
        }
    }

    fn forget(&mut self, is_over: impl Fn(&One) -> bool) {
        let over: Vec<(HostId, EventId)> = self
            .hosts
            .iter()
            .flat_map(|(host, known)| known.events.iter().map(move |(id, taken)| (host, id, taken)))
            .filter(|(_, _, taken)| is_over(taken))
            .map(|(host, id, _)| (host.clone(), id.clone()))
            .collect();
        for (host, id) in over {
            self.free(&host, &id);
        }
    }

    fn put(&mut self, crowd: &Crowd, id: &EventId, by: By) {
        // A note of another event with the same id takes the place of its own crowd.
        self.free(&crowd.host, id);
        let host = self.hosts.entry(crowd.host.clone()).or_default();
        let taken = One {
            severity: crowd.severity,
            origin: crowd.origin,
            by,
        };
        host.events.insert(id.clone(), taken);
        *host.counts.entry((crowd.severity, crowd.origin)).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_MOST: usize = 2;

    fn crowd(host: &str, severity: Severity, origin: EventOrigin) -> Crowd {
        Crowd {
            host: host.parse().expect("a host"),
            severity,
            origin,
        }
    }

    fn critical() -> Crowd {
        crowd("h", Severity::Critical, EventOrigin::People)
    }

    fn id(text: &str) -> EventId {
        text.parse().expect("an id")
    }

    fn full() -> Taken {
        let mut places = Taken::default();
        for name in ["a", "b"] {
            assert!(places.take(&critical(), &id(name), AT_MOST, 0));
        }
        assert!(!places.take(&critical(), &id("c"), AT_MOST, 0));
        places
    }

    #[test]
    fn e3_each_host_severity_and_origin_has_places_of_its_own() {
        let mut places = full();
        for other in [
            crowd("h", Severity::Urgent, EventOrigin::People),
            crowd("h", Severity::Critical, EventOrigin::Noticed),
            crowd("other", Severity::Critical, EventOrigin::People),
        ] {
            assert!(places.take(&other, &id("d"), AT_MOST, 0), "{other:?}");
            places.free(&other.host, &id("d"));
        }
        assert_eq!(places.taken(&critical()), AT_MOST);
    }

    #[test]
    fn who_has_a_place_keeps_it_until_its_note_is_gone() {
        let mut places = full();
        places.noted(&critical(), &id("a"));
        assert!(
            places.take(&critical(), &id("a"), AT_MOST, 0),
            "it is tried again"
        );
        places.give_up(&critical().host, &id("a"));
        assert!(
            !places.take(&critical(), &id("c"), AT_MOST, 0),
            "the note is there"
        );
        places.free(&critical().host, &id("a"));
        assert!(places.take(&critical(), &id("c"), AT_MOST, 0));
    }

    #[test]
    fn a_place_that_was_not_used_is_free_again() {
        let mut places = full();
        places.give_up(&critical().host, &id("a"));
        assert!(places.take(&critical(), &id("c"), AT_MOST, 0));
        // Nothing was ever heard of these.
        assert!(!places.take(&critical(), &id("d"), AT_MOST, HEARD_WITHIN_MS - 1));
        assert!(places.take(&critical(), &id("d"), AT_MOST, HEARD_WITHIN_MS));
    }

    #[test]
    fn what_was_deleted_while_nobody_listened_takes_no_place() {
        let mut places = full();
        places.noted(&critical(), &id("a"));
        places.noted(&critical(), &id("b"));
        places.begin();
        places.noted(&critical(), &id("b"));
        assert_eq!(places.taken(&critical()), 2, "not all was told yet");
        places.is_whole();
        assert_eq!(places.taken(&critical()), 1);
        assert!(places.has(&critical().host, &id("b")));
    }
}
