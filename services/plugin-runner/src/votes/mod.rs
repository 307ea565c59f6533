//! What the built-in voters make of one sample: "idle below the threshold", one file a voter.
//!
//! Pure: a sample and a policy in, opinions out. A reading that is unknown, absent or implausible is
//! an unknown vote; nothing here ever turns it into idle.

mod gpu;
mod input;
mod people;
mod threshold;

use snooze_schemas::{
    VoterName,
    policy::Policy,
    sample::{Reading, Sample, Unit},
    verdict::VoteState,
};
use std::collections::BTreeMap;

/// What one voter says of one moment, before anything is known about time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Opinion {
    /// What it says.
    pub state: VoteState,
    /// Why, for people.
    pub reason: String,
    /// What it rests on.
    pub evidence: BTreeMap<String, serde_json::Value>,
}

/// The most entries that a vote may carry as evidence.
const EVIDENCE_LIMIT: usize = 32;

/// The longest reason, in characters; a plugin may say more than people want to read.
const REASON_LIMIT: usize = 500;

impl Opinion {
    /// An opinion without evidence. The reason is cut to what people read.
    pub(crate) fn new(state: VoteState, reason: impl Into<String>) -> Opinion {
        let reason: String = reason.into();
        let reason = match reason.char_indices().nth(REASON_LIMIT) {
            Some((end, _)) => reason[..end].to_owned(),
            None => reason,
        };
        Opinion {
            state,
            reason,
            evidence: BTreeMap::new(),
        }
    }

    /// "It cannot be said", with the reason.
    pub(crate) fn unknown(reason: impl Into<String>) -> Opinion {
        Opinion::new(VoteState::Unknown, reason)
    }

    /// The same with one more piece of evidence; dropped when there are too many.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: impl Into<serde_json::Value>) -> Opinion {
        if self.evidence.len() < EVIDENCE_LIMIT {
            self.evidence.insert(name.to_owned(), value.into());
        }
        self
    }
}

/// A built-in voter: its opinion, and the settings that it was formed by.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BuiltIn {
    /// Who votes.
    pub voter: VoterName,
    /// The settings that it votes by; another text means that it was reconfigured (T3).
    pub terms: String,
    /// What it says.
    pub opinion: Opinion,
}

/// All built-in voters that take part under this policy, with what they make of the sample.
#[must_use]
pub(crate) fn built_in(sample: &Sample, policy: &Policy) -> Vec<BuiltIn> {
    [
        threshold::cpu(sample, policy),
        threshold::memory(sample, policy),
        threshold::network(sample, policy),
        threshold::disk_io(sample, policy),
    ]
    .into_iter()
    .map(Some)
    .chain([
        input::vote(sample, policy),
        Some(people::vote(sample, policy)),
        gpu::vote(sample, policy),
    ])
    .flatten()
    .collect()
}

fn voter(name: &str) -> VoterName {
    name.parse().expect("the names of built-in voters are valid")
}

/// A reading that can be voted on: known, finite, not negative, in the unit that was expected.
fn usable(sample: &Sample, name: &str, expected: Unit) -> Result<f64, String> {
    match sample.readings.get(name) {
        None => Err(format!("{name} is missing from the sample")),
        Some(Reading::Unknown { unknown, .. }) => Err(format!("{name} is unknown: {unknown}")),
        Some(Reading::Known { unit, .. }) if *unit != expected => {
            Err(format!("{name} came as {unit:?} instead of {expected:?}"))
        }
        Some(Reading::Known { value, .. }) if !value.is_finite() || *value < 0.0 => {
            Err(format!("{name} is implausible: {value}"))
        }
        Some(Reading::Known { value, .. }) => Ok(*value),
    }
}

#[cfg(test)]
mod tests;
