//! Publishing, and asking for an answer.
//!
//! Publishing only queues: what must not be lost is filed in a stream instead. Asking never outlives its
//! limit, and is not sent at all while there is no server.

use crate::{
    Bus, BusStatus,
    codec::{self, Format},
    error::{BusError, RequestError},
    headers,
    subject::Subject,
};
use async_nats::{HeaderMap, Message as NatsMessage, StatusCode};
use bytes::Bytes;
use serde::{Deserialize, de::DeserializeOwned};
use snooze_schemas::{ErrorCode, Message, Refusal};
use std::time::Duration;
use tracing::Instrument;

/// Whether a loss of the connection ends the waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnLoss {
    /// The one who is asked may answer after the connection is back.
    Wait,
    /// The answer was on its way and is lost; waiting longer tells nothing.
    GiveUp,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Unanswered {
    NotSent(BusError),
    NoResponders,
    TimedOut,
    Lost,
}

impl Bus {
    /// Publishes a message: queues it in the client, which sends it at once. It is lost where nobody
    /// listens, and where the connection is lost before the server has taken it.
    ///
    /// # Errors
    /// When the message cannot be written, while there is no server (the client would keep it and send it when it is
    /// old, and would make the sender wait once it keeps too many), and where the server has denied this subject.
    pub async fn publish<M: Message>(&self, subject: &Subject, message: &M) -> Result<(), BusError> {
        let template = subject.template();
        let body = encode(template, message)?;
        if self.is_cut_off() {
            return Err(BusError::Disconnected {
                operation: "publishing",
            });
        }
        let subject = subject.to_string();
        self.not_denied(&subject)?;
        self.inner
            .client
            .publish_with_headers(subject, headers::stamp::<M>(), body)
            .await
            .map_err(|cause| BusError::Publish {
                template,
                source: cause.into(),
            })
    }

    /// Asks, and takes the answer out of its envelope.
    ///
    /// # Errors
    /// When nobody listens, nobody answers within the limit, the service refuses, the server does not permit
    /// the question, or the answer cannot be read. After a time-out what was asked may still happen.
    pub async fn request<M: Message, R: DeserializeOwned>(
        &self,
        subject: &Subject,
        message: &M,
        within: Duration,
    ) -> Result<R, RequestError> {
        let template = subject.template();
        let answer = self.ask_service(subject, message, within, OnLoss::Wait).await?;
        match open_envelope(&answer.payload) {
            Ok(Ok(body)) => Ok(body),
            Ok(Err(source)) => Err(RequestError::Refused { template, source }),
            Err(source) => Err(RequestError::Undecodable { template, source }),
        }
    }

    /// Asks someone who answers without an envelope, as plugins do to `info` and `check_idle`.
    ///
    /// # Errors
    /// As [`Bus::request`]; a refusal in an envelope counts as one. A loss of the connection ends the waiting
    /// at once: silence then says nothing of who was asked.
    pub async fn request_bare<M: Message, R: DeserializeOwned>(
        &self,
        subject: &Subject,
        message: &M,
        within: Duration,
    ) -> Result<R, RequestError> {
        let template = subject.template();
        let answer = self.ask_service(subject, message, within, OnLoss::GiveUp).await?;
        if let Ok(Err(source)) = open_envelope::<serde::de::IgnoredAny>(&answer.payload) {
            return Err(RequestError::Refused { template, source });
        }
        codec::decode(&answer.payload).map_err(|source| RequestError::Undecodable { template, source })
    }

    async fn ask_service<M: Message>(
        &self,
        subject: &Subject,
        message: &M,
        within: Duration,
        on_loss: OnLoss,
    ) -> Result<NatsMessage, RequestError> {
        let template = subject.template();
        let body = encode(template, message)?;
        let span = tracing::info_span!(
            "request",
            otel.kind = "client",
            messaging.system = "nats",
            messaging.destination.template = template,
        );
        let asked = async {
            let headers = headers::stamp::<M>();
            self.ask(subject.to_string(), headers, body, within, on_loss)
                .await
        };
        asked
            .instrument(span)
            .await
            .map_err(|unanswered| match unanswered {
                Unanswered::NotSent(cause) => RequestError::Bus(cause),
                Unanswered::NoResponders => RequestError::NoResponders { template },
                Unanswered::Lost if on_loss == OnLoss::GiveUp => {
                    RequestError::Bus(BusError::Disconnected { operation: "asking" })
                }
                Unanswered::TimedOut | Unanswered::Lost => RequestError::TimedOut {
                    template,
                    within_ms: within.as_millis(),
                },
            })
    }

