//! GPUs: idle while the busiest is below its threshold.

use super::{BuiltIn, threshold::below};
use snooze_schemas::{
    policy::Policy,
    sample::{Sample, Unit, name},
};

/// The vote; none where the machine has no GPU (the reading is absent) or the policy does not look.
pub(super) fn vote(sample: &Sample, policy: &Policy) -> Option<BuiltIn> {
    if !policy.gpu_monitoring_enabled || !sample.readings.contains_key(name::GPU_PERCENT) {
        return None;
    }
    let mut vote = below(
        sample,
        "gpu",
        name::GPU_PERCENT,
        Unit::Percent,
        policy.gpu_threshold_percent,
    );
    vote.opinion = vote.opinion.with("devices", sample.gpus.len());
    Some(vote)
}
