//! Which events wait for which host, and until when. Pure: notes and times in, whom to look at out.

use snooze_schemas::{EventId, HostId, event::Severity};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    time::Duration,
};

/// For how long after a host's hello a note that turns up late is given to it at once: a watch may lag behind
/// the hello by as much as a slow broker does.
const HELLO_LASTS: Duration = Duration::from_secs(10);

/// One event that waits for its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parked {
    /// The note's revision.
    pub(super) revision: u64,
    /// How urgent it is.
    pub(super) severity: Severity,
    /// When its time is over, on this machine's boot-time clock.
    pub(super) due_boottime_ms: u64,
    /// Whether that is its deadline, and not how long one without a deadline is waited for.
    pub(super) is_deadline: bool,
    /// Whether a gateway is ending it: then it is given to nobody, and ended by another if that one does not.
    pub(super) is_ending: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Book {
    hosts: BTreeMap<HostId, Host>,
    hellos: HashMap<HostId, u64>,
    /// Hosts that are to be asked soon, once a note for them turns up.
    there: HashMap<HostId, There>,
}

#[derive(Debug, Clone, Copy)]
struct There {
    ask_boottime_ms: u64,
    until_boottime_ms: u64,
}

#[derive(Debug, Default)]
struct Host {
    notes: BTreeMap<EventId, Parked>,
    retry_boottime_ms: u64,
}

impl Book {
    /// Notes one, and says whether its host is to be looked at now: it said hello a moment ago. What is known
    /// already is counted on, not anew.
    pub(super) fn put(
        &mut self,
        host: HostId,
        id: EventId,
        parked: Parked,
        now: u64,
        retry: Duration,
    ) -> bool {
        let is_here = self.hellos.get(&host).is_some_and(|until| now < *until);
        let there = self
            .there
            .remove(&host)
            .filter(|there| now < there.until_boottime_ms);
        let waiting = self.hosts.entry(host).or_insert_with(|| Host {
            notes: BTreeMap::new(),
            retry_boottime_ms: there.map_or(after(now, retry), |there| there.ask_boottime_ms),
        });
        let known = waiting.notes.get(&id).map(|known| known.revision);
        if known != Some(parked.revision) {
            waiting.notes.insert(id, parked);
        }
        is_here
    }

    /// Forgets one.
    pub(super) fn remove(&mut self, host: &HostId, id: &EventId) {
        if let Some(waiting) = self.hosts.get_mut(host) {
            waiting.notes.remove(id);
            if waiting.notes.is_empty() {
                self.hosts.remove(host);
            }
        }
    }

    /// A host said that it is back; says whether anything waits for it.
    pub(super) fn hello(&mut self, host: &HostId, now: u64) -> bool {
        self.hellos.insert(host.clone(), after(now, HELLO_LASTS));
        self.hosts.contains_key(host)
    }

    /// What waits for a host, the most urgent first, and among those what is due first.
    pub(super) fn of(&self, host: &HostId) -> Vec<(EventId, Parked)> {
        let notes = self.hosts.get(host).into_iter().flat_map(|host| &host.notes);
        let mut notes: Vec<_> = notes.map(|(id, parked)| (id.clone(), *parked)).collect();
        notes.sort_by_key(|(_, parked)| (Reverse(parked.severity), parked.due_boottime_ms));
        notes
    }

    /// A host that is there did not take all: it is asked again after `pause`.
    pub(super) fn soon(&mut self, host: &HostId, now: u64, pause: Duration) {
        if let Some(waiting) = self.hosts.get_mut(host) {
            waiting.retry_boottime_ms = waiting.retry_boottime_ms.min(after(now, pause));
        }
    }

    /// A host is there and did not take an event that was parked therefore: it is asked again after `pause`, also
    /// where the note has yet to turn up.
    pub(super) fn there(&mut self, host: &HostId, now: u64, pause: Duration) {
        if self.hosts.contains_key(host) {
            return self.soon(host, now, pause);
        }
        let there = There {
            ask_boottime_ms: after(now, pause),
            until_boottime_ms: after(now, HELLO_LASTS),
        };
        self.there.insert(host.clone(), there);
    }

