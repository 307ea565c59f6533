//! What people and their programs send and ask for.

use super::Severity;
use crate::{EventId, HostId, Message, Timestamp, unambiguous};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A person's own event, as it is sent on `snooze.v1.custom.<source>.<type…>`. May come bare from a shell.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct CustomEvent {
    /// The sender's own id of the happening; drawn anew where absent. Who may send the same happening twice
    /// gives one: the second is then known for what it is. Each source has its own.
    pub id: Option<EventId>,
    /// The host that it concerns; the fleet where absent.
    pub host: Option<HostId>,
    /// How urgent it is; no more than the source's record allows. 0 where absent.
    pub severity: Option<Severity>,
    /// When it happened, where that was before it is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub happened_at: Option<Timestamp>,
    /// Until when something can be done.
    pub deadline: Option<Timestamp>,
    /// What else is known.
    // Where a key stands twice in one object of it nobody knows what was meant.
    #[serde(deserialize_with = "unambiguous::object")]
    pub data: Map<String, Value>,
}

impl Message for CustomEvent {
    const KIND: &'static str = "custom";
    const HAS_EFFECT: bool = false;
}

/// "File this event again, under an id of its own."
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Replay {
    /// The event, as it was filed.
    pub id: EventId,
    /// Only for this host, where it was for the fleet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostId>,
    /// What the new event's id is to end in, drawn by whoever asks: the same is filed once, however often it is asked
    /// for. Without one a gateway draws it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_id: Option<EventId>,
    /// Who asks.
    pub by: String,
}

impl Message for Replay {
    const KIND: &'static str = "replay";
}

/// The answer to a custom event sent as a request, once the stream has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Filed {
    /// The id that it was filed under: `custom-`, the beginning of the sender's own id, and what tells it from
    /// any other's.
    pub id: EventId,
    /// Whether it had been filed before.
    pub duplicate: bool,
}
