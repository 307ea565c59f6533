//! Which of a lane's events that it has in hand and has not begun goes next: the one with the nearest deadline.
//!
//! Deadlines are compared with one another and with no clock. What has none comes after those that have one, in the order
//! of the stream. Nobody is passed over for ever: after so many others whoever came first goes first. Pure.

use snooze_schemas::Timestamp;

/// Events that a lane has in hand and has not begun. They are taken from other gateways, so not many: enough to find
/// among what came at once what is due first.
pub(super) const AT_MOST: usize = 32;

/// So many others may go before one that came earlier.
const PASSED_AT_MOST: usize = AT_MOST;

/// What has not begun.
#[derive(Debug)]
pub(super) struct Turns<T>(Vec<Waiting<T>>);

#[derive(Debug)]
struct Waiting<T> {
    deadline: Option<Timestamp>,
    /// Its number in the stream.
    sequence: u64,
    /// So many that came later have gone before it.
    passed: usize,
    what: T,
}

impl<T> Turns<T> {
    pub(super) fn new() -> Turns<T> {
        Turns(Vec::with_capacity(AT_MOST))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn push(&mut self, deadline: Option<Timestamp>, sequence: u64, what: T) {
        self.0.push(Waiting {
            deadline,
            sequence,
            passed: 0,
            what,
        });
    }

    /// Takes whose turn it is.
    pub(super) fn next(&mut self) -> Option<T> {
        let place = |waiting: &Waiting<T>| {
            // False is less than true.
            let has_waited = waiting.passed >= PASSED_AT_MOST;
            let deadline = waiting.deadline.filter(|_| !has_waited);
            (
                !has_waited,
                !has_waited && deadline.is_none(),
                deadline,
                waiting.sequence,
            )
        };
        let next = (0..self.0.len()).min_by_key(|at| place(&self.0[*at]))?;
        let Waiting { sequence, what, .. } = self.0.swap_remove(next);
        for waiting in &mut self.0 {
            if waiting.sequence < sequence {
                waiting.passed += 1;
            }
        }
        Some(what)
    }

    /// All that wait.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|waiting| &waiting.what)
    }

    /// Takes all, where nobody's turn comes any more.
    pub(super) fn into_all(self) -> impl Iterator<Item = T> {
        self.0.into_iter().map(|waiting| waiting.what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Option<Timestamp> {
        Some(Timestamp::from_second(second).expect("a time"))
    }

    #[test]
    fn the_nearest_deadline_goes_first_and_what_has_none_after_them_as_it_came() {
        let mut turns = Turns::new();
        for (sequence, deadline, name) in [
            (1, None, "first"),
            (2, at(30), "late"),
            (4, at(10), "same, later"),
            (3, at(10), "same"),
            (5, None, "second"),
        ] {
            turns.push(deadline, sequence, name);
        }
        let order: Vec<&str> = std::iter::from_fn(|| turns.next()).collect();
        assert_eq!(order, ["same", "same, later", "late", "first", "second"]);
    }

    #[test]
    fn nobody_is_passed_over_for_ever() {
        let mut turns = Turns::new();
        turns.push(None, 1, "patient");
        turns.push(at(1_000), 2, "late");
        let went = (3..).position(|sequence| {
            // There is always one that is more urgent.
            turns.push(at(0), sequence, "soon");
            turns.next() == Some("patient")
        });
        assert_eq!(went, Some(PASSED_AT_MOST));
        turns.push(at(0), u64::MAX, "soon");
        assert_eq!(turns.next(), Some("late"), "it has waited as long");
    }
}
