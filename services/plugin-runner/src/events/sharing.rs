//! How the time of an event is shared among its handlers: each tier its part of what is left, each handler in it no
//! more than its own limit.
//!
//! It has no clock. **Invariant:** no share is negative, none is more than what is left, and as long as a tier takes no
//! more than its share something is left for the last one.

use std::time::Duration;

/// The time that a tier has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share {
    /// What is left of the event's time.
    pub(super) left: Duration,
    /// Its own part of that.
    share: Duration,
}

impl Share {
    /// That of one of so many tiers that are still to come, its own included: what is not used by one falls to those
    /// after it.
    pub(super) fn of(left: Duration, tiers: u32) -> Share {
        Share {
            left,
            share: left / tiers.max(1),
        }
    }

    /// What one handler has that may take so long at most.
    pub(super) fn within(self, limit: Duration) -> Duration {
        limit.min(self.share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A handler by how long it may take, and how long it would.
    fn handler() -> impl Strategy<Value = (Duration, Duration)> {
        let millis = (0_u64..200_000).prop_map(Duration::from_millis);
        let wants = prop_oneof![
            Just(Duration::MAX),
            (0_u64..400_000).prop_map(Duration::from_millis)
        ];
        let limit = prop_oneof![Just(Duration::MAX), millis];
        (limit, wants)
    }

    proptest! {
        #[test]
        fn e3_no_tier_starves_another_and_none_passes_the_deadline(
            deadline in (1_u64..600_000).prop_map(Duration::from_millis),
            tiers in proptest::collection::vec(proptest::collection::vec(handler(), 1..5), 1..12),
            late in 0_usize..12,
        ) {
            // So many of the tiers are known only while others are at work, one after the other.
            let mut unknown = late.min(tiers.len() - 1);
            let mut known = tiers.len() - unknown;
            let mut left = deadline;
            let mut spent = Duration::ZERO;
            for tier in &tiers {
                let others = known - 1 + usize::from(unknown > 0);
                let share = Share::of(left, u32::try_from(others + 1).expect("few"));
                prop_assert!(share.within(Duration::MAX) > Duration::ZERO, "it has no time at all");
                let took = tier.iter().map(|(limit, wants)| {
                    let within = share.within(*limit);
                    assert!(within <= left && within <= *limit, "{within:?} of {left:?}");
                    assert_eq!(within.is_zero(), limit.is_zero());
                    within.min(*wants)
                });
                // They run at once.
                let took = took.max().expect("a tier has handlers");
                spent += took;
                left = left.checked_sub(took).expect("never beyond the deadline");
                known -= 1;
                if unknown > 0 {
                    (unknown, known) = (unknown - 1, known + 1);
                }
            }
            prop_assert!(spent <= deadline);
        }
    }

    #[test]
    fn what_one_does_not_use_falls_to_those_after_it() {
        let second = Duration::from_secs(1);
        let first = Share::of(9 * second, 3).within(second);
        assert_eq!(first, second);
        assert_eq!(Share::of(9 * second - first, 2).within(Duration::MAX), 4 * second);
    }

    #[test]
    fn nothing_is_shared_where_nothing_is_left() {
        assert_eq!(Share::of(Duration::ZERO, 3).within(Duration::MAX), Duration::ZERO);
        assert_eq!(Share::of(Duration::ZERO, 0).within(Duration::MAX), Duration::ZERO);
    }
}
