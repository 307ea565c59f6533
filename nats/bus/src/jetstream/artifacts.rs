//! The store of artifacts: packages of plugins, each under its SHA-256.
//!
//! Nothing is ever replaced by something else, because a name says what the bytes are; so an upload that was
//! interrupted is taken up where it ended, and two people who put the same one do not disturb each other. What is
//! read is never handed out unless it has the digest that was asked for. A host reads by direct get of single
//! subjects and writes nothing (rule I4).

mod layout;

use super::{
    api::{Unacked, code},
    bucket::{WRITE_WITHIN, write_error, write_headers},
    stored::StoredMessage,
};
use crate::{
    Bus,
    error::{BusError, WriteError},
};
use bytes::Bytes;
pub use layout::MAX_ARTIFACT_BYTES;
use layout::{About, MAX_PARTS, PART_BYTES, about_subject, is_name, name_of, part_subject};
pub(super) use layout::{STREAM, config};
use std::time::Duration;

/// Each attempt fails only because somebody else wrote the same part in between, or nobody said that it was taken.
const ATTEMPTS: usize = 4;

/// How long the marker of what was deleted is kept: longer than any upload that was interrupted.
const MARKER_LIFE: Duration = Duration::from_secs(3600);

/// The store of artifacts on one connection.
#[derive(Debug, Clone)]
pub struct Artifacts {
    bus: Bus,
}

/// Why an artifact could not be put or got.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// What was named can be no artifact.
    #[error("{0:?} names no artifact: that is a SHA-256, 64 lower-case hexadecimal digits")]
    Name(String),
    /// Nobody put it, or not to its end, or it was deleted.
    #[error("the store has no artifact {sha256}")]
    NotThere {
        /// Which.
        sha256: String,
    },
    /// It is larger than whoever asks wants, or than the store takes.
    #[error("the artifact {sha256} has {bytes} bytes and may have {limit} at most")]
    TooLarge {
        /// Which.
        sha256: String,
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// It is described, and a part of it is not there. Putting it again mends it.
    #[error("part {part} of {parts} of the artifact {sha256} is missing in the store; put it there again")]
    PartMissing {
        /// Which.
        sha256: String,
        /// The part, counted from 1.
        part: usize,
        /// How many there should be.
        parts: usize,
    },
    /// What the store holds under the name is something else. Putting it again mends it.
    #[error("what the store holds as the artifact {sha256} is something else; put it there again")]
    Damaged {
        /// Which.
        sha256: String,
    },
    /// The store has no room for it. What was written of it is taken up by the next try.
    #[error(
        "the store of artifacts is full ({description}); delete artifacts that nobody has installed any more"
    )]
    Full {
        /// What the server said.
        description: String,
    },
    /// Something of it could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The bus could not be asked.
    #[error(transparent)]
    Bus(#[from] BusError),
}

impl Bus {
    /// The store of artifacts.
    #[must_use]
    pub fn artifacts(&self) -> Artifacts {
        Artifacts { bus: self.clone() }
    }
}

impl Artifacts {
    /// Puts bytes into the store, reads them back, and returns their SHA-256. What is there already is not written
    /// again. Only an administrator may.
    ///
    /// Cancelled or failed, it leaves parts that no reader takes for the whole; the next try goes on from there.
    ///
    /// # Errors
    /// As [`ArtifactError`] says.
    pub async fn put(&self, bytes: &[u8]) -> Result<String, ArtifactError> {
        let sha256 = name_of(bytes);
        if bytes.len() > MAX_ARTIFACT_BYTES {
            return Err(ArtifactError::TooLarge {
                sha256,
                bytes: bytes.len(),
                limit: MAX_ARTIFACT_BYTES,
            });
        }
        let mut follows_new = false;
        for (part, chunk) in bytes.chunks(PART_BYTES).enumerate() {
            let subject = part_subject(&sha256, part);
            // The parts stand in order in the stream, as the public tools want them: behind one that is new all are
            // written anew.
            follows_new |= self.write(&subject, chunk, follows_new).await?;
        }
        let about = About::new(&sha256, bytes);
        let about = serde_json::to_vec(&about).expect("texts and numbers can be written as JSON");
        self.write(&about_subject(&sha256), &about, false).await?;
        self.get(&sha256, bytes.len()).await?;
        Ok(sha256)
    }

    /// The bytes with this SHA-256, at most so many.
    ///
    /// # Errors
    /// As [`ArtifactError`] says; never with other bytes than were asked for.
    pub async fn get(&self, sha256: &str, limit: usize) -> Result<Vec<u8>, ArtifactError> {
        let sha256 = checked(sha256)?;
        let named = || sha256.to_owned();
        let about = match self.about(sha256).await? {
            Some(about) if !about.deleted => about,
            Some(_) | None => return Err(ArtifactError::NotThere { sha256: named() }),
        };
        if about.size > limit {
            return Err(ArtifactError::TooLarge {
                sha256: named(),
                bytes: about.size,
                limit,
            });
        }
        let parts = about.chunks;
        if parts > MAX_PARTS {
            return Err(ArtifactError::Damaged { sha256: named() });
        }
        let mut bytes = Vec::with_capacity(about.size);
        for part in 0..parts {
            let stored = self.last(&part_subject(sha256, part)).await?;
            let Some(stored) = stored.filter(|stored| !stored.payload.is_empty()) else {
                return Err(ArtifactError::PartMissing {
                    sha256: named(),
                    part: part + 1,
                    parts,
                });
            };
            if stored.payload.len() > about.size - bytes.len() {
                return Err(ArtifactError::Damaged { sha256: named() });
            }
            bytes.extend_from_slice(&stored.payload);
        }
        match name_of(&bytes) == sha256 {
            true => Ok(bytes),
            false => Err(ArtifactError::Damaged { sha256: named() }),
        }
    }

