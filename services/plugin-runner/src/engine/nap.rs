//! How long the loop may sleep when nothing happens.
//!
//! It decides nothing: what is due is looked at whenever the loop wakes.

use super::{Engine, State};
use crate::{
    plugins,
    tally::{Tally, ms},
};
use std::time::Duration;

/// The clocks are looked at this often even when nothing else happens (T1).
const LONGEST_NAP: Duration = Duration::from_secs(60);

/// Two looks at what is due are never closer, whatever the arithmetic says.
const SHORTEST_NAP: Duration = Duration::from_millis(5);

impl Engine {
    /// How long nothing will be due, unless something happens.
    pub(super) fn nap(&self, state: &State) -> Duration {
        let now = self.now();
        let policy = &state.policy.policy;
        let silence = Tally::silence_ms(policy);
        let stale_in = silence
            .saturating_add(1)
            .saturating_sub(state.tally.sample_age_ms(now));
        let round_in = state
            .round_at_ms
            .saturating_add(round_limit_ms(state))
            .saturating_sub(now.monotonic_ms);
        let heartbeat_in = if state.connected {
            state
                .publishing
                .heartbeat_in_ms(ms(policy.heartbeat_seconds), now)
        } else {
            u64::MAX
        };
        let grace_in = state.tally.boot_grace_left_ms(policy, now);
        let due = [stale_in, grace_in]
            .into_iter()
            .filter(|ms| *ms > 0)
            .chain([round_in, heartbeat_in]);
        let due = Duration::from_millis(due.min().unwrap_or(u64::MAX));
        due.clamp(SHORTEST_NAP, LONGEST_NAP)
    }
}

/// After so long plugins are asked again, whether samples come or not.
pub(super) fn round_limit_ms(state: &State) -> u64 {
    u64::try_from(plugins::round(&state.policy).as_millis()).unwrap_or(u64::MAX)
}
