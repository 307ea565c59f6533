//! JetStream's request protocol: JSON requests to `$JS.API.…`, and acks of what was published.

use crate::{
    Bus,
    error::{BusError, MISSING},
    request::{OnLoss, Unanswered},
};
use async_nats::{HeaderMap, Message};
use bytes::Bytes;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use std::time::Duration;

/// A JetStream server on the way through a busy disk answers within a second or two.
pub(super) const API_WITHIN: Duration = Duration::from_secs(5);

/// JetStream's own error codes that mean something to us.
pub(super) mod code {
    /// A stream of that name exists with another configuration.
    pub(in super::super) const STREAM_NAME_IN_USE: u64 = 10058;
    /// The expected last sequence was not that.
    pub(in super::super) const WRONG_LAST_SEQUENCE: u64 = 10071;
    /// The same, of a message in a batch whose sequence differs from what was expected.
    pub(in super::super) const WRONG_LAST_SEQUENCE_CONSTANT: u64 = 10164;
    /// The message has more bytes than the stream takes of one.
    pub(in super::super) const MESSAGE_TOO_LARGE: u64 = 10054;
    /// What the stream would reserve is more than the server may keep.
    pub(in super::super) const INSUFFICIENT_STORAGE: u64 = 10047;
    /// The store failed, or a limit of the stream is reached.
    pub(in super::super) const STORE_FAILED: u64 = 10077;
    /// No message is there.
    pub(in super::super) const NO_MESSAGE_FOUND: u64 = 10037;
}

/// An error as JetStream says it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct ApiError {
    #[serde(default)]
    pub(super) err_code: u64,
    #[serde(default)]
    pub(super) description: String,
}

impl ApiError {
    pub(super) fn is_conflict(&self) -> bool {
        matches!(
            self.err_code,
            code::WRONG_LAST_SEQUENCE | code::WRONG_LAST_SEQUENCE_CONSTANT
        )
    }
}

/// What the stream says of a published message.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Ack {
    pub(super) stream: String,
    pub(super) seq: u64,
    #[serde(default)]
    pub(super) duplicate: bool,
}

/// Why there is no ack.
#[derive(Debug)]
pub(super) enum Unacked {
    /// It may be in the stream or not.
    Ambiguous,
    /// No stream takes the subject.
    NoStream,
    /// The stream refused.
    Refused(ApiError),
    /// It was not sent.
    NotSent(BusError),
}

#[derive(Deserialize)]
struct Failed {
    error: Option<ApiError>,
}

impl Bus {
    /// Asks JetStream's API; its error becomes ours.
    pub(super) async fn api<T: DeserializeOwned>(
        &self,
        subject: String,
        body: &Value,
    ) -> Result<Result<T, ApiError>, BusError> {
        let body = if body.is_null() {
            Bytes::new()
        } else {
            Bytes::from(body.to_string())
        };
        let answer = self.api_message(subject, body).await?;
        read_api(&answer.payload)
    }

    /// Asks JetStream's API and takes the answer as it is, as a direct get's.
    pub(super) async fn api_message(&self, subject: String, body: Bytes) -> Result<Message, BusError> {
        self.ask(subject, HeaderMap::new(), body, API_WITHIN, OnLoss::GiveUp)
            .await
            .map_err(|unanswered| match unanswered {
                Unanswered::NotSent(cause) => cause,
                Unanswered::NoResponders => BusError::JetStream {
                    operation: "asking JetStream".to_owned(),
                    code: MISSING,
                    description: "there is no such stream or bucket, or no JetStream".to_owned(),
                },
                Unanswered::Lost => BusError::Disconnected {
                    operation: "asking JetStream",
                },
                Unanswered::TimedOut => BusError::TimedOut {
                    operation: "asking JetStream",
                    within_ms: API_WITHIN.as_millis(),
                },
            })
    }

    /// Publishes to a stream, which is counted under its name, and waits for its ack.
    pub(super) async fn put(
        &self,
        stream: &'static str,
        subject: String,
        headers: HeaderMap,
        body: Bytes,
        within: Duration,
    ) -> Result<Ack, Unacked> {
        let answer = match self.ask(subject, headers, body, within, OnLoss::GiveUp).await {
            Ok(answer) => answer,
            Err(unanswered) => {
                self.inner.writes.count(stream, Err(&unanswered));
                return Err(match unanswered {
                    Unanswered::NoResponders => Unacked::NoStream,
                    Unanswered::TimedOut | Unanswered::Lost => Unacked::Ambiguous,
                    Unanswered::NotSent(cause) => Unacked::NotSent(cause),
                });
            }
        };
        // Where somebody answered who is no stream, whether the stream has it is unknown.
        let answer = read_api::<Ack>(&answer.payload).map_err(|_| Unacked::Ambiguous)?;
        self.inner.writes.count(stream, Ok(&answer));
        answer.map_err(Unacked::Refused)
    }
}

/// An API error with the operation that it ended.
pub(super) fn failed(operation: impl Into<String>, error: ApiError) -> BusError {
    BusError::JetStream {
        operation: operation.into(),
        code: error.err_code,
        description: error.description,
    }
}

fn read_api<T: DeserializeOwned>(payload: &[u8]) -> Result<Result<T, ApiError>, BusError> {
    let undecodable = |cause: serde_json::Error| BusError::Decode {
        what: "JetStream's answer".to_owned(),
        source: cause.into(),
    };
    let failed: Failed = serde_json::from_slice(payload).map_err(undecodable)?;
    match failed.error {
        Some(error) => Ok(Err(error)),
        None => serde_json::from_slice(payload).map(Ok).map_err(undecodable),
    }
}
