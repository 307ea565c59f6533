//! For how long events have been waiting for their hosts.
//!
//! Counted on this machine's boot-time clock from when this gateway first had an event in its hands, so that
//! no two machines' clocks are compared. A deadline is compared with real time once, then counted too.

use snooze_schemas::{EventId, event::Event};
use snooze_service_runtime::Clocks;
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Events that are remembered; the server lets no more than half as many of a severity be under way. One that
/// is forgotten waits anew.
const REMEMBERED: usize = 4_096;

/// The longest that any event waits for its host: its stream keeps it for seven days.
const LONGEST: Duration = Duration::from_secs(6 * 24 * 60 * 60);

/// The events of one severity that are under way, by their number in the stream.
#[derive(Debug, Default)]
pub(super) struct Waiting(Mutex<BTreeMap<u64, First>>);

#[derive(Debug, Clone)]
struct First {
    /// A broker that was killed gives the numbers of what it lost to other events.
    id: EventId,
    boottime_ms: u64,
    left: Option<Duration>,
}

/// Where an event stands in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Time {
    /// What is left until its deadline, where it has one.
    pub(super) left: Option<Duration>,
    /// For how long this gateway has been trying.
    pub(super) waited: Duration,
}

impl Waiting {
    /// Where an event stands; the first time that it is asked about is where its waiting begins.
    pub(super) fn time_of(&self, sequence: u64, event: &Event, clocks: &Clocks) -> Time {
        let now = clocks.look();
        let mut events = self.lock();
        let begin = || First {
            id: event.id.clone(),
            boottime_ms: now.boottime_ms,
            left: event.deadline.map(|deadline| {
                Duration::try_from(deadline.duration_since(now.wall)).unwrap_or(Duration::ZERO)
            }),
        };
        let first = events.entry(sequence).or_insert_with(begin);
        if first.id != event.id {
            *first = begin();
        }
        let (first_boottime_ms, first_left) = (first.boottime_ms, first.left);
        if events.len() > REMEMBERED {
            events.pop_first();
        }
        let waited = Duration::from_millis(now.boottime_ms.saturating_sub(first_boottime_ms));
        Time {
            left: first_left.map(|left| left.saturating_sub(waited)),
            waited,
        }
    }

    /// It is accounted for.
    pub(super) fn end(&self, sequence: u64) {
        self.lock().remove(&sequence);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, First>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Time {
    /// Whether a host that is away is waited for no longer: after the deadline, or after so long without one.
    pub(super) fn is_over(&self, patience: Duration) -> bool {
        let is_over = match self.left {
            Some(left) => left.is_zero(),
            None => self.waited >= patience,
        };
        is_over || self.waited >= LONGEST
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use snooze_schemas::event::{Scope, Severity};

    fn event(clocks: &Clocks, noticed_ago: Duration, left: Option<Duration>) -> Event {
        let now = clocks.wall();
        Event {
            id: "e1".parse().expect("an id"),
            event_type: "custom.x".parse().expect("a type"),
            severity: Severity::Urgent,
            source: "test".to_owned(),
            host: Scope::Fleet,
            happened_at: None,
            noticed_at: now - noticed_ago,
            deadline: left.map(|left| now + left),
            data: serde_json::Map::new(),
        }
    }

    #[test]
    fn waiting_is_counted_on_ones_own_clock_from_the_first_delivery() {
        let hand = snooze_service_runtime::Clocks::manual();
        let clocks = hand.clocks();
        let waiting = Waiting::default();
        // Noticed an hour ago by somebody's clock.
        let old = event(&clocks, Duration::from_secs(3_600), None);
        assert_eq!(waiting.time_of(1, &old, &clocks).waited, Duration::ZERO);
        hand.advance(Duration::from_secs(5));
        hand.jump_wall_ms(86_400_000);
        assert_eq!(waiting.time_of(1, &old, &clocks).waited, Duration::from_secs(5));
        assert_eq!(waiting.time_of(2, &old, &clocks).waited, Duration::ZERO);
        waiting.end(1);
        assert_eq!(waiting.time_of(1, &old, &clocks).waited, Duration::ZERO);
    }

    #[test]
    fn e2_what_has_the_number_of_an_event_that_was_lost_waits_anew() {
        let hand = snooze_service_runtime::Clocks::manual();
        let clocks = hand.clocks();
        let waiting = Waiting::default();
        let lost = event(&clocks, Duration::ZERO, Some(Duration::from_secs(1)));
        waiting.time_of(1, &lost, &clocks);
        hand.advance(Duration::from_secs(5));
        let other = Event {
            id: "e2".parse().expect("an id"),
            deadline: None,
            ..lost
        };
        let time = waiting.time_of(1, &other, &clocks);
        assert_eq!((time.left, time.waited), (None, Duration::ZERO));
    }

    #[test]
    fn a_deadline_is_compared_with_real_time_once() {
        let hand = snooze_service_runtime::Clocks::manual();
        let clocks = hand.clocks();
        let waiting = Waiting::default();
        let due = event(&clocks, Duration::ZERO, Some(Duration::from_secs(10)));
        assert_eq!(
            waiting.time_of(1, &due, &clocks).left,
            Some(Duration::from_secs(10))
        );
        hand.jump_wall_ms(86_400_000);
        hand.suspend(Duration::from_secs(4));
        let time = waiting.time_of(1, &due, &clocks);
        assert_eq!(time.left, Some(Duration::from_secs(6)));
        assert!(
            !time.is_over(Duration::ZERO),
            "the deadline says how long, not the patience"
        );
        hand.advance(Duration::from_secs(6));
        assert!(waiting.time_of(1, &due, &clocks).is_over(Duration::MAX));
    }

    #[test]
    fn no_event_waits_until_its_stream_has_forgotten_it() {
        let time = Time {
            left: Some(Duration::from_secs(1)),
            waited: LONGEST,
        };
        assert!(time.is_over(Duration::MAX));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let hand = snooze_service_runtime::Clocks::manual();
        let clocks = hand.clocks();
        let waiting = Waiting::default();
        let any = event(&clocks, Duration::ZERO, None);
        for sequence in 0..10_000 {
            waiting.time_of(sequence, &any, &clocks);
        }
        assert_eq!(waiting.lock().len(), REMEMBERED);
    }
}
