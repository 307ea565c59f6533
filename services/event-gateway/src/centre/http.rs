//! People's own events over HTTP: `POST /v1/events` with CloudEvents 1.0, and `GET /healthz`, which says that this
//! process answers.
//!
//! Plain HTTP/1.1: TLS is the part of a proxy in front, and without one it listens on loopback. Connections, bodies and
//! waits are bounded, so that whoever opens many and says little costs memory and time that are known. How one is checked
//! and filed is the same as for those on the bus. It never takes who sends from what is sent.
//!
//! - `request`: one request, from its head to its answer.
//! - `credential`, `secrets`: whose it is.
//! - `mode`, `cloud_event`: what it carries.
//! - `rate`: how much of it is taken. `seats`: which connection leaves for the next one.
//! - `answer`: what is said.

mod answer;
mod cloud_event;
mod credential;
mod mode;
mod rate;
mod request;
mod seats;
mod secrets;

pub use secrets::SecretsError;

use super::rarely::Rarely;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rate::Rates;
use request::Office;
use seats::{Seat, Seats};
use secrets::Secrets;
use snooze_bus::Bus;
use snooze_service_runtime::{CancellationToken, Clocks, Exit, config::EventHttpConfig};
use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// The most bytes of a head.
const HEAD_BYTES: usize = 32 * 1024;
/// The bytes of all bodies together.
const BODIES_BYTES: usize = 256 * 1024 * 1024;
/// For so long a connection is kept; then whoever uses it makes a new one.
const CONNECTION_FOR: Duration = Duration::from_secs(300);
/// For so long what is in flight may go on after that, or after the shutdown began: the filing of a request.
const GRACE: Duration = Duration::from_secs(13);
/// And for so long what is closed because its place is wanted: the end of an answer that was just given.
const LEAVES_WITHIN: Duration = Duration::from_secs(1);
/// After what the system refuses, as a file descriptor too many, for so long nothing is accepted.
const PAUSE: Duration = Duration::from_millis(100);

/// Why events are not taken over HTTP.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// It cannot listen there.
    #[error("listen on {address} for events over HTTP")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The secrets of the sources are of no use.
    #[error("take the secrets of sources of events over HTTP")]
    Secrets(#[from] SecretsError),
}

impl HttpError {
    /// What a program ends with: whether starting it again helps.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Listen { .. } => Exit::Failed,
            Self::Secrets(_) => Exit::Usage,
        }
    }
}

/// What strangers can make it spend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once. The next takes the place of one that says nothing, or waits in the kernel's queue where all
    /// are being answered.
    pub connections: usize,
    /// For so long the head of a request may take, the wait for it on a kept connection included.
    pub head_within: Duration,
    /// For so long its body may take.
    pub body_within: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            // They need as many file descriptors.
            connections: 256,
            // What is slower is slow on purpose, or on a line that is of no use.
            head_within: Duration::from_secs(10),
            body_within: Duration::from_secs(10),
        }
    }
}

/// A bound socket and what is needed to answer on it.
#[derive(Debug, Clone)]
pub struct Front {
    listener: Arc<std::net::TcpListener>,
    secrets: Secrets,
    events_per_second: f64,
    max_body_bytes: usize,
    limits: Limits,
}

impl Front {
    /// Listens as configured; nowhere where it is switched off.
    ///
    /// # Errors
    /// When the secrets are of no use or the address is not to be had.
    pub fn open(config: &EventHttpConfig) -> Result<Option<Front>, HttpError> {
        if !config.enabled {
            return Ok(None);
        }
        let secrets = Secrets::read(&config.secrets)?;
        let listen = || {
            let listener = std::net::TcpListener::bind(config.listen)?;
            listener.set_nonblocking(true)?;
            Ok(listener)
        };
        let listener = listen().map_err(|source| HttpError::Listen {
            address: config.listen,
            source,
        })?;
        Ok(Some(Front {
            listener: Arc::new(listener),
            secrets,
            events_per_second: config.events_per_second,
            max_body_bytes: config.max_body_bytes,
            limits: limits_for(config.max_body_bytes),
        }))
    }

    /// With other limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Front {
        Front { limits, ..self }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// As many connections as hold so much with the largest body each, and no more than by default.
fn limits_for(max_body_bytes: usize) -> Limits {
    let limits = Limits::default();
    Limits {
        connections: limits.connections.min(BODIES_BYTES / max_body_bytes.max(1)),
        ..limits
    }
}

/// Answers until shutdown, and then what was begun.
pub(crate) async fn serve(
    front: Front,
    bus: Bus,
    clocks: Clocks,
    shutdown: CancellationToken,
) -> Result<(), io::Error> {
    let Front {
        listener,
        secrets,
        events_per_second,
        max_body_bytes,
        limits,
    } = front;
    let socket = TcpListener::from_std(listener.try_clone()?)?;
    drop(listener);
    tracing::info!(address = %socket.local_addr()?, "events are taken over HTTP");
    let office = Arc::new(Office {
        secrets,
        rates: Rates::new(events_per_second, clocks.clone()),
        max_body_bytes,
        body_within: limits.body_within,
        bus,
        strangers: Rarely::new(clocks.clone()),
        forbidden: Rarely::new(clocks.clone()),
        clocks,
    });
    let mut connections = JoinSet::new();
    let seats = Seats::new(limits.connections);
    loop {
        let has_room = seats.has_room();
        // Cancelling any branch loses nothing: connections wait in the kernel, ended ones in the set.
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(ended) = connections.join_next() => note(ended),
            () = seats.changed(), if !has_room => {}
            accepted = socket.accept(), if has_room => match accepted {
                Ok((stream, _)) => {
                    let place = (Arc::new(seats.take()), limits.clone());
                    connections.spawn(connection(stream, office.clone(), place, shutdown.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            },
        }
    }
    drop(socket);
    // Each ends within its own grace.
    while let Some(ended) = connections.join_next().await {
        note(ended);
    }
    Ok(())
}

/// Answers on one connection until either end closes it, its place is wanted, its time is over or the shutdown begins.
async fn connection(
    stream: TcpStream,
    office: Arc<Office>,
    (seat, limits): (Arc<Seat>, Limits),
    shutdown: CancellationToken,
) {
    let asked = Arc::clone(&seat);
    let service = service_fn(move |request| {
        let (office, asked) = (office.clone(), Arc::clone(&asked));
        async move {
            let answer = office.answer(request, &asked).await;
            // Only now: it waits from here on.
            drop(asked.answer());
            Ok::<_, Infallible>(*answer)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_within)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let over = async {
        // Cancelling any loses nothing.
        tokio::select! {
            () = shutdown.cancelled() => GRACE,
            () = tokio::time::sleep(CONNECTION_FOR) => GRACE,
            () = seat.is_wanted() => match seat.is_answering() {
                true => GRACE,
                false => LEAVES_WITHIN,
            },
        }
    };
    // The connection is pinned outside: what is in flight goes on below.
    let ended = tokio::select! {
        ended = connection.as_mut() => Ok(ended),
        grace = over => Err(grace),
    };
    let ended = match ended {
        Ok(ended) => ended,
        Err(grace) => {
            connection.as_mut().graceful_shutdown();
            match tokio::time::timeout(grace, connection).await {
                Ok(ended) => ended,
                Err(_) => return tracing::debug!("a connection was cut: it did not end in time"),
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended badly");
    }
}

fn note(ended: Result<(), tokio::task::JoinError>) {
    if let Err(cause) = ended {
        tracing::error!(%cause, "a connection's task ended without finishing");
    }
}

#[cfg(test)]
mod tests;
