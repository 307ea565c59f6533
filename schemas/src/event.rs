//! Something that happened or will happen, and "handle this".

mod hand_over;
mod happening;
mod open;
mod outcome;
mod people;
mod progress;

pub use hand_over::HandOver;
pub use happening::{EventOrigin, noticed_types, severity_of};
pub use open::{DeadEvent, OpenEvent, OpenState};
pub use outcome::{EventOutcome, HandlerOutcome, HandlerResult};
pub use people::{CustomEvent, Filed, Replay};
pub use progress::{Begun, EventProgress, HandlerAtWork, ReadProgress};

use crate::{EventId, EventType, HostId, Message, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::time::Duration;

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

/// How far ahead the deadline of a person's event may lie: events are kept for seven days, and one that is waited for has
/// to be there until its time is over.
pub const FARTHEST_DEADLINE: Duration = Duration::from_secs(6 * 24 * 60 * 60);

/// How long handlers have for an event without a deadline, and how long it is handed over for. The dispatcher gives such an
/// event up after 300 s, and the report must be there before.
pub const WITHOUT_DEADLINE: Duration = Duration::from_secs(240);

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
    /// When it happened, by the clock of whoever says so; absent where nobody does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub happened_at: Option<Timestamp>,
    /// When it was noticed.
    pub noticed_at: Timestamp,
    /// Until when something can be done, in the clock of whoever set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// What else is known.
    #[serde(default)]
    pub data: Map<String, Value>,
}

impl Event {
    /// Its own time: when it happened, or else was noticed. Nobody notices what has not happened: clocks differ.
    #[must_use]
    pub fn own_time(&self) -> Timestamp {
        self.happened_at
            .map_or(self.noticed_at, |happened| happened.min(self.noticed_at))
    }
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
