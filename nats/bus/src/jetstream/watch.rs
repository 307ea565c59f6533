//! Watching a bucket: what it holds, then every change, and never a gap in silence.
//!
//! For the few services at the centre; a host hears of its keys by plain subscriptions. A watch is a
//! consumer of its own, which the server forgets when nobody listens to it any more.

use super::{
    api::failed,
    bucket::{BucketHandle, Entry, read_value},
    stored::is_marker,
    streams::{Bucket, nanoseconds},
};
use crate::{Bus, error::BusError, trace};
use async_nats::{HeaderMap, Message, Subscriber};
use futures_util::StreamExt;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;
use snooze_schemas::Timestamp;
use std::time::Duration;
use tokio::sync::watch::Receiver;

/// The server says that it is there at least so often.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// After this silence the consumer is taken for gone: two heartbeats, and a moment for a busy server.
const SILENCE: Duration = Duration::from_secs(12);

/// How long the server keeps a watch that nobody listens to.
const FORGET_AFTER: Duration = Duration::from_secs(10);

/// How long reading all of a bucket may take.
const SNAPSHOT_WITHIN: Duration = Duration::from_secs(30);

/// What happened in a watched bucket.
#[derive(Debug, Clone, PartialEq)]
pub enum Change<T> {
    /// A key has this value; first as it was when the watch began, then whenever it is written.
    Put(Entry<T>),
    /// A key was deleted. An expiry is not told: who minds it reads the key.
    Deleted {
        /// The key.
        key: String,
        /// The revision of its marker.
        revision: u64,
    },
    /// A key has a value that cannot be read.
    Unreadable {
        /// The key.
        key: String,
        /// Its revision.
        revision: u64,
        /// Why, for people.
        why: String,
    },
    /// All that was there when the watch began has been told. Comes once.
    Ready,
}

/// The changes of a bucket, in their order.
pub struct Watch<T> {
    bus: Bus,
    bucket: Bucket,
    subscriber: Subscriber,
    losses: Receiver<u64>,
    /// How many messages the server has sent to this watch.
    told: u64,
    ready: Readiness,
    ended: bool,
    value: std::marker::PhantomData<fn() -> T>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Readiness {
    /// So many messages are still to come.
    Waits(u64),
    /// All have come.
    Due,
    /// The caller knows.
    Told,
}

#[derive(Deserialize)]
struct Created {
    #[serde(default)]
    num_pending: u64,
}

impl BucketHandle {
    /// Watches the keys that a filter names, as `host.*` or `>`.
    ///
    /// # Errors
    /// When the server does not answer or refuses.
    pub async fn watch<T: DeserializeOwned>(&self, filter: &str) -> Result<Watch<T>, BusError> {
        if !is_filter(filter) {
            return Err(BusError::InvalidKey(filter.chars().take(256).collect()));
        }
        let stream = self.bucket.stream();
        let subject = format!("$KV.{}.{filter}", self.bucket.name());
        let deliver_to = self.bus.new_inbox();
        self.bus.connected("watching a bucket", SILENCE).await?;
        let mut losses = self.bus.inner.losses.clone();
        losses.mark_unchanged();
        let subscriber = self
            .bus
            .inner
            .client
            .subscribe(deliver_to.clone())
            .await
            .map_err(|cause| BusError::Subscribe {
                template: "_INBOX_<role>.<name>.<id>",
                source: cause.into(),
            })?;
        let name = format!("watch-{:016x}", rand::random::<u64>());
        let body = json!({
            "stream_name": stream,
            "config": {
                "name": name,
                "deliver_subject": deliver_to,
                "filter_subject": subject,
                "deliver_policy": "last_per_subject",
                "ack_policy": "none",
                "max_deliver": 1,
                "replay_policy": "instant",
                "flow_control": true,
                "idle_heartbeat": nanoseconds(HEARTBEAT),
                "inactive_threshold": nanoseconds(FORGET_AFTER),
                "mem_storage": true,
                "num_replicas": 1,
            },
        });
        let api = format!("$JS.API.CONSUMER.CREATE.{stream}.{name}.{subject}");
        let created: Created = self
            .bus
            .api(api, &body)
            .await?
            .map_err(|error| failed(format!("watching {}", self.bucket.name()), error))?;
        Ok(Watch {
            bus: self.bus.clone(),
            bucket: self.bucket,
            subscriber,
            losses,
            told: 0,
            ready: match created.num_pending {
                0 => Readiness::Due,
                more => Readiness::Waits(more),
            },
            ended: false,
            value: std::marker::PhantomData,
        })
    }

