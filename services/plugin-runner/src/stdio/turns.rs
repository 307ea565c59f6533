//! Whose turn it is at the pipes of a process: one at a time, the most urgent of those that wait first.
//!
//! Nobody is interrupted, but for whoever handles an event while a critical one waits and does so no longer: who waits
//! decides when. Those that are equally urgent have their turns in the order in which they came.

use snooze_schemas::{EventId, event::Severity};
use std::{
    cmp::Reverse,
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{SetOnce, oneshot};

/// How urgent it is to have a turn, the least urgent first.
///
/// Questions stand above routine events, which may take a handler half a minute each: a question takes
/// seconds at most and there are two at most, so that no event waits for long because of one, while a flood
/// of events would leave the plugin without a vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Urgency {
    /// An event of severity 0.
    Info,
    /// An event of severity 1.
    Warning,
    /// Whether the host is idle.
    Question,
    /// An event of severity 2.
    Urgent,
    /// An event of severity 3.
    Critical,
    /// The process is to have another configuration, or to end.
    Supervision,
}

impl From<Severity> for Urgency {
    fn from(severity: Severity) -> Urgency {
        match severity {
            Severity::Info => Self::Info,
            Severity::Warning => Self::Warning,
            Severity::Urgent => Self::Urgent,
            Severity::Critical => Self::Critical,
        }
    }
}

/// An event for which a process is asked.
#[derive(Debug, Clone)]
pub struct Errand {
    /// The event.
    pub event: EventId,
    /// How urgent it is.
    pub severity: Severity,
}

/// Set once whoever has a turn is to give it up: for which event.
pub(super) type GivesWay = Arc<SetOnce<EventId>>;

/// Those that wait for their turn.
#[derive(Default)]
pub(super) struct Turns {
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    /// Who has the turn, if anybody has.
    holder: Option<Holder>,
    /// How many have come so far.
    came: u64,
    waiting: BTreeMap<(Reverse<Urgency>, u64), oneshot::Sender<Turn>>,
}

/// Who has the turn.
struct Holder {
    urgency: Urgency,
    gives_way: GivesWay,
}

impl Holder {
    fn new(urgency: Urgency) -> Holder {
        Holder {
            urgency,
            gives_way: GivesWay::default(),
        }
    }
}

impl fmt::Debug for Turns {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = self.held();
        out.debug_struct("Turns")
            .field("taken", &held.holder.is_some())
            .field("waiting", &held.waiting.len())
            .finish_non_exhaustive()
    }
}

/// A turn. Dropping it makes it the next one's.
#[derive(Debug)]
pub(super) struct Turn {
    /// Nothing once it was handed on.
    turns: Option<Arc<Turns>>,
    gives_way: GivesWay,
}

impl Turn {
    /// Set once whoever has it is to give it up.
    pub(super) fn gives_way(&self) -> GivesWay {
        self.gives_way.clone()
    }
}

impl Turns {
    /// Waits for a turn. Cancelling it leaves the queue.
    pub(super) async fn turn(self: &Arc<Self>, urgency: Urgency) -> Turn {
        let queued = {
            let mut held = self.held();
            if held.holder.is_some() {
                // Those that have given up would stay until it was their turn.
                held.waiting.retain(|_, waiting| !waiting.is_closed());
                held.came += 1;
                let (mine, given) = oneshot::channel();
                let place = (Reverse(urgency), held.came);
                held.waiting.insert(place, mine);
                Ok(given)
            } else {
                let holder = held.holder.insert(Holder::new(urgency));
                Err(holder.gives_way.clone())
            }
        };
        match queued {
            Err(gives_way) => Turn {
                turns: Some(self.clone()),
                gives_way,
            },
            Ok(given) => given.await.expect("whoever has the turn hands it on"),
        }
    }

