//! Reading and writing single keys of a bucket.
//!
//! The client library's own store is not used: its `create` writes a deleted or expired key without its
//! time to live (rule L6), its `purge` rolls up, and it asks for the stream's info before anything else.

use super::{
    api::{Unacked, code, failed},
    batch::seconds,
    file::EXPECTED_LAST,
    stored::{GotMessage, StoredMessage},
    streams::Bucket,
};
use crate::{
    Bus,
    codec::{self, Format},
    error::{BusError, WriteError},
    keys, trace,
};
use async_nats::HeaderMap;
use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::time::Duration;

/// How long a write waits for its ack.
pub(super) const WRITE_WITHIN: Duration = Duration::from_secs(5);

/// A key that has a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry<T> {
    /// The key.
    pub key: String,
    /// The value.
    pub value: T,
    /// The revision that wrote it: what an update must name.
    pub revision: u64,
    /// The trace context of whoever wrote it.
    pub traceparent: Option<String>,
}

/// A key, whether it has a value or not.
#[derive(Debug, Clone, PartialEq)]
pub struct Look<T> {
    /// The revision that the next write must name: 0 where the bucket remembers nothing of the key, else
    /// that of its value or of its delete marker.
    pub revision: u64,
    /// The value, where it has one.
    pub entry: Option<Entry<T>>,
}

/// One bucket on one connection.
#[derive(Debug, Clone)]
pub struct BucketHandle {
    pub(super) bus: Bus,
    pub(super) bucket: Bucket,
}

impl Bus {
    /// A bucket.
    #[must_use]
    pub fn bucket(&self, bucket: Bucket) -> BucketHandle {
        BucketHandle {
            bus: self.clone(),
            bucket,
        }
    }
}

impl BucketHandle {
    /// Which one it is.
    #[must_use]
    pub fn bucket(&self) -> Bucket {
        self.bucket
    }

    /// A key's value, revision and trace context; none where it has no value.
    ///
    /// # Errors
    /// When the server does not answer or the value is not a `T`.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<Entry<T>>, BusError> {
        Ok(self.look(key).await?.entry)
    }

    /// A key as it stands, deleted ones with the revision of their marker.
    ///
    /// # Errors
    /// As [`BucketHandle::get`].
    pub async fn look<T: DeserializeOwned>(&self, key: &str) -> Result<Look<T>, BusError> {
        let Some(stored) = self.stored(key).await? else {
            return Ok(Look {
                revision: 0,
                entry: None,
            });
        };
        let revision = stored.sequence;
        let entry = match stored.is_marker() {
            true => None,
            false => Some(Entry {
                key: key.to_owned(),
                value: read_value(self.bucket, key, &stored.payload)?,
                revision,
                traceparent: stored.header(trace::TRACEPARENT).map(str::to_owned),
            }),
        };
        Ok(Look { revision, entry })
    }

    /// Writes a key that has no value, and returns its revision. One that was deleted or has expired has
    /// none.
    ///
    /// # Errors
    /// [`WriteError::Conflict`] when it has one; else as [`WriteError`] says.
    pub async fn create<T: Serialize + ?Sized>(&self, key: &str, value: &T) -> Result<u64, WriteError> {
        self.create_for(key, value, None).await
    }

    /// As [`BucketHandle::create`], for a key that expires after so long, rounded up to whole seconds of
    /// the server's clock. Only buckets of state and of open events allow it.
    ///
    /// # Errors
    /// As [`BucketHandle::create`].
    pub async fn create_with_ttl<T: Serialize + ?Sized>(
        &self,
        key: &str,
        value: &T,
        ttl: Duration,
    ) -> Result<u64, WriteError> {
        self.create_for(key, value, Some(ttl)).await
    }

    async fn create_for<T: Serialize + ?Sized>(
        &self,
        key: &str,
        value: &T,
        ttl: Option<Duration>,
    ) -> Result<u64, WriteError> {
        let body = self.write_value(key, value)?;
        match self.publish(key, body.clone(), Some(0), ttl, None).await {
            Err(WriteError::Conflict { what }) => {
                let look: Look<serde::de::IgnoredAny> = self.look(key).await?;
                if look.entry.is_some() {
                    return Err(WriteError::Conflict { what });
                }
                self.publish(key, body, Some(look.revision), ttl, None).await
            }
            written => written,
        }
    }

    /// Writes a key at the revision that was read, and returns the new one.
    ///
    /// # Errors
    /// [`WriteError::Conflict`] when somebody else wrote it meanwhile; else as [`WriteError`] says.
    pub async fn update<T: Serialize + ?Sized>(
        &self,
        key: &str,
        value: &T,
        revision: u64,
    ) -> Result<u64, WriteError> {
        let body = self.write_value(key, value)?;
        self.publish(key, body, Some(revision), None, None).await
    }

    /// Writes a key whatever it holds, and returns its revision.
    ///
    /// # Errors
    /// As [`WriteError`] says.
    pub async fn put<T: Serialize + ?Sized>(&self, key: &str, value: &T) -> Result<u64, WriteError> {
        let body = self.write_value(key, value)?;
        self.publish(key, body, None, None, None).await
    }

    /// Deletes a key at the revision that was read, and returns the revision of its marker.
    ///
    /// # Errors
    /// As [`BucketHandle::update`].
    pub async fn delete(&self, key: &str, revision: u64) -> Result<u64, WriteError> {
        self.publish(key, Bytes::new(), Some(revision), None, Some(DELETE))
            .await
    }

    /// As [`BucketHandle::delete`], and lets the marker expire, for keys that never come back.
    ///
    /// # Errors
    /// As [`BucketHandle::update`].
    pub async fn delete_for_good(&self, key: &str, revision: u64) -> Result<u64, WriteError> {
        self.publish(key, Bytes::new(), Some(revision), Some(MARKER_LIFE), Some(DELETE))
            .await
    }

    async fn publish(
        &self,
        key: &str,
        body: Bytes,
        expected: Option<u64>,
        ttl: Option<Duration>,
        operation: Option<&'static str>,
    ) -> Result<u64, WriteError> {
        let subject = self.subject(key)?;
        let headers = write_headers(expected, ttl, operation);
        let what = || format!("{}/{key}", self.bucket.name());
        let stream = self.bucket.stream();
        match self.bus.put(stream, subject, headers, body, WRITE_WITHIN).await {
            Ok(ack) => Ok(ack.seq),
            Err(unacked) => Err(write_error(unacked, what())),
        }
    }

    pub(super) fn subject(&self, key: &str) -> Result<String, BusError> {
        if keys::is_key(key) {
            Ok(format!("$KV.{}.{key}", self.bucket.name()))
        } else {
            Err(BusError::InvalidKey(key.chars().take(256).collect()))
        }
    }

    pub(super) fn write_value<T: Serialize + ?Sized>(&self, key: &str, value: &T) -> Result<Bytes, BusError> {
        let body = codec::encode(value, Format::MessagePack).map_err(|source| {
            tracing::debug!(key, "a value cannot be written");
            BusError::Encode {
                template: self.bucket.name(),
                source,
            }
        })?;
        Ok(body.into())
    }

    async fn stored(&self, key: &str) -> Result<Option<StoredMessage>, BusError> {
        let subject = self.subject(key)?;
        let stream = self.bucket.stream();
        let operation = || format!("reading {}/{key}", self.bucket.name());
        let undecodable = || BusError::JetStream {
            operation: operation(),
            code: 0,
            description: "the answer is not in JetStream's format".to_owned(),
        };
        if self.bucket.is_direct() {
            let shown = format!("{}/{key}", self.bucket.name());
            return self.bus.last_of(stream, &subject, &shown).await;
        }
        let asked: Result<GotMessage, _> = self
            .bus
            .api(
                format!("$JS.API.STREAM.MSG.GET.{stream}"),
                &json!({ "last_by_subj": subject }),
            )
            .await?;
        match asked {
            Ok(got) => got.decode().map(Some).ok_or_else(undecodable),
            Err(error) if error.err_code == code::NO_MESSAGE_FOUND => Ok(None),
            Err(error) => Err(failed(operation(), error)),
        }
    }
}

