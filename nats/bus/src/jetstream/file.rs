//! Filing a message in its stream, with the stream's ack.

use super::api::Unacked;
use crate::{Bus, error::FileError, headers, request::encode, subject::Subject};
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
        let template = subject.template();
        let body = encode(template, message)?;
        let span = tracing::info_span!(
            "file",
            otel.kind = "producer",
            messaging.system = "nats",
            messaging.destination.template = template,
        );
        let filed = async {
            let mut headers = headers::stamp::<M>();
            if expect == Expect::New {
                headers.insert(EXPECTED_LAST, "0");
            }
            self.put(subject.to_string(), headers, body, within).await
        };
        match filed.instrument(span).await {
            Ok(ack) => Ok(ack.seq),
            Err(Unacked::Refused(error)) if error.is_conflict() => Err(FileError::Exists { template }),
            Err(Unacked::Refused(error)) => Err(FileError::Refused {
                template,
                description: error.description,
            }),
            Err(Unacked::Ambiguous) => Err(FileError::Ambiguous { template }),
            Err(Unacked::NoStream) => Err(FileError::NoStream { template }),
            Err(Unacked::NotSent(cause)) => Err(FileError::NotSent(cause)),
        }
    }
}

/// The sequence of the last message under the same subject; 0 where there is none.
pub(super) const EXPECTED_LAST: &str = "Nats-Expected-Last-Subject-Sequence";
