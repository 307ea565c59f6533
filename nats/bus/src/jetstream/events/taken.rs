//! What was taken from a consumer: an event, or what cannot be read as one; and what becomes of it.

use crate::{
    error::BusError,
    headers,
    jetstream::{pull::Ticket, streams::MAX_EVENT_BYTES},
    subject::Subject,
    subscription::read_body,
    trace,
};
use async_nats::Message as NatsMessage;
use bytes::Bytes;
use snooze_schemas::{
    ErrorCode, Refusal,
    event::{Event, Severity},
};
use std::{sync::Arc, time::Duration};
use tracing::Span;

/// How much of a body is shown of what cannot be read.
const EXCERPT_BYTES: usize = 512;

/// What was taken. Dropped without a word, it comes again after the ack wait (30 s).
#[derive(Debug)]
pub enum Taken {
    /// An event.
    Event(EventDelivery),
    /// Something that is filed as an event and cannot be read as one.
    Unreadable(Box<UnreadableEvent>),
}

impl Taken {
    /// The event.
    ///
    /// # Errors
    /// What it is instead.
    pub fn readable(self) -> Result<EventDelivery, Box<UnreadableEvent>> {
        match self {
            Self::Event(delivery) => Ok(delivery),
            Self::Unreadable(unreadable) => Err(unreadable),
        }
    }
}

/// One event that was taken.
#[derive(Debug)]
pub struct EventDelivery {
    pub(super) ticket: Ticket,
    pub(super) subject: Subject,
    pub(super) event: Arc<Event>,
    pub(super) traceparent: Option<String>,
}

impl EventDelivery {
    /// The event; its subject says the same.
    #[must_use]
    pub fn event(&self) -> &Arc<Event> {
        &self.event
    }

    /// What it was filed under.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// How many times it was taken, this one included.
    #[must_use]
    pub fn deliveries(&self) -> u64 {
        self.ticket.deliveries
    }

    /// Its number in its stream.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.ticket.sequence
    }

    /// The trace context of whoever filed it.
    #[must_use]
    pub fn traceparent(&self) -> Option<&str> {
        self.traceparent.as_deref()
    }

    /// A span for dispatching it, a child of the filer's.
    #[must_use]
    pub fn span(&self) -> Span {
        let span = tracing::info_span!(
            "dispatch",
            otel.kind = "consumer",
            messaging.system = "nats",
            messaging.destination.template = self.subject.template(),
        );
        if let Some(parent) = &self.traceparent {
            trace::set_parent(&span, parent);
        }
        span
    }

    /// Its outcome is known: it does not come again, unless the ack is lost. A server that is killed forgets
    /// the latest acks, whatever it syncs (tried); who acts on an event remembers its id.
    ///
    /// # Errors
    /// When the connection is closed.
    pub async fn ack(self) -> Result<(), BusError> {
        self.ticket.ack().await
    }

    /// Let it come again after so long.
    ///
    /// # Errors
    /// When the connection is closed.
    pub async fn retry_after(self, delay: Duration) -> Result<(), BusError> {
        self.ticket.retry_after(delay).await
    }

    /// It can never be handled: it does not come again. The reason is what the server tells whoever asks;
    /// an event that ends in DEAD is filed there first, and then acked.
    ///
    /// # Errors
    /// When the connection is closed.
    pub async fn reject(self, why: &str) -> Result<(), BusError> {
        let why: String = why.chars().filter(|c| !c.is_control()).take(200).collect();
        self.ticket.say(format!("+TERM {why}").into()).await
    }

    /// Work on it goes on: the ack wait begins anew.
    ///
    /// # Errors
    /// When the connection is closed.
    pub async fn working(&self) -> Result<(), BusError> {
        self.ticket.say(Bytes::from_static(b"+WPI")).await
    }
}

/// One that was taken and cannot be read: whoever took it accounts for it, and then acks it.
#[derive(Debug)]
pub struct UnreadableEvent {
    ticket: Ticket,
    /// Where it was filed, as text; it may be no subject of ours.
    pub filed_under: String,
    /// Where it was filed, where that is a subject of ours.
    pub subject: Option<Subject>,
    /// The severity whose consumer it came from.
    pub severity: Severity,
    /// Why it cannot be read. With [`ErrorCode::UnknownVersion`], a later version of this program may.
    pub refusal: Refusal,
    /// The beginning of its body, for people.
    pub excerpt: String,
    /// The length of its body.
    pub bytes: usize,
}

impl UnreadableEvent {
    pub(super) fn new(
        ticket: Ticket,
        severity: Severity,
        message: &NatsMessage,
        refusal: Refusal,
    ) -> UnreadableEvent {
        let body = &message.payload;
        let shown = &body[..body.len().min(EXCERPT_BYTES)];
        UnreadableEvent {
            ticket,
            filed_under: message.subject.chars().take(256).collect(),
            subject: message.subject.as_str().parse().ok(),
            severity,
            refusal,
            excerpt: String::from_utf8_lossy(shown).into_owned(),
            bytes: body.len(),
        }
    }

    /// How many times it was taken, this one included.
    #[must_use]
    pub fn deliveries(&self) -> u64 {
        self.ticket.deliveries
    }

    /// Its number in its stream.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.ticket.sequence
    }

    /// It is accounted for: it does not come again.
    ///
    /// # Errors
    /// When the connection is closed.
    pub async fn ack(self) -> Result<(), BusError> {
        self.ticket.ack().await
    }

    /// Let it come again after so long, perhaps to somebody who can read it.
    ///
    /// # Errors
    /// When the connection is closed.
    pub async fn retry_after(self, delay: Duration) -> Result<(), BusError> {
        self.ticket.retry_after(delay).await
    }
}

/// The event, where headers, subject and body agree on what it is.
pub(super) fn read_event(message: &NatsMessage) -> Result<(Subject, Event), Refusal> {
    let bad = |text: String| Refusal::new(ErrorCode::BadRequest, text);
    headers::check_kind::<Event>(message.headers.as_ref())?;
    let most = usize::try_from(MAX_EVENT_BYTES).expect("the limit is a small positive number");
    // The stream takes no larger one; there may be some from before it had this limit.
    if message.payload.len() > most {
        let size = message.payload.len();
        return Err(bad(format!(
            "an event has {most} bytes at most, this one has {size}"
        )));
    }
    let subject: Subject = message
        .subject
        .as_str()
        .parse()
        .map_err(|cause: crate::InvalidSubject| bad(cause.to_string()))?;
    let event: Event = read_body(&message.payload)?;
    let says = Subject::from(&event);
    if says == subject {
        Ok((subject, event))
    } else {
        Err(bad("its subject and its body name different events".to_owned()))
    }
}
