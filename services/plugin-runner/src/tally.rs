//! All that is known of a host's votes: the newest opinions, the runs, what objects to them.
//!
//! Pure: samples, answers and moments go in, votes come out. It decides nothing about the host; it
//! only never says *idle* of anything that it did not hear in time.

mod kept;
mod standing;
mod times;

pub(crate) use kept::KeptTally;
pub(crate) use standing::{Anew, Fresh};
pub(crate) use times::{hole_limit_ms, interval_ms, ms};

use crate::{
    intake::Intake,
    moment::{Jump, Moment},
    runs::{Runs, Terms},
    votes::{BuiltIn, Opinion, built_in},
};
use snooze_schemas::{VoterName, metrics::Metrics, policy::Policy, sample::Sample};
use std::collections::{BTreeMap, BTreeSet};

/// Why a plugin is idle that is at work for us.
const AT_WORK: &str = "it was idle, and is at work before the stop";

/// A voter that is asked: a plugin, or a name that the policy requires and nothing answers to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AskedVoter {
    /// What it votes by; another text means that it was reconfigured (T3).
    pub terms: String,
    /// Why it cannot vote, where that is known without asking.
    pub barred: Option<String>,
}

/// An answer of a plugin, and when it was asked.
#[derive(Debug, Clone, PartialEq)]
struct Answered {
    opinion: Opinion,
    asked_at: Moment,
}

/// The newest sample that may be built upon.
#[derive(Debug, Clone)]
struct Newest {
    sample: Sample,
    /// What the built-in voters make of it under the policy that was last told.
    votes: Vec<BuiltIn>,
}

/// What happened that is worth a line in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Remark {
    /// A sample was not built upon, and every run broke.
    Objected(String),
    /// The clocks jumped, and every run broke.
    Jumped(Jump),
    /// Voters came, went or changed, and every run broke (T3).
    Changed(Vec<VoterName>),
}

/// The votes of one host.
#[derive(Debug)]
pub(crate) struct Tally {
    boot_id: String,
    runs: Runs,
    intake: Intake,
    newest: Option<Newest>,
    asked: BTreeMap<VoterName, AskedVoter>,
    answers: BTreeMap<VoterName, Answered>,
    /// Those whose runs an earlier runner began and who were not heard since.
    resumed: BTreeSet<VoterName>,
    objection: Option<String>,
    /// From when boot grace counts: the boot, or the last jump of the clocks.
    grace_from_boottime_ms: u64,
}

impl Tally {
    /// Nothing is known yet.
    #[must_use]
    pub(crate) fn new(boot_id: String) -> Tally {
        Tally {
            boot_id,
            runs: Runs::default(),
            intake: Intake::default(),
            newest: None,
            asked: BTreeMap::new(),
            answers: BTreeMap::new(),
            resumed: BTreeSet::new(),
            objection: None,
            grace_from_boottime_ms: 0,
        }
    }

    /// How many runs broke since the start; what was kept before the last of them is not true any more.
    #[must_use]
    pub(crate) fn breaks(&self) -> u64 {
        self.runs.breaks()
    }

    /// Says which plugins vote from now on, and under which policy everybody does: what the built-in voters
    /// made of the newest sample under another one counts for nothing (T3, I2).
    pub(crate) fn ask_these(
        &mut self,
        asked: BTreeMap<VoterName, AskedVoter>,
        policy: &Policy,
    ) -> Vec<Remark> {
        self.answers
            .retain(|voter, _| asked.get(voter) == self.asked.get(voter));
        self.asked = asked;
        if let Some(newest) = &mut self.newest {
            newest.votes = built_in(&newest.sample, policy);
        }
        self.declare(policy)
    }

    /// Looks at the clocks between samples (T1).
    pub(crate) fn look(&mut self, now: Moment) -> Vec<Remark> {
        match self.intake.look(now) {
            Some(jump) => vec![self.jumped(jump, now)],
            None => Vec::new(),
        }
    }

