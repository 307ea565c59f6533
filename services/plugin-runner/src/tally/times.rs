//! How old what was heard may be, and how far apart: times of the policy in whole milliseconds.
//!
//! Pure: moments go in.

use super::Tally;
use crate::moment::Moment;
use snooze_schemas::policy::Policy;
use std::time::Duration;

/// How late a sample may be beyond two intervals before it counts as missing: what a machine under load
/// takes to measure and to send.
const LATENESS_MS: u64 = 500;

impl Tally {
    /// Age of the newest sample on the boot-time clock; since the boot where there is none.
    #[must_use]
    pub(crate) fn sample_age_ms(&self, now: Moment) -> u64 {
        let end = self
            .newest
            .as_ref()
            .map_or(0, |newest| newest.sample.ends_boottime_ms);
        now.boottime_ms.saturating_sub(end)
    }

    /// What is left of boot grace (S6).
    #[must_use]
    pub(crate) fn boot_grace_left_ms(&self, policy: &Policy, now: Moment) -> u64 {
        self.grace_from_boottime_ms
            .saturating_add(ms(policy.boot_grace_minutes * 60.0))
            .saturating_sub(now.boottime_ms)
    }

    /// After how long without a sample the built-in votes are unknown. How long a sample covers does not
    /// matter here: one that covers an hour is old as soon as any other.
    #[must_use]
    pub(crate) fn silence_ms(policy: &Policy) -> u64 {
        interval_ms(policy).saturating_mul(2).saturating_add(LATENESS_MS)
    }

    /// How far apart two answers of a plugin may be.
    pub(super) fn gap_ms(policy: &Policy) -> u64 {
        Self::silence_ms(policy).saturating_add(ms(policy.plugin_timeout_seconds))
    }
}

/// The time between two samples, as the policy wants it; never less than a millisecond.
#[must_use]
pub(crate) fn interval_ms(policy: &Policy) -> u64 {
    ms(policy.check_interval_seconds).max(1)
}

/// The longest hole that a restart of the runner may leave: less than two intervals (T4).
#[must_use]
pub(crate) fn hole_limit_ms(interval_ms: u64) -> u64 {
    interval_ms.saturating_mul(2).saturating_sub(1)
}

/// Seconds of a policy as milliseconds; what is no number of seconds is none at all.
#[must_use]
pub(crate) fn ms(seconds: f64) -> u64 {
    let duration = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
