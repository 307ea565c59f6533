//! All of a host's votes at one time.

use crate::{HostId, Message, VoterName};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// All votes of a host, each with for how long it has stood.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Verdict {
    /// The host; the subject decides, this must agree with it.
    pub host: HostId,
    /// The kernel's boot id.
    pub boot_id: String,
    /// Drawn anew at every start of the runner.
    pub agent: String,
    /// Counts up with every verdict of this agent instance; never repeated.
    pub seq: u64,
    /// The policy that the votes were made under: the revisions `fleet/group/host`.
    pub policy_revision: String,
    /// Age of the newest sample when this was sent, on the host's boot-time clock.
    pub sample_age_ms: u64,
    /// For how long this machine has been up, on its boot-time clock.
    pub uptime_ms: u64,
    /// What is left of boot grace, counted anew from every suspend and clock jump; 0 when it is over.
    #[serde(default)]
    pub boot_grace_left_ms: u64,
    /// One for each voter.
    pub votes: Vec<Vote>,
}

impl Message for Verdict {
    const KIND: &'static str = "verdict";

    fn host(&self) -> Option<&HostId> {
        Some(&self.host)
    }
}

/// What one voter says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Vote {
    /// Who says it.
    pub voter: VoterName,
    /// How much it counts for.
    pub role: Role,
    /// What it says, smoothed: what counts for idleness over time.
    pub state: VoteState,
    /// What it says of this sample alone. In an answer to `verify` both are looked at.
    pub raw: VoteState,
    /// Why, for people.
    pub reason: String,
    /// What it rests on: readings, thresholds, a plugin's details. At most 32 entries.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub evidence: BTreeMap<String, Value>,
    /// For how long it has been idle without a hole, on the host's monotonic clock. 0 unless idle.
    pub idle_ms: u64,
}

/// What a voter says of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum VoteState {
    /// Nobody uses what this voter watches.
    Idle,
    /// Somebody does.
    Busy,
    /// It cannot say; never idle.
    Unknown,
}

/// How much a vote counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Busy or unknown vetoes, in every mode.
    Required,
    /// Takes part in the combination.
    Counted,
    /// Shown, without effect.
    Advisory,
}
