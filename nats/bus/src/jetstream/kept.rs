//! How full a stream or a bucket is, and how far the durable consumers have come in a stream of events.
//!
//! The server says nothing when it drops the oldest event to make room, dispatched or not; whoever wants to
//! know compares what is still there with what was acked.

use super::{
    api::failed,
    bucket::BucketHandle,
    streams::{Stream, consumer_name},
};
use crate::{Bus, error::BusError};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use snooze_schemas::event::Severity;

/// What a stream of events holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventsKept {
    /// Which stream.
    pub stream: Stream,
    /// How many bytes it holds.
    pub bytes: u64,
    /// How many it may hold; none where there is no limit.
    pub max_bytes: Option<u64>,
    /// The sequence of the oldest event that it still has; one more than the last where it has none.
    pub first_sequence: u64,
    /// The sequence of the newest event that it was ever given; 0 before there was one.
    pub last_sequence: u64,
    /// The severities that it holds. They were asked after the stream, so that one that is not behind has
    /// acked all up to `last_sequence`.
    pub lanes: Vec<LaneProgress>,
}

/// How far the events of one severity have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneProgress {
    /// Which severity.
    pub severity: Severity,
    /// Every event of the severity up to this sequence was acked, or dropped while it was taken.
    pub ack_floor: u64,
    /// Events that were never taken.
    pub waiting: u64,
    /// Events that were taken and not acked yet.
    pub in_hand: u64,
}

impl LaneProgress {
    /// Whether there are events that were not acked.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.waiting > 0 || self.in_hand > 0
    }
}

#[derive(Deserialize)]
struct StreamInfo {
    config: StreamConfig,
    state: StreamState,
}

#[derive(Deserialize)]
struct StreamConfig {
    #[serde(default)]
    max_bytes: i64,
}

impl StreamConfig {
    fn limit(&self) -> Option<u64> {
        u64::try_from(self.max_bytes).ok().filter(|most| *most > 0)
    }
}

#[derive(Deserialize)]
struct StreamState {
    bytes: u64,
    first_seq: u64,
    last_seq: u64,
}

#[derive(Deserialize)]
struct ConsumerInfo {
    ack_floor: AckFloor,
    num_pending: u64,
    num_ack_pending: u64,
}

#[derive(Deserialize)]
struct AckFloor {
    stream_seq: u64,
}

impl Bus {
    /// What a stream of events holds, and how far its severities have come. Any other stream has none.
    ///
    /// # Errors
    /// When the stream or a consumer is not there, or the server does not answer.
    pub async fn events_kept(&self, stream: Stream) -> Result<EventsKept, BusError> {
        let name = stream.name();
        let info: StreamInfo = self.info(format!("STREAM.INFO.{name}"), name).await?;
        let mut lanes = Vec::new();
        let severities = Severity::DESCENDING.into_iter();
        for severity in severities.filter(|severity| Stream::of_events(*severity) == stream) {
            let consumer = consumer_name(severity);
            let subject = format!("CONSUMER.INFO.{name}.{consumer}");
            let info: ConsumerInfo = self.info(subject, consumer).await?;
            lanes.push(LaneProgress {
                severity,
                ack_floor: info.ack_floor.stream_seq,
                waiting: info.num_pending,
                in_hand: info.num_ack_pending,
            });
        }
        Ok(EventsKept {
            stream,
            bytes: info.state.bytes,
            max_bytes: info.config.limit(),
            first_sequence: info.state.first_seq,
            last_sequence: info.state.last_seq,
            lanes,
        })
    }

    async fn info<T: DeserializeOwned>(&self, of: String, what: &str) -> Result<T, BusError> {
        let info = self.api(format!("$JS.API.{of}"), &Value::Null).await?;
        info.map_err(|error| failed(format!("looking at {what}"), error))
    }
}

/// What a bucket holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BucketKept {
    /// How many bytes it holds, its delete markers included.
    pub bytes: u64,
    /// How many it may hold; none where there is no limit.
    pub max_bytes: Option<u64>,
}

impl BucketHandle {
    /// How full a bucket is.
    ///
    /// # Errors
    /// When it is not there, or the server does not answer.
    pub async fn kept(&self) -> Result<BucketKept, BusError> {
        let name = self.bucket.stream();
        let info: StreamInfo = self.bus.info(format!("STREAM.INFO.{name}"), name).await?;
        Ok(BucketKept {
            bytes: info.state.bytes,
            max_bytes: info.config.limit(),
        })
    }
}
