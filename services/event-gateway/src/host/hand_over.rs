//! The way to this host's runner: one event a connection, on the socket that the runner has in its own folder.

use snooze_bus::trace;
use snooze_schemas::{
    ErrorCode, Refusal, Reply,
    event::{Accepted, Event, HandOver, HandleEvent},
};
use std::{io, path::PathBuf, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
    time::timeout,
};
use tracing::Span;

/// How long the runner may take: it writes to the disk and waits for it.
const ANSWER: Duration = Duration::from_secs(5);
/// The longest answer. A refusal says a sentence.
const ANSWER_BYTES: u64 = 64 * 1024;

/// Why an event was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotTaken {
    /// Nobody is there, or it went away.
    #[error("speak with the runner at {}", path.display())]
    Away {
        /// Its socket.
        path: PathBuf,
        /// What the kernel says.
        source: io::Error,
    },
    /// Whoever listens there is somebody else's.
    #[error("the socket {} belongs to the user {user}: it is no runner of ours", path.display())]
    Foreign {
        /// The socket.
        path: PathBuf,
        /// Whose it is.
        user: u32,
    },
    /// It did not answer.
    #[error("the runner did not answer within {} ms", ANSWER.as_millis())]
    Silent,
    /// Its answer is none.
    #[error("understand the runner's answer")]
    Unreadable(#[source] serde_json::Error),
    /// It refused.
    #[error("the runner refused: {0}")]
    Refused(Refusal),
}

impl NotTaken {
    /// Whether the same again would be refused again.
    pub(super) fn is_for_good(&self) -> bool {
        match self {
            Self::Away { .. } | Self::Foreign { .. } | Self::Silent | Self::Unreadable(_) => false,
            Self::Refused(refusal) => match refusal.code {
                ErrorCode::RateLimited
                | ErrorCode::Unavailable
                | ErrorCode::Timeout
                | ErrorCode::Internal => false,
                ErrorCode::BadRequest
                | ErrorCode::UnknownVersion
                | ErrorCode::Forbidden
                | ErrorCode::NotFound
                | ErrorCode::Conflict
                | ErrorCode::TooLate => true,
            },
        }
    }
}

/// Where the runner listens.
#[derive(Debug)]
pub(super) struct Runner(PathBuf);

impl Runner {
    pub(super) fn at(socket: PathBuf) -> Runner {
        Runner(socket)
    }

    /// Offers an event once. Once this returns with an answer the runner has it in its journal. What is cancelled may
    /// have been taken: the same again tells.
    ///
    /// # Errors
    /// When nobody is there, or it is refused.
    pub(super) async fn offer(&self, event: &Event, left: Option<Duration>) -> Result<Accepted, NotTaken> {
        let left_ms = left.map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
        let event = event.clone();
        let said = HandOver {
            traceparent: trace::traceparent_of(&Span::current()),
            ..HandOver::new(HandleEvent { event, left_ms })
        };
        let mut line = serde_json::to_vec(&said).map_err(NotTaken::Unreadable)?;
        line.push(b'\n');
        let answer = timeout(ANSWER, self.ask(&line))
            .await
            .map_err(|_| NotTaken::Silent)??;
        let reply: Reply<Accepted> = serde_json::from_slice(&answer).map_err(NotTaken::Unreadable)?;
        reply.into_result().map_err(NotTaken::Refused)
    }

    async fn ask(&self, line: &[u8]) -> Result<Vec<u8>, NotTaken> {
        let away = |source| NotTaken::Away {
            path: self.0.clone(),
            source,
        };
        let mut stream = UnixStream::connect(&self.0).await.map_err(away)?;
        // Anybody can make a folder on a tmpfs before the runner does.
        let peer = stream.peer_cred().map_err(away)?;
        if peer.uid() != 0 && peer.uid() != rustix::process::geteuid().as_raw() {
            return Err(NotTaken::Foreign {
                path: self.0.clone(),
                user: peer.uid(),
            });
        }
        let sent = stream.write_all(line).await;
        let mut answer = Vec::new();
        let mut reader = BufReader::new(&mut stream).take(ANSWER_BYTES);
        let heard = reader.read_until(b'\n', &mut answer).await;
        // Who refuses to listen has said so before it closed.
        if answer.is_empty() {
            sent.and(heard.map(drop)).map_err(away)?;
            return Err(away(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(answer)
    }
}
