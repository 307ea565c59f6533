//! Hearing messages: subscriptions, what they deliver, and answers.
//!
//! What reaches a caller has a subject of ours that its filter names; anything else is counted and
//! dropped here. A body is read only after its headers were found in order (rule I3).

mod delivery;

pub use delivery::Delivery;
pub(crate) use delivery::read_body;

use crate::{
    Bus,
    codec::{self, Format},
    connect::Inner,
    error::BusError,
    headers,
    micro::RequestCounts,
    subject::{Manner, SubjectFilter, matches},
};
use async_nats::{Message as NatsMessage, Subscriber};
use delivery::Refused;
use futures_util::StreamExt;
use snooze_schemas::{ErrorCode, Refusal};
use std::{sync::Arc, time::Duration};

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
    /// A denied subscription never shows here, but is what [`BusConfig::on_denial`](crate::BusConfig::on_denial) says; where
    /// that is no end, it hears once it is allowed.
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
            manner: filter.manner(),
            counts: None,
            inner: self.inner.clone(),
        })
    }
}

/// Messages as they arrive. Dropping it ends the subscription.
pub struct Subscription {
    subscriber: Subscriber,
    filter: String,
    template: &'static str,
    manner: Manner,
    counts: Option<Arc<RequestCounts>>,
    inner: Arc<Inner>,
}

impl Subscription {
    /// The next message; none once the connection is closed. Survives losses of the connection, during
    /// which messages are missed. A question with a subject that is none of ours is refused here. Cancelling
    /// loses nothing but such a refusal.
    pub async fn next(&mut self) -> Option<Delivery> {
        loop {
            let message = self.subscriber.next().await?;
            match self.accept(message) {
                Accepted::Ours(delivery) => return Some(*delivery),
                Accepted::Dropped => {}
                Accepted::Unknown(message) => self.refuse(message).await,
            }
        }
    }

    /// Counts there what is refused before anybody handles it; what reaches a handler is the handler's to count.
    #[must_use]
    pub fn counted_by(mut self, counts: Arc<RequestCounts>) -> Subscription {
        self.counts = Some(counts);
        self
    }

    /// The filter's template, for spans and metrics.
    #[must_use]
    pub fn template(&self) -> &'static str {
        self.template
    }

    pub(crate) fn count_overload(&self) {
        self.inner.counters.add_overloaded();
        self.count_failure("too many requests are being handled");
    }

    fn count_failure(&self, why: &str) {
        if let Some(counts) = &self.counts {
            counts.failed(Duration::ZERO, why);
        }
    }

    fn accept(&self, message: NatsMessage) -> Accepted {
        // A server that was made to deliver a stored message here keeps the message's own subject, and
        // what it has to say itself has a status (rule I3).
        if message.status.is_some() || !matches(&self.filter, message.subject.as_str()) {
            self.inner.counters.add_refused();
            tracing::warn!(
                template = self.template,
                "a message that was not sent here was dropped"
            );
            return Accepted::Dropped;
        }
        let Ok(subject) = message.subject.as_str().parse() else {
            self.inner.counters.add_undecodable();
            tracing::debug!(
                template = self.template,
                "a message with an unknown subject was dropped"
            );
            return Accepted::Unknown(message);
        };
        let delivery = Delivery::new(message, subject, self.inner.clone());
        Accepted::Ours(Box::new(delivery))
    }

    /// Tells whoever asked at a subject that is none of ours, so that nobody waits for an answer in vain.
    async fn refuse(&self, message: NatsMessage) {
        self.count_failure("nothing answers to such a subject");
        let Some(reply) = message.reply.filter(|reply| headers::is_inbox(reply)) else {
            return;
        };
        if self.manner == Manner::Heard {
            return;
        }
        let text = format!(
            "{:.256} is no subject of CloudSnooze: a verb or a method that there is, and names in lower-case \
             letters where they stand for types or plugins",
            message.subject.as_str()
        );
        let refusal = Refused::new(Refusal::new(ErrorCode::NotFound, text));
        let format = Format::of(&message.payload).unwrap_or_default();
        match codec::encode(&refusal, format) {
            Ok(body) => {
                if let Err(cause) = self.inner.client.publish(reply, body.into()).await {
                    tracing::debug!(%cause, "a question at an unknown subject was not answered");
                }
            }
            Err(cause) => tracing::debug!(%cause, "a refusal cannot be written"),
        }
    }
}

/// What became of a message that arrived.
enum Accepted {
    /// It has a subject of ours.
    Ours(Box<Delivery>),
    /// It was sent here by the filter's name, which is no subject of ours.
    Unknown(NatsMessage),
    /// It was not sent here.
    Dropped,
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Subscription")
            .field("filter", &self.filter)
            .finish_non_exhaustive()
    }
}
