//! How votes combine (T5, T3, S10), each rule by its name.

use crate::bench::{HOUR, acting, idle_verdict, idle_vote, vote};
use crate::deciding::{stays, with};
use snooze_decision::{
    Combine, Idleness, Obstacle, Policy, PolicyMistake, PolicyValues, Role, Verdict, Vote, VoteState,
    VoterRule, combine,
};

fn idleness(change: impl FnOnce(&mut PolicyValues), votes: Vec<Vote>) -> Idleness {
    let mut values = acting();
    change(&mut values);
    let policy = Policy::check(values).expect("a sound policy");
    let verdict = Verdict {
        votes,
        ..idle_verdict()
    };
    combine(&policy, &verdict).idleness
}

fn three() -> Vec<Vote> {
    vec![
        idle_vote("cpu", 50),
        idle_vote("memory", 30),
        idle_vote("network", 40),
        idle_vote("people", 1_000),
    ]
}

#[test]
fn t5_all_takes_the_smallest() {
    assert_eq!(idleness(|_| {}, three()), Idleness::For(30));
}

#[test]
fn t5_any_takes_the_largest_of_those_counted() {
    assert_eq!(
        idleness(|values| values.combine = Combine::Any, three()),
        Idleness::For(50)
    );
}

#[test]
fn t5_a_quorum_takes_the_kth_largest_of_those_counted() {
    for (k, expected) in [(1, 50), (2, 40), (3, 30)] {
        let found = idleness(|values| values.combine = Combine::Quorum(k), three());
        assert_eq!(found, Idleness::For(expected));
    }
    let found = idleness(|values| values.combine = Combine::Quorum(4), three());
    assert_eq!(found, Idleness::Unknown, "people are required, not counted");
}

#[test]
fn t5_weighted_takes_the_largest_time_whose_voters_reach_the_threshold() {
    let weighted = |threshold: f64| {
        move |values: &mut PolicyValues| {
            values.combine = Combine::Weighted(threshold);
            for (voter, weight) in [("cpu", 0.1), ("memory", 2.0), ("network", 0.2)] {
                let rule = VoterRule {
                    role: None,
                    weight: Some(weight),
                };
                values.voters.insert(voter.to_owned(), rule);
            }
        }
    };
    assert_eq!(idleness(weighted(0.1), three()), Idleness::For(50));
    assert_eq!(
        idleness(weighted(0.3), three()),
        Idleness::For(40),
        "0.1 + 0.2 is 0.3"
    );
    assert_eq!(idleness(weighted(0.31), three()), Idleness::For(30));
    assert_eq!(idleness(weighted(2.4), three()), Idleness::Unknown);
}

#[test]
fn t5_never_more_than_the_smallest_of_the_required() {
    let mut votes = three();
    votes[3].idle_ms = 35;
    assert_eq!(
        idleness(|values| values.combine = Combine::Any, votes),
        Idleness::For(35)
    );
}

#[test]
fn t5_advisory_voters_are_without_effect() {
    let advisory = |values: &mut PolicyValues| {
        let rule = VoterRule {
            role: Some(Role::Advisory),
            weight: None,
        };
        values.voters.insert("memory".to_owned(), rule);
    };
    let mut votes = three();
    votes[1] = vote("memory", VoteState::Busy);
    assert_eq!(idleness(advisory, votes), Idleness::For(40));
}

#[test]
fn t5_nobody_at_all_is_never_idle() {
    for combine in [
        Combine::All,
        Combine::Any,
        Combine::Quorum(1),
        Combine::Weighted(1.0),
    ] {
        assert_eq!(
            idleness(|values| values.combine = combine, Vec::new()),
            Idleness::Unknown
        );
    }
    let explained = with(|desk| {
        let rule = advisory();
        desk.values.voters.insert("people".to_owned(), rule);
        desk.votes(Vec::new());
    });
    stays(&explained, &Obstacle::NoVoter);
}

fn advisory() -> VoterRule {
    VoterRule {
        role: Some(Role::Advisory),
        weight: None,
    }
}

#[test]
fn t5_a_quorum_or_weight_that_is_not_reached_is_told_as_such() {
    let explained = with(|desk| {
        desk.values.combine = Combine::Quorum(4);
        desk.votes(three());
    });
    stays(&explained, &Obstacle::TooFewIdle { idle: 3, needed: 4 });
    assert!(snooze_decision::explain::summary(&explained).contains("3 are idle; 4 are needed"));
    let explained = with(|desk| {
        desk.values.combine = Combine::Weighted(4.5);
        desk.votes(three());
    });
    let (idle_micros, needed_micros) = (3_000_000, 4_500_000);
    stays(
        &explained,
        &Obstacle::TooLittleWeight {
            idle_micros,
            needed_micros,
        },
    );
    assert!(snooze_decision::explain::summary(&explained).contains("weigh 3 together; 4.5 is needed"));
}

#[test]
fn t5_more_votes_than_are_looked_at_are_unknown() {
    let votes = |count: usize| -> Vec<Vote> {
        let voters = (1..count).map(|n| idle_vote(&format!("plugin-{n}"), HOUR));
        voters.chain([idle_vote("people", HOUR)]).collect()
    };
    assert_eq!(with(|desk| desk.votes(votes(256))).idleness, Idleness::For(HOUR));
    stays(
        &with(|desk| desk.votes(votes(257))),
        &Obstacle::TooManyVotes { votes: 257 },
    );
}

