//! Every type that crosses a process boundary: samples, verdicts, commands, events, records.
//!
//! On the wire a message is a MessagePack map with string keys, or the same map as JSON.
//! Unknown fields are ignored, so that a newer sender is understood; a missing required field is an
//! error. This crate does no IO, knows no subject and decides nothing.

pub mod audit;
#[cfg(feature = "json-schema")]
pub mod catalogue;
pub mod event;
pub mod host;
pub mod ids;
pub mod message;
pub mod metrics;
pub mod ops;
pub mod plugin;
pub mod policy;
pub mod reply;
pub mod roster;
pub mod sample;
pub mod state;
pub mod unambiguous;
pub mod verdict;

pub use ids::{EventId, EventType, GroupName, HostId, InvalidToken, PluginName, SourceName, VoterName};
pub use message::Message;
pub use reply::{ErrorCode, Refusal, Reply};

/// Times on the wire: RFC 3339 in UTC.
pub use jiff::Timestamp;
