//! When a server that denied something is asked again: after a second, then after twice as long each time, up to a
//! minute. Reads no clock.

use std::time::Duration;
use tokio::time::Instant;

/// The pause after the first denial.
const FIRST: Duration = Duration::from_secs(1);
/// The longest pause, and how long a connection has to last for the pause to be short again: whoever mends what was
/// denied need not wait for long, and who is denied something for good asks seldom.
const LONGEST: Duration = Duration::from_secs(60);

/// How often in a row a server denied something.
#[derive(Debug, Default)]
pub(super) struct Patience {
    denials: u32,
    /// Since when there is a connection.
    connected_at: Option<Instant>,
    /// When to connect anew, once this connection was denied something.
    again_at: Option<Instant>,
    /// Whether the last attempt to connect was refused.
    is_turned_away: bool,
}

impl Patience {
    /// There is a new connection, which was denied nothing yet.
    pub(super) fn connected(&mut self, now: Instant) {
        self.connected_at = Some(now);
        self.again_at = None;
        self.is_turned_away = false;
    }

    /// There is none any more.
    pub(super) fn lost(&mut self, now: Instant) {
        self.forgive(now);
        self.connected_at = None;
        self.again_at = None;
        self.is_turned_away = false;
    }

    /// This connection was denied something. However much it is denied, it is one denial.
    pub(super) fn denied(&mut self, now: Instant) {
        if self.again_at.is_none() {
            self.forgive(now);
            self.denials = self.denials.saturating_add(1);
            self.again_at = Some(now + self.pause());
        }
    }

    /// An attempt to connect was refused.
    pub(super) fn turned_away(&mut self) {
        self.denials = self.denials.saturating_add(1);
        self.is_turned_away = true;
    }

    /// Whether this connection was denied something.
    pub(super) fn is_denied(&self) -> bool {
        self.again_at.is_some()
    }

    /// Whether to connect anew now; not again before as long a pause as it was this time.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let is_due = self.again_at.is_some_and(|at| at <= now);
        if is_due {
            self.again_at = Some(now + self.pause());
        }
        is_due
    }

    /// The pause before the next attempt to connect, where the last one was refused.
    pub(super) fn after_refusal(&self) -> Option<Duration> {
        self.is_turned_away.then(|| self.pause())
    }

    fn pause(&self) -> Duration {
        let doubled = self.denials.saturating_sub(1).min(6);
        (FIRST * 2u32.pow(doubled)).min(LONGEST)
    }

    /// Forgets earlier denials where the connection has lasted and was denied nothing.
    fn forgive(&mut self, now: Instant) {
        let has_lasted = self.connected_at.is_some_and(|since| now - since >= LONGEST);
        if has_lasted && self.again_at.is_none() {
            self.denials = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn a_denied_subject_is_asked_for_again_after_one_second_doubling_to_sixty() {
        let (mut patience, mut now) = (Patience::default(), Instant::now());
        for pause in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            patience.connected(now);
            patience.denied(now);
            // What else it is denied changes nothing.
            patience.denied(now + secs(pause) - Duration::from_millis(1));
            assert!(!patience.is_due(now + secs(pause) - Duration::from_millis(1)));
            now += secs(pause);
            assert!(patience.is_due(now), "after {pause} s");
            assert!(!patience.is_due(now), "once");
            patience.lost(now);
        }
        patience.connected(now);
        assert!(!patience.is_denied());
    }

    #[test]
    fn a_connection_that_lasted_makes_the_pause_short_again() {
        let (mut patience, mut now) = (Patience::default(), Instant::now());
        for _ in 0..5 {
            patience.turned_away();
        }
        assert_eq!(patience.after_refusal(), Some(secs(16)));
        patience.connected(now);
        assert_eq!(patience.after_refusal(), None, "it was let in");
        now += secs(59);
        patience.lost(now);
        patience.turned_away();
        assert_eq!(patience.after_refusal(), Some(secs(32)), "it did not last");
        patience.connected(now);
        now += secs(60);
        patience.lost(now);
        patience.turned_away();
        assert_eq!(patience.after_refusal(), Some(secs(1)));
    }

    #[test]
    fn a_server_that_is_only_away_is_not_waited_for_as_one_that_refuses() {
        let mut patience = Patience::default();
        let now = Instant::now();
        patience.connected(now);
        patience.denied(now);
        patience.lost(now);
        assert_eq!(patience.after_refusal(), None);
    }
}
