//! Why there is no broker, for people.

use super::START_LIMIT;
use std::{io, path::PathBuf};

/// Why there is no broker.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// No nats-server is installed.
    #[error(
        "there is no nats-server: run nats/server/install.sh, or put version 2.12 or newer on the PATH, \
         or name one with --nats-server"
    )]
    Find,
    /// It does not say its version.
    #[error("{} does not run", path.display())]
    Version {
        /// The nats-server.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// It is too old.
    #[error("{} is {found}, but 2.12 or newer is needed: run nats/server/install.sh", path.display())]
    TooOld {
        /// The nats-server.
        path: PathBuf,
        /// What it says of itself.
        found: String,
    },
    /// It cannot be started.
    #[error("the broker cannot be started")]
    Spawn(#[source] io::Error),
    /// It ended at once.
    #[error("the broker ended at once ({status}); its log {} ends with:\n{tail}", log.display())]
    Ended {
        /// How.
        status: std::process::ExitStatus,
        /// Its log.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// It said no port in time.
    #[error("the broker was not ready after {} s; see {}", START_LIMIT.as_secs(), log.display())]
    NotReady {
        /// Its log.
        log: PathBuf,
    },
    /// Its end cannot be waited for.
    #[error("the broker cannot be waited for")]
    Wait(#[source] io::Error),
}
