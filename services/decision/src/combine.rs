//! From one verdict alone: for how long has the host been idle? (T5)
//!
//! Always a lower bound of the truth: unknown is never idle, a required voter vetoes in every mode, and
//! the answer is never more than any required voter's own. Only the voters of the role *counted* make up
//! a quorum, a weight or an `any`: a required voter can only hold a stop back, never help to bring it on.

use crate::obstacle::Obstacle;
use crate::policy::{Combine, Policy, Role, micros};
use crate::verdict::{Verdict, Vote, VoteState};
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

/// More votes than this are not looked at, and then nothing is known: a host has a dozen voters, and each
/// verdict of each host is combined.
pub const MAX_VOTES: usize = 256;

/// Idleness, and what is in the way of more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Combined {
    /// For how long the host has been idle.
    pub idleness: Idleness,
    /// The voters that keep it from being idle, sorted by name; empty where it is idle.
    pub blocking: Vec<Blocking>,
    /// What else keeps it from being idle: too few voters say idle, or nobody votes at all.
    pub shortfall: Option<Obstacle>,
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
    if verdict.votes.len() > MAX_VOTES {
        let votes = verdict.votes.len();
        return not_idle(Vec::new(), Some(Obstacle::TooManyVotes { votes }));
    }
    let mut votes: Vec<&Vote> = verdict.votes.iter().collect();
    votes.sort_unstable_by(|a, b| a.voter.cmp(&b.voter));
    let mut sides = Sides::default();
    for of_one in votes.chunk_by(|a, b| a.voter == b.voter) {
        sides.take(policy, of_one);
    }
    for name in policy.must_be_heard() {
        if votes
            .binary_search_by(|vote| vote.voter.as_str().cmp(name))
            .is_err()
        {
            sides.vetoes.push(Blocking {
                voter: String::from(name),
                why: Blocks::Missing,
                reason: String::new(),
            });
        }
    }
    sides.weigh(policy.combine)
}

/// The votes of one verdict, by what they count for.
#[derive(Debug, Default)]
struct Sides {
    /// The idle times of required voters that are idle.
    required: Vec<u64>,
    /// Idle time and weight of counted voters that are idle.
    counted: Vec<(u64, u64)>,
    /// Required voters that are not idle.
    vetoes: Vec<Blocking>,
    /// Counted voters that are not idle.
    doubts: Vec<Blocking>,
}

impl Sides {
    /// Takes all votes of one voter; of several nobody knows which is its own.
    fn take(&mut self, policy: &Policy, of_one: &[&Vote]) {
        let Some(first) = of_one.first() else { return };
        let role = policy.role_of(&first.voter);
        if role == Role::Advisory {
            return;
        }
        for vote in of_one {
            let why = match vote.state {
                _ if of_one.len() > 1 => Blocks::Twice,
                VoteState::Busy => Blocks::Busy,
                VoteState::Unknown => Blocks::Unknown,
                VoteState::Idle if role == Role::Required => {
                    self.required.push(vote.idle_ms);
                    continue;
                }
                VoteState::Idle => {
                    self.counted.push((vote.idle_ms, weight_of(policy, &vote.voter)));
                    continue;
                }
            };
            let against = if role == Role::Required {
                &mut self.vetoes
            } else {
                &mut self.doubts
            };
            against.push(Blocking {
                voter: vote.voter.clone(),
                why,
                reason: vote.reason.clone(),
            });
        }
    }

    fn weigh(self, mode: Combine) -> Combined {
        if !self.vetoes.is_empty() {
            return not_idle(self.vetoes, None);
        }
        let least = self.required.iter().copied().min();
        let nobody = self.doubts.is_empty().then_some(Obstacle::NoVoter);
        let (reached, shortfall) = match mode {
            Combine::All => (least, nobody),
            Combine::Any => (kth_largest(&self.counted, 1), nobody),
            Combine::Quorum(needed) => {
                let idle = u32::try_from(self.counted.len()).unwrap_or(u32::MAX);
                let short = Obstacle::TooFewIdle { idle, needed };
                (kth_largest(&self.counted, needed as usize), Some(short))
            }
            Combine::Weighted(threshold) => {
                let weights = self.counted.iter().map(|(_, weight)| *weight);
                let short = Obstacle::TooLittleWeight {
                    idle_micros: weights.fold(0, u64::saturating_add),
                    needed_micros: micros(threshold),
                };
                (heaviest(&self.counted, micros(threshold)), Some(short))
            }
        };
        match reached {
            Some(ms) => Combined {
                idleness: Idleness::For(least.map_or(ms, |least| ms.min(least))),
                blocking: Vec::new(),
                shortfall: None,
            },
            None => not_idle(self.doubts, shortfall),
        }
    }
}

/// A voter's weight in millionths.
pub(crate) fn weight_of(policy: &Policy, voter: &str) -> u64 {
    policy
        .voters
        .get(voter)
        .and_then(|rule| rule.weight)
        .map_or_else(|| micros(1.0), micros)
}

/// Busy where anybody says so, else unknown: nobody at all says nothing.
fn not_idle(mut blocking: Vec<Blocking>, shortfall: Option<Obstacle>) -> Combined {
    blocking.sort();
    blocking.dedup();
    let busy = blocking.iter().any(|one| one.why == Blocks::Busy);
    Combined {
        idleness: if busy { Idleness::Busy } else { Idleness::Unknown },
        blocking,
        shortfall,
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
