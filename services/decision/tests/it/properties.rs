//! What holds of every verdict and every policy, whatever they are.

use crate::bench::{acting, idle_verdict};
use proptest::prelude::*;
use snooze_decision::policy::Role as PolicyRole;
use snooze_decision::{
    Combine, Idleness, Policy, PolicyValues, Verdict, Vote, VoteState, VoterRule, combine,
};

const VOTERS: [&str; 6] = ["cpu", "memory", "network", "people", "db", "ci"];

fn votes() -> impl Strategy<Value = Vec<Vote>> {
    let state = prop_oneof![
        4 => Just(VoteState::Idle),
        1 => Just(VoteState::Busy),
        1 => Just(VoteState::Unknown),
    ];
    let vote = (state.clone(), state, prop_oneof![0_u64..10, any::<u64>()]);
    proptest::collection::vec((0_usize..VOTERS.len(), vote), 0..7).prop_map(|votes| {
        votes
            .into_iter()
            .map(|(voter, (state, raw, idle_ms))| Vote {
                voter: VOTERS[voter].to_owned(),
                state,
                raw,
                reason: String::new(),
                idle_ms,
            })
            .collect()
    })
}

fn policies() -> impl Strategy<Value = Policy> {
    let mode = prop_oneof![
        Just(Combine::All),
        Just(Combine::Any),
        (1_u32..5).prop_map(Combine::Quorum),
        (0.1_f64..9.0).prop_map(Combine::Weighted),
    ];
    let role = prop_oneof![
        Just(None),
        Just(Some(PolicyRole::Required)),
        Just(Some(PolicyRole::Counted)),
        Just(Some(PolicyRole::Advisory)),
    ];
    let rule = (0_usize..VOTERS.len(), role, proptest::option::of(0.0_f64..4.0));
    (mode, proptest::collection::vec(rule, 0..4)).prop_map(|(combine, rules)| {
        let mut values = PolicyValues { combine, ..acting() };
        for (voter, role, weight) in rules {
            values
                .voters
                .insert(VOTERS[voter].to_owned(), VoterRule { role, weight });
        }
        Policy::check(values).expect("sound by construction")
    })
}

fn idleness(policy: &Policy, votes: &[Vote]) -> Idleness {
    let verdict = Verdict {
        votes: votes.to_vec(),
        ..idle_verdict()
    };
    combine(policy, &verdict).idleness
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn t5_idle_time_is_never_more_than_any_required_voters(policy in policies(), votes in votes()) {
        if let Idleness::For(ms) = idleness(&policy, &votes) {
            for vote in votes.iter().filter(|vote| policy.role_of(&vote.voter) == PolicyRole::Required) {
                prop_assert_eq!(vote.state, VoteState::Idle);
                prop_assert!(ms <= vote.idle_ms);
            }
        }
    }

    #[test]
    fn t5_a_vote_that_turns_busy_or_unknown_never_raises_idle_time(
        policy in policies(), votes in votes(), which in 0_usize..7, to_busy in any::<bool>()
    ) {
        let Some(which) = which.checked_rem(votes.len()) else { return Ok(()) };
        let before = idleness(&policy, &votes).ms();
        let mut after = votes.clone();
        after[which].state = if to_busy { VoteState::Busy } else { VoteState::Unknown };
        prop_assert!(idleness(&policy, &after).ms() <= before);
    }

    #[test]
    fn t5_less_idle_time_of_one_never_raises_that_of_all(
        policy in policies(), votes in votes(), which in 0_usize..7, by in any::<u64>()
    ) {
        let Some(which) = which.checked_rem(votes.len()) else { return Ok(()) };
        let before = idleness(&policy, &votes).ms();
        let mut after = votes.clone();
        after[which].idle_ms = after[which].idle_ms.saturating_sub(by);
        prop_assert!(idleness(&policy, &after).ms() <= before);
    }

    #[test]
    fn t5_the_order_of_votes_is_without_effect(
        policy in policies(), (votes, shuffled) in votes().prop_flat_map(|votes| (Just(votes.clone()), Just(votes).prop_shuffle()))
    ) {
        let combined = |votes: &[Vote]| combine(&policy, &Verdict { votes: votes.to_vec(), ..idle_verdict() });
        prop_assert_eq!(combined(&votes), combined(&shuffled));
    }

    #[test]
    fn t5_idle_needs_somebody_who_says_idle(policy in policies(), votes in votes()) {
        if let Idleness::For(_) = idleness(&policy, &votes) {
            let says = |vote: &Vote| vote.state == VoteState::Idle && policy.role_of(&vote.voter) != PolicyRole::Advisory;
            prop_assert!(votes.iter().any(says));
        }
    }

    #[test]
    fn t5_strict_votes_are_never_more_idle(policy in policies(), votes in votes()) {
        let verdict = Verdict { votes, ..idle_verdict() };
        let strict = combine(&policy, &verdict.strict()).idleness.ms();
        prop_assert!(strict <= combine(&policy, &verdict).idleness.ms());
    }

    #[test]
    fn any_policy_is_checked_without_a_panic(
        numbers in proptest::collection::vec(any::<u64>(), 8), threshold in any::<f64>(), weight in any::<f64>()
    ) {
        let mut values = PolicyValues {
            combine: Combine::Weighted(threshold),
            naptime_ms: numbers[0], freshness_ms: numbers[1], quarantine_ms: numbers[2], beat_ms: numbers[3],
            takeover_ms: numbers[4], verify_window_ms: numbers[5], application_ms: numbers[6], notice_ms: numbers[7],
            ..acting()
        };
        values.voters.insert("cpu".to_owned(), VoterRule { role: None, weight: Some(weight) });
        let checked = Policy::check(values);
        prop_assert!(checked.is_ok() || checked.is_err_and(|mistakes| !mistakes.is_empty()));
    }
}