    /// Sends bytes and waits for one answer.
    pub(crate) async fn ask(
        &self,
        subject: String,
        headers: HeaderMap,
        body: Bytes,
        within: Duration,
        on_loss: OnLoss,
    ) -> Result<NatsMessage, Unanswered> {
        let deadline = tokio::time::Instant::now() + within;
        self.connected("asking", within)
            .await
            .map_err(Unanswered::NotSent)?;
        self.not_denied(&subject).map_err(Unanswered::NotSent)?;
        let mut losses = self.inner.losses.clone();
        losses.mark_unchanged();
        let mut denials = self.inner.denials.clone();
        let mut status = self.inner.status.clone();
        let mut awaited = self.inner.inbox.one();
        let sent = self
            .inner
            .client
            .publish_with_reply_and_headers(subject.clone(), awaited.reply.clone(), headers, body)
            .await;
        if let Err(cause) = sent {
            return Err(Unanswered::NotSent(BusError::Publish {
                template: "a request",
                source: cause.into(),
            }));
        }
        let lost = async {
            match on_loss {
                OnLoss::GiveUp => losses.changed().await.is_ok(),
                OnLoss::Wait => std::future::pending().await,
            }
        };
        // The server denies a publish with a message of its own, which names the subject.
        let denied = async {
            let said = denials.wait_for(|said| said.of_publishing(&subject).is_some());
            let said = said.await.ok();
            match said.map(|said| self.denied(said.of_publishing(&subject).unwrap_or_default())) {
                Some(cause) => cause,
                None => std::future::pending().await,
            }
        };
        // Turned away while it reconnected: there will be no answer any more.
        let turned_away = async {
            let fatal = status.wait_for(|status| matches!(status, BusStatus::Fatal(_)) && self.is_away());
            let ended = fatal.await.map(drop);
            if ended.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let answer = tokio::select! {
            biased;
            // Cancelling any loses nothing: the answer that is not taken is forgotten on purpose.
            answer = &mut awaited.answer => answer.map_err(|_| Unanswered::Lost)?,
            _ = lost => return Err(Unanswered::Lost),
            cause = denied => return Err(Unanswered::NotSent(cause)),
            () = turned_away => return Err(Unanswered::Lost),
            () = tokio::time::sleep_until(deadline) => return Err(Unanswered::TimedOut),
        };
        if answer.status == Some(StatusCode::NO_RESPONDERS) {
            return Err(Unanswered::NoResponders);
        }
        Ok(answer)
    }
}

pub(crate) fn encode<M: serde::Serialize>(template: &'static str, message: &M) -> Result<Bytes, BusError> {
    codec::encode(message, Format::MessagePack)
        .map(Bytes::from)
        .map_err(|source| BusError::Encode { template, source })
}

/// The body of an answer, or the refusal. An answer that says neither is no answer.
fn open_envelope<R: DeserializeOwned>(payload: &[u8]) -> Result<Result<R, Refusal>, codec::DecodeError> {
    #[derive(Deserialize)]
    struct Envelope {
        ok: bool,
        #[serde(default)]
        code: Option<ErrorCode>,
        #[serde(default)]
        message: Option<String>,
    }

    #[derive(Deserialize)]
    struct OnlyOk {
        ok: bool,
    }

    // An answer's own fields may be called `code` or `message`: only a refusal's are looked at.
    if codec::decode::<OnlyOk>(payload)?.ok {
        return codec::decode(payload).map(Ok);
    }
    let refusal: Envelope = codec::decode(payload)?;
    debug_assert!(!refusal.ok, "the same bytes say the same");
    Ok(Err(Refusal {
        code: refusal.code.unwrap_or(ErrorCode::Internal),
        message: refusal.message.unwrap_or_default(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use snooze_schemas::{host::Prepared, reply::Empty};

    #[test]
    fn an_answer_may_have_fields_of_the_envelopes_names() {
        let json = br#"{"ok":true,"claim":7,"state":"done","message":"all saved"}"#;
        let prepared: Prepared = open_envelope(json).expect("reads").expect("is no refusal");
        assert_eq!(prepared.message, "all saved");
    }

    #[test]
    fn a_refusal_is_never_an_answer() {
        let json = br#"{"ok":false,"code":"too_late","message":"the stop call was made"}"#;
        let refusal = open_envelope::<Empty>(json).expect("reads").expect_err("is one");
        assert_eq!(refusal.code, ErrorCode::TooLate);
        assert!(open_envelope::<Empty>(b"{}").is_err());
        assert!(open_envelope::<Empty>(br#"{"ok":"yes"}"#).is_err());
    }
}
