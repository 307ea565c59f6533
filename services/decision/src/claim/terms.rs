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

/// Picks one of the free slots; `draw` is random, so that executors rarely meet.
///
/// `read` says of the group's slots whether each is taken and at which revision; a missing one was never
/// written. All that are taken count, also those at or above the limit, which was higher once. Only
/// the lowest free numbers are offered, as many as may still be taken: so executors that pick at the
/// same time from what they all read are together within the limit as well.
#[must_use]
pub fn pick_slot(read: &[(u32, Revision, Occupied)], limit: u32, draw: u64) -> Option<SlotOffer> {
    let is_taken = |slot: &&(u32, Revision, Occupied)| slot.2 == Occupied::Yes;
    let mut taken: Vec<u32> = read.iter().filter(is_taken).map(|slot| slot.0).collect();
    taken.sort_unstable();
    taken.dedup();
    let room = u64::from(limit).saturating_sub(taken.len() as u64);
    // The free number with so many free ones below it: every taken one up to it moves it on by one.
    let below = u32::try_from(draw.checked_rem(room)?).ok()?;
    let n = taken
        .iter()
        .fold(below, |n, taken| if *taken <= n { n + 1 } else { n });
    let known = read.iter().find(|(number, _, _)| *number == n);
    Some(SlotOffer {
        n,
        revision: known.map_or(Revision(0), |(_, revision, _)| *revision),
    })
}

/// Whether a slot is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occupied {
    /// By a claim.
    Yes,
    /// Its key holds a delete marker or nothing.
    No,
}
