//! What people ask of the executors: `snooze.v1.ops.<verb>`.

use crate::{HostId, Message, Timestamp, VoterName};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The most characters that are kept of a text for people, as of a reason or a name: what keeps a host awake or
/// closes the kill switch stands in a key that is written again with every beat and every commit.
pub const MAX_REASON_CHARS: usize = 300;

/// Keep a host awake until a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct LeaseRequest {
    /// The host.
    pub host: HostId,
    /// Names the lease: asking again with the same id replaces it.
    pub id: String,
    /// For how long from its receipt; a lease always expires.
    pub duration_ms: u64,
    /// Why, for people.
    pub reason: String,
    /// Who asks, for people.
    pub holder: String,
}

impl Message for LeaseRequest {
    const KIND: &'static str = "lease";

    fn host(&self) -> Option<&HostId> {
        Some(&self.host)
    }
}

/// Do not stop a host before a time; cancels a claim that is not committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct PostponeRequest {
    /// The host.
    pub host: HostId,
    /// For how long from its receipt.
    pub duration_ms: u64,
    /// Why, for people.
    pub reason: String,
}

impl Message for PostponeRequest {
    const KIND: &'static str = "postpone";

    fn host(&self) -> Option<&HostId> {
        Some(&self.host)
    }
}

/// The kill switch: nothing is stopped until a thaw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct FreezeRequest {
    /// Why, for people.
    pub reason: String,
    /// Who asks, for people.
    pub by: String,
}

impl Message for FreezeRequest {
    const KIND: &'static str = "freeze";
}

/// Opens the kill switch again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct ThawRequest {
    /// Who asks, for people.
    pub by: String,
}

impl Message for ThawRequest {
    const KIND: &'static str = "thaw";
}

/// Start a host again, or keep it from being stopped where that is still possible.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct WakeRequest {
    /// The host.
    pub host: HostId,
    /// Why, for people.
    pub reason: String,
    /// Who asks, for people.
    pub by: String,
}

impl Message for WakeRequest {
    const KIND: &'static str = "wake";

    fn host(&self) -> Option<&HostId> {
        Some(&self.host)
    }
}

/// The answer to a wake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct WakeResult {
    /// Since when a stop is committed that has to end before the host can be started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_since: Option<Timestamp>,
}

/// What is known of one host, or of all. Changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Query {
    /// Only this host; all where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostId>,
    /// Only hosts whose names come after this one: the `next` of the answer before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<HostId>,
    /// At most so many hosts; 1,000 where absent, and never more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

impl Message for Query {
    const KIND: &'static str = "query";
    const HAS_EFFECT: bool = false;
}

/// The answer to a query.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct QueryResult {
    /// Whether the kill switch is closed, and why.
    pub frozen: Option<Frozen>,
    /// One for each host asked about, sorted; at most 1,000.
    pub hosts: Vec<HostReport>,
    /// Whether there were more.
    #[serde(default)]
    pub truncated: bool,
    /// Where there were more: what to ask for as `after` to have the next ones. An executor that knows no `after`
    /// leaves it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<HostId>,
}

/// A closed kill switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Frozen {
    /// Why.
    pub reason: String,
    /// Who.
    pub by: String,
    /// Since when.
    pub since: Timestamp,
}

/// What an executor knows of a host: enough to say why it is or is not being stopped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct HostReport {
    /// The host.
    pub host: HostId,
    /// The group whose policy holds.
    pub group: String,
    /// The instance that a stop call would name.
    pub instance: String,
    /// The provider, as `simulated`.
    pub provider: String,
    /// What the executor says of it now.
    pub decision: DecisionReport,
    /// Where its claim stands: `free`, `claimed`, `committed`, …
    pub phase: String,
    /// How far a claim is, and when the next step is due; empty where free.
    #[serde(default)]
    pub progress: String,
    /// The claim's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<u64>,
    /// For how long the next step still waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_in_ms: Option<u64>,
    /// The last verdict that was heard, with its age, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<crate::verdict::Verdict>,
    /// How long ago that verdict was received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict_age_ms: Option<u64>,
    /// When the host was last stopped, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_stop: Option<LastStop>,
    /// Leases and postponement, one sentence each.
    #[serde(default)]
    pub keeps_awake: Vec<String>,
}

/// The last stop of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct LastStop {
    /// When it was confirmed.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

/// A decision with its explanation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct DecisionReport {
    /// `stay`, `wait`, `observe` (would stop, but only observes), `stop` (is to be stopped) or `claimed` (a
    /// stop is under way).
    pub decision: String,
    /// One sentence.
    pub summary: String,
    /// For how long the host has been idle, by the policy's combination.
    pub idle_ms: u64,
    /// How long it must have been.
    pub naptime_ms: u64,
    /// Everything that keeps it up, one sentence each.
    pub obstacles: Vec<String>,
    /// The voters that keep it up.
    #[serde(default)]
    pub blocking: Vec<VoterName>,
    /// Anything else, for programs.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub details: Map<String, Value>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_question_for_a_page_is_one_for_all_to_whoever_knows_no_pages() {
        let page = Query {
            after: Some("h1".parse().expect("a host id")),
            limit: Some(7),
            ..Query::default()
        };
        let written = serde_json::to_value(&page).expect("writes");
        assert_eq!(written, json!({"after": "h1", "limit": 7}));
        let old: Query = serde_json::from_value(json!({})).expect("what was asked before is read");
        assert_eq!(old, Query::default());
        let answer = json!({"frozen": null, "hosts": [], "truncated": true});
        let answer: QueryResult = serde_json::from_value(answer).expect("what was answered before is read");
        assert_eq!((answer.truncated, answer.next), (true, None));
    }
}
