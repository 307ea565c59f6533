//! One message that was heard: reading it after its headers were found in order, and answering it.

use crate::{
    codec::{self, Format},
    connect::Inner,
    error::BusError,
    headers::{self, Filed},
    subject::Subject,
    trace,
};
use async_nats::Message as NatsMessage;
use serde::{Serialize, de::DeserializeOwned};
use snooze_schemas::{ErrorCode, Message, Refusal};
use std::{sync::Arc, time::Instant};
use tracing::Span;

/// One message that was heard.
pub struct Delivery {
    message: NatsMessage,
    subject: Subject,
    received_at: Instant,
    inner: Arc<Inner>,
}

impl Delivery {
    pub(super) fn new(message: NatsMessage, subject: Subject, inner: Arc<Inner>) -> Delivery {
        Delivery {
            message,
            subject,
            received_at: now(),
            inner,
        }
    }

    /// The subject: the truth about whom it concerns and what is asked.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Whether somebody waits for an answer.
    #[must_use]
    pub fn wants_reply(&self) -> bool {
        self.reply().is_some()
    }

    /// Where an answer is wanted. What is heard on its way into a stream is answered by the stream.
    fn reply(&self) -> Option<&str> {
        match self.subject.filed() {
            Filed::InStream => None,
            Filed::Nowhere => self.message.reply.as_deref(),
        }
    }

    /// When it was taken from the connection, on the monotonic clock.
    #[must_use]
    pub fn received_at(&self) -> Instant {
        self.received_at
    }

    /// Reads the body, after its headers, its reply subject and its host were found in order.
    ///
    /// # Errors
    /// A refusal, counted, which the caller sends as the answer where one is wanted.
    pub fn read<M: Message>(&self) -> Result<M, Refusal> {
        self.try_read().inspect_err(|refusal| {
            self.inner.counters.add_refused();
            tracing::warn!(
                template = self.subject.template(),
                code = ?refusal.code,
                why = refusal.message,
                "a message was refused"
            );
        })
    }

    fn try_read<M: Message>(&self) -> Result<M, Refusal> {
        let headers = self.message.headers.as_ref();
        headers::check_no_server_headers(headers, self.subject.filed())?;
        headers::check_reply(self.message.reply.as_deref())?;
        headers::check_kind::<M>(headers)?;
        let message: M = read_body(&self.message.payload)?;
        match (message.host(), self.subject.host()) {
            (Some(named), Some(addressed)) if named != addressed => Err(Refusal::new(
                ErrorCode::Forbidden,
                format!("the body names the host {named}, the subject {addressed}"),
            )),
            _ => Ok(message),
        }
    }

    /// Answers in the envelope, in the format that was asked in. Does nothing where no answer is wanted.
    ///
    /// # Errors
    /// When the answer cannot be written or the connection is closed, and when it was wanted at a subject
    /// that is no inbox: nothing is sent then.
    pub async fn answer<R: Serialize>(&self, result: Result<R, Refusal>) -> Result<(), BusError> {
        #[derive(Serialize)]
        struct Done<R> {
            ok: bool,
            #[serde(flatten)]
            body: R,
        }
        match result {
            Ok(body) => self.answer_bare(&Done { ok: true, body }).await,
            Err(refusal) => self.answer_bare(&Refused::new(refusal)).await,
        }
    }

    /// Answers without an envelope, as plugins do to `info` and `check_idle`.
    ///
    /// # Errors
    /// As [`Delivery::answer`].
    pub async fn answer_bare<R: Serialize>(&self, body: &R) -> Result<(), BusError> {
        let Some(reply) = self.reply() else {
            return Ok(());
        };
        let template = self.subject.template();
        if !headers::is_inbox(reply) {
            self.inner.counters.add_refused();
            return Err(BusError::ForgedReply { template });
        }
        let format = Format::of(&self.message.payload).unwrap_or_default();
        let payload = codec::encode(body, format).map_err(|source| BusError::Encode { template, source })?;
        self.inner
            .client
            .publish(reply.to_owned(), payload.into())
            .await
            .map_err(|cause| BusError::Publish {
                template,
                source: cause.into(),
            })
    }

    /// A span for handling this message, a child of the sender's where it sent its context along.
    #[must_use]
    pub fn span(&self) -> Span {
        let span = tracing::info_span!(
            "handle",
            otel.kind = "consumer",
            messaging.system = "nats",
            messaging.destination.template = self.subject.template(),
        );
        if let Some(parent) = self.traceparent() {
            trace::set_parent(&span, &parent);
        }
        span
    }

    /// The sender's trace context, to be kept with what this message leads to.
    #[must_use]
    pub fn traceparent(&self) -> Option<String> {
        trace::extract(self.message.headers.as_ref()).map(str::to_owned)
    }
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Delivery")
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}

/// A refusal in the envelope.
#[derive(Serialize)]
pub(super) struct Refused {
    ok: bool,
    code: ErrorCode,
    message: String,
}

impl Refused {
    pub(super) fn new(Refusal { code, message }: Refusal) -> Refused {
        Refused {
            ok: false,
            code,
            message,
        }
    }
}

/// A body as a message, or the refusal that says why it is none.
pub(crate) fn read_body<T: DeserializeOwned>(payload: &[u8]) -> Result<T, Refusal> {
    codec::decode(payload).map_err(|cause| {
        // The whole chain goes to the asker, who has no other way to learn what is wrong with the body.
        let mut text = cause.to_string();
        if let Some(source) = std::error::Error::source(&cause) {
            text = format!("{text}: {source}");
        }
        Refusal::new(ErrorCode::BadRequest, text)
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "the moment of receipt is a fact of this connection, not a duration that a decision rests on"
)]
fn now() -> Instant {
    Instant::now()
}
