//! A connection to the bus, what state it is in, and what was counted on it.
//!
//! A connection that was made once comes back by itself, for ever. What a client is not told otherwise,
//! a denied publish or a subscription that lost messages, is heard here and never ignored.

mod config;
mod denials;
mod hearing;
mod making;
mod patience;
mod servers;

pub use config::{BusConfig, OnDenial};

use crate::{
    counters::Counters,
    error::{BusError, Cause},
    inbox::Inbox,
    jetstream::Tally,
};
use async_nats::{Client, ConnectErrorKind, connection::State};
use denials::Denials;
use hearing::{Heard, Hearing, look_after};
use making::options;
use servers::{addresses, masked};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    task::AbortHandle,
    time::{Instant, sleep, timeout_at},
};

/// Messages that may wait in one subscription. Ten thousand hosts may greet at once after a restart of
/// the server; more than six times as many is a fault, which is counted.
const SUBSCRIPTION_CAPACITY: usize = 65_536;

/// Between two attempts to connect for the first time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// What state the connection is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BusStatus {
    /// There is a server.
    Connected,
    /// There is none now, or none that lets this user in; the connection comes back by itself.
    Disconnected,
    /// The connection is closed; or the server denied something that this service needs, or its credentials, and that
    /// is the end ([`OnDenial::End`]).
    Fatal(String),
}

/// A connection to the bus. Clones share it.
#[derive(Clone)]
pub struct Bus {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) client: Client,
    pub(crate) inbox: Inbox,
    pub(crate) status: watch::Receiver<BusStatus>,
    /// Counts up with every loss of the connection, so that a short one is not overlooked.
    pub(crate) losses: watch::Receiver<u64>,
    /// What the server said that it denies on this connection.
    pub(crate) denials: watch::Receiver<Denials>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) writes: Tally,
    looking: AbortHandle,
    /// The servers, as they may be shown.
    servers: String,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Its task holds the connection open as long as it lives.
        self.looking.abort();
    }
}

impl std::fmt::Debug for Bus {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Bus")
            .field("status", &*self.inner.status.borrow())
            .finish_non_exhaustive()
    }
}

impl Bus {
    /// Connects, trying again within `connect_timeout` while no server answers.
    ///
    /// # Errors
    /// When an address cannot be one, when no server answers in time, when it refuses the credentials, or when
    /// they cannot be read.
    pub async fn connect(config: BusConfig) -> Result<Bus, BusError> {
        Bus::connect_with_capacity(config, SUBSCRIPTION_CAPACITY).await
    }

