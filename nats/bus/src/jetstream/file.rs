//! Filing a message in its stream, with the stream's ack.

use super::{
    api::{Ack, Unacked, code},
    streams::Stream,
};
use crate::{Bus, error::FileError, headers, request::encode, subject::Subject, trace};
use async_nats::HeaderMap;
use snooze_schemas::Message;
use std::time::Duration;
use tracing::Instrument;

/// What a message expects of its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Nothing.
    Anything,
    /// That the stream has nothing under this very subject yet (rule E1): a second report of the same
    /// happening is refused for as long as the stream remembers the first.
    New,
}

/// Whether a message was filed by this call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Once {
    /// It is new.
    New,
    /// One with the same identity was filed before; this one was not.
    Before,
}

impl Bus {
    /// Files a message in the stream that takes its subject, and returns its sequence there.
    ///
    /// # Errors
    /// When the stream refuses, has it already, or does not say within the limit. Only
    /// [`FileError::Ambiguous`] leaves open whether it was filed.
    pub async fn file<M: Message>(
        &self,
        subject: &Subject,
        message: &M,
        expect: Expect,
        within: Duration,
    ) -> Result<u64, FileError> {
        let mut headers = headers::stamp::<M>();
        if expect == Expect::New {
            headers.insert(EXPECTED_LAST, "0");
        }
        let ack = self.file_with(subject, message, headers, within).await?;
        Ok(ack.seq)
    }

    /// Files a message unless one with this identity was filed within the stream's window (DEAD: an hour, others two
    /// minutes).
    ///
    /// Whoever may write to the stream could spend an identity first: where that is somebody else, it has to be one that
    /// nobody can guess.
    ///
    /// # Errors
    /// As [`Bus::file`].
    pub async fn file_once<M: Message>(
        &self,
        subject: &Subject,
        message: &M,
        identity: &str,
        within: Duration,
    ) -> Result<Once, FileError> {
        let mut headers = headers::stamp::<M>();
        headers.insert("Nats-Msg-Id", identity);
        let ack = self.file_with(subject, message, headers, within).await?;
        Ok(if ack.duplicate { Once::Before } else { Once::New })
    }

    async fn file_with<M: Message>(
        &self,
        subject: &Subject,
        message: &M,
        mut headers: HeaderMap,
        within: Duration,
    ) -> Result<Ack, FileError> {
        let template = subject.template();
        let body = encode(template, message)?;
        let span = tracing::info_span!(
            "file",
            otel.kind = "producer",
            messaging.system = "nats",
            messaging.destination.template = template,
        );
        let filed = async {
            trace::inject(&mut headers);
            let stream = Stream::of(subject).map_or(template, Stream::name);
            self.put(stream, subject.to_string(), headers, body, within).await
        };
        filed.instrument(span).await.map_err(|unacked| match unacked {
            Unacked::Refused(error) if error.is_conflict() => FileError::Exists { template },
            Unacked::Refused(error) if error.err_code == code::MESSAGE_TOO_LARGE => {
                FileError::TooLarge { template }
            }
            Unacked::Refused(error) => FileError::Refused {
                template,
                description: error.description,
            },
            Unacked::Ambiguous => FileError::Ambiguous { template },
            Unacked::NoStream => FileError::NoStream { template },
            Unacked::NotSent(cause) => FileError::NotSent(cause),
        })
    }
}

/// The sequence of the last message under the same subject; 0 where there is none.
pub(super) const EXPECTED_LAST: &str = "Nats-Expected-Last-Subject-Sequence";
