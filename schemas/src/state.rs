//! What lies in the bucket `snooze_state`: one record a host, the kill switch, taken slots.
//!
//! The names are those of the decision crate's pure types, one to one; only executors write these.
//! Nobody compares the times in here with another machine's clock where safety is at stake: what
//! competes with a stop competes through the revision of the key.

use crate::{Timestamp, host::Action};
use serde::{Deserialize, Serialize};

/// Key `host.<host>`. An absent key reads as the default: free, nothing known.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct HostRecord {
    /// The claim; none where the host is free.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
    /// What keeps it awake, sorted by id.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub leases: Vec<Lease>,
    /// Until when it is not to be stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postponement: Option<Postponement>,
    /// That it is to be started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wake: Option<Wake>,
    /// When it was last seen stopped by us, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_stop: Option<LastStop>,
    /// When it was last seen to come up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_start: Option<Timestamp>,
    /// No claim before this: the cool-down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
}

/// A claim on a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Its number; 0 in the very record that makes it, whose own revision is the number.
    pub number: u64,
    /// Who carries it: drawn anew for every claim and takeover.
    pub holder: String,
    /// Where it stands.
    pub phase: Phase,
    /// How far it is, where the phase is `claimed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// Counts the holder's writes.
    pub beat: u64,
    /// How many freezes the kill switch had counted when the claim was made.
    pub freezes: u64,
    /// The policy that it was made under.
    pub policy_revision: String,
    /// Why the host is to be stopped, for people.
    pub reason: String,
    /// What is done to it.
    pub action: Action,
    /// The agent instance whose verdict opened it.
    pub agent: String,
    /// The boot that the verdict was made in.
    pub boot_id: String,
    /// The instance that it is on: what is watched after a takeover, whatever the roster says by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// For how long the machine is watched at least where the call is in doubt: the quarantine of the policy
    /// that the claim was made under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine_ms: Option<u64>,
    /// The group whose slots it took.
    pub group: String,
    /// The slots that it took, in the order of the batch that made it.
    pub slots: Vec<u32>,
    /// When it was made.
    pub claimed_at: Timestamp,
    /// When it was committed: since when "too late" holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committed_at: Option<Timestamp>,
    /// Whether the stop that is waited for is somebody else's.
    #[serde(default)]
    pub stopped_by_others: bool,
    /// Whether tags may already say that the host is stopped.
    #[serde(default)]
    pub tagged: bool,
    /// Why it was given up; empty where it was not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cancelled_because: String,
}

/// An instance of a cloud, as the roster named it when the claim was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The cloud, as the roster spells it.
    pub provider: String,
    /// The account; empty where the roster has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub account: String,
    /// The region.
    pub region: String,
    /// The instance's own id.
    pub instance: String,
}

/// Where a claim stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Made, and on its way to the verification; [`Claim::progress`] says how far.
    Claimed,
    /// The one call may be made now, or may have been.
    Committed,
    /// The cloud accepted the call.
    Stopping,
    /// Nobody knows what became of the call.
    Unknown,
    /// The instance was seen stopped.
    Stopped,
    /// Given up; to be undone.
    Cancelled,
}

/// How far a claim is before its commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// Just made.
    Intent,
    /// The host is being told.
    Preparing,
    /// People on it have notice.
    Noticing,
    /// Its handlers do what must be done before.
    PreSnooze,
    /// Protections and state of the instance are read.
    Protections,
    /// The host settles after the work.
    Settling,
    /// The fresh verdict is asked for.
    Verifying,
}

/// "Keep this host awake until then."
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Names it: the same id replaces it.
    pub id: String,
    /// When it ends.
    pub until: Timestamp,
    /// Why, for people.
    pub reason: String,
    /// Who asked, for people.
    pub holder: String,
}

/// "Not before then."
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Postponement {
    /// When it ends.
    pub until: Timestamp,
    /// Why, for people.
    pub reason: String,
}

/// "Start it."
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wake {
    /// Since when it is wanted.
    pub at: Timestamp,
    /// Why, for people.
    pub reason: String,
    /// Who asked, for people.
    pub by: String,
}

/// A stop that was confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastStop {
    /// When it was seen.
    pub at: Timestamp,
    /// Why it was stopped.
    pub reason: String,
}

/// Key `gate`: the kill switch. An absent key reads as the default: open, never frozen.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Gate {
    /// Why nothing is stopped; none where the switch is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frozen: Option<Frozen>,
    /// How many freezes there ever were.
    pub freezes: u64,
    /// Counts commits, so that no two writes are alike.
    pub commits: u64,
}

/// A closed kill switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frozen {
    /// Since when.
    pub since: Timestamp,
    /// Why, for people.
    pub reason: String,
    /// Who, for people.
    pub by: String,
}

/// Key `slot.<group>.<n>`: a slot that is taken. A free one has a delete marker or no key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// The host whose claim took it.
    pub host: String,
    /// The holder that made that claim, for people.
    pub holder: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_record_is_a_free_host_and_an_open_gate() {
        assert_eq!(
            serde_json::from_str::<HostRecord>("{}").expect("reads"),
            HostRecord::default()
        );
        assert_eq!(
            serde_json::from_str::<Gate>("{}").expect("reads"),
            Gate::default()
        );
        assert_eq!(
            serde_json::to_string(&HostRecord::default()).expect("writes"),
            "{}"
        );
    }

    #[test]
    fn a_claim_without_its_number_is_not_understood() {
        assert!(serde_json::from_str::<HostRecord>(r#"{"claim":{"holder":"h"}}"#).is_err());
    }
}
