//! Taking messages from a durable consumer, and saying what becomes of each.
//!
//! It asks for a few at a time and asks again for as long as it is used; it reads no message and knows no
//! consumer by name. What was taken and of which nothing is said comes again, to whoever asks next.

use super::{streams::nanoseconds, watch::Sent};
use crate::{
    Bus,
    error::{BusError, MISSING},
};
use async_nats::{Message as NatsMessage, StatusCode, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt;
use serde_json::json;
use snooze_schemas::Timestamp;
use std::time::Duration;

/// How long the server keeps a question open while there is nothing.
const EXPIRES: Duration = Duration::from_secs(30);

/// How long what is still on its way may take, where no more is wanted.
const END_WITHIN: Duration = Duration::from_secs(2);

/// After this the question is taken for lost and asked again.
const SILENCE: Duration = Duration::from_secs(35);

/// One of those who share a durable consumer.
pub(super) struct Pull {
    bus: Bus,
    stream: &'static str,
    consumer: &'static str,
    /// Messages asked for at once. What is taken and waits here is taken from others, so not many.
    batch: usize,
    subscriber: Subscriber,
    inbox: String,
    losses: tokio::sync::watch::Receiver<u64>,
    /// How many of those asked for may still come.
    outstanding: usize,
}

/// What was taken.
pub(super) struct Pulled {
    pub(super) message: NatsMessage,
    pub(super) ticket: Ticket,
}

/// The right to say what becomes of one message.
#[derive(Debug)]
pub(super) struct Ticket {
    pub(super) bus: Bus,
    pub(super) reply: String,
    pub(super) deliveries: u64,
    pub(super) sequence: u64,
    /// When the server took it, on the server's clock.
    pub(super) filed_at: Timestamp,
}

impl Pull {
    /// Nothing is asked yet.
    pub(super) async fn begin(
        bus: &Bus,
        stream: &'static str,
        consumer: &'static str,
        batch: usize,
    ) -> Result<Pull, BusError> {
        let inbox = bus.new_inbox();
        let subscriber =
            bus.inner
                .client
                .subscribe(inbox.clone())
                .await
                .map_err(|cause| BusError::Subscribe {
                    template: "_INBOX_<role>.<name>.<id>",
                    source: cause.into(),
                })?;
        Ok(Pull {
            bus: bus.clone(),
            stream,
            consumer,
            batch,
            subscriber,
            inbox,
            losses: bus.inner.losses.clone(),
            outstanding: 0,
        })
    }

    /// The next message; waits while there is none, and while there is no server. Cancelling loses nothing.
    pub(super) async fn next(&mut self) -> Result<Pulled, BusError> {
        loop {
            if self.outstanding == 0 {
                self.ask().await?;
            }
            let message = tokio::select! {
                biased;
                message = self.subscriber.next() => message.ok_or(BusError::Disconnected {
                    operation: "taking from a stream",
                })?,
                changed = self.losses.changed() => {
                    changed.map_err(|_| BusError::Disconnected { operation: "taking from a stream" })?;
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
                    match self.ticket(&message) {
                        Some(ticket) => return Ok(Pulled { message, ticket }),
                        None => self.bus.inner.counters.add_refused(),
                    }
                }
                Some(StatusCode::IDLE_HEARTBEAT) => {}
                Some(StatusCode::NO_RESPONDERS) => {
                    self.outstanding = 0;
                    return Err(BusError::JetStream {
                        operation: format!("taking from {} by {}", self.stream, self.consumer),
                        code: MISSING,
                        description: "there is no such consumer".to_owned(),
                    });
                }
                // The question's time is up, or the server gave it up: ask again.
                Some(_) => self.outstanding = 0,
            }
        }
    }

    /// No more is wanted: what has come meanwhile, or is on its way, goes to others at once.
    pub(super) async fn give_back(mut self) -> Result<(), BusError> {
        let ended = self.subscriber.drain().await;
        ended.map_err(|cause| BusError::Subscribe {
            template: "_INBOX_<role>.<name>.<id>",
            source: cause.into(),
        })?;
        let given_back = async {
            while let Some(message) = self.subscriber.next().await {
                if message.status.is_none()
                    && let Some(ticket) = self.ticket(&message)
                {
                    ticket.retry_after(Duration::ZERO).await?;
                }
            }
            Ok(())
        };
        // What has not come by then comes again after the ack wait.
        tokio::time::timeout(END_WITHIN, given_back)
            .await
            .unwrap_or(Ok(()))
    }

    async fn ask(&mut self) -> Result<(), BusError> {
        while self.bus.connected("taking from a stream", EXPIRES).await.is_err() {
            if self.bus.inner.status.has_changed().is_err() {
                return Err(BusError::Disconnected {
                    operation: "taking from a stream",
                });
            }
        }
        self.losses.mark_unchanged();
        let (stream, name) = (self.stream, self.consumer);
        let request = json!({
            "batch": self.batch,
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
        self.outstanding = self.batch;
        Ok(())
    }

    /// Nothing where it was not this consumer that sent the message.
    fn ticket(&self, message: &NatsMessage) -> Option<Ticket> {
        let ours = format!("$JS.ACK.{}.{}.", self.stream, self.consumer);
        let reply = message.reply.as_deref()?;
        let sent = Sent::parse(reply)?;
        let has_domain = reply.matches('.').count() > ours.matches('.').count() + 4;
        (has_domain || reply.starts_with(&ours)).then(|| Ticket {
            bus: self.bus.clone(),
            reply: reply.to_owned(),
            deliveries: sent.deliveries,
            sequence: sent.stream_sequence,
            filed_at: sent.filed_at,
        })
    }
}

impl Ticket {
    pub(super) async fn say(&self, body: Bytes) -> Result<(), BusError> {
        let client = &self.bus.inner.client;
        let said = client.publish(self.reply.clone(), body).await;
        said.map_err(|cause| BusError::Publish {
            template: "$JS.ACK.<stream>.<consumer>",
            source: cause.into(),
        })
    }

    pub(super) async fn ack(&self) -> Result<(), BusError> {
        self.say(Bytes::from_static(b"+ACK")).await
    }

    pub(super) async fn retry_after(&self, delay: Duration) -> Result<(), BusError> {
        let body = format!("-NAK {}", json!({ "delay": nanoseconds(delay) }));
        self.say(body.into()).await
    }
}
