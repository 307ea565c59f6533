//! What a claim is made of from outside: what holds for it throughout, what is drawn for it, what it rests
//! on, and the slot that it takes. Nothing here decides or draws.

use super::record::{Entry, Gate, HostRecord, Revision, Target};
use crate::policy::Policy;
use crate::verdict::Verdict;
use alloc::{string::String, vec::Vec};

/// What holds for one claim throughout.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    /// The host, as its key names it.
    pub host: String,
    /// Its group.
    pub group: String,
    /// The policy that holds for it.
    pub policy: Policy,
    /// Its revision.
    pub policy_revision: String,
    /// The instance that the roster says the host is; none where the host is not in it any more. A claim
    /// that is taken over has its own.
    pub target: Option<Target>,
    /// The boot id of this machine, where it is the very host that the claim is on (P10).
    pub self_boot: Option<String>,
}

/// What has to be drawn from randomness, anew for every claim and every takeover (P6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawn {
    /// The holder's id.
    pub holder: String,
    /// What the nonces of verifications begin with; 16 random bytes or more.
    pub nonce: String,
}

/// What a new claim rests on, each as it was read for the decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening<'a> {
    /// The host's key.
    pub key: Entry<HostRecord>,
    /// The kill switch.
    pub gate: Entry<Gate>,
    /// The slot that is to be taken (L1).
    pub slot: SlotOffer,
    /// The verdict that opens the claim.
    pub verdict: &'a Verdict,
    /// Why the host is to be stopped, for people.
    pub reason: String,
}

/// A free slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotOffer {
    /// Its number.
    pub n: u32,
    /// The revision of its key: of the delete marker, or 0.
    pub revision: Revision,
}

/// Picks one of the free slots below the limit; `draw` is random, so that executors rarely meet.
///
/// `read` says for every number below the limit whether it is taken and at which revision; a missing one
/// was never written.
#[must_use]
pub fn pick_slot(read: &[(u32, Revision, Occupied)], limit: u32, draw: u64) -> Option<SlotOffer> {
    let free: Vec<SlotOffer> = (0..limit)
        .filter_map(|n| match read.iter().find(|(number, _, _)| *number == n) {
            None => Some(SlotOffer {
                n,
                revision: Revision(0),
            }),
            Some((_, revision, Occupied::No)) => Some(SlotOffer {
                n,
                revision: *revision,
            }),
            Some((_, _, Occupied::Yes)) => None,
        })
        .collect();
    let count = free.len() as u64;
    (count > 0)
        .then(|| free.get((draw % count) as usize).copied())
        .flatten()
}

/// Whether a slot is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occupied {
    /// By a claim.
    Yes,
    /// Its key holds a delete marker or nothing.
    No,
}