    /// Deletes an artifact, or what an interrupted upload left of it; it is nothing where nothing is there. Whoever
    /// still has it installed and has not fetched it will not get it any more. Only an administrator may.
    ///
    /// Cancelled or failed, it is no longer there for anybody, and deleting it again frees the rest.
    ///
    /// # Errors
    /// As [`ArtifactError`] says.
    pub async fn delete(&self, sha256: &str) -> Result<(), ArtifactError> {
        let sha256 = checked(sha256)?;
        let described = self.about(sha256).await?.map(|about| about.chunks.min(MAX_PARTS));
        let parts = match described {
            Some(parts) => parts,
            None => self.left_of_upload(sha256).await?,
        };
        let about = About::deleted(sha256, parts);
        let about = serde_json::to_vec(&about).expect("texts and numbers can be written as JSON");
        let (about, subject) = (Bytes::from(about), about_subject(sha256));
        if described.is_some() {
            self.publish(&subject, about.clone(), None, None).await?;
        }
        // From the last one on, so that what an interruption leaves is found again from the first one on.
        for part in (0..parts).rev() {
            let subject = part_subject(sha256, part);
            self.publish(&subject, Bytes::new(), None, Some(MARKER_LIFE))
                .await?;
        }
        if described.is_some() {
            self.publish(&subject, about, None, Some(MARKER_LIFE)).await?;
        }
        Ok(())
    }

    /// How many parts an upload without an end has written.
    async fn left_of_upload(&self, sha256: &str) -> Result<usize, ArtifactError> {
        for part in 0..MAX_PARTS {
            let stored = self.last(&part_subject(sha256, part)).await?;
            if stored.is_none_or(|stored| stored.payload.is_empty()) {
                return Ok(part);
            }
        }
        Ok(MAX_PARTS)
    }

    async fn about(&self, sha256: &str) -> Result<Option<About>, ArtifactError> {
        let Some(stored) = self.last(&about_subject(sha256)).await? else {
            return Ok(None);
        };
        // Whoever may write here may write nonsense; it is not what was asked for.
        serde_json::from_slice(&stored.payload)
            .map(Some)
            .map_err(|_| ArtifactError::Damaged {
                sha256: sha256.to_owned(),
            })
    }

    /// Writes what is not there yet, and says whether it did. Where it has to be new, it is written in any case.
    async fn write(&self, subject: &str, bytes: &[u8], has_to_be_new: bool) -> Result<bool, ArtifactError> {
        let mut seen = None;
        for _ in 0..ATTEMPTS {
            let stored = self.last(subject).await?;
            let revision = stored.as_ref().map_or(0, |stored| stored.sequence);
            let is_there = stored.is_some_and(|stored| stored.payload == bytes);
            // One that came since the first look is as new as ours would be.
            let is_new = *seen.get_or_insert(revision) != revision;
            if is_there && (is_new || !has_to_be_new) {
                return Ok(is_new);
            }
            let body = Bytes::copy_from_slice(bytes);
            match self.publish(subject, body, Some(revision), None).await {
                Ok(()) => return Ok(true),
                // The next look tells.
                Err(ArtifactError::Write(WriteError::Conflict { .. } | WriteError::Ambiguous { .. })) => {}
                Err(error) => return Err(error),
            }
        }
        Err(WriteError::Ambiguous {
            what: subject.to_owned(),
        }
        .into())
    }

    async fn publish(
        &self,
        subject: &str,
        body: Bytes,
        expected: Option<u64>,
        ttl: Option<Duration>,
    ) -> Result<(), ArtifactError> {
        let headers = write_headers(expected, ttl, None);
        let written = self
            .bus
            .put(STREAM, subject.to_owned(), headers, body, WRITE_WITHIN);
        match written.await {
            Ok(_) => Ok(()),
            // A limit comes under the same code as a store that failed.
            Err(Unacked::Refused(error))
                if error.err_code == code::STORE_FAILED && error.description.starts_with("maximum ") =>
            {
                Err(ArtifactError::Full {
                    description: error.description,
                })
            }
            Err(unacked) => Err(write_error(unacked, subject.to_owned()).into()),
        }
    }

    async fn last(&self, subject: &str) -> Result<Option<StoredMessage>, BusError> {
        self.bus.last_of(STREAM, subject, subject).await
    }
}

fn checked(sha256: &str) -> Result<&str, ArtifactError> {
    match is_name(sha256) {
        true => Ok(sha256),
        false => Err(ArtifactError::Name(sha256.chars().take(80).collect())),
    }
}
