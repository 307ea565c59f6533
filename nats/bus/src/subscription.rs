//! Hearing messages: subscriptions, what they deliver, and answers.
//!
//! What reaches a caller has a subject of ours that its filter names; anything else is counted and
//! dropped here. A body is read only after its headers were found in order (rule I3).

use crate::{
    Bus,
    codec::{self, Format},
    connect::Inner,
    error::BusError,
    headers::{self, Filed},
    subject::{Subject, SubjectFilter, matches},
    trace,
};
use async_nats::{Message as NatsMessage, Subscriber};
use futures_util::StreamExt;
use serde::{Serialize, de::DeserializeOwned};
use snooze_schemas::{ErrorCode, Message, Refusal};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tracing::Span;

/// The queue group of the executors.
pub const EXECUTOR_QUEUE: &str = "executor";
/// The queue group of the gateways at the centre.
pub const GATEWAY_QUEUE: &str = "gateway";

/// How long the server may take to confirm a subscription.
const READY_WITHIN: Duration = Duration::from_secs(5);

impl Bus {
    /// Subscribes, alone or as a member of a queue group. When this returns the server knows of it: a
    /// message published afterwards, by anybody, is heard.
    ///
    /// A denied subscription shows as [`BusStatus::Fatal`](crate::BusStatus::Fatal), never here.
    ///
    /// # Errors
    /// When the server does not confirm within five seconds, or the connection is closed.
    pub async fn subscribe(
        &self,
        filter: &SubjectFilter,
        queue: Option<&str>,
    ) -> Result<Subscription, BusError> {
        let template = filter.template();
        let text = filter.to_string();
        let client = &self.inner.client;
        let subscriber = match queue {
            Some(queue) => client.queue_subscribe(text.clone(), queue.to_owned()).await,
            None => client.subscribe(text.clone()).await,
        }
        .map_err(|cause| BusError::Subscribe {
            template,
            source: cause.into(),
        })?;
        self.flush(READY_WITHIN).await?;
        Ok(Subscription {
            subscriber,
            filter: text,
            template,
            inner: self.inner.clone(),
        })
    }
}

/// Messages as they arrive. Dropping it ends the subscription.
pub struct Subscription {
    subscriber: Subscriber,
    filter: String,
    template: &'static str,
    inner: Arc<Inner>,
}

impl Subscription {
    /// The next message; none once the connection is closed. Survives losses of the connection, during
    /// which messages are missed. Cancelling loses nothing.
    pub async fn next(&mut self) -> Option<Delivery> {
        loop {
            let message = self.subscriber.next().await?;
            if let Some(delivery) = self.accept(message) {
                return Some(delivery);
            }
        }
    }

    /// The filter's template, for spans and metrics.
    #[must_use]
    pub fn template(&self) -> &'static str {
        self.template
    }

    pub(crate) fn count_overload(&self) {
        self.inner.counters.add_overloaded();
    }

    fn accept(&self, message: NatsMessage) -> Option<Delivery> {
        // A server that was made to deliver a stored message here keeps the message's own subject, and
        // what it has to say itself has a status (rule I3).
        if message.status.is_some() || !matches(&self.filter, message.subject.as_str()) {
            self.inner.counters.add_refused();
            tracing::warn!(
                template = self.template,
                "a message that was not sent here was dropped"
            );
            return None;
        }
        let Ok(subject) = message.subject.as_str().parse() else {
            self.inner.counters.add_undecodable();
            tracing::debug!(
                template = self.template,
                "a message with an unknown subject was dropped"
            );
            return None;
        };
        Some(Delivery {
            message,
            subject,
            received_at: now(),
            inner: self.inner.clone(),
        })
    }
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Subscription")
            .field("filter", &self.filter)
            .finish_non_exhaustive()
    }
}

/// One message that was heard.
pub struct Delivery {
    message: NatsMessage,
    subject: Subject,
    received_at: Instant,
    inner: Arc<Inner>,
}

impl Delivery {
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
        #[derive(Serialize)]
        struct Refused {
            ok: bool,
            #[serde(flatten)]
            refusal: RefusalBody,
        }

        match result {
            Ok(body) => self.answer_bare(&Done { ok: true, body }).await,
            Err(Refusal { code, message }) => {
                let refusal = RefusalBody { code, message };
                self.answer_bare(&Refused { ok: false, refusal }).await
            }
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

#[derive(Serialize)]
struct RefusalBody {
    code: ErrorCode,
    message: String,
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
