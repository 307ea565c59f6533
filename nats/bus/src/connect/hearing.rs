//! Hears what the client has to tell, and looks at the connection by itself now and then.
//!
//! The client tells by a short queue and drops what does not fit. So the state of the connection never
//! rests on an event alone, and what is counted here is a lower bound.

use super::BusStatus;
use crate::counters::Counters;
use async_nats::{Client, ClientError, ConnectErrorKind, Event, ServerError, connection::State};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

/// How the server begins to say that a question to a plugin of the fleet was denied.
const FLEET_PLUGIN: &str = "publish to \"snooze.v1.fleet.plugin.";

/// Between two looks at the connection's own state. An event takes milliseconds.
const LOOK: Duration = Duration::from_secs(1);

/// What is known of a connection, and who wants to know.
pub(super) struct Hearing {
    pub(super) status: watch::Sender<BusStatus>,
    pub(super) losses: watch::Sender<u64>,
    /// What the server said it denied, the last of it.
    pub(super) denials: watch::Sender<Arc<str>>,
    pub(super) counters: Arc<Counters>,
}

/// What is heard of a connection, as its handle sees it.
pub(super) struct Heard {
    pub(super) status: watch::Receiver<BusStatus>,
    pub(super) losses: watch::Receiver<u64>,
    pub(super) denials: watch::Receiver<Arc<str>>,
    pub(super) counters: Arc<Counters>,
}

impl Heard {
    /// Nothing yet, but for the state that it begins in.
    pub(super) fn new(status: BusStatus) -> (Arc<Hearing>, Heard) {
        let counters = Arc::new(Counters::default());
        let (status, status_seen) = watch::channel(status);
        let (losses, losses_seen) = watch::channel(0);
        let (denials, denials_seen) = watch::channel("".into());
        let heard = Heard {
            status: status_seen,
            losses: losses_seen,
            denials: denials_seen,
            counters: counters.clone(),
        };
        let hearing = Hearing {
            status,
            losses,
            denials,
            counters,
        };
        (Arc::new(hearing), heard)
    }
}

/// Looks at the connection's state for ever, for what no event has told.
pub(super) async fn look_after(client: Client, hearing: Arc<Hearing>) {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = client.connection_state();
    loop {
        looks.tick().await;
        let state = client.connection_state();
        // Twice in a row: an event that is on its way is not missing.
        if state == before {
            hearing.agree_with(&state);
        }
        before = state;
    }
}

impl Hearing {
    pub(super) fn take(&self, event: Event) {
        match event {
            Event::Connected => self.become_unless_fatal(BusStatus::Connected),
            Event::Disconnected => self.lose(),
            Event::SlowConsumer(_) | Event::ServerError(ServerError::SlowConsumer(_)) => {
                self.counters.add_slow();
                tracing::warn!("a subscription is too slow and lost a message");
            }
            Event::ServerError(ServerError::AuthorizationViolation) => self.turned_away(),
            Event::ServerError(ServerError::Other(text)) => self.server_says(text),
            // What ends an attempt to reconnect comes as a text only; the client then tries for ever.
            Event::ClientError(ClientError::Other(text)) if is_turned_away(&text) => self.turned_away(),
            Event::ClientError(cause) => tracing::warn!(%cause, "the bus client reports an error"),
            Event::Closed => {
                self.become_unless_fatal(BusStatus::Fatal("the connection is closed".to_owned()));
            }
            Event::LameDuckMode | Event::Draining => tracing::debug!(%event, "the bus connection is ending"),
        }
    }

    /// Catches up with what an event would have told that was dropped.
    fn agree_with(&self, state: &State) {
        let status = self.status.borrow().clone();
        match (state, status) {
            (State::Disconnected, BusStatus::Connected) => self.lose(),
            (State::Connected, BusStatus::Disconnected) => self.become_unless_fatal(BusStatus::Connected),
            _ => {}
        }
    }

    fn lose(&self) {
        self.losses.send_modify(|losses| *losses += 1);
        self.counters.add_loss();
        self.become_unless_fatal(BusStatus::Disconnected);
    }

