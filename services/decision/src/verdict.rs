//! A host's votes as deciding sees them. Roles are not among them: those come from the policy, never
//! from the host.

use alloc::{string::String, vec::Vec};

/// All of a host's votes at one time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// The kernel's boot id.
    pub boot_id: String,
    /// Drawn anew at every start of the runner.
    pub agent: String,
    /// Counts up with every verdict of this agent instance.
    pub seq: u64,
    /// The policy that the votes were made under.
    pub policy_revision: String,
    /// In a published verdict: the age of the newest sample of the periodic series when this was sent, so
    /// anything up to the check interval and a little more; the host's whole uptime where there was no
    /// sample yet. In the answer to a verification: the age of the *beginning* of the sample that was
    /// taken for it, which lies after the question ([`Verified`](crate::claim::Verified)).
    pub sample_age_ms: u64,
    /// For how long the host has been up.
    pub uptime_ms: u64,
    /// What is left of the boot grace by the host's own count.
    pub boot_grace_left_ms: u64,
    /// One for each voter.
    pub votes: Vec<Vote>,
}

/// What one voter says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vote {
    /// Who says it.
    pub voter: String,
    /// What it says over time.
    pub state: VoteState,
    /// What it says of the newest sample alone.
    pub raw: VoteState,
    /// Why, for people.
    pub reason: String,
    /// For how long it has been idle without a hole. Counts only where `state` is idle.
    pub idle_ms: u64,
}

/// What a voter says of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VoteState {
    /// Nobody uses what this voter watches.
    Idle,
    /// It cannot say; never idle.
    Unknown,
    /// Somebody does.
    Busy,
}

impl Verdict {
    /// The verdict with every vote as strict as its two halves together: busy where either is, and idle
    /// only where both are (P3).
    #[must_use]
    pub fn strict(&self) -> Verdict {
        let mut strict = self.clone();
        for vote in &mut strict.votes {
            vote.state = vote.state.max(vote.raw);
        }
        strict
    }
}
