//! Taking events from the durable consumer of their severity (rule E3).
//!
//! All dispatchers share one consumer a severity; what one has taken and not acked comes again after a
//! while, to any of them. Nothing here decides in which order the severities are served, and what cannot be
//! read is handed on like all else: nothing ends here without a word.

mod taken;

pub use taken::{EventDelivery, Taken, UnreadableEvent};

use super::{
    streams::{Stream, consumer_name, nanoseconds},
    watch::Sent,
};
use crate::{
    Bus,
    error::{BusError, MISSING},
    trace,
};
use async_nats::{Message as NatsMessage, StatusCode, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt;
use serde_json::json;
use snooze_schemas::event::Severity;
use std::time::Duration;
use taken::{Ticket, read_event};

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
        let inbox = self.new_inbox();
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

    /// The next event, whether it can be read or not; waits while there is none, and while there is no server.
    /// Cancelling loses nothing.
    ///
    /// # Errors
    /// When there is no such consumer, which may only be so for a moment after the server's start
    /// ([`BusError::is_missing`]), or the connection is closed.
    pub async fn next(&mut self) -> Result<Taken, BusError> {
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
                    if let Some(taken) = self.accept(&message) {
                        return Ok(taken);
                    }
                }
                Some(StatusCode::IDLE_HEARTBEAT) => {}
                Some(StatusCode::NO_RESPONDERS) => {
                    self.outstanding = 0;
                    return Err(BusError::JetStream {
                        operation: format!("taking events of {}", consumer_name(self.severity)),
                        code: MISSING,
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

    fn accept(&self, message: &NatsMessage) -> Option<Taken> {
        let stream = Stream::of_events(self.severity).name();
        let ours = format!("$JS.ACK.{stream}.{}.", consumer_name(self.severity));
        let sent = message.reply.as_deref().and_then(Sent::parse);
        let (Some(reply), Some(sent)) = (message.reply.clone(), sent) else {
            self.bus.inner.counters.add_refused();
            return None;
        };
        let has_domain = reply.matches('.').count() > ours.matches('.').count() + 4;
        if !has_domain && !reply.starts_with(&ours) {
            self.bus.inner.counters.add_refused();
            return None;
        }
        let ticket = Ticket {
            bus: self.bus.clone(),
            reply: reply.to_string(),
            deliveries: sent.deliveries,
            sequence: sent.stream_sequence,
        };
        Some(match read_event(message) {
            Ok((subject, event)) => Taken::Event(EventDelivery {
                ticket,
                subject,
                event: event.into(),
                traceparent: trace::extract(message.headers.as_ref()).map(str::to_owned),
            }),
            Err(refusal) => {
                self.bus.inner.counters.add_undecodable();
                Taken::Unreadable(UnreadableEvent::new(ticket, self.severity, message, refusal).into())
            }
        })
    }
}
