//! Hears what the client has to tell, and looks at the connection by itself now and then.
//!
//! The client tells by a short queue and drops what does not fit. So the state of the connection never
//! rests on an event alone, and what is counted here is a lower bound.
//!
//! What a denial means is the connection's own to say ([`OnDenial`]). One that goes on needs no other connection for
//! it: async-nats reconnects for ever, also after it was turned away, asks for the credentials at each attempt, and
//! subscribes anew to all that it was ever asked to, be it denied or not. It only never hears that a denied subject is
//! allowed by now; so it is made to reconnect, after the pauses of [`Patience`].

use super::{BusConfig, BusStatus, OnDenial, denials::Denials, patience::Patience};
use crate::counters::Counters;
use async_nats::{Client, ClientError, ConnectErrorKind, Event, ServerError, connection::State};
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval},
};

/// How the server begins to say that a question to a plugin of the fleet was denied.
const FLEET_PLUGIN: &str = "publish to \"snooze.v1.fleet.plugin.";

/// Between two looks at the connection's own state. An event takes milliseconds.
const LOOK: Duration = Duration::from_secs(1);

/// What is known of a connection, and who wants to know.
pub(super) struct Hearing {
    status: watch::Sender<BusStatus>,
    losses: watch::Sender<u64>,
    denials: watch::Sender<Denials>,
    counters: Arc<Counters>,
    on_denial: OnDenial,
    /// Where credentials are renewed.
    credentials: Option<PathBuf>,
    patience: Mutex<Patience>,
}

/// What is heard of a connection, as its handle sees it.
pub(super) struct Heard {
    pub(super) status: watch::Receiver<BusStatus>,
    pub(super) losses: watch::Receiver<u64>,
    pub(super) denials: watch::Receiver<Denials>,
    pub(super) counters: Arc<Counters>,
}

impl Heard {
    /// Nothing yet, but for the state that it begins in.
    pub(super) fn new(config: &BusConfig, status: BusStatus) -> (Arc<Hearing>, Heard) {
        let counters = Arc::new(Counters::default());
        let (status, status_seen) = watch::channel(status);
        let (losses, losses_seen) = watch::channel(0);
        let (denials, denials_seen) = watch::channel(Denials::default());
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
            on_denial: config.on_denial,
            credentials: config.credentials.clone(),
            patience: Mutex::default(),
        };
        (Arc::new(hearing), heard)
    }
}

/// Looks at the connection's state for ever, for what no event has told, and makes it anew where that is due.
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
        // One that is lost comes back by itself; the client's queue, which nobody empties then, is not waited for.
        let is_due = state == State::Connected && hearing.patience().is_due(Instant::now());
        if is_due && client.force_reconnect().await.is_err() {
            tracing::debug!("the connection is closed, and not made anew");
        }
        before = state;
    }
}

impl Hearing {
    pub(super) fn take(&self, event: Event) {
        match event {
            Event::Connected => self.connected(),
            Event::Disconnected => {
                self.patience().lost(Instant::now());
                self.lose();
            }
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

    /// The pause before the next attempt to connect, where the last one was refused.
    pub(super) fn pause_after_refusal(&self) -> Option<Duration> {
        self.patience().after_refusal()
    }

    /// Catches up with what an event would have told that was dropped.
    fn agree_with(&self, state: &State) {
        let status = self.status.borrow().clone();
        match (state, status) {
            (State::Disconnected, BusStatus::Connected) => self.lose(),
            // One that is connected and hears no answers is of no use until it is made anew.
            (State::Connected, BusStatus::Disconnected) if !self.patience().is_denied() => self.connected(),
            _ => {}
        }
    }

    fn connected(&self) {
        self.patience().connected(Instant::now());
        self.denials.send_if_modified(Denials::clear);
        self.become_unless_fatal(BusStatus::Connected);
    }

    fn lose(&self) {
        self.losses.send_modify(|losses| *losses += 1);
        self.counters.add_loss();
        self.become_unless_fatal(BusStatus::Disconnected);
    }

    fn turned_away(&self) {
        match self.on_denial {
            OnDenial::End => self.fatal("the server no longer accepts these credentials".to_owned()),
            OnDenial::GoOn => {
                self.counters.add_violation();
                self.patience().turned_away();
                tracing::error!(
                    credentials = self.credentials(),
                    "the bus does not accept these credentials and counts as away; once they are renewed in their file, \
                     or accepted again, all goes on"
                );
            }
        }
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
            self.note(&text);
            tracing::warn!(text, "a plugin of the fleet may not be asked from here");
        } else {
            self.denied(text);
        }
    }

    fn denied(&self, text: String) {
        let is_news = self.note(&text);
        if self.on_denial == OnDenial::End {
            self.fatal(text);
            return;
        }
        self.counters.add_violation();
        if is_news {
            tracing::error!(
                text,
                credentials = self.credentials(),
                "the bus denies this; all else goes on. It is asked for again in a while: renew the credentials in \
                 their file, or have the rights of their role mended at the server"
            );
        }
        self.patience().denied(Instant::now());
        // Nothing that is asked on it would be answered.
        if self.denials.borrow().withhold_answers() && *self.status.borrow() == BusStatus::Connected {
            self.lose();
        }
    }

    /// Keeps it for whoever waits for what was denied, and says whether this connection hears it for the first time.
    fn note(&self, text: &str) -> bool {
        self.denials.send_if_modified(|denials| denials.add(text))
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

    fn credentials(&self) -> Option<String> {
        self.credentials.as_ref().map(|path| path.display().to_string())
    }

    fn patience(&self) -> MutexGuard<'_, Patience> {
        self.patience.lock().unwrap_or_else(PoisonError::into_inner)
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
mod tests;
