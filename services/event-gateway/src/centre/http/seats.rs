//! Which connections wait for somebody to say something, and which of them goes when another one comes.
//!
//! A connection that says nothing costs a place that somebody else's request needs. While there are places it may wait for
//! as long as a head may take; when there are none, the one that has waited longest is closed for the next that comes, also
//! one that is kept between two requests. One that is being answered never is.

use snooze_service_runtime::CancellationToken;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Notify;

/// Connections that were asked to close and have not yet; beyond them nobody is let in.
const LEAVING_AT_MOST: usize = 64;

/// All of them.
#[derive(Debug, Clone)]
pub(super) struct Seats(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    at_most: usize,
    taken: Mutex<Taken>,
    /// One begins to wait, or is gone.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Taken {
    /// Counts who begins to wait, and names connections.
    next: u64,
    connections: HashMap<u64, Connection>,
    leaving: usize,
}

#[derive(Debug)]
struct Connection {
    /// Since when it waits, counted; none while it is being answered.
    waits_since: Option<u64>,
    leave: CancellationToken,
}

/// One connection's, for as long as it is open.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Seats,
    name: u64,
    leave: CancellationToken,
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct Answering(Arc<Seat>);

impl Seats {
    pub(super) fn new(at_most: usize) -> Seats {
        Seats(Arc::new(Inner {
            at_most,
            taken: Mutex::default(),
            changed: Notify::new(),
        }))
    }

    /// Whether another connection may come: there is a place, or somebody who can leave one.
    pub(super) fn has_room(&self) -> bool {
        let taken = self.taken();
        let staying = taken.connections.len() - taken.leaving;
        staying < self.0.at_most || (taken.leaving < LEAVING_AT_MOST && taken.longest().is_some())
    }

    /// Waits until that may have changed.
    pub(super) async fn changed(&self) {
        self.0.changed.notified().await;
    }

    /// Takes one for a connection that has just come, and closes another where there was none.
    pub(super) fn take(&self) -> Seat {
        let mut taken = self.taken();
        if taken.connections.len() - taken.leaving >= self.0.at_most
            && let Some(longest) = taken.longest()
        {
            taken.close(longest);
        }
        let name = taken.count();
        let leave = CancellationToken::new();
        let connection = Connection {
            waits_since: Some(name),
            leave: leave.clone(),
        };
        taken.connections.insert(name, connection);
        Seat {
            seats: self.clone(),
            name,
            leave,
        }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn count(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Who has waited longest, of those that were not asked to leave.
    fn longest(&self) -> Option<u64> {
        let staying = self
            .connections
            .iter()
            .filter(|(_, one)| !one.leave.is_cancelled());
        let waiting = staying.filter_map(|(name, one)| Some((one.waits_since?, *name)));
        waiting.min().map(|(_, name)| name)
    }

    fn close(&mut self, name: u64) {
        if let Some(connection) = self.connections.get(&name) {
            connection.leave.cancel();
            self.leaving += 1;
        }
    }
}

impl Seat {
    /// Waits until the connection is to be closed for another one.
    pub(super) async fn is_wanted(&self) {
        self.leave.cancelled().await;
    }

    /// Whether a request is there.
    pub(super) fn is_answering(&self) -> bool {
        let taken = self.seats.taken();
        let connection = taken.connections.get(&self.name);
        connection.is_some_and(|connection| connection.waits_since.is_none())
    }

    /// A request is there. It is answered also where the connection was about to close.
    pub(super) fn answer(self: &Arc<Seat>) -> Answering {
        self.waits(None);
        Answering(Arc::clone(self))
    }

    fn waits(&self, since: Option<u64>) {
        if let Some(connection) = self.seats.taken().connections.get_mut(&self.name) {
            connection.waits_since = since;
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken();
        taken.connections.remove(&self.name);
        if self.leave.is_cancelled() {
            taken.leaving -= 1;
        }
        drop(taken);
        self.seats.0.changed.notify_one();
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let now = self.0.seats.taken().count();
        self.0.waits(Some(now));
        self.0.seats.0.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> (Seats, [Arc<Seat>; 2]) {
        let seats = Seats::new(2);
        let taken = [(); 2].map(|()| Arc::new(seats.take()));
        (seats, taken)
    }

    #[test]
    fn who_has_waited_longest_leaves_for_the_next() {
        let (seats, [first, second]) = two();
        drop(first.answer());
        assert!(seats.has_room());
        let third = seats.take();
        assert!(second.leave.is_cancelled(), "the other was answered since");
        assert!(!first.leave.is_cancelled() && !third.leave.is_cancelled());
        let fourth = seats.take();
        assert!(first.leave.is_cancelled() && !fourth.leave.is_cancelled());
    }

    #[test]
    fn nobody_who_is_being_answered_leaves() {
        let (seats, both) = two();
        let answering = both.clone().map(|seat| seat.answer());
        assert!(!seats.has_room());
        drop(answering);
        assert!(seats.has_room());
        drop(seats.take());
        let leaving = both.iter().filter(|seat| seat.leave.is_cancelled());
        assert_eq!(leaving.count(), 1);
        drop(both);
        assert!(seats.taken().connections.is_empty());
        assert_eq!(seats.taken().leaving, 0);
    }

    #[test]
    fn those_that_are_asked_to_leave_and_do_not_are_bounded() {
        let seats = Seats::new(1);
        let mut taken = Vec::new();
        while seats.has_room() {
            taken.push(seats.take());
        }
        assert_eq!(taken.len(), 1 + LEAVING_AT_MOST);
        taken.remove(0);
        assert!(seats.has_room());
    }
}
