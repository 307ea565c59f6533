//! Whether an answer to a verification says idle, counted by hand and not with `combine`: the property that is
//! never broken, seen from another side.

use crate::claim::{Claim, Verified};
use crate::combine::{MAX_VOTES, weight_of};
use crate::policy::{Combine, Policy, Role, micros};
use crate::verdict::{Vote, VoteState};

/// Whether the claim may be committed on this answer, which came `age_ms` after its question.
pub(super) fn says_idle(policy: &Policy, claim: &Claim, answer: &Verified, age_ms: u64) -> bool {
    let verdict = &answer.verdict;
    let same_sender = verdict.agent == claim.agent && verdict.boot_id == claim.boot_id;
    let same_policy = verdict.policy_revision == claim.policy_revision;
    let no_grace = verdict.boot_grace_left_ms == 0 && verdict.uptime_ms >= policy.boot_grace_ms;
    let no_twin = answer
        .last_heard
        .as_ref()
        .is_none_or(|agent| *agent == claim.agent);
    answer.prepared
        && same_sender
        && no_twin
        && same_policy
        && no_grace
        && verdict.sample_age_ms <= age_ms
        && verdict.votes.len() <= MAX_VOTES
        && enough_are_idle(policy, &verdict.votes)
}

fn enough_are_idle(policy: &Policy, votes: &[Vote]) -> bool {
    let of_role = |role: Role| {
        votes
            .iter()
            .filter(move |vote| policy.role_of(&vote.voter) == role)
    };
    let heard = |name: &str| votes.iter().any(|vote| vote.voter == name);
    let alone = |vote: &&Vote| votes.iter().filter(|other| other.voter == vote.voter).count() == 1;
    let idle = |vote: &&Vote| {
        let idle = VoteState::Idle;
        vote.state == idle && vote.raw == idle && vote.idle_ms >= policy.naptime_ms && alone(vote)
    };
    let required = of_role(Role::Required).all(|vote| idle(&vote));
    let counted = || of_role(Role::Counted).filter(idle);
    let enough = match policy.combine {
        Combine::All => of_role(Role::Required).next().is_some(),
        Combine::Any => counted().next().is_some(),
        Combine::Quorum(needed) => counted().count() >= needed as usize,
        Combine::Weighted(threshold) => {
            let weights = counted().map(|vote| weight_of(policy, &vote.voter));
            weights.fold(0, u64::saturating_add) >= micros(threshold)
        }
    };
    required && enough && policy.must_be_heard().all(heard)
}
