//! The votes as they stand, and beside a fresh look.

use super::Tally;
use crate::{
    moment::Moment,
    votes::{BuiltIn, Opinion, built_in},
};
use snooze_schemas::{
    VoterName,
    policy::Policy,
    sample::Sample,
    verdict::{Vote, VoteState},
};
use std::collections::BTreeMap;

/// What came of asking a voter anew.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fresh {
    /// It said this.
    Said(Opinion),
    /// It could not be heard, for this reason. Nothing is known of it now, and nothing speaks against what
    /// it said before.
    Unheard(String),
}

/// What came of asking a voter anew, and of whom it was asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Anew {
    /// The terms under which it voted when it was asked; nothing where it is built in, whose terms are the policy's.
    pub terms: Option<String>,
    /// What came of it.
    pub fresh: Fresh,
}

impl Anew {
    /// Of a built-in voter.
    pub(crate) fn built_in(fresh: Fresh) -> Anew {
        Anew { terms: None, fresh }
    }
}

impl Tally {
    /// All votes as they stand.
    #[must_use]
    pub(crate) fn votes(&self, policy: &Policy, now: Moment) -> Vec<Vote> {
        let mut votes: Vec<Vote> = self
            .built_in_now(policy, now)
            .into_iter()
            .chain(
                self.asked
                    .keys()
                    .map(|voter| (voter.clone(), self.asked_now(voter, policy, now))),
            )
            .map(|(voter, opinion)| self.vote(voter, opinion, policy))
            .collect();
        votes.sort_by(|one, other| one.voter.cmp(&other.voter));
        votes
    }

    /// How a plugin's vote stands.
    pub(crate) fn state_of(&self, voter: &VoterName, policy: &Policy, now: Moment) -> VoteState {
        self.asked_now(voter, policy, now).state
    }

    fn vote(&self, voter: VoterName, opinion: Opinion, policy: &Policy) -> Vote {
        let idle_ms = if opinion.state == VoteState::Idle {
            self.runs.idle_ms(&voter)
        } else {
            0
        };
        Vote {
            role: policy.role_of(&voter),
            state: opinion.state,
            raw: opinion.state,
            reason: opinion.reason,
            evidence: opinion.evidence,
            idle_ms,
            voter,
        }
    }

    fn built_in_now(&self, policy: &Policy, now: Moment) -> Vec<(VoterName, Opinion)> {
        let age_ms = self.sample_age_ms(now);
        let against = match (&self.objection, &self.newest) {
            (Some(objection), _) => Some(objection.clone()),
            (None, None) => Some("no sample has come yet".to_owned()),
            (None, Some(_)) if age_ms > Self::silence_ms(policy) => {
                Some(format!("the newest sample is {} s old", age_ms / 1000))
            }
            (None, Some(_)) => None,
        };
        let votes = match &self.newest {
            Some(newest) => newest.votes.clone(),
            None => votes_of_nothing(policy),
        };
        votes
            .into_iter()
            .map(|vote| match &against {
                Some(why) => (vote.voter, Opinion::unknown(why.clone())),
                None => (vote.voter, vote.opinion),
            })
            .collect()
    }

    fn asked_now(&self, voter: &VoterName, policy: &Policy, now: Moment) -> Opinion {
        if let Some(why) = self.asked.get(voter).and_then(|asked| asked.barred.as_ref()) {
            return Opinion::unknown(why.clone());
        }
        let Some(answer) = self.answers.get(voter) else {
            return Opinion::unknown("it has not been asked yet");
        };
        let age_ms = now.boottime_ms.saturating_sub(answer.asked_at.boottime_ms);
        if age_ms > Self::gap_ms(policy) {
            return Opinion::unknown(format!("its newest answer is {} s old", age_ms / 1000));
        }
        answer.opinion.clone()
    }

    /// The votes of a fresh look beside the standing ones (P3): `raw` is what was said now, `state` what
    /// has stood over time. Who says that it is not idle breaks its run; who could not be heard is unknown
    /// in these votes, and its run lives or dies by what is heard of it otherwise (T2).
    ///
    /// `fresh` holds what came of the question to every voter; who is missing in it was not heard, and who is only in
    /// it is unknown. What was said under other terms than those of now is no answer to what is asked (T3).
    pub(crate) fn fresh_votes(
        &mut self,
        fresh: &BTreeMap<VoterName, Anew>,
        policy: &Policy,
        now: Moment,
    ) -> Vec<Vote> {
        let mut votes = self.votes(policy, now);
        let new = fresh
            .keys()
            .filter(|voter| !votes.iter().any(|vote| vote.voter == **voter));
        let new: Vec<Vote> = new
            .map(|voter| self.vote(voter.clone(), Opinion::unknown("it has not voted before"), policy))
            .collect();
        votes.extend(new);
        for vote in &mut votes {
            let said = match self.said_now(&vote.voter, fresh) {
                Ok(said) => said,
                Err(why) => {
                    vote.raw = VoteState::Unknown;
                    vote.idle_ms = 0;
                    vote.reason = Opinion::unknown(why).reason;
                    vote.evidence.clear();
                    continue;
                }
            };
            vote.raw = said.state;
            if said.state != VoteState::Idle {
                self.runs.break_one(&vote.voter);
                vote.idle_ms = 0;
                vote.reason = said.reason;
                vote.evidence = said.evidence;
            }
        }
        votes
    }

    /// What a voter said in a fresh look, if it is still the one that was asked; else why nothing is known.
    fn said_now(&self, voter: &VoterName, fresh: &BTreeMap<VoterName, Anew>) -> Result<Opinion, String> {
        let Some(Anew { terms, fresh }) = fresh.get(voter) else {
            return Err("it was not asked again".to_owned());
        };
        if self.asked.get(voter).map(|asked| &asked.terms) != terms.as_ref() {
            return Err("it came, went or changed while it was asked".to_owned());
        }
        match fresh {
            Fresh::Said(said) => Ok(said.clone()),
            Fresh::Unheard(why) => Err(why.clone()),
        }
    }
}

/// The built-in voters of a machine of which no sample has come.
fn votes_of_nothing(policy: &Policy) -> Vec<BuiltIn> {
    let nothing = Sample {
        host: "nobody".parse().expect("a valid host id"),
        boot_id: String::new(),
        agent: String::new(),
        seq: 0,
        taken_at: snooze_schemas::Timestamp::UNIX_EPOCH,
        covers_ms: 0,
        ends_monotonic_ms: 0,
        ends_boottime_ms: 0,
        readings: BTreeMap::new(),
        gpus: Vec::new(),
    };
    built_in(&nothing, policy)
}