/// The header's value for a delete.
pub(super) const DELETE: &str = "DEL";

/// How long the marker of a key that never comes back is kept: for longer than whoever watches the bucket is away for
/// a moment. Each takes room of the bucket's own, and one a deleted key an hour would fill it at 150 events a second.
pub(super) const MARKER_LIFE: Duration = Duration::from_secs(300);

pub(super) fn write_headers(
    expected: Option<u64>,
    ttl: Option<Duration>,
    operation: Option<&'static str>,
) -> HeaderMap {
    let mut headers = HeaderMap::new();
    trace::inject(&mut headers);
    if let Some(revision) = expected {
        headers.insert(EXPECTED_LAST, revision.to_string());
    }
    if let Some(ttl) = ttl {
        headers.insert("Nats-TTL", seconds(ttl));
    }
    if let Some(operation) = operation {
        headers.insert("KV-Operation", operation);
    }
    headers
}

pub(super) fn write_error(unacked: Unacked, what: String) -> WriteError {
    match unacked {
        Unacked::Refused(error) if error.is_conflict() => WriteError::Conflict { what },
        Unacked::Refused(error) => WriteError::Refused {
            what,
            description: error.description,
        },
        Unacked::Ambiguous => WriteError::Ambiguous { what },
        Unacked::NoStream => WriteError::Refused {
            what,
            description: "there is no such bucket".to_owned(),
        },
        Unacked::NotSent(cause) => WriteError::NotSent(cause),
    }
}

pub(super) fn read_value<T: DeserializeOwned>(
    bucket: Bucket,
    key: &str,
    payload: &[u8],
) -> Result<T, BusError> {
    codec::decode(payload).map_err(|source| BusError::Decode {
        what: format!("{}/{key}", bucket.name()),
        source,
    })
}

/// A value that may be anything, for whoever shows or copies one.
impl Entry<Value> {
    /// The value as one of our types.
    ///
    /// # Errors
    /// When it is none.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        T::deserialize(&self.value)
    }
}