    /// All keys that a filter names, with their values as they are now.
    ///
    /// # Errors
    /// When the server does not answer within 30 s, or a value is not a `T`.
    pub async fn snapshot<T: DeserializeOwned>(&self, filter: &str) -> Result<Vec<Entry<T>>, BusError> {
        let collected = async {
            let mut watch = self.watch(filter).await?;
            let mut entries = Vec::new();
            while let Some(change) = watch.next().await {
                match change? {
                    Change::Put(entry) => entries.push(entry),
                    Change::Deleted { .. } => {}
                    Change::Unreadable { key, why, .. } => {
                        return Err(BusError::JetStream {
                            operation: format!("reading {}/{key}", self.bucket.name()),
                            code: 0,
                            description: why,
                        });
                    }
                    Change::Ready => return Ok(entries),
                }
            }
            Err(BusError::WatchGap {
                bucket: self.bucket.name(),
            })
        };
        tokio::time::timeout(SNAPSHOT_WITHIN, collected)
            .await
            .unwrap_or(Err(BusError::TimedOut {
                operation: "reading a bucket",
                within_ms: SNAPSHOT_WITHIN.as_millis(),
            }))
    }

    /// All keys that a filter names and that have a value.
    ///
    /// # Errors
    /// When the server does not answer within 30 s.
    pub async fn keys(&self, filter: &str) -> Result<Vec<String>, BusError> {
        let entries = self.snapshot::<serde::de::IgnoredAny>(filter).await?;
        Ok(entries.into_iter().map(|entry| entry.key).collect())
    }
}

impl<T: DeserializeOwned> Watch<T> {
    /// The next change. An error is the last that comes: something may have been missed, the caller
    /// watches anew and takes what it is told until [`Change::Ready`] for the truth. Cancelling loses
    /// nothing.
    pub async fn next(&mut self) -> Option<Result<Change<T>, BusError>> {
        if self.ended {
            return None;
        }
        loop {
            if self.ready == Readiness::Due {
                self.ready = Readiness::Told;
                return Some(Ok(Change::Ready));
            }
            let message = tokio::select! {
                biased;
                // What was delivered before a loss is still in order.
                message = self.subscriber.next() => message,
                _ = self.losses.changed() => None,
                () = tokio::time::sleep(SILENCE) => None,
            };
            let Some(message) = message else {
                return Some(Err(self.end()));
            };
            if message.status.is_some() {
                if let Err(cause) = self.hear_server(message).await {
                    return Some(Err(cause));
                }
                continue;
            }
            return Some(self.change(&message));
        }
    }

    /// Heartbeats say how many messages were sent; flow control wants an answer, else it stalls.
    async fn hear_server(&mut self, message: Message) -> Result<(), BusError> {
        let header = |name: &'static str| {
            let value = message.headers.as_ref().and_then(|headers| headers.get(name));
            value.map(|value| value.as_str().to_owned())
        };
        if let Some(sent) = header("Nats-Last-Consumer")
            && sent.parse() != Ok(self.told)
        {
            return Err(self.end());
        }
        let stalled = header("Nats-Consumer-Stalled");
        let is_idle = message.reply.is_none() && stalled.is_none();
        if is_idle && matches!(self.ready, Readiness::Waits(_)) {
            self.ready = Readiness::Due;
        }
        if let Some(reply) = message.reply.as_ref().map(ToString::to_string).or(stalled) {
            let answered = self.bus.inner.client.publish(reply, bytes::Bytes::new()).await;
            if answered.is_err() {
                return Err(self.end());
            }
        }
        Ok(())
    }

