//! How far an event is on its host.

use super::HandlerOutcome;
use crate::{EventId, Message, PluginName, Timestamp};
use serde::{Deserialize, Serialize};

/// "How far is this event?" Answered with [`EventProgress`], or with `not_found` where the host has not accepted it,
/// or is done with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct ReadProgress {
    /// The event's id.
    pub id: EventId,
}

impl Message for ReadProgress {
    const KIND: &'static str = "progress";
    const HAS_EFFECT: bool = false;
}

/// How far an event is that its host has accepted and is not done with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct EventProgress {
    /// When the host took it, by the host's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_at: Option<Timestamp>,
    /// Handlers that were asked and have not ended, by name.
    pub at_work: Vec<HandlerAtWork>,
    /// Handlers that have ended, by name.
    pub ended: Vec<HandlerOutcome>,
}

/// A handler that was asked and has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct HandlerAtWork {
    /// The handler.
    pub plugin: PluginName,
    /// When it was asked, and for how long; absent where an earlier version of the runner asked it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<Begun>,
}

/// The beginning of a handler's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Begun {
    /// When it was asked, by the host's clock.
    pub started_at: Timestamp,
    /// What was left of the event's time then.
    pub left_ms: u64,
    /// How much of that it had itself.
    pub within_ms: u64,
}
