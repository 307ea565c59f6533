//! The audit trail: what was decided and done, each step filed before the next begins.

use crate::{Message, Timestamp, event::Scope};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct AuditRecord {
    /// When, on the clock of who wrote it.
    pub at: Timestamp,
    /// Whom it concerns.
    pub host: Scope,
    /// What kind of entry it is.
    pub kind: AuditKind,
    /// Who wrote it, as `executor 8f3a`.
    pub actor: String,
    /// The claim that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<u64>,
    /// One sentence for people.
    pub message: String,
    /// What it rests on.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub details: Map<String, Value>,
}

impl Message for AuditRecord {
    const KIND: &'static str = "audit";

    fn host(&self) -> Option<&crate::HostId> {
        self.host.host()
    }
}

/// The kind of an entry, the last token of its subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum AuditKind {
    /// A decision changed.
    Decision,
    /// A claim was made: the host is to be stopped.
    Intent,
    /// The host was told.
    Notice,
    /// The host's fresh votes were received.
    Verified,
    /// The claim was committed; the call follows.
    Committed,
    /// The call's outcome.
    Call,
    /// The instance was seen stopped.
    Stopped,
    /// The claim was given up.
    Cancelled,
    /// Another executor took a claim over.
    Takeover,
    /// A stop was not confirmed, or something else that a person should look at.
    Alarm,
    /// A freeze or thaw.
    Gate,
    /// A lease or postponement.
    Lease,
    /// A wake.
    Wake,
    /// Tags were mended.
    Tags,
    /// The outcome of an event on a host.
    Event,
    /// Something about a plugin.
    Plugin,
}

impl AuditKind {
    /// As a subject token.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Decision => "decision",
            Self::Intent => "intent",
            Self::Notice => "notice",
            Self::Verified => "verified",
            Self::Committed => "committed",
            Self::Call => "call",
            Self::Stopped => "stopped",
            Self::Cancelled => "cancelled",
            Self::Takeover => "takeover",
            Self::Alarm => "alarm",
            Self::Gate => "gate",
            Self::Lease => "lease",
            Self::Wake => "wake",
            Self::Tags => "tags",
            Self::Event => "event",
            Self::Plugin => "plugin",
        }
    }
}