    fn change(&mut self, message: &Message) -> Result<Change<T>, BusError> {
        let prefix = format!("$KV.{}.", self.bucket.name());
        let sent = message.reply.as_deref().and_then(Sent::parse);
        let (Some(sent), Some(key)) = (sent, message.subject.as_str().strip_prefix(&prefix)) else {
            return Err(self.end());
        };
        if sent.consumer_sequence != self.told + 1 {
            return Err(self.end());
        }
        self.told += 1;
        if let Readiness::Waits(left) = self.ready {
            // Fewer may come than were announced: one that has expired meanwhile is never sent.
            self.ready = match left.saturating_sub(1).min(sent.pending) {
                0 => Readiness::Due,
                more => Readiness::Waits(more),
            };
        }
        let (key, revision) = (key.to_owned(), sent.stream_sequence);
        if is_marker(message.headers.as_ref()) {
            return Ok(Change::Deleted { key, revision });
        }
        Ok(match read_value(self.bucket, &key, &message.payload) {
            Ok(value) => Change::Put(Entry {
                traceparent: traceparent(message.headers.as_ref()),
                key,
                value,
                revision,
            }),
            Err(cause) => Change::Unreadable {
                key,
                revision,
                why: std::error::Error::source(&cause).map_or_else(|| cause.to_string(), ToString::to_string),
            },
        })
    }

    fn end(&mut self) -> BusError {
        self.ended = true;
        BusError::WatchGap {
            bucket: self.bucket.name(),
        }
    }
}

fn traceparent(headers: Option<&HeaderMap>) -> Option<String> {
    trace::extract(headers).map(str::to_owned)
}

/// What a delivered message's reply subject says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) deliveries: u64,
    pub(super) stream_sequence: u64,
    pub(super) consumer_sequence: u64,
    pub(super) filed_at: Timestamp,
    pub(super) pending: u64,
}

impl Sent {
    /// `$JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.<consumer seq>.<time>.<pending>`, with
    /// domain and account before the stream where a server has them.
    pub(super) fn parse(reply: &str) -> Option<Sent> {
        let tokens: Vec<&str> = reply.strip_prefix("$JS.ACK.")?.split('.').collect();
        let numbers = match tokens.len() {
            7 => &tokens[2..],
            9.. => &tokens[4..],
            _ => return None,
        };
        Some(Sent {
            deliveries: numbers[0].parse().ok()?,
            stream_sequence: numbers[1].parse().ok()?,
            consumer_sequence: numbers[2].parse().ok()?,
            filed_at: Timestamp::from_nanosecond(numbers[3].parse().ok()?).ok()?,
            pending: numbers[4].parse().ok()?,
        })
    }
}

/// A key whose last token, or any whole token, may be a wildcard.
fn is_filter(text: &str) -> bool {
    let plain = text.replace('*', "x");
    let plain = match plain.strip_suffix('>') {
        Some("") => return true,
        Some(start) => start.strip_suffix('.').unwrap_or("not a key:").to_owned(),
        None => plain,
    };
    crate::keys::is_key(&plain) && text.split('.').all(|token| token == "*" || !token.contains('*'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_subject_says_where_a_message_stands() {
        let sent = Sent {
            deliveries: 1,
            stream_sequence: 20,
            consumer_sequence: 3,
            filed_at: Timestamp::from_nanosecond(1_700_000_000).expect("a time"),
            pending: 4,
        };
        assert_eq!(Sent::parse("$JS.ACK.KV_x.watch.1.20.3.1700000000.4"), Some(sent));
        assert_eq!(
            Sent::parse("$JS.ACK.hub.acc.KV_x.watch.1.20.3.1700000000.4"),
            Some(sent)
        );
        assert_eq!(
            Sent::parse("$JS.ACK.hub.acc.KV_x.watch.1.20.3.1700000000.4.random"),
            Some(sent)
        );
        assert_eq!(Sent::parse("snooze.v1.ops.freeze"), None);
    }

    #[test]
    fn a_filter_is_a_key_with_wildcards() {
        for text in [">", "host.*", "host.>", "*.x", "gate", "slot.default.*"] {
            assert!(is_filter(text), "{text}");
        }
        for text in ["", "host.", "host.x*", "host>", "a.>.b", ">.a", "a b"] {
            assert!(!is_filter(text), "{text}");
        }
    }
}
