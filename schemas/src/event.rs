//! Something that happened or will happen, what a handler made of it, and people's own events.

mod hand_over;
mod happening;

pub use hand_over::HandOver;
pub use happening::severity_of;

use crate::{EventId, EventType, HostId, Message, PluginName, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How urgent an event is; a digit on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(try_from = "u8", into = "u8")]
pub enum Severity {
    /// 0
    Info,
    /// 1
    Warning,
    /// 2
    Urgent,
    /// 3
    Critical,
}

impl Severity {
    /// All, the most urgent first.
    pub const DESCENDING: [Severity; 4] = [Self::Critical, Self::Urgent, Self::Warning, Self::Info];
}

impl From<Severity> for u8 {
    fn from(severity: Severity) -> u8 {
        severity as u8
    }
}

impl TryFrom<u8> for Severity {
    type Error = String;

    fn try_from(digit: u8) -> Result<Self, String> {
        match digit {
            0 => Ok(Self::Info),
            1 => Ok(Self::Warning),
            2 => Ok(Self::Urgent),
            3 => Ok(Self::Critical),
            other => Err(format!(
                "{other} is not a severity: 0 info, 1 warning, 2 urgent, 3 critical"
            )),
        }
    }
}

/// Whom an event concerns.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub enum Scope {
    /// Every host.
    Fleet,
    /// One host.
    Host(HostId),
}

impl Scope {
    /// The host, where it is one.
    #[must_use]
    pub fn host(&self) -> Option<&HostId> {
        match self {
            Self::Fleet => None,
            Self::Host(host) => Some(host),
        }
    }

    /// As a subject token.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Fleet => "fleet",
            Self::Host(host) => host.as_str(),
        }
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.as_str())
    }
}

impl TryFrom<String> for Scope {
    type Error = crate::InvalidToken;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text == "fleet" {
            Ok(Self::Fleet)
        } else {
            text.parse().map(Self::Host)
        }
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> String {
        scope.as_str().to_owned()
    }
}

/// The most bytes that [`Event::data`] may have as JSON. It travels to every handler, through pipes too, and
/// one host's large events must not push out another's small ones.
pub const MAX_DATA_BYTES: usize = 64 * 1024;

/// An event as it is filed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Event {
    /// Derived from the happening: seeing it twice gives the same id.
    pub id: EventId,
    /// What happened.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// How urgent it is.
    pub severity: Severity,
    /// Who noticed it, as `custom.backup` or `aws.ec2.metadata-service`.
    pub source: String,
    /// Whom it concerns.
    pub host: Scope,
    /// When it was noticed.
    pub noticed_at: Timestamp,
    /// Until when something can be done, in the clock of whoever set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// What else is known.
    #[serde(default)]
    pub data: Map<String, Value>,
}

impl Message for Event {
    const KIND: &'static str = "event";

    fn host(&self) -> Option<&HostId> {
        self.host.host()
    }
}

/// "Handle this": an event, and how much time is left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct HandleEvent {
    /// The event.
    pub event: Event,
    /// What is left of its deadline when this was sent; absent where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_ms: Option<u64>,
}

impl Message for HandleEvent {
    const KIND: &'static str = "handle_event";

    fn host(&self) -> Option<&HostId> {
        self.event.host.host()
    }
}

/// The runner's answer to `handle_event`: journalled, or known already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Accepted {
    /// Always true; a runner that cannot journal refuses instead.
    pub accepted: bool,
    /// Whether it was accepted before.
    #[serde(default)]
    pub duplicate: bool,
}

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
    /// One for each handler that was asked, in that order.
    pub handlers: Vec<HandlerOutcome>,
    /// Why others, or all, were not asked, where the host's configuration says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_asked: Option<String>,
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
}

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
    /// Until when something can be done.
    pub deadline: Option<Timestamp>,
    /// What else is known.
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

/// What could not be handled, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct DeadEvent {
    /// The event.
    pub event: Event,
    /// Why it ended here.
    pub reason: String,
}

impl Message for DeadEvent {
    const KIND: &'static str = "dead";

    fn host(&self) -> Option<&HostId> {
        self.event.host.host()
    }
}

/// `snooze_open`, key `<host>.<id>`: an event that waits for its host, or that it has not yet reported the end of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct OpenEvent {
    /// The event.
    pub event: Event,
    /// The host that it is given to.
    pub host: HostId,
    /// What is waited for.
    #[serde(default)]
    pub state: OpenState,
    /// After how long without a change it ends in DEAD, counted by whoever sweeps, from when it saw this.
    pub sweep_after_ms: u64,
    /// Whether a sweeper is ending it; the revision of that write is its fence.
    #[serde(default)]
    pub is_ending: bool,
}

/// What an open event waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OpenState {
    /// The host's runner has accepted it; its outcome.
    #[default]
    Accepted,
    /// The host is away; its hello.
    Parked,
    /// Something that a later version knows; whoever does not know it leaves the event alone.
    #[serde(other)]
    Unknown,
}
