//! A connection to the bus, what state it is in, and what was counted on it.
//!
//! A connection that was made once comes back by itself, for ever. What a client is not told otherwise,
//! a denied publish or a subscription that lost messages, is heard here and never ignored.

use crate::{Role, counters::Counters, error::BusError, inbox::Inbox};
use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event, ServerError};
use rand::RngExt as _;
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout_at},
};

/// Messages that may wait in one subscription. Ten thousand hosts may greet at once after a restart of
/// the server; more than six times as many is a fault, which is counted.
const SUBSCRIPTION_CAPACITY: usize = 65_536;

/// One attempt to connect; a server that is there answers within milliseconds.
const ATTEMPT: Duration = Duration::from_secs(5);

/// Between two attempts to connect for the first time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause between two attempts to reconnect: a fleet is back within seconds of the server,
/// spread out by chance so that it does not come in waves.
const LONGEST_PAUSE_MS: u64 = 4_000;

/// How the connection of one service is made.
#[derive(Debug, Clone)]
pub struct BusConfig {
    /// One URL or several, separated by commas.
    pub servers: String,
    /// The file with the user's credentials; none where the server asks for none.
    pub credentials: Option<PathBuf>,
    /// The part that the user plays.
    pub role: Role,
    /// The user's name; with the role it fixes where answers arrive.
    pub name: String,
    /// The service's name, shown by the server.
    pub service: String,
    /// How long to try to connect for the first time.
    pub connect_timeout: Duration,
}

/// What state the connection is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BusStatus {
    /// There is a server.
    Connected,
    /// There is none now; the connection comes back by itself.
    Disconnected,
    /// The server denied something that this service needs, or its credentials: the service must end,
    /// because it would never hear of what it misses.
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
    pub(crate) counters: Arc<Counters>,
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
    /// When none answers in time, when the server refuses the credentials, or when they cannot be read.
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
        let counters = Arc::new(Counters::default());
        let (status, status_seen) = watch::channel(BusStatus::Connected);
        let (losses, losses_seen) = watch::channel(0);
        let events = Arc::new(Events {
            status,
            losses,
            counters: counters.clone(),
        });
        let client = loop {
            let options = options(&config, capacity, events.clone()).await?;
            match timeout_at(deadline, options.connect(servers(&config.servers))).await {
                Ok(Ok(client)) => break client,
                Ok(Err(cause)) => match cause.kind() {
                    ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
                        return Err(BusError::Denied {
                            servers: config.servers,
                            source: cause.into(),
                        });
                    }
                    ConnectErrorKind::ServerParse => {
                        return Err(BusError::Unreachable {
                            servers: config.servers,
                            source: cause.into(),
                        });
                    }
                    _ if Instant::now() + FIRST_PAUSE >= deadline => {
                        return Err(BusError::Unreachable {
                            servers: config.servers,
                            source: cause.into(),
                        });
                    }
                    _ => sleep(FIRST_PAUSE).await,
                },
                Err(elapsed) => {
                    return Err(BusError::Unreachable {
                        servers: config.servers,
                        source: elapsed.into(),
                    });
                }
            }
        };
        let base = client.new_inbox();
        let subscriber =
            client
                .subscribe(format!("{base}.*"))
                .await
                .map_err(|cause| BusError::Subscribe {
                    template: "_INBOX_<role>.<name>.<id>.*",
                    source: cause.into(),
                })?;
        let bus = Bus {
            inner: Arc::new(Inner {
                client,
                inbox: Inbox::new(base, subscriber),
                status: status_seen,
                losses: losses_seen,
                counters,
            }),
        };
        // A credential whose inbox is somebody else's is found out here, not at the first request.
        bus.flush(deadline.saturating_duration_since(Instant::now()))
            .await?;
        Ok(bus)
    }

    /// The state of the connection, to be watched by whoever takes the service down.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<BusStatus> {
        self.inner.status.clone()
    }

    /// What was counted on this connection so far.
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
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(BusError::Disconnected { operation }),
        }
    }
}

/// Several URLs may be given in one text.
fn servers(text: &str) -> Vec<String> {
    text.split(',')
        .map(str::trim)
        .filter(|server| !server.is_empty())
        .map(str::to_owned)
        .collect()
}

async fn options(
    config: &BusConfig,
    capacity: usize,
    events: Arc<Events>,
) -> Result<ConnectOptions, BusError> {
    let mut options = ConnectOptions::new()
        .name(&config.service)
        .custom_inbox_prefix(config.role.inbox_prefix(&config.name))
        .connection_timeout(ATTEMPT.min(config.connect_timeout))
        .subscription_capacity(capacity)
        .reconnect_delay_callback(pause_before)
        .event_callback(move |event| {
            let events = events.clone();
            async move { events.take(event) }
        });
    if let Some(path) = &config.credentials {
        let text = tokio::fs::read_to_string(path).await;
        options = text
            .and_then(|text| options.credentials(&text))
            .map_err(|cause| BusError::Credentials {
                path: path.clone(),
                source: cause.into(),
            })?;
    }
    Ok(options)
}

/// The pause before an attempt to reconnect: none before the first, then doubling, between half and all
/// of it by chance.
fn pause_before(attempt: usize) -> Duration {
    let exponent = u32::try_from(attempt.saturating_sub(2).min(12)).expect("at most 12");
    let longest = match attempt {
        0 | 1 => return Duration::ZERO,
        _ => (10 * 2u64.pow(exponent)).min(LONGEST_PAUSE_MS),
    };
    Duration::from_millis(rand::rng().random_range(longest / 2..=longest))
}

/// Hears what the client has to tell.
struct Events {
    status: watch::Sender<BusStatus>,
    losses: watch::Sender<u64>,
    counters: Arc<Counters>,
}

impl Events {
    fn take(&self, event: Event) {
        match event {
            Event::Connected => self.become_unless_fatal(BusStatus::Connected),
            Event::Disconnected => {
                self.losses.send_modify(|losses| *losses += 1);
                self.counters.add_loss();
                self.become_unless_fatal(BusStatus::Disconnected);
            }
            Event::SlowConsumer(_) | Event::ServerError(ServerError::SlowConsumer(_)) => {
                self.counters.add_slow();
                tracing::warn!("a subscription is too slow and lost a message");
            }
            Event::ServerError(ServerError::AuthorizationViolation) => {
                self.fatal("the server no longer accepts these credentials".to_owned());
            }
            Event::ServerError(ServerError::Other(text)) => self.server_says(text),
            Event::ClientError(cause) => tracing::warn!(%cause, "the bus client reports an error"),
            Event::Closed => {
                self.become_unless_fatal(BusStatus::Fatal("the connection is closed".to_owned()));
            }
            Event::LameDuckMode | Event::Draining => tracing::debug!(%event, "the bus connection is ending"),
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
        } else {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_before_a_reconnect_grows_and_is_bounded() {
        assert_eq!(pause_before(1), Duration::ZERO);
        for attempt in 2..100 {
            assert!(pause_before(attempt) <= Duration::from_millis(LONGEST_PAUSE_MS));
        }
        assert!(pause_before(50) >= Duration::from_millis(LONGEST_PAUSE_MS / 2));
    }

    #[test]
    fn several_servers_may_be_named() {
        assert_eq!(servers("nats://a:1, nats://b:2,"), ["nats://a:1", "nats://b:2"]);
    }
}