#[test]
fn t3_a_voter_must_be_heard_where_its_rule_says_required_and_not_where_it_only_weighs_it() {
    let rules = [
        (Some(Role::Counted), None, Idleness::For(30)),
        (None, Some(2.0), Idleness::For(30)),
        (Some(Role::Advisory), None, Idleness::For(30)),
        (Some(Role::Required), None, Idleness::Unknown),
    ];
    for (role, weight, expected) in rules {
        let named = |values: &mut PolicyValues| {
            let rule = VoterRule { role, weight };
            values.voters.insert("gpu".to_owned(), rule);
        };
        assert_eq!(idleness(named, three()), expected, "{role:?} {weight:?}");
        // Where it votes, its vote counts as that of any other.
        let mut votes = three();
        votes.push(vote("gpu", VoteState::Busy));
        let heard = if role == Some(Role::Advisory) {
            Idleness::For(30)
        } else {
            Idleness::Busy
        };
        assert_eq!(idleness(named, votes), heard, "{role:?} {weight:?}");
    }
}

#[test]
fn s10_people_must_be_heard_in_every_mode_unless_they_are_advisory() {
    let mut votes = three();
    votes.pop();
    assert_eq!(idleness(|_| {}, votes.clone()), Idleness::Unknown);
    let not_people = |values: &mut PolicyValues| {
        values.voters.insert("people".to_owned(), advisory());
    };
    assert_eq!(idleness(not_people, votes), Idleness::For(30));
}

#[test]
fn t3_a_required_voter_that_is_missing_is_unknown() {
    let required = |values: &mut PolicyValues| {
        let rule = VoterRule {
            role: Some(Role::Required),
            weight: None,
        };
        values.voters.insert("database".to_owned(), rule);
    };
    assert_eq!(idleness(required, three()), Idleness::Unknown);
    let mut votes = three();
    votes.pop();
    let any = |values: &mut PolicyValues| values.combine = Combine::Any;
    assert_eq!(idleness(any, votes), Idleness::Unknown, "people must be heard");
}

#[test]
fn s10_people_are_required_in_every_mode_unless_the_policy_says_otherwise() {
    let mut votes = three();
    votes[3] = vote("people", VoteState::Busy);
    let any = |values: &mut PolicyValues| values.combine = Combine::Any;
    assert_eq!(idleness(any, votes.clone()), Idleness::Busy);
    let not_people = |values: &mut PolicyValues| {
        values.combine = Combine::Any;
        let rule = VoterRule {
            role: Some(Role::Advisory),
            weight: None,
        };
        values.voters.insert("people".to_owned(), rule);
    };
    assert_eq!(idleness(not_people, votes), Idleness::For(50));
}

#[test]
fn a_voter_that_is_there_twice_is_not_idle() {
    let mut votes = three();
    votes.push(idle_vote("cpu", HOUR));
    assert_eq!(idleness(|_| {}, votes), Idleness::Unknown);
}

#[test]
fn every_mistake_of_a_policy_is_reported_at_once() {
    let mut values = PolicyValues {
        quarantine_ms: 1,
        freshness_ms: 10_000,
        takeover_ms: 4_000,
        naptime_ms: 0,
        combine: Combine::Quorum(0),
        max_concurrent_stops: 0,
        opt_out_tag: String::new(),
        ..acting()
    };
    let rule = VoterRule {
        role: None,
        weight: Some(-1.0),
    };
    values.voters.insert("cpu".to_owned(), rule);
    let mistakes = Policy::check(values).expect_err("mistakes");
    assert_eq!(mistakes.len(), 8, "{mistakes:?}");
    let limit = 100_001;
    let values = PolicyValues {
        max_concurrent_stops: limit,
        ..acting()
    };
    assert_eq!(
        Policy::check(values),
        Err(vec![PolicyMistake::TooConcurrent { limit }])
    );
    assert!(mistakes.contains(&PolicyMistake::EmptyQuorum));
    for threshold in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let combine = Combine::Weighted(threshold);
        assert!(
            Policy::check(PolicyValues { combine, ..acting() }).is_err(),
            "{threshold}"
        );
    }
    assert!(
        Policy::check(PolicyValues::default()).is_ok(),
        "the shipped defaults are sound"
    );
}

#[test]
fn p3_no_policy_under_which_no_verification_could_be_in_time_is_accepted() {
    // However fresh a verification may be, its answer is waited for no longer than 15 s.
    let slow = |window: u64, plugin: u64, freshness: u64| {
        let values = PolicyValues {
            verify_window_ms: window,
            plugin_timeout_ms: plugin,
            freshness_ms: freshness,
            ..acting()
        };
        Policy::check(values)
    };
    for (window, plugin, freshness, limit_ms) in [
        (8_000, 8_000, 20_000, 15_000),
        (8_000, 7_000, 60_000, 15_000),
        (5_000, 5_000, 10_050, 10_050),
    ] {
        let asked_ms = window + plugin;
        let mistake = PolicyMistake::VerificationTooSlow { asked_ms, limit_ms };
        assert_eq!(slow(window, plugin, freshness), Err(vec![mistake]));
    }
    assert!(slow(7_000, 7_000, 20_000).is_ok());
    assert!(slow(200, 200, 600).is_ok());
}
