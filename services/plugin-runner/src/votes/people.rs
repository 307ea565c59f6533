//! People present (S10): idle when no session shows a sign of life.

use super::{BuiltIn, Opinion, usable, voter};
use snooze_schemas::{
    policy::Policy,
    sample::{Sample, Unit, name},
    verdict::VoteState,
};

/// The vote. What a sign of life is, the collector decides, by the input threshold; so that setting
/// belongs to the terms of this voter too.
pub(super) fn vote(sample: &Sample, policy: &Policy) -> BuiltIn {
    let opinion = match usable(sample, name::PEOPLE_PRESENT, Unit::Count) {
        Err(why) => Opinion::unknown(why),
        Ok(count) => match count {
            0.0 => Opinion::new(VoteState::Idle, "nobody is at work here"),
            _ => Opinion::new(VoteState::Busy, format!("{count:.0} at work here")),
        }
        .with(name::PEOPLE_PRESENT, count),
    };
    BuiltIn {
        voter: voter("people"),
        terms: format!("within {}", policy.input_idle_threshold_secs),
        opinion,
    }
}
