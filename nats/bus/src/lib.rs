//! All that CloudSnooze knows about NATS: subjects, keys, the codec, headers and trace context,
//! requests and answers, streams and buckets, roles and credentials.
//!
//! **Invariant:** only this crate names `async-nats`, and only [`Subject`] and [`keys`] build a subject
//! or a key. **Invariant:** it holds no rule about hosts, votes or events; it carries them.
//!
//! - [`Bus::connect`], [`Bus::begin`], [`Bus::publish`], [`Bus::request`], [`Bus::subscribe`] and [`serve()`]: talking.
//! - [`Bus::set_up`], [`Bus::file`], [`Bus::history`], [`Bus::bucket`], [`Bus::write_batch`],
//!   [`Bus::events`], [`Bus::decisions`], [`Bus::artifacts`]: what is kept.
//! - [`Bus::announce`]: being found by `nats micro`.
//! - [`Role`], [`User`], [`Keys`], [`ServerConfig`]: who may say what, and the server that fences it.

mod codec;
mod connect;
mod counters;
mod credentials;
mod error;
mod headers;
mod inbox;
mod jetstream;
pub mod keys;
mod micro;
mod raw;
mod request;
mod roles;
mod serve;
mod server_config;
mod subject;
mod subscription;
pub mod trace;

pub use codec::{DecodeError, EncodeError, Format, MAX_BODY, MAX_DEPTH, decode, encode};
pub use connect::{Bus, BusConfig, BusStatus, OnDenial};
pub use counters::BusCounters;
pub use credentials::{CredentialsError, Keys, Trust, holder_of};
pub use error::{BusError, BusErrorKind, Cause, FileError, RequestError, WriteError};
pub use headers::{KIND, VERSION};
pub use jetstream::{
    ArtifactError, Artifacts, BatchWrite, Bucket, BucketHandle, BucketKept, Change, DECISIONS,
    DecisionConsumer, DecisionDelivery, Entry, EventConsumer, EventDelivery, EventsKept, Expect,
    LaneProgress, Look, MAX_ARTIFACT_BYTES, MAX_BATCH, Once, Searched, Stored, Stream, Taken,
    UnreadableEvent, Watch, Writes,
};
pub use micro::{Announcement, Endpoint, RUNNER_SERVICE, RequestCounts, Service};
pub use raw::{RawMessage, RawSubscription};
pub use roles::{Account, Denial, Denied, Permissions, Role, User};
pub use serve::serve;
pub use server_config::{ServerConfig, listening, server_environment};
pub use subject::{
    GatewayVerb, InvalidSubject, OpsVerb, PluginMethod, RunnerVerb, Subject, SubjectFilter, UnknownVerb,
};
pub use subscription::{Delivery, EXECUTOR_QUEUE, GATEWAY_QUEUE, Subscription};