    /// The hosts that are to be looked at though they said nothing: the time of something of theirs is over, or
    /// they were not asked for a while. They are asked again after `retry` at the earliest.
    pub(super) fn due(&mut self, now: u64, retry: Duration) -> Vec<HostId> {
        self.hellos.retain(|_, until| now < *until);
        self.there.retain(|_, there| now < there.until_boottime_ms);
        let mut due = Vec::new();
        for (host, waiting) in &mut self.hosts {
            let is_over = waiting.notes.values().any(|note| note.due_boottime_ms <= now);
            if is_over || waiting.retry_boottime_ms <= now {
                waiting.retry_boottime_ms = after(now, retry);
                due.push(host.clone());
            }
        }
        due
    }
}

fn after(now: u64, by: Duration) -> u64 {
    now.saturating_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRY: Duration = Duration::from_secs(30);

    fn host(name: &str) -> HostId {
        name.parse().expect("a host")
    }

    fn id(name: &str) -> EventId {
        name.parse().expect("an id")
    }

    fn parked(severity: Severity, due_boottime_ms: u64) -> Parked {
        Parked {
            revision: due_boottime_ms,
            severity,
            due_boottime_ms,
            is_deadline: true,
            is_ending: false,
        }
    }

    #[test]
    fn e5_the_most_urgent_is_given_first_and_among_those_what_is_due_first() {
        let mut book = Book::default();
        for (name, severity, due) in [
            ("late", Severity::Critical, 90_000),
            ("info", Severity::Info, 10_000),
            ("soon", Severity::Critical, 50_000),
            ("urgent", Severity::Urgent, 20_000),
        ] {
            book.put(host("h"), id(name), parked(severity, due), 0, RETRY);
        }
        let order: Vec<String> = book.of(&host("h")).iter().map(|(id, _)| id.to_string()).collect();
        assert_eq!(order, ["soon", "late", "urgent", "info"]);
    }

    #[test]
    fn e5_a_note_that_turns_up_after_the_hello_is_given_at_once() {
        let mut book = Book::default();
        assert!(!book.hello(&host("h"), 1_000), "nothing waits yet");
        let note = parked(Severity::Critical, 90_000);
        assert!(book.put(host("h"), id("e"), note, 5_000, RETRY));
        assert!(!book.put(host("other"), id("e"), note, 5_000, RETRY));
        assert!(book.hello(&host("h"), 6_000));
        assert!(
            !book.put(host("h"), id("e"), note, 60_000, RETRY),
            "that hello is long ago"
        );
    }

    #[test]
    fn e5_a_host_that_is_there_and_did_not_take_it_is_asked_soon() {
        const SOON: Duration = Duration::from_secs(1);
        let note = parked(Severity::Critical, 90_000);
        // Whichever is first, the note or that the host is there.
        for is_noted_first in [true, false] {
            let mut book = Book::default();
            if is_noted_first {
                book.put(host("h"), id("e"), note, 0, RETRY);
            }
            book.there(&host("h"), 0, SOON);
            if !is_noted_first {
                assert!(!book.put(host("h"), id("e"), note, 0, RETRY), "it said no hello");
            }
            assert_eq!(book.due(999, RETRY), []);
            assert_eq!(book.due(1_000, RETRY), [host("h")]);
            // However often that is said, it is not put off.
            book.there(&host("h"), 1_000, SOON);
            book.there(&host("h"), 1_999, SOON);
            assert_eq!(book.due(2_000, RETRY), [host("h")]);
            assert_eq!(book.due(2_001, RETRY), []);
        }
    }

    #[test]
    fn e5_a_host_that_says_nothing_is_asked_now_and_then_and_when_a_time_is_over() {
        let mut book = Book::default();
        book.put(host("h"), id("e"), parked(Severity::Info, 40_000), 0, RETRY);
        assert_eq!(book.due(29_999, RETRY), []);
        assert_eq!(book.due(30_000, RETRY), [host("h")]);
        assert_eq!(book.due(30_001, RETRY), []);
        assert_eq!(book.due(40_000, RETRY), [host("h")]);
        book.remove(&host("h"), &id("e"));
        assert_eq!(book.due(u64::MAX, RETRY), []);
    }

    #[test]
    fn a_watch_that_begins_anew_lets_nothing_wait_longer() {
        let mut book = Book::default();
        let note = parked(Severity::Info, 40_000);
        book.put(host("h"), id("e"), note, 0, RETRY);
        let again = Parked {
            due_boottime_ms: 80_000,
            ..note
        };
        book.put(host("h"), id("e"), again, 10_000, RETRY);
        assert_eq!(book.of(&host("h"))[0].1.due_boottime_ms, 40_000);
    }
}
