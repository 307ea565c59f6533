//! Fresh looks beside the votes as they stand.

use super::*;
use crate::tally::{Anew, Fresh};

fn of<'a>(votes: &'a [Vote], who: &str) -> &'a Vote {
    let vote = votes.iter().find(|vote| vote.voter.as_str() == who);
    vote.unwrap_or_else(|| panic!("{who} votes"))
}

/// What came of asking the plugin under the terms that hold.
fn redis_says(fresh: Fresh) -> (VoterName, Anew) {
    redis_said("a", fresh)
}

fn redis_said(terms: &str, fresh: Fresh) -> (VoterName, Anew) {
    let terms = Some(terms.to_owned());
    (voter("redis"), Anew { terms, fresh })
}

#[test]
fn p3_a_fresh_look_shows_raw_beside_what_has_stood() {
    let mut desk = Desk::new();
    for end in [2_000, 3_000] {
        desk.quiet_second(end);
    }
    let fresh = [
        (voter("cpu"), Anew::built_in(Fresh::Said(idle()))),
        redis_says(Fresh::Said(Opinion::new(VoteState::Busy, "a client"))),
    ]
    .into();
    let votes = desk.tally.fresh_votes(&fresh, &desk.policy, at(3_000));
    let vote = |who: &str| of(&votes, who);
    assert_eq!(
        (vote("cpu").state, vote("cpu").raw, vote("cpu").idle_ms),
        (VoteState::Idle, VoteState::Idle, 2_000)
    );
    assert_eq!(
        (vote("redis").state, vote("redis").raw, vote("redis").idle_ms),
        (VoteState::Idle, VoteState::Busy, 0)
    );
    assert_eq!(vote("redis").reason, "a client");
    assert_eq!(
        vote("memory").raw,
        VoteState::Unknown,
        "who was not asked again has not said anything"
    );
    assert_eq!(desk.vote("redis", 3_000).idle_ms, 0, "its run is broken for good");
}

#[test]
fn t2_who_could_not_be_heard_in_a_fresh_look_keeps_its_run() {
    let mut desk = Desk::new();
    for end in [2_000, 3_000] {
        desk.quiet_second(end);
    }
    let fresh = [
        (
            voter("cpu"),
            Anew::built_in(Fresh::Unheard("no fresh sample".to_owned())),
        ),
        redis_says(Fresh::Said(idle())),
    ]
    .into();
    let votes = desk.tally.fresh_votes(&fresh, &desk.policy, at(3_000));
    let cpu = of(&votes, "cpu");
    assert_eq!((cpu.raw, cpu.idle_ms), (VoteState::Unknown, 0));
    assert_eq!(cpu.reason, "no fresh sample");
    assert_eq!(desk.vote("cpu", 3_000).idle_ms, 2_000, "its samples still abut");
}

#[test]
fn t3_what_was_said_under_other_terms_is_no_answer_in_a_fresh_look() {
    let mut desk = Desk::new();
    for end in [2_000, 3_000] {
        desk.quiet_second(end);
    }
    let cpu = || (voter("cpu"), Anew::built_in(Fresh::Said(idle())));
    let before = [cpu(), redis_said("before", Fresh::Said(idle()))].into();
    let votes = desk.tally.fresh_votes(&before, &desk.policy, at(3_000));
    let redis = of(&votes, "redis");
    assert_eq!((redis.raw, redis.idle_ms), (VoteState::Unknown, 0));
    assert_eq!(redis.reason, "it came, went or changed while it was asked");
    let now = [cpu(), redis_says(Fresh::Said(idle()))].into();
    let votes = desk.tally.fresh_votes(&now, &desk.policy, at(3_000));
    assert_eq!(of(&votes, "redis").raw, VoteState::Idle);
    // Nor is it one where the plugin has become another kind of voter.
    let as_built_in = [cpu(), (voter("redis"), Anew::built_in(Fresh::Said(idle())))].into();
    let votes = desk.tally.fresh_votes(&as_built_in, &desk.policy, at(3_000));
    assert_eq!(of(&votes, "redis").raw, VoteState::Unknown);
}

#[test]
fn p3_a_newcomer_that_was_not_heard_is_unknown_and_not_absent() {
    let mut desk = Desk::new();
    for end in [2_000, 3_000] {
        desk.quiet_second(end);
    }
    let newcomer = |fresh| {
        let terms = Some("n".to_owned());
        (voter("newcomer"), Anew { terms, fresh })
    };
    for fresh in [
        Fresh::Unheard("it is being started".to_owned()),
        Fresh::Said(idle()),
        Fresh::Said(Opinion::unknown("no")),
    ] {
        let look = [redis_says(Fresh::Said(idle())), newcomer(fresh)].into();
        let votes = desk.tally.fresh_votes(&look, &desk.policy, at(3_000));
        let vote = of(&votes, "newcomer");
        assert_eq!(
            (vote.state, vote.raw, vote.idle_ms),
            (VoteState::Unknown, VoteState::Unknown, 0),
            "{vote:?}"
        );
        assert_eq!(vote.role, Role::Required, "it has a veto");
    }
}
