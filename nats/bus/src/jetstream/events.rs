//! Taking events from the durable consumer of their severity (rule E3).
//!
//! All dispatchers share one consumer a severity; what one has taken and not acked comes again after a
//! while, to any of them. Nothing here decides in which order the severities are served.

use super::{
    streams::{Stream, consumer_name, nanoseconds},
    watch::Sent,
};
use crate::{Bus, error::BusError, headers, subject::Subject, subscription::read_body, trace};
use async_nats::{Message as NatsMessage, StatusCode, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt;
use serde_json::json;
use snooze_schemas::event::{Event, Severity};
use std::time::Duration;
use tracing::Span;

/// Events asked for at once. What is taken and waits here is taken from other dispatchers, so not many.
const BATCH: usize = 16;

/// How long the server keeps a question open while there is nothing.
const EXPIRES: Duration = Duration::from_secs(30);

/// After this the question is taken for lost and asked again.
const SILENCE: Duration = Duration::from_secs(35);

/// The events of one severity.
pub struct EventConsumer {
    bus: Bus,
    severity: Severity,
    subscriber: Subscriber,
    inbox: String,
    losses: tokio::sync::watch::Receiver<u64>,
    /// How many of those asked for may still come.
    outstanding: usize,
}

impl Bus {
    /// Takes events of one severity from the consumer that the set-up has made.
    ///
    /// # Errors
    /// When the connection is closed.
    pub async fn events(&self, severity: Severity) -> Result<EventConsumer, BusError> {
        let inbox = self.inner.client.new_inbox();
        let subscriber = self
            .inner
            .client
            .subscribe(inbox.clone())
            .await
            .map_err(|cause| BusError::Subscribe {
                template: "_INBOX_<role>.<name>.<id>",
                source: cause.into(),
            })?;
        Ok(EventConsumer {
            bus: self.clone(),
            severity,
            subscriber,
            inbox,
            losses: self.inner.losses.clone(),
            outstanding: 0,
        })
    }
}

impl EventConsumer {
    /// Whose events they are.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// The next event; waits while there is none, and while there is no server. One that cannot be read
    /// never comes again: it is logged and counted, and stays in its stream. Cancelling loses nothing.
    ///
    /// # Errors
    /// When there is no such consumer, or the connection is closed.
    pub async fn next(&mut self) -> Result<EventDelivery, BusError> {
        loop {
            if self.outstanding == 0 {
                self.ask().await?;
            }
            let message = tokio::select! {
                biased;
                message = self.subscriber.next() => message.ok_or(BusError::Disconnected {
                    operation: "taking events",
                })?,
                changed = self.losses.changed() => {
                    changed.map_err(|_| BusError::Disconnected { operation: "taking events" })?;
                    self.outstanding = 0;
                    continue;
                }
                () = tokio::time::sleep(SILENCE) => {
                    self.outstanding = 0;
                    continue;
                }
            };
            match message.status {
                None => {
                    self.outstanding = self.outstanding.saturating_sub(1);
                    if let Some(delivery) = self.accept(message).await? {
                        return Ok(delivery);
                    }
                }
                Some(StatusCode::IDLE_HEARTBEAT) => {}
                Some(StatusCode::NO_RESPONDERS) => {
                    self.outstanding = 0;
                    return Err(BusError::JetStream {
                        operation: format!("taking events of {}", consumer_name(self.severity)),
                        code: 503,
                        description: "there is no such consumer".to_owned(),
                    });
                }
                // The question's time is up, or the server gave it up: ask again.
                Some(_) => self.outstanding = 0,
            }
        }
    }

    async fn ask(&mut self) -> Result<(), BusError> {
        while self.bus.connected("taking events", EXPIRES).await.is_err() {
            if self.bus.inner.status.has_changed().is_err() {
                return Err(BusError::Disconnected {
                    operation: "taking events",
                });
            }
        }
        self.losses.mark_unchanged();
        let stream = Stream::of_events(self.severity).name();
        let name = consumer_name(self.severity);
        let request = json!({
            "batch": BATCH,
            "expires": nanoseconds(EXPIRES),
            "idle_heartbeat": nanoseconds(EXPIRES / 3),
        });
        self.bus
            .inner
            .client
            .publish_with_reply(
                format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{name}"),
                self.inbox.clone(),
                Bytes::from(request.to_string()),
            )
            .await
            .map_err(|cause| BusError::Publish {
                template: "$JS.API.CONSUMER.MSG.NEXT.<stream>.<consumer>",
                source: cause.into(),
            })?;
        self.outstanding = BATCH;
        Ok(())
    }

    async fn accept(&self, message: NatsMessage) -> Result<Option<EventDelivery>, BusError> {
        let stream = Stream::of_events(self.severity).name();
        let ours = format!("$JS.ACK.{stream}.{}.", consumer_name(self.severity));
        let sent = message.reply.as_deref().and_then(Sent::parse);
        let (Some(reply), Some(sent)) = (message.reply.clone(), sent) else {
            self.bus.inner.counters.add_refused();
            return Ok(None);
        };
        let has_domain = reply.matches('.').count() > ours.matches('.').count() + 4;
        if !has_domain && !reply.starts_with(&ours) {
            self.bus.inner.counters.add_refused();
            return Ok(None);
        }
        let (subject, event) = match read_event(&message) {
            Ok(read) => read,
            Err(why) => {
                self.bus.inner.counters.add_undecodable();
                tracing::warn!(why, "an event cannot be read and is not dispatched");
                let term = Bytes::from(format!("+TERM {why}"));
                self.bus.reply_ack(reply.to_string(), term).await?;
                return Ok(None);
            }
        };
        Ok(Some(EventDelivery {
            bus: self.bus.clone(),
            traceparent: trace::extract(message.headers.as_ref()).map(str::to_owned),
            reply: reply.to_string(),
            subject,
            event,
            deliveries: sent.deliveries,
            sequence: sent.stream_sequence,
        }))
    }
}

/// The event, where headers, subject and body agree on what it is.
fn read_event(message: &NatsMessage) -> Result<(Subject, Event), String> {
    headers::check_kind::<Event>(message.headers.as_ref()).map_err(|refusal| refusal.message)?;
    let subject: Subject = message
        .subject
        .as_str()
        .parse()
        .map_err(|cause: crate::InvalidSubject| cause.to_string())?;
    let event: Event = read_body(&message.payload).map_err(|refusal| refusal.message)?;
    let says = Subject::Event {
        scope: event.host.clone(),
        severity: event.severity,
        id: event.id.clone(),
        event_type: event.event_type.clone(),
    };
    if says == subject {
        Ok((subject, event))
    } else {
        Err("its subject and its body name different events".to_owned())
    }
}

impl Bus {
    async fn reply_ack(&self, reply: String, body: Bytes) -> Result<(), BusError> {
        self.inner
            .client
            .publish(reply, body)
            .await
            .map_err(|cause| BusError::Publish {
                template: "$JS.ACK.<stream>.<consumer>",
                source: cause.into(),
            })
    }
}

/// One event that was taken. Dropped without a word, it comes again after the ack wait (30 s).
#[derive(Debug)]
pub struct EventDelivery {
    bus: Bus,
    reply: String,
    subject: Subject,
    event: Event,
    deliveries: u64,
    sequence: u64,
    traceparent: Option<String>,
}

impl EventDelivery {
    /// The event; its subject says the same.
    #[must_use]
    pub fn event(&self) -> &Event {
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
        self.deliveries
    }

    /// Its number in its stream.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
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
        let body = Bytes::from_static(b"+ACK");
        self.bus.reply_ack(self.reply, body).await
    }

    /// Let it come again after so long.
    ///
    /// # Errors
    /// When the connection is closed.
    pub async fn retry_after(self, delay: Duration) -> Result<(), BusError> {
        let body = format!("-NAK {}", json!({ "delay": nanoseconds(delay) }));
        self.bus.reply_ack(self.reply, body.into()).await
    }

    /// It can never be handled: it does not come again. The reason is what the server tells whoever asks;
    /// an event that ends in DEAD is filed there first, and then acked.
    ///
    /// # Errors
    /// When the connection is closed.
    pub async fn reject(self, why: &str) -> Result<(), BusError> {
        let why: String = why.chars().filter(|c| !c.is_control()).take(200).collect();
        self.bus
            .reply_ack(self.reply, format!("+TERM {why}").into())
            .await
    }

    /// Work on it goes on: the ack wait begins anew.
    ///
    /// # Errors
    /// When the connection is closed.
    pub async fn working(&self) -> Result<(), BusError> {
        let body = Bytes::from_static(b"+WPI");
        self.bus.reply_ack(self.reply.clone(), body).await
    }
}
