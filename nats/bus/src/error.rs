//! What can go wrong on the bus, each variant named after what was being done.

use crate::codec::{DecodeError, EncodeError};
use snooze_schemas::Refusal;
use std::path::PathBuf;

/// The cause of an error, of a type that only this crate knows.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What a server says where nobody answers for a stream or consumer.
pub(crate) const MISSING: u64 = 503;

/// Something that the bus could not do.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// The credentials file cannot be read or is none.
    #[error("reading the credentials in {}", path.display())]
    Credentials {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Cause,
    },
    /// What was named as a server cannot be one.
    #[error("{given:?} is no address of a server, which is written as nats://host:4222")]
    Address {
        /// As it was given, without what may be secret in it.
        given: String,
    },
    /// No server answered within the limit.
    #[error("connecting to the bus at {servers}")]
    Unreachable {
        /// Where.
        servers: String,
        /// Why the last attempt failed.
        source: Cause,
    },
    /// The server does not accept the credentials, or does not permit their user what was to be done.
    #[error("the bus at {servers} denies this user access")]
    Denied {
        /// Where.
        servers: String,
        /// What it said.
        source: Cause,
    },
    /// The connection is away, or closed for good; nothing was sent.
    #[error("{operation}: the connection to the bus is away")]
    Disconnected {
        /// What was to be done.
        operation: &'static str,
    },
    /// No answer within the limit.
    #[error("{operation}: no answer from the bus within {within_ms} ms")]
    TimedOut {
        /// What was to be done.
        operation: &'static str,
        /// The limit.
        within_ms: u128,
    },
    /// A message could not be handed to the client.
    #[error("publishing to {template}")]
    Publish {
        /// The subject's template.
        template: &'static str,
        /// Why.
        source: Cause,
    },
    /// A subscription could not be handed to the client.
    #[error("subscribing to {template}")]
    Subscribe {
        /// The filter's template.
        template: &'static str,
        /// Why.
        source: Cause,
    },
    /// A message could not be written.
    #[error("writing a message for {template}")]
    Encode {
        /// The subject's template.
        template: &'static str,
        /// Why.
        source: EncodeError,
    },
    /// What was read is not what it should be.
    #[error("reading {what}")]
    Decode {
        /// What was read.
        what: String,
        /// Why.
        source: DecodeError,
    },
    /// An answer was wanted at a subject that is no inbox (rule I3).
    #[error("an answer for {template} was wanted at a subject that is no inbox")]
    ForgedReply {
        /// The template of the subject that was asked.
        template: &'static str,
    },
    /// JetStream answered with an error.
    #[error("{operation}: {description} (code {code})")]
    JetStream {
        /// What was to be done.
        operation: String,
        /// JetStream's own error code.
        code: u64,
        /// What it said.
        description: String,
    },
    /// Messages of a watched bucket were missed, or its consumer is gone: watch anew.
    #[error("the watch of {bucket} has a gap")]
    WatchGap {
        /// The bucket.
        bucket: &'static str,
    },
    /// A key or filter that would be another subject.
    #[error("{0:?} is no key")]
    InvalidKey(String),
}

/// What a program does about an error: which exit code it ends with, and whether trying again may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BusErrorKind {
    /// The credentials cannot be read, or the address is none: the person who started the program has to name
    /// others.
    Credentials,
    /// The server knows this user and does not let it, or does not let it in: an administrator has to.
    Denied,
    /// There is no server, or it did not answer: trying again later may help.
    Unreachable,
    /// Anything else: trying again does not help.
    Failed,
}

impl BusError {
    /// What a program does about it.
    #[must_use]
    pub fn kind(&self) -> BusErrorKind {
        match self {
            Self::Credentials { .. } | Self::Address { .. } => BusErrorKind::Credentials,
            Self::Denied { .. } => BusErrorKind::Denied,
            Self::Unreachable { .. } | Self::Disconnected { .. } | Self::TimedOut { .. } => {
                BusErrorKind::Unreachable
            }
            _ => BusErrorKind::Failed,
        }
    }

    /// Whether there is no such stream, bucket or consumer, or JetStream is not there yet: for a moment after
    /// a server's start nothing is.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::JetStream { code: MISSING, .. })
    }

    /// Whether the bus could not be reached at all, which a command line tells apart.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        self.kind() == BusErrorKind::Unreachable
    }
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// Nobody listens there.
    #[error("nobody answers to {template}")]
    NoResponders {
        /// The subject's template.
        template: &'static str,
    },
    /// No answer within the limit. What was asked may have happened.
    #[error("no answer to {template} within {within_ms} ms")]
    TimedOut {
        /// The subject's template.
        template: &'static str,
        /// The limit.
        within_ms: u128,
    },
    /// The service refused.
    #[error("{template} was refused")]
    Refused {
        /// The subject's template.
        template: &'static str,
        /// Code and message.
        source: Refusal,
    },
    /// The answer cannot be read.
    #[error("the answer to {template} cannot be read")]
    Undecodable {
        /// The subject's template.
        template: &'static str,
        /// Why.
        source: DecodeError,
    },
    /// The request could not be sent.
    #[error(transparent)]
    Bus(#[from] BusError),
}

impl RequestError {
    /// The refusal, where the service refused.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// Why a message may not be in its stream.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// There is one under this subject already; it was expected to be new (rule E1).
    #[error("filing {template}: it was filed before")]
    Exists {
        /// The subject's template.
        template: &'static str,
    },
    /// Lost connection or no ack in time: it may have been filed or not. Filing it again as new tells.
    #[error("filing {template}: no ack, it may have been filed or not")]
    Ambiguous {
        /// The subject's template.
        template: &'static str,
    },
    /// It has more bytes than its stream takes of one message.
    #[error("filing {template}: it is larger than its stream takes")]
    TooLarge {
        /// The subject's template.
        template: &'static str,
    },
    /// The stream refused it.
    #[error("filing {template}: the stream refused: {description}")]
    Refused {
        /// The subject's template.
        template: &'static str,
        /// What it said.
        description: String,
    },
    /// No stream takes this subject.
    #[error("filing {template}: no stream takes it")]
    NoStream {
        /// The subject's template.
        template: &'static str,
    },
    /// It was not sent.
    #[error(transparent)]
    NotSent(#[from] BusError),
}

/// Why a key may not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A revision is no longer the one that was read. Nothing was written.
    #[error("writing {what}: its revision has moved")]
    Conflict {
        /// The key, or the batch.
        what: String,
    },
    /// Time-out or lost connection: it may have been written or not. Read again, and write at the
    /// revision read (rule L7).
    #[error("writing {what}: no ack, it may have been written or not")]
    Ambiguous {
        /// The key, or the batch.
        what: String,
    },
    /// The bucket refused. Nothing was written.
    #[error("writing {what}: the bucket refused: {description}")]
    Refused {
        /// The key, or the batch.
        what: String,
        /// What it said.
        description: String,
    },
    /// It was not sent.
    #[error(transparent)]
    NotSent(#[from] BusError),
}