    /// Takes a sample in, early or late (T2). Returns whether it may be built upon, and what to say.
    pub(crate) fn sample(&mut self, sample: &Sample, policy: &Policy, now: Moment) -> (bool, Vec<Remark>) {
        let interval_ms = interval_ms(policy);
        let admission = match self.intake.admit(sample, &self.boot_id, now, interval_ms) {
            Ok(admission) => admission,
            Err(objection) => {
                let text = objection.to_string();
                self.runs.break_all();
                let new = self.objection.as_ref() != Some(&text);
                self.objection = Some(text.clone());
                return (
                    false,
                    if new {
                        vec![Remark::Objected(text)]
                    } else {
                        Vec::new()
                    },
                );
            }
        };
        self.objection = None;
        let mut remarks = Vec::new();
        if let Some(jump) = admission.jump {
            remarks.push(self.jumped(jump, now));
        }
        self.newest = Some(Newest {
            sample: sample.clone(),
            votes: built_in(sample, policy),
        });
        remarks.extend(self.declare(policy));
        let votes = self
            .newest
            .as_ref()
            .map(|newest| &newest.votes[..])
            .unwrap_or_default();
        for vote in votes {
            self.runs.cover(
                &vote.voter,
                admission.span,
                vote.opinion.state,
                admission.crack_ms,
            );
        }
        (true, remarks)
    }

    /// Takes a plugin's answer in. One that was asked under other terms counts for nothing.
    pub(crate) fn answer(
        &mut self,
        voter: &VoterName,
        terms: &str,
        asked_at: Moment,
        opinion: Opinion,
        policy: &Policy,
    ) {
        if self.asked.get(voter).is_none_or(|asked| asked.terms != terms) {
            return;
        }
        let gap_ms = self.bridged_ms(voter, policy);
        self.runs
            .point(voter, asked_at.monotonic_ms, opinion.state, gap_ms);
        self.answers.insert(voter.clone(), Answered { opinion, asked_at });
    }

    /// A plugin could not be asked because it is at work for the stop that is being prepared, which was
    /// begun because it was idle. Its answer stands and its run is held, neither longer nor broken, until it
    /// is done. The stop itself needs an answer of its own (P3).
    pub(crate) fn hold(&mut self, voter: &VoterName, terms: &str, now: Moment, policy: &Policy) {
        if self.asked.get(voter).is_none_or(|asked| asked.terms != terms) {
            return;
        }
        let gap_ms = self.bridged_ms(voter, policy);
        if self.runs.hold(voter, now.monotonic_ms, gap_ms)
            && let Some(answer) = self.answers.get_mut(voter)
        {
            answer.asked_at = now;
            answer.opinion.reason = AT_WORK.to_owned();
        }
    }

    /// How much time may have passed since a plugin was heard. Over the runner's own absence no more is
    /// bridged than for samples (T4).
    fn bridged_ms(&mut self, voter: &VoterName, policy: &Policy) -> u64 {
        if self.resumed.remove(voter) {
            hole_limit_ms(interval_ms(policy))
        } else {
            Self::gap_ms(policy)
        }
    }

    /// The readings that plugins are told: those of the newest sample, whose own time says how old they are.
    #[must_use]
    pub(crate) fn metrics(&self) -> Metrics {
        self.newest
            .as_ref()
            .map(|newest| Metrics::from(&newest.sample))
            .unwrap_or_default()
    }

    fn jumped(&mut self, jump: Jump, now: Moment) -> Remark {
        self.runs.break_all();
        self.grace_from_boottime_ms = now.boottime_ms;
        Remark::Jumped(jump)
    }

    fn declare(&mut self, policy: &Policy) -> Vec<Remark> {
        let Some(newest) = &self.newest else {
            // Who the built-in voters are depends on the machine, so nothing is declared before the
            // first sample: else a restart would see a GPU leave and come back.
            return Vec::new();
        };
        let terms = |voter: &VoterName, text: &str| Terms {
            role: policy.role_of(voter),
            text: text.to_owned(),
        };
        let mut declared: BTreeMap<VoterName, Terms> = newest
            .votes
            .iter()
            .map(|vote| (vote.voter.clone(), terms(&vote.voter, &vote.terms)))
            .collect();
        for (voter, asked) in &self.asked {
            declared.insert(voter.clone(), terms(voter, &asked.terms));
        }
        let changed = self.runs.declare(&declared);
        if changed.is_empty() {
            Vec::new()
        } else {
            vec![Remark::Changed(changed)]
        }
    }
}

#[cfg(test)]
mod tests;
