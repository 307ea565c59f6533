//! What handlers made of an event.

use crate::{EventId, EventType, PluginName, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What one handler made of an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct HandlerResult {
    /// Whether it did anything.
    pub handled: bool,
    /// Whether what it did succeeded.
    pub succeeded: bool,
    /// For people.
    #[serde(default)]
    pub message: String,
    /// Anything else.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub details: Map<String, Value>,
}

impl HandlerResult {
    /// Whether it did what the event asks for: neither whoever failed nor whoever had nothing to do.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.handled && self.succeeded
    }
}

/// The end of an event on a host, as it stands in AUDIT.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct EventOutcome {
    /// The event.
    pub id: EventId,
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// When the host took it, by the host's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_at: Option<Timestamp>,
    /// One for each handler that was asked, in that order, and for each that would have been and is not run.
    pub handlers: Vec<HandlerOutcome>,
    /// Why others, or all, were not asked, where the host's configuration says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_asked: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks it so")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// How one handler ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct HandlerOutcome {
    /// The handler.
    pub plugin: PluginName,
    /// What it answered, or why it did not.
    #[serde(flatten)]
    pub result: HandlerResult,
    /// How long it took.
    pub took_ms: u64,
    /// When it was asked, by the host's clock; absent where it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// What was left of the event's time then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_ms: Option<u64>,
    /// How much of that it had itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within_ms: Option<u64>,
    /// Whether its work was ended before it had answered, so that nobody knows what it did; the message says by what.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub interrupted: bool,
    /// How often it was asked again, as one that may be asked twice, since its process had ended over the event.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub asked_again: u32,
}
