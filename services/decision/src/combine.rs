//! From one verdict alone: for how long has the host been idle? (T5)
//!
//! Always a lower bound of the truth: unknown is never idle, a required voter vetoes in every mode, and
//! the answer is never more than any required voter's own. Only the voters of the role *counted* make up
//! a quorum, a weight or an `any`: a required voter can only hold a stop back, never help to bring it on.

use crate::policy::{Combine, Policy, Role, micros};
use crate::verdict::{Verdict, VoteState};
use alloc::{string::String, vec::Vec};

/// For how long a host has been idle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idleness {
    /// For at least so many milliseconds without a break.
    For(u64),
    /// Somebody uses it.
    Busy,
    /// Nobody is known to use it, but not enough is known.
    Unknown,
}

impl Idleness {
    /// The idle time; 0 where it is not idle.
    #[must_use]
    pub fn ms(self) -> u64 {
        match self {
            Self::For(ms) => ms,
            Self::Busy | Self::Unknown => 0,
        }
    }
}

/// Idleness, and who is in the way of more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Combined {
    /// For how long the host has been idle.
    pub idleness: Idleness,
    /// The voters that keep it from being idle, sorted by name; empty where it is idle.
    pub blocking: Vec<Blocking>,
}

/// A voter that keeps a host from being idle.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Blocking {
    /// Who.
    pub voter: String,
    /// In which way.
    pub why: Blocks,
    /// What the voter says of it.
    pub reason: String,
}

/// In which way a voter is in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blocks {
    /// It says busy.
    Busy,
    /// It cannot say.
    Unknown,
    /// The policy wants to hear it and it is not there.
    Missing,
    /// It is there twice, so nobody knows which vote is its own.
    Twice,
}

/// Combines a host's votes under a policy (T5).
#[must_use]
pub fn combine(policy: &Policy, verdict: &Verdict) -> Combined {
    let mut required = Vec::new();
    let mut counted = Vec::new();
    let mut vetoes = Vec::new();
    let mut doubts = Vec::new();
    for vote in &verdict.votes {
        let role = policy.role_of(&vote.voter);
        let why = if verdict
            .votes
            .iter()
            .filter(|other| other.voter == vote.voter)
            .count()
            > 1
        {
            Some(Blocks::Twice)
        } else {
            match vote.state {
                VoteState::Idle => None,
                VoteState::Busy => Some(Blocks::Busy),
                VoteState::Unknown => Some(Blocks::Unknown),
            }
        };
        let blocking = |why| Blocking {
            voter: vote.voter.clone(),
            why,
            reason: vote.reason.clone(),
        };
        match (role, why) {
            (Role::Advisory, _) => {}
            (Role::Required, None) => required.push(vote.idle_ms),
            (Role::Required, Some(why)) => vetoes.push(blocking(why)),
            (Role::Counted, None) => counted.push((vote.idle_ms, weight_of(policy, &vote.voter))),
            (Role::Counted, Some(why)) => doubts.push(blocking(why)),
        }
    }
    for name in policy.must_be_heard() {
        if !verdict.votes.iter().any(|vote| vote.voter == name) {
            vetoes.push(Blocking {
                voter: String::from(name),
                why: Blocks::Missing,
                reason: String::new(),
            });
        }
    }
    if !vetoes.is_empty() {
        return not_idle(vetoes);
    }
    let least = required.iter().copied().min();
    let reached = match policy.combine {
        Combine::All => least,
        Combine::Any => kth_largest(&counted, 1),
        Combine::Quorum(k) => kth_largest(&counted, k as usize),
        Combine::Weighted(threshold) => heaviest(&counted, micros(threshold)),
    };
    match reached {
        Some(ms) => Combined {
            idleness: Idleness::For(least.map_or(ms, |least| ms.min(least))),
            blocking: Vec::new(),
        },
        None => not_idle(doubts),
    }
}

fn weight_of(policy: &Policy, voter: &str) -> u64 {
    policy
        .voters
        .get(voter)
        .and_then(|rule| rule.weight)
        .map_or_else(|| micros(1.0), micros)
}

/// Busy where anybody says so, else unknown: nobody at all says nothing.
fn not_idle(mut blocking: Vec<Blocking>) -> Combined {
    blocking.sort();
    blocking.dedup();
    let busy = blocking.iter().any(|one| one.why == Blocks::Busy);
    Combined {
        idleness: if busy { Idleness::Busy } else { Idleness::Unknown },
        blocking,
    }
}

fn kth_largest(counted: &[(u64, u64)], k: usize) -> Option<u64> {
    let mut idle: Vec<u64> = counted.iter().map(|(ms, _)| *ms).collect();
    idle.sort_unstable_by(|a, b| b.cmp(a));
    idle.get(k.checked_sub(1)?).copied()
}

/// The largest time T whose voters with idle time ≥ T have this weight together.
fn heaviest(counted: &[(u64, u64)], threshold: u64) -> Option<u64> {
    let mut falling = counted.to_vec();
    falling.sort_unstable_by(|a, b| b.cmp(a));
    let mut sum = 0_u64;
    falling.into_iter().find_map(|(ms, weight)| {
        sum = sum.saturating_add(weight);
        (sum >= threshold).then_some(ms)
    })
}
