//! Several keys of one bucket in one step: all are written or none is.
//!
//! The server keeps the messages of a batch apart until the last one, then checks every expected
//! revision and writes all of them or none (nats-server 2.12, ADR-50).

use super::{
    api::{API_WITHIN, Unacked},
    bucket::{BucketHandle, DELETE, MARKER_LIFE, write_error, write_headers},
    streams::Bucket,
};
use crate::{
    Bus,
    error::{BusError, WriteError},
};
use bytes::Bytes;
use serde::Serialize;
use std::time::Duration;

/// The most writes in one batch, the server's own limit.
pub const MAX_BATCH: usize = 1000;

/// One write of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchWrite {
    /// The key; each at most once in a batch.
    pub key: String,
    /// The value as it is written; none deletes the key.
    pub value: Option<Vec<u8>>,
    /// The revision that was read; 0 where the bucket must remember nothing of the key.
    pub expected_revision: u64,
    /// After how long the key expires, rounded up to whole seconds.
    pub ttl: Option<Duration>,
}

impl BatchWrite {
    /// Writes a value.
    ///
    /// # Errors
    /// When the value cannot be written as a map.
    pub fn put<T: Serialize + ?Sized>(
        key: impl Into<String>,
        value: &T,
        expected_revision: u64,
    ) -> Result<BatchWrite, BusError> {
        let value = crate::codec::encode(value, crate::codec::Format::MessagePack).map_err(|source| {
            BusError::Encode {
                template: "a batch",
                source,
            }
        })?;
        Ok(BatchWrite {
            key: key.into(),
            value: Some(value),
            expected_revision,
            ttl: None,
        })
    }

    /// Deletes a key.
    #[must_use]
    pub fn delete(key: impl Into<String>, expected_revision: u64) -> BatchWrite {
        BatchWrite {
            key: key.into(),
            value: None,
            expected_revision,
            ttl: None,
        }
    }

    /// Deletes a key and lets its marker expire, for keys that never come back.
    #[must_use]
    pub fn delete_for_good(key: impl Into<String>, expected_revision: u64) -> BatchWrite {
        BatchWrite::delete(key, expected_revision).expiring(MARKER_LIFE)
    }

    /// Lets the key expire.
    #[must_use]
    pub fn expiring(mut self, ttl: Duration) -> BatchWrite {
        self.ttl = Some(ttl);
        self
    }
}

impl Bus {
    /// Writes a batch to the bucket of state; see [`BucketHandle::write_batch`].
    ///
    /// # Errors
    /// As [`BucketHandle::write_batch`].
    pub async fn write_batch(&self, batch: Vec<BatchWrite>, within: Duration) -> Result<u64, WriteError> {
        self.bucket(Bucket::State).write_batch(batch, within).await
    }
}

impl BucketHandle {
    /// Writes all or none, and returns the revision of the *last* write. The writes have consecutive
    /// revisions in their order, so that of the one before is one less.
    ///
    /// # Errors
    /// [`WriteError::Conflict`] when one key's revision has moved; [`WriteError::Refused`] for a batch
    /// that is empty, too long, or names a key twice; else as [`WriteError`] says. After
    /// [`WriteError::Ambiguous`] all was written or none.
    pub async fn write_batch(&self, batch: Vec<BatchWrite>, within: Duration) -> Result<u64, WriteError> {
        let what = format!("a batch of {} in {}", batch.len(), self.bucket.name());
        let refused = |description: &str| WriteError::Refused {
            what: what.clone(),
            description: description.to_owned(),
        };
        if batch.is_empty() || batch.len() > MAX_BATCH {
            return Err(refused("a batch has 1 to 1000 writes"));
        }
        for (index, write) in batch.iter().enumerate() {
            if batch[..index].iter().any(|other| other.key == write.key) {
                return Err(refused("a key stands in a batch once"));
            }
        }
        let subjects: Vec<String> = batch
            .iter()
            .map(|write| self.subject(&write.key))
            .collect::<Result<_, _>>()?;
        // Unguessable, like an inbox: somebody else's write must not slip into the batch.
        let id = batch_id();
        let last = batch.len();
        self.bus
            .connected("writing a batch", within.min(API_WITHIN))
            .await?;
        for (index, (write, subject)) in batch.into_iter().zip(subjects).enumerate() {
            let operation = write.value.is_none().then_some(DELETE);
            let mut headers = write_headers(Some(write.expected_revision), write.ttl, operation);
            headers.insert("Nats-Batch-Id", id.as_str());
            headers.insert("Nats-Batch-Sequence", (index + 1).to_string());
            let body = Bytes::from(write.value.unwrap_or_default());
            if index + 1 < last {
                // Without an ack of its own: the server answers the last one for all.
                self.bus
                    .inner
                    .client
                    .publish_with_headers(subject, headers, body)
                    .await
                    .map_err(|cause| BusError::Publish {
                        template: "a batch",
                        source: cause.into(),
                    })?;
                continue;
            }
            headers.insert("Nats-Batch-Commit", "1");
            let stream = self.bucket.stream();
            return match self.bus.put(stream, subject, headers, body, within).await {
                Ok(ack) if ack.stream == stream => Ok(ack.seq),
                Ok(_) => Err(WriteError::Ambiguous { what }),
                Err(unacked @ (Unacked::Refused(_) | Unacked::NoStream)) => Err(write_error(unacked, what)),
                // The commit itself was not sent, so that nothing can have been written.
                Err(Unacked::NotSent(cause)) => Err(WriteError::NotSent(cause)),
                Err(Unacked::Ambiguous) => Err(WriteError::Ambiguous { what }),
            };
        }
        Err(refused("a batch has a last write"))
    }
}

fn batch_id() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// As the server wants a time to live: whole seconds, at least one.
pub(super) fn seconds(ttl: Duration) -> String {
    let whole = ttl.as_secs() + u64::from(ttl.subsec_nanos() > 0);
    format!("{}s", whole.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l6_a_time_to_live_is_rounded_up_to_whole_seconds() {
        assert_eq!(seconds(Duration::ZERO), "1s");
        assert_eq!(seconds(Duration::from_millis(1)), "1s");
        assert_eq!(seconds(Duration::from_secs(3)), "3s");
        assert_eq!(seconds(Duration::from_millis(3001)), "4s");
    }
}