    /// As [`Bus::connect`], with another bound on the messages that may wait in one subscription; beyond
    /// it they are lost and counted.
    ///
    /// # Errors
    /// As [`Bus::connect`].
    pub async fn connect_with_capacity(config: BusConfig, capacity: usize) -> Result<Bus, BusError> {
        let deadline = Instant::now() + config.connect_timeout;
        let addresses = addresses(&config.servers)?;
        let (hearing, heard) = Heard::new(&config, BusStatus::Connected);
        let shown = masked(&config.servers);
        let unreachable = |source: Cause| BusError::Unreachable {
            servers: shown.clone(),
            source,
        };
        let client = loop {
            let options = options(&config, capacity, hearing.clone()).await?;
            match timeout_at(deadline, options.connect(&addresses)).await {
                Ok(Ok(client)) => break client,
                Ok(Err(cause)) => match cause.kind() {
                    ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
                        return Err(BusError::Denied {
                            servers: shown.clone(),
                            source: cause.into(),
                        });
                    }
                    _ if Instant::now() + FIRST_PAUSE >= deadline => return Err(unreachable(cause.into())),
                    _ => sleep(FIRST_PAUSE).await,
                },
                Err(elapsed) => return Err(unreachable(elapsed.into())),
            }
        };
        let bus = assembled(client, shown, hearing, heard).await?;
        // A credential whose inbox is somebody else's is found out here, not at the first request: the
        // server denies the subscription, and what would come back never does.
        let mut denials = bus.inner.denials.clone();
        tokio::select! {
            biased;
            // Cancelling either loses nothing: both are asked once.
            flushed = bus.flush(deadline.saturating_duration_since(Instant::now())) => flushed?,
            Ok(denied) = denials.wait_for(Denials::withhold_answers) => {
                return Err(bus.denied(denied.of_answers().unwrap_or_default()));
            }
        }
        Ok(bus)
    }

    /// As [`Bus::connect`], without waiting for a server: until one answers, for ever, the connection is as one that
    /// was lost. Credentials that a server refuses are what [`BusConfig::on_denial`] says.
    ///
    /// # Errors
    /// When an address cannot be one, or when the credentials cannot be read.
    pub async fn begin(config: BusConfig) -> Result<Bus, BusError> {
        let addresses = addresses(&config.servers)?;
        let (hearing, heard) = Heard::new(&config, BusStatus::Disconnected);
        let shown = masked(&config.servers);
        let options = options(&config, SUBSCRIPTION_CAPACITY, hearing.clone()).await?;
        let connecting = options.retry_on_initial_connect().connect(&addresses);
        let client = connecting.await.map_err(|cause| BusError::Unreachable {
            servers: shown.clone(),
            source: cause.into(),
        })?;
        assembled(client, shown, hearing, heard).await
    }

    /// The state of the connection, to be watched by whoever takes the service down.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<BusStatus> {
        self.inner.status.clone()
    }

    /// What was counted on this connection so far; a lower bound, since the client does not tell all.
    #[must_use]
    pub fn counters(&self) -> crate::BusCounters {
        self.inner.counters.read(self.inner.inbox.waiting())
    }

    /// Waits until the server has taken all that was published and subscribed so far: a message of one's
    /// own, sent after all of it, has come back.
    ///
    /// # Errors
    /// When it does not come back within the limit.
    pub async fn flush(&self, within: Duration) -> Result<(), BusError> {
        let timed_out = || BusError::TimedOut {
            operation: "flushing",
            within_ms: within.as_millis(),
        };
        let mut awaited = self.inner.inbox.one();
        let sent = self
            .inner
            .client
            .publish(awaited.reply.clone(), bytes::Bytes::new());
        tokio::time::timeout(within, async {
            sent.await.map_err(|_| BusError::Disconnected {
                operation: "flushing",
            })?;
            (&mut awaited.answer).await.map_err(|_| timed_out())
        })
        .await
        .map_err(|_| timed_out())??;
        Ok(())
    }

    /// Ends the connection after all that was published has been taken by the server: subscriptions end
    /// once what they hold has been delivered.
    ///
    /// # Errors
    /// When the server does not take it within the limit; the connection is closed all the same.
    pub async fn drain(&self, within: Duration) -> Result<(), BusError> {
        let flushed = self.flush(within).await;
        if self.inner.client.drain().await.is_err() {
            tracing::debug!("the connection was closed already");
        }
        flushed
    }

    /// Ends this handle. The connection closes with the last clone, subscription and consumer; use
    /// [`Bus::drain`] to be sure that all was sent.
    pub fn close(self) {}

    /// Waits until there is a server. Nothing is sent while there is none: the client would keep it and
    /// send it late, when nobody waits for it any more.
    pub(crate) async fn connected(&self, operation: &'static str, within: Duration) -> Result<(), BusError> {
        let mut status = self.inner.status.clone();
        let changed = status.wait_for(|status| *status != BusStatus::Disconnected);
        match tokio::time::timeout(within, changed).await {
            Ok(Ok(status)) => match &*status {
                BusStatus::Fatal(why) if self.is_away() => Err(self.denied(why)),
                _ => Ok(()),
            },
            Ok(Err(_)) | Err(_) => Err(BusError::Disconnected { operation }),
        }
    }

    /// Whether there is no server at this moment.
    pub(crate) fn is_away(&self) -> bool {
        self.inner.client.connection_state() != State::Connected
    }

    /// Whether the client would keep what is sent now, and send it when it is old.
    pub(crate) fn is_cut_off(&self) -> bool {
        match &*self.inner.status.borrow() {
            BusStatus::Connected => false,
            BusStatus::Disconnected => true,
            BusStatus::Fatal(_) => self.is_away(),
        }
    }

    /// Fails where the server denied this subject on this connection: it would say the same again.
    pub(crate) fn not_denied(&self, subject: &str) -> Result<(), BusError> {
        match self.inner.denials.borrow().of_publishing(subject) {
            Some(said) => Err(self.denied(said)),
            None => Ok(()),
        }
    }

    /// The server does not let this user do something, or let it in.
    pub(crate) fn denied(&self, why: &str) -> BusError {
        BusError::Denied {
            servers: self.inner.servers.clone(),
            source: why.into(),
        }
    }

    /// A subject for what is asked for apart from [`Inbox`]; like its tokens it cannot be guessed.
    pub(crate) fn new_inbox(&self) -> String {
        format!(
            "{}.{:032x}",
            self.inner.client.new_inbox(),
            rand::random::<u128>()
        )
    }
}

/// The handle of a connection, which hears its own answers from now on.
async fn assembled(
    client: Client,
    servers: String,
    hearing: Arc<Hearing>,
    heard: Heard,
) -> Result<Bus, BusError> {
    let looking = tokio::spawn(look_after(client.clone(), hearing)).abort_handle();
    let base = client.new_inbox();
    let subscriber = client
        .subscribe(format!("{base}.*"))
        .await
        .map_err(|cause| BusError::Subscribe {
            template: "_INBOX_<role>.<name>.<id>.*",
            source: cause.into(),
        })?;
    Ok(Bus {
        inner: Arc::new(Inner {
            client,
            servers,
            inbox: Inbox::new(base, subscriber),
            status: heard.status,
            losses: heard.losses,
            denials: heard.denials,
            counters: heard.counters,
            writes: Tally::default(),
            looking,
        }),
    })
}
