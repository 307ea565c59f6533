//! Whether a host's answer to `verify` is a reason to stop it (P3).
//!
//! The answer must be to this very question, from the agent and the boot whose verdict opened the claim,
//! under the claim's policy and preparation, and rest on a sample that began after the question was
//! asked. Its votes count as strictly as their raw and smoothed halves together.

use super::input::Verified;
use super::record::{Claim, ClaimNumber};
use crate::combine::{Idleness, combine};
use crate::decide::boot_grace_left;
use crate::explain::duration;
use crate::policy::Policy;
use crate::time::Boot;
use alloc::{format, string::String, vec::Vec};

/// The question as it was asked.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) claim: ClaimNumber,
    pub(super) nonce: String,
    pub(super) asked_at: Boot,
}

/// What the claim was opened on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opened<'a> {
    pub(super) claim: &'a Claim,
    /// Who voted in the verdict that opened it, the advisory ones left out.
    pub(super) voters: &'a [String],
}

/// Why an answer does not lead to a stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdictless {
    /// It is an answer to something else, or too old: ask again.
    Useless(String),
    /// The host is in use, or is not the host that was claimed.
    Veto(String),
}

/// Checks an answer; `Ok` is for how long the host has been idle.
pub(super) fn check(
    policy: &Policy,
    opened: Opened<'_>,
    question: &Question,
    answer: &Verified,
    now: Boot,
) -> Result<u64, Verdictless> {
    if answer.claim != question.claim || answer.nonce != question.nonce {
        return Err(Verdictless::Useless(String::from(
            "the answer is to another question",
        )));
    }
    let age_ms = now.since(question.asked_at);
    if age_ms >= policy.freshness_ms {
        return Err(Verdictless::Useless(format!(
            "the answer took {}",
            duration(age_ms)
        )));
    }
    let (verdict, claim) = (&answer.verdict, opened.claim);
    if !answer.prepared {
        return veto("the host's preparation is not in force");
    }
    if verdict.boot_id != claim.boot_id || verdict.agent != claim.agent {
        return veto("another boot or agent answered than the one whose verdict opened the claim");
    }
    // Only the quicker one of two agents answers; what the other one publishes is heard as well (I2).
    if answer
        .last_heard
        .as_ref()
        .is_some_and(|agent| *agent != claim.agent)
    {
        return veto("another agent speaks under this host's id");
    }
    if verdict.policy_revision != claim.policy_revision {
        return veto("the votes were made under another policy");
    }
    // The age of the sample's beginning on the host's clock, against that of the question on this one: two
    // durations, so no clocks are compared; the way back only makes the question older.
    if verdict.sample_age_ms > age_ms {
        return veto("the sample was begun before the question was asked");
    }
    if boot_grace_left(policy, verdict) > 0 {
        return veto("the host is in its boot grace again");
    }
    let votes = |voter: &&String| verdict.votes.iter().any(|vote| vote.voter == **voter);
    if let Some(gone) = opened.voters.iter().find(|voter| !votes(voter)) {
        return Err(Verdictless::Veto(format!("{gone} does not vote any more")));
    }
    let combined = combine(policy, &verdict.strict());
    match combined.idleness {
        Idleness::For(ms) if ms >= policy.naptime_ms => Ok(ms),
        Idleness::For(ms) => Err(Verdictless::Veto(format!("idle for only {} now", duration(ms)))),
        Idleness::Busy | Idleness::Unknown => {
            let who = combined.blocking.iter().map(|one| format!("{one}"));
            let short = combined.shortfall.iter().map(|one| format!("{one}"));
            let why: Vec<String> = who.chain(short).collect();
            Err(Verdictless::Veto(why.join("; ")))
        }
    }
}

fn veto(why: &str) -> Result<u64, Verdictless> {
    Err(Verdictless::Veto(String::from(why)))
}
