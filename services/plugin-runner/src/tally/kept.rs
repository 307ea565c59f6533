//! What of a tally outlives a restart of the runner (T4).
//!
//! It neither reads nor writes a file.

use super::Tally;
use crate::{intake::Intake, runs::Runs};
use serde::{Deserialize, Serialize};

/// What is kept over a restart of the runner (T4).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct KeptTally {
    runs: Runs,
    intake: Intake,
    grace_from_boottime_ms: u64,
}

impl Tally {
    /// Goes on with what an earlier runner of this boot kept, over one hole of less than two intervals (T4).
    #[must_use]
    pub(crate) fn resume(boot_id: String, kept: KeptTally, interval_ms: u64) -> Tally {
        let mut intake = kept.intake;
        intake.bridge_once(interval_ms);
        Tally {
            resumed: kept.runs.voters().cloned().collect(),
            runs: kept.runs,
            intake,
            grace_from_boottime_ms: kept.grace_from_boottime_ms,
            ..Tally::new(boot_id)
        }
    }

    /// What a later runner of this boot can go on with.
    #[must_use]
    pub(crate) fn keep(&self) -> KeptTally {
        KeptTally {
            runs: self.runs.clone(),
            intake: self.intake.clone(),
            grace_from_boottime_ms: self.grace_from_boottime_ms,
        }
    }
}
