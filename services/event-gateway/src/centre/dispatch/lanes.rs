//! How many events each lane may have in hand: its window, and while something more urgent is in hand, and for a moment
//! after, only a small share of it (rule E3).
//!
//! Lanes of their own keep a flood from delaying what is above in the queues. On a busy machine the two still share the
//! disk and the processors, so that a flood makes room there as well.

use snooze_schemas::event::Severity;
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, time::Instant};

/// Events in hand while something more urgent is: no lane ever stands still.
const SHARE: usize = 2;

/// Events in hand at once, for one gateway.
const fn window(severity: Severity) -> usize {
    match severity {
        Severity::Critical => 512,
        Severity::Urgent => 256,
        Severity::Warning => 64,
        Severity::Info => 32,
    }
}

/// A lane counts as busy for so long after its last event: a storm comes in gusts, and in each pause between two a flood
/// below would have all of its window under way.
const LULL: Duration = Duration::from_millis(100);

/// What a lane has in hand, for the others to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hand {
    Full,
    EmptySince(Option<Instant>),
}

/// Which lanes have something in hand, or had a moment ago, for all of them to see.
#[derive(Debug, Clone)]
pub(crate) struct Lanes(Arc<watch::Sender<[Hand; Severity::DESCENDING.len()]>>);

impl Default for Lanes {
    fn default() -> Lanes {
        Lanes(Arc::new(watch::Sender::new(
            [Hand::EmptySince(None); Severity::DESCENDING.len()],
        )))
    }
}

impl Lanes {
    /// Says whether a lane has something in hand.
    pub(super) fn say(&self, severity: Severity, has_some: bool) {
        self.0.send_if_modified(|hands| {
            let hand = &mut hands[place(severity)];
            let now = match (*hand, has_some) {
                (Hand::EmptySince(_), true) => Hand::Full,
                (Hand::Full, false) => Hand::EmptySince(Some(Instant::now())),
                _ => return false,
            };
            *hand = now;
            true
        });
    }

    /// How many a lane may have in hand now.
    pub(super) fn room(&self, severity: Severity) -> usize {
        room(self.busy_above(severity), severity)
    }

    /// Waits until a lane may have more in hand than so many. Cancelling it loses nothing.
    pub(super) async fn more_than(&self, in_hand: usize, severity: Severity) {
        let mut hands = self.0.subscribe();
        loop {
            let busy = self.busy_above(severity);
            if room(busy, severity) > in_hand {
                return;
            }
            let lull = async {
                match busy {
                    Busy::Until(until) => tokio::time::sleep_until(until).await,
                    Busy::Yes | Busy::No => std::future::pending().await,
                }
            };
            // Cancelling either loses nothing.
            tokio::select! {
                changed = hands.changed() => changed.expect("the sender is this one's own"),
                () = lull => {}
            }
        }
    }

    fn busy_above(&self, severity: Severity) -> Busy {
        let now = Instant::now();
        let hands = self.0.borrow();
        let above = hands[place(severity) + 1..].iter().map(|hand| match hand {
            Hand::Full => Busy::Yes,
            Hand::EmptySince(Some(since)) if now < *since + LULL => Busy::Until(*since + LULL),
            Hand::EmptySince(_) => Busy::No,
        });
        above.max().unwrap_or(Busy::No)
    }
}

/// Whether something more urgent is in hand, or was a moment ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Busy {
    No,
    Until(Instant),
    Yes,
}

fn room(above: Busy, severity: Severity) -> usize {
    match above {
        Busy::No => window(severity),
        Busy::Until(_) | Busy::Yes => SHARE,
    }
}

fn place(severity: Severity) -> usize {
    usize::from(u8::from(severity))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e3_a_more_urgent_lane_has_the_wider_window_and_every_lane_has_one() {
        let windows = Severity::DESCENDING.map(window);
        assert!(windows.is_sorted_by(|above, below| above > below));
        assert!(windows.iter().all(|window| *window > SHARE));
    }

    #[tokio::test(start_paused = true)]
    async fn e3_what_is_below_keeps_a_share_and_has_its_window_back_afterwards() {
        let lanes = Lanes::default();
        lanes.say(Severity::Urgent, true);
        let room = Severity::DESCENDING.map(|severity| lanes.room(severity));
        assert_eq!(room, [512, 256, SHARE, SHARE], "nobody makes room for himself");
        let waiting = lanes.more_than(SHARE, Severity::Info);
        let since = Instant::now();
        // It ends, or the test does not.
        let ((), ()) = tokio::join!(waiting, async { lanes.say(Severity::Urgent, false) });
        assert_eq!(lanes.room(Severity::Info), 32);
        assert_eq!(since.elapsed(), LULL, "not in the middle of a storm");
    }

    #[tokio::test(start_paused = true)]
    async fn e3_a_lull_that_is_none_gives_nothing_back() {
        let lanes = Lanes::default();
        let mut waiting = std::pin::pin!(lanes.more_than(SHARE, Severity::Info));
        for _ in 0..10 {
            lanes.say(Severity::Critical, true);
            lanes.say(Severity::Critical, false);
            tokio::select! {
                biased;
                () = &mut waiting => panic!("there is no room yet"),
                () = tokio::time::advance(LULL / 2) => {}
            }
        }
        waiting.await;
    }
}
