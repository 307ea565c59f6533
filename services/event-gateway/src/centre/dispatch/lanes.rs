//! How many events each lane may have in hand: its window, and while something more urgent is in hand only a small
//! share of it (rule E3).
//!
//! Lanes of their own keep a flood from delaying what is above in the queues. On a busy machine the two still share the
//! disk and the processors, so that a flood makes room there as well.

use snooze_schemas::event::Severity;
use std::sync::Arc;
use tokio::sync::watch;

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

/// Which lanes have something in hand, for all of them to see.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lanes(Arc<watch::Sender<[bool; Severity::DESCENDING.len()]>>);

impl Lanes {
    /// Says whether a lane has something in hand.
    pub(super) fn say(&self, severity: Severity, is_busy: bool) {
        self.0.send_if_modified(|busy| {
            let before = std::mem::replace(&mut busy[place(severity)], is_busy);
            before != is_busy
        });
    }

    /// How many a lane may have in hand now.
    pub(super) fn room(&self, severity: Severity) -> usize {
        room(&self.0.borrow(), severity)
    }

    /// Waits until a lane may have more in hand than so many. Cancelling it loses nothing.
    pub(super) async fn more_than(&self, in_hand: usize, severity: Severity) {
        let mut busy = self.0.subscribe();
        let more = busy.wait_for(|busy| room(busy, severity) > in_hand);
        drop(more.await.expect("the sender is this one's own"));
    }
}

fn room(busy: &[bool; Severity::DESCENDING.len()], severity: Severity) -> usize {
    let is_above = busy[place(severity) + 1..].contains(&true);
    if is_above { SHARE } else { window(severity) }
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

    #[tokio::test]
    async fn e3_what_is_below_keeps_a_share_and_has_its_window_back_afterwards() {
        let lanes = Lanes::default();
        lanes.say(Severity::Urgent, true);
        let room = Severity::DESCENDING.map(|severity| lanes.room(severity));
        assert_eq!(room, [512, 256, SHARE, SHARE], "nobody makes room for himself");
        let waiting = lanes.more_than(SHARE, Severity::Info);
        // It ends, or the test does not.
        let ((), ()) = tokio::join!(waiting, async { lanes.say(Severity::Urgent, false) });
        assert_eq!(lanes.room(Severity::Info), 32);
    }
}
