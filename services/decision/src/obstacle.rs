//! What keeps a host up. The sentences for people are in [`explain`](crate::explain).

use crate::combine::Blocking;
use alloc::string::String;

/// Something that keeps a host up.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Obstacle {
    /// It is not in the roster (I1).
    NotEnrolled,
    /// No verdict was heard.
    NoVerdict,
    /// A voter is in the way (S2, T3).
    Voter(Blocking),
    /// Nobody whose vote counts says anything.
    NoVoter,
    /// Fewer counted voters are idle than the policy's quorum (T5).
    TooFewIdle {
        /// How many are.
        idle: u32,
        /// How many it wants.
        needed: u32,
    },
    /// The idle counted voters weigh less than the policy's threshold (T5).
    TooLittleWeight {
        /// What they weigh together, in millionths.
        idle_micros: u64,
        /// The threshold, in millionths.
        needed_micros: u64,
    },
    /// More votes than are looked at.
    TooManyVotes {
        /// How many there are.
        votes: usize,
    },
    /// Idle, but not yet for long enough (S4).
    Naptime {
        /// What is left.
        left_ms: u64,
    },
    /// The host has taken no sample since it came up (S3).
    NoSample,
    /// The verdict's newest sample is too old (S3).
    Stale {
        /// Its age now.
        age_ms: u64,
        /// What is allowed.
        limit_ms: u64,
    },
    /// The votes were made under another policy than this executor's (I2).
    OtherPolicy {
        /// The host's.
        theirs: String,
        /// The executor's.
        ours: String,
    },
    /// Two agent instances are alive under the host's id (I2).
    TwoAgents,
    /// A sequence number came again (I2).
    RepeatedVerdict,
    /// The host came up not long ago (S6).
    BootGrace {
        /// What is left.
        left_ms: u64,
    },
    /// It does not have the tag that the policy wants (S8).
    NotOptedIn {
        /// The tag.
        tag: String,
    },
    /// It has the tag that keeps it up (S8).
    OptedOut {
        /// The tag.
        tag: String,
    },
    /// The kill switch is closed (S22).
    Frozen {
        /// Why.
        reason: String,
        /// Who closed it.
        by: String,
    },
    /// Somebody keeps it awake (S9).
    Lease {
        /// Why.
        reason: String,
        /// Who.
        holder: String,
        /// For how long still.
        left_ms: u64,
    },
    /// Somebody postponed its stop (S12).
    Postponed {
        /// Why.
        reason: String,
        /// For how long still.
        left_ms: u64,
    },
    /// Somebody wants it started (P2).
    WakeWanted {
        /// Who.
        by: String,
    },
    /// The last stop or cancelled claim is not long enough ago.
    CoolDown {
        /// What is left.
        left_ms: u64,
    },
    /// A claim is on it.
    Claimed {
        /// Where the claim stands.
        phase: &'static str,
        /// Why it was made, for people.
        reason: String,
    },
    /// A claim on it was given up and is being undone.
    Undoing {
        /// Why it was given up, for people.
        reason: String,
    },
    /// As many hosts of its group as may be are on their way down (L1).
    NoSlot {
        /// How many that is.
        limit: u32,
    },
    /// Broker and executor run on it and the policy does not say `self_stop` (S25).
    CarriesExecutor,
}

impl Obstacle {
    /// After how long it is gone by itself; none where that is not known.
    #[must_use]
    pub fn ends_in(&self) -> Option<u64> {
        match self {
            Self::Naptime { left_ms }
            | Self::BootGrace { left_ms }
            | Self::Lease { left_ms, .. }
            | Self::Postponed { left_ms, .. }
            | Self::CoolDown { left_ms } => Some(*left_ms),
            _ => None,
        }
    }
}