    fn turned_away(&self) {
        self.fatal("the server no longer accepts these credentials".to_owned());
    }

    fn server_says(&self, text: String) {
        let lower = text.to_ascii_lowercase();
        if !lower.contains("permissions violation") {
            tracing::warn!(text, "the bus server reports an error");
        } else if lower.contains("publish to \"_inbox_") {
            // An answer that came later than the server lets one answer, or a forged inbox: the asker's
            // fault or loss, and no reason to end the service.
            self.counters.add_undeliverable();
            tracing::warn!("an answer was not delivered");
        } else if lower.contains(FLEET_PLUGIN) {
            // Which plugins of the fleet a host may ask is granted one by one. Who was not granted one hears it as
            // the answer to its question; nothing that the service needs is lost.
            self.denials.send_replace(text.as_str().into());
            tracing::warn!(text, "a plugin of the fleet may not be asked from here");
        } else {
            self.denials.send_replace(text.as_str().into());
            self.fatal(text);
        }
    }

    fn fatal(&self, text: String) {
        tracing::error!(text, "the bus denied what this service needs");
        self.counters.add_violation();
        self.become_unless_fatal(BusStatus::Fatal(text));
    }

    fn become_unless_fatal(&self, new: BusStatus) {
        self.status.send_if_modified(|status| {
            let moves = !matches!(status, BusStatus::Fatal(_)) && *status != new;
            if moves {
                *status = new;
            }
            moves
        });
    }
}

/// Whether an attempt to reconnect ended because the server does not let this user in.
fn is_turned_away(text: &str) -> bool {
    [
        ConnectErrorKind::AuthorizationViolation,
        ConnectErrorKind::Authentication,
    ]
    .iter()
    .any(|kind| kind.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hearing() -> Hearing {
        Hearing {
            status: watch::channel(BusStatus::Connected).0,
            losses: watch::channel(0).0,
            denials: watch::channel("".into()).0,
            counters: Arc::default(),
        }
    }

    #[test]
    fn a_loss_that_no_event_told_of_is_found_and_counted_once() {
        let hearing = hearing();
        for _ in 0..3 {
            hearing.agree_with(&State::Disconnected);
        }
        assert_eq!(*hearing.status.borrow(), BusStatus::Disconnected);
        assert_eq!(*hearing.losses.borrow(), 1);
        hearing.agree_with(&State::Connected);
        assert_eq!(*hearing.status.borrow(), BusStatus::Connected);
    }

    #[test]
    fn what_is_fatal_stays_so_whatever_the_connection_does() {
        let hearing = hearing();
        hearing.take(Event::ClientError(ClientError::Other(
            ConnectErrorKind::AuthorizationViolation.to_string(),
        )));
        hearing.agree_with(&State::Connected);
        hearing.take(Event::Connected);
        assert!(matches!(*hearing.status.borrow(), BusStatus::Fatal(_)));
    }

    #[test]
    fn i5_a_question_to_a_plugin_that_was_not_granted_is_denied_and_ends_nobody() {
        let hearing = hearing();
        let denied = |subject: &str| {
            let text = format!("Permissions Violation for Publish to \"{subject}\"");
            hearing.take(Event::ServerError(ServerError::Other(text)));
        };
        denied("snooze.v1.fleet.plugin.llm.check_idle");
        assert_eq!(*hearing.status.borrow(), BusStatus::Connected);
        assert!(hearing.denials.borrow().contains("fleet.plugin.llm"));
        denied("snooze.v1.host.other.verdict");
        assert!(matches!(*hearing.status.borrow(), BusStatus::Fatal(_)));
    }

    #[test]
    fn a_server_that_is_only_away_is_not_fatal() {
        let hearing = hearing();
        for kind in [
            ConnectErrorKind::Io,
            ConnectErrorKind::TimedOut,
            ConnectErrorKind::Dns,
        ] {
            hearing.take(Event::ClientError(ClientError::Other(kind.to_string())));
        }
        assert_eq!(*hearing.status.borrow(), BusStatus::Connected);
    }
}
