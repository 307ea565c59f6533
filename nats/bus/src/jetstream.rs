//! What is kept: streams, buckets and durable consumers, how they are made, written and read.
//!
//! It speaks JetStream's own request protocol, so that every subject that it uses stands in the role
//! table, and so that no write ever carries a header that our streams refuse. Hosts never get further
//! than a direct get of one subject: nothing here makes a consumer but the set-up and a watch.

mod api;
mod artifacts;
mod batch;
mod bucket;
mod decisions;
mod events;
mod file;
mod kept;
mod pull;
mod read;
mod search;
mod setup;
mod stored;
mod streams;
mod watch;
mod writes;

pub use artifacts::{ArtifactError, Artifacts, MAX_ARTIFACT_BYTES};
pub use batch::{BatchWrite, MAX_BATCH};
pub use bucket::{BucketHandle, Entry, Look};
pub use decisions::{DECISIONS, DecisionConsumer, DecisionDelivery};
pub use events::{EventConsumer, EventDelivery, Taken, UnreadableEvent};
pub use file::{Expect, Once};
pub use kept::{BucketKept, EventsKept, LaneProgress};
pub use read::Stored;
pub use search::Searched;
pub use streams::{Bucket, Stream};
pub use watch::{Change, Watch};
pub(crate) use writes::Tally;
pub use writes::Writes;