    /// Has whoever handles an event that is less urgent give its turn up, where something critical waits. Whoever only
    /// asks a question is done in seconds.
    pub(super) fn hurry(&self, errand: &Errand) {
        if errand.severity == Severity::Critical
            && let Some(holder) = &self.held().holder
            && matches!(holder.urgency, Urgency::Info | Urgency::Warning | Urgency::Urgent)
        {
            // Whoever was told before gives way to that one.
            drop(holder.gives_way.set(errand.event.clone()));
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next one's, or nobody's where nobody waits.
    fn next(&self) -> Option<(oneshot::Sender<Turn>, GivesWay)> {
        let mut held = self.held();
        let Some(((Reverse(urgency), _), waiting)) = held.waiting.pop_first() else {
            held.holder = None;
            return None;
        };
        let holder = held.holder.insert(Holder::new(urgency));
        Some((waiting, holder.gives_way.clone()))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(turns) = self.turns.take() else { return };
        while let Some((next, gives_way)) = turns.next() {
            let turn = Turn {
                turns: Some(turns.clone()),
                gives_way,
            };
            match next.send(turn) {
                Ok(()) => return,
                // It has given up; the turn that came back is not to be handed on by being dropped.
                Err(mut back) => back.turns = None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn e3_the_most_urgent_of_those_that_wait_is_next() {
        let turns = Arc::new(Turns::default());
        let first = turns.turn(Urgency::Info).await;
        let mut waiting: Vec<_> = [
            Urgency::Info,
            Urgency::Critical,
            Urgency::Question,
            Urgency::Critical,
        ]
        .map(|urgency| Box::pin(turns.turn(urgency)))
        .into();
        for one in &mut waiting {
            assert!(one.now_or_never().is_none(), "nobody is interrupted");
        }
        let mut held = first;
        for next in [1, 3, 2, 0] {
            drop(held);
            for (at, one) in waiting.iter_mut().enumerate() {
                assert!(
                    at == next || one.as_mut().now_or_never().is_none(),
                    "{at} is not next"
                );
                if at == next {
                    break;
                }
            }
            held = waiting[next].as_mut().now_or_never().expect("it is its turn");
            let never = Box::pin(turns.turn(Urgency::Info));
            waiting[next] = never;
        }
    }

    #[tokio::test]
    async fn who_gives_up_keeps_nobody_waiting() {
        let turns = Arc::new(Turns::default());
        let held = turns.turn(Urgency::Info).await;
        let mut gives_up = Box::pin(turns.turn(Urgency::Critical));
        let mut given_too_late = Box::pin(turns.turn(Urgency::Urgent));
        let mut patient = Box::pin(turns.turn(Urgency::Info));
        for one in [&mut gives_up, &mut given_too_late, &mut patient] {
            assert!(one.now_or_never().is_none());
        }
        drop(gives_up);
        drop(held);
        // It has its turn, and gives up before it looks.
        drop(given_too_late);
        assert!(patient.now_or_never().is_some());
        drop(turns.turn(Urgency::Info).await);
    }

    #[tokio::test]
    async fn e3_only_who_handles_a_lower_event_gives_way_and_only_to_a_critical_one() {
        let events = [Urgency::Info, Urgency::Warning, Urgency::Urgent];
        let lower = [Severity::Info, Severity::Warning, Severity::Urgent];
        let errand = |name: &str, severity| Errand {
            event: name.parse().expect("an id"),
            severity,
        };
        for holds in [
            Urgency::Info,
            Urgency::Warning,
            Urgency::Question,
            Urgency::Urgent,
            Urgency::Critical,
            Urgency::Supervision,
        ] {
            let turns = Arc::new(Turns::default());
            let before = turns.turn(Urgency::Supervision).await;
            let mut next = Box::pin(turns.turn(holds));
            assert!(next.as_mut().now_or_never().is_none());
            drop(before);
            let held = next.await;
            for waits in lower {
                turns.hurry(&errand("lower", waits));
                assert_eq!(held.gives_way().get(), None, "{holds:?} for {waits:?}");
            }
            let first = errand("first", Severity::Critical);
            turns.hurry(&first);
            turns.hurry(&errand("second", Severity::Critical));
            let to = events.contains(&holds).then_some(&first.event);
            assert_eq!(held.gives_way().get(), to, "{holds:?}");
            drop(held);
            let after = turns.turn(Urgency::Info).await;
            assert_eq!(after.gives_way().get(), None, "each has a turn of its own");
        }
    }
}
