//! How an artifact lies in its stream: names, sizes and what describes it, and what the set-up makes for them.
//!
//! It is the layout of the public object stores, so that the public tool lists and gets what is here, but for one
//! thing: each part has a subject of its own below the artifact's. A host that may read the last message of a subject
//! and no more (rule I4) reads all of it so, and a part that is written again takes the place of the one before,
//! without a roll-up.

use super::super::streams::{MIB, complete, everywhere};
use data_encoding::{BASE64URL, HEXLOWER};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The bucket's name.
pub(super) const BUCKET: &str = "snooze_artifacts";

/// The stream that holds it.
pub(in super::super) const STREAM: &str = "OBJ_snooze_artifacts";

/// The largest artifact. A host keeps one in memory while it fetches it, and the store has room for eight of these.
pub const MAX_ARTIFACT_BYTES: usize = 64 * 1024 * 1024;

/// Few enough writes that each being synced to the disk does not matter, and well below what a server takes at once.
pub(super) const PART_BYTES: usize = 256 * 1024;

/// The largest artifact has 256 parts; an object store of somebody else's tool may cut smaller ones.
pub(super) const MAX_PARTS: usize = 4096;

/// What describes an artifact: an object's metadata, as the public tools write and read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct About {
    name: String,
    bucket: String,
    /// Where its parts are, below `C`: a wildcard, because each has a subject of its own.
    nuid: String,
    pub(super) size: usize,
    pub(super) chunks: usize,
    digest: String,
    options: Options,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) deleted: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Options {
    max_chunk_size: usize,
}

impl About {
    pub(super) fn new(sha256: &str, bytes: &[u8]) -> About {
        About {
            name: sha256.to_owned(),
            bucket: BUCKET.to_owned(),
            nuid: format!("{sha256}.*"),
            size: bytes.len(),
            chunks: bytes.len().div_ceil(PART_BYTES),
            digest: format!("SHA-256={}", BASE64URL.encode(&Sha256::digest(bytes))),
            options: Options {
                max_chunk_size: PART_BYTES,
            },
            deleted: false,
        }
    }

    /// Of one whose parts are still to be deleted.
    pub(super) fn deleted(sha256: &str, chunks: usize) -> About {
        About {
            chunks,
            deleted: true,
            ..About::new(sha256, b"")
        }
    }
}

/// The name of these bytes: their SHA-256, in lower-case hexadecimal.
pub(super) fn name_of(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}

/// Whether it is one.
pub(super) fn is_name(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Where an artifact is described.
pub(super) fn about_subject(sha256: &str) -> String {
    format!("$O.{BUCKET}.M.{}", BASE64URL.encode(sha256.as_bytes()))
}

/// Where a part of an artifact is.
pub(super) fn part_subject(sha256: &str, part: usize) -> String {
    format!("$O.{BUCKET}.C.{sha256}.{part}")
}

/// What the server is asked to make.
pub(in super::super) fn config() -> Value {
    let mut config = json!({
        "name": STREAM,
        "subjects": [format!("$O.{BUCKET}.C.>"), format!("$O.{BUCKET}.M.>")],
        "allow_direct": true,
        // What was written before under a subject makes room, so that nothing has to be purged.
        "max_msgs_per_subject": 1,
        "max_bytes": 512 * MIB,
        "max_age": 0,
        // A full store refuses: a package that hosts are to have is not dropped for another one.
        "discard": "new",
        // Of what was deleted only markers are left, and those expire.
        "allow_msg_ttl": true,
        // An administrator's public tool, where it looks around; no service has one.
        "max_consumers": 8,
    });
    complete(&mut config, everywhere());
    config
}

fn is_false(value: &bool) -> bool {
    !value
}
