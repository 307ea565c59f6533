//! User input: idle when nobody touched anything for as long as the policy says.

use super::{BuiltIn, Opinion, usable, voter};
use snooze_schemas::{
    policy::Policy,
    sample::{Sample, Unit, name},
    verdict::VoteState,
};

/// The vote; none where the threshold is 0, which takes input out of the vote.
pub(super) fn vote(sample: &Sample, policy: &Policy) -> Option<BuiltIn> {
    let threshold = policy.input_idle_threshold_secs;
    if threshold == 0 {
        return None;
    }
    let opinion = match usable(sample, name::INPUT_IDLE_SECS, Unit::Seconds) {
        Err(why) => Opinion::unknown(why),
        // A threshold beyond 2^52 s has lost its last digits as a float, and matters to nobody.
        Ok(seconds) if seconds >= threshold as f64 => Opinion::new(
            VoteState::Idle,
            format!("no input for {seconds:.0} s, {threshold} s are enough"),
        )
        .with(name::INPUT_IDLE_SECS, seconds),
        Ok(seconds) => Opinion::new(
            VoteState::Busy,
            format!("input {seconds:.0} s ago, idle after {threshold} s"),
        )
        .with(name::INPUT_IDLE_SECS, seconds),
    };
    Some(BuiltIn {
        voter: voter("input"),
        terms: format!("for {threshold}"),
        opinion: opinion.with("threshold", threshold),
    })
}
