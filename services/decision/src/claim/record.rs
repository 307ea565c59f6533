//! What lies in a host's one key, in the kill switch and in a slot.
//!
//! The host's key is the only place where claim, leases, postponement and wakes compete: whoever changes
//! it first, at the revision that was read, wins. These types hold facts and no rule; what may be done to
//! them is in [`requests`](super::requests) and in the machines.

use crate::policy::StopAction;
use crate::time::Wall;
use alloc::{string::String, vec::Vec};

/// The revision of a key: the fence of every write. 0 where the key was never written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Revision(pub u64);

/// A claim's number: the revision of the host's key that made it. Later claims have higher numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ClaimNumber(pub u64);

/// A value with the revision at which it was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entry<T> {
    /// The revision; 0 where the key was never written.
    pub revision: Revision,
    /// The value; the default where there is none.
    pub value: T,
}

/// What lies in a host's key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostRecord {
    /// The claim; none where the host is free.
    pub claim: Option<Claim>,
    /// What keeps it awake, sorted by id: at most [`MAX_LEASES`](super::requests::MAX_LEASES) that hold, and
    /// as many that have ended.
    pub leases: Vec<Lease>,
    /// Until when it is not to be stopped.
    pub postponement: Option<Postponement>,
    /// That it is to be started; blocks claims until the machine is seen running.
    pub wake: Option<Wake>,
    /// When it was last seen stopped by us, and why.
    pub last_stop: Option<LastStop>,
    /// When it was last seen to come up.
    pub last_start: Option<Wall>,
    /// No claim before this: the cool-down.
    pub not_before: Option<Wall>,
}

/// A claim on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Its number; 0 in the very record that makes it, whose own revision is the number.
    pub number: ClaimNumber,
    /// Who carries it: drawn anew for every claim and takeover.
    pub holder: String,
    /// Where it stands.
    pub phase: Phase,
    /// Counts the holder's writes, so that no two are alike.
    pub beat: u64,
    /// How many freezes the kill switch had counted when the claim was made (L3).
    pub freezes: u64,
    /// The policy that it was made under.
    pub policy_revision: String,
    /// Why the host is to be stopped, for people.
    pub reason: String,
    /// What is done to it.
    pub action: StopAction,
    /// The agent instance whose verdict opened it (I2).
    pub agent: String,
    /// The boot that the verdict was made in.
    pub boot_id: String,
    /// The instance that it is on. Whoever takes the claim over watches this one, whatever the roster says
    /// by then. None in records from before there was this field.
    pub target: Option<Target>,
    /// `Q` as it was when the claim was made: whoever watches the machine after a takeover watches it at least
    /// so long, whatever the policy says by then. 0 in records from before there was this field.
    pub quarantine_ms: u64,
    /// The group whose slots it took.
    pub group: String,
    /// The slots that it took, in the order of the batch that made it (L1).
    pub slots: Vec<u32>,
    /// When it was made.
    pub claimed_at: Wall,
    /// When it was committed: since when "too late" holds.
    pub committed_at: Option<Wall>,
    /// Whether the stop that is waited for is somebody else's; then nothing is said of it in tags.
    pub stopped_by_others: bool,
    /// Whether tags may already say that the host is stopped (P10).
    pub tagged: bool,
    /// Why it was given up; empty where it was not.
    pub cancelled_because: String,
}

/// An instance of a cloud, as the roster named it when the claim was made (I1, P8).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Target {
    /// The cloud, as the roster spells it.
    pub provider: String,
    /// The account; empty where the roster has none.
    pub account: String,
    /// The region.
    pub region: String,
    /// The instance's own id.
    pub instance: String,
}

/// Where a claim stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Made, and on its way to the verification.
    Claimed(Progress),
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

/// How far a claim is before its commit, in P4's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Names it: the same id replaces it.
    pub id: String,
    /// When it ends.
    pub until: Wall,
    /// Why, for people.
    pub reason: String,
    /// Who asked, for people.
    pub holder: String,
}

/// "Not before then."
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Postponement {
    /// When it ends.
    pub until: Wall,
    /// Why, for people.
    pub reason: String,
}

/// "Start it."
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wake {
    /// Since when it is wanted.
    pub at: Wall,
    /// Why, for people.
    pub reason: String,
    /// Who asked, for people.
    pub by: String,
}

/// A stop that was confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastStop {
    /// When it was seen; on a host that stops itself, when the stop was committed, because nobody on it
    /// sees it stopped (P10).
    pub at: Wall,
    /// Why it was stopped.
    pub reason: String,
}

/// What lies in the key `gate`: the kill switch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Gate {
    /// Why nothing is stopped; none where the switch is open.
    pub frozen: Option<Frozen>,
    /// How many freezes there ever were: a commit needs the count seen at its claim (L3).
    pub freezes: u64,
    /// Counts commits, so that no two writes are alike.
    pub commits: u64,
}

/// A closed kill switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frozen {
    /// Since when.
    pub since: Wall,
    /// Why, for people.
    pub reason: String,
    /// Who, for people.
    pub by: String,
}

/// What lies in a slot that is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The host whose claim took it. A host has one claim at a time, so this names the claim.
    pub host: String,
    /// The holder that made that claim, for people.
    pub holder: String,
}

impl HostRecord {
    /// The number of the claim in a record read at this revision.
    #[must_use]
    pub fn claim_number(&self, read_at: Revision) -> Option<ClaimNumber> {
        self.claim.as_ref().map(|claim| claim.number_at(read_at))
    }

    /// Where the host stands, as a word for people and reports.
    #[must_use]
    pub fn phase_name(&self) -> &'static str {
        self.claim.as_ref().map_or("free", |claim| claim.phase.name())
    }
}

impl Claim {
    /// The claim's number, in a record read at this revision.
    #[must_use]
    pub fn number_at(&self, read_at: Revision) -> ClaimNumber {
        if self.number.0 == 0 {
            ClaimNumber(read_at.0)
        } else {
            self.number
        }
    }

    /// The revision at which the claim's batch wrote one of its slots.
    ///
    /// An atomic batch has consecutive revisions, and the host's key is its last write.
    #[must_use]
    pub fn slot_revision(&self, number: ClaimNumber, index: usize) -> Revision {
        let after = self.slots.len().saturating_sub(index) as u64;
        Revision(number.0.saturating_sub(after))
    }
}

impl Phase {
    /// As a word for people and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Claimed(_) => "claimed",
            Self::Committed => "committed",
            Self::Stopping => "stopping",
            Self::Unknown => "unknown",
            Self::Stopped => "stopped",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Progress {
    /// As a word for people and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Preparing => "preparing",
            Self::Noticing => "noticing",
            Self::PreSnooze => "pre-snooze work",
            Self::Protections => "protections",
            Self::Settling => "settling",
            Self::Verifying => "verifying",
        }
    }
}
