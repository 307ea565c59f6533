//! When a verdict is sent, and when it is not (T6).

use super::*;

const NAPTIME: u64 = 10_000;

fn vote(voter: &str, state: VoteState, idle_ms: u64) -> Vote {
    Vote {
        voter: voter.parse().expect("a voter name"),
        role: Role::Required,
        state,
        raw: state,
        reason: format!("for {idle_ms}"),
        evidence: std::collections::BTreeMap::new(),
        idle_ms,
    }
}

fn draft<'a>(votes: &'a [Vote], revision: &'a str) -> Draft<'a> {
    Draft {
        votes,
        policy_revision: revision,
        boot_grace_left_ms: 0,
        naptime_ms: NAPTIME,
        heartbeat_ms: 60_000,
    }
}

fn at(ms: u64) -> Moment {
    Moment {
        monotonic_ms: ms,
        boottime_ms: ms,
        real_ms: 0,
    }
}

#[test]
fn t6_a_verdict_is_sent_when_a_vote_changes_when_a_run_reaches_naptime_and_as_heartbeat() {
    let mut publishing = Publishing::default();
    let votes = |state, idle_ms| [vote("cpu", VoteState::Idle, idle_ms), vote("redis", state, 0)];
    let steps = [
        (1_000, votes(VoteState::Busy, 1_000), Some(Cause::First)),
        (2_000, votes(VoteState::Busy, 2_000), None),
        (3_000, votes(VoteState::Unknown, 3_000), Some(Cause::Changed)),
        (4_000, votes(VoteState::Unknown, 4_000), None),
        (11_000, votes(VoteState::Unknown, NAPTIME), Some(Cause::Reached)),
        (12_000, votes(VoteState::Unknown, 11_000), None),
        (70_999, votes(VoteState::Unknown, 70_000), None),
        (71_000, votes(VoteState::Unknown, 70_000), Some(Cause::Heartbeat)),
    ];
    for (ms, votes, expected) in steps {
        let draft = draft(&votes, "1/0/0");
        assert_eq!(publishing.due(&draft, at(ms)), expected, "at {ms}");
        if expected.is_some() {
            publishing.sent(&draft, at(ms));
        }
    }
}

#[test]
fn t6_another_reason_is_told_before_the_heartbeat_and_no_more_than_four_times_in_one() {
    let mut publishing = Publishing::default();
    let votes = |reason: &str| {
        let mut redis = vote("redis", VoteState::Unknown, 0);
        redis.reason = reason.to_owned();
        [vote("cpu", VoteState::Idle, 1), redis]
    };
    publishing.sent(&draft(&votes("it is starting"), "1/0/0"), at(0));
    let late = votes("it did not answer within 700 ms");
    assert_eq!(publishing.due(&draft(&late, "1/0/0"), at(14_999)), None);
    let due = publishing.due(&draft(&late, "1/0/0"), at(15_000));
    assert_eq!(due, Some(Cause::Reworded));
    let mut told = 0;
    // A word that is never the same, every tenth of a second for five minutes.
    for tenth in 150..3_150 {
        let word = char::from_u32(0x4e00 + tenth)
            .expect("there are many")
            .to_string();
        let votes = votes(&word);
        let draft = draft(&votes, "1/0/0");
        let now = at(u64::from(tenth) * 100);
        if publishing.due(&draft, now).is_some() {
            publishing.sent(&draft, now);
            told += 1;
        }
    }
    assert_eq!(told, 4 * 5, "four a heartbeat of a minute");
}

#[test]
fn t6_numbers_in_a_reason_are_no_news() {
    let mut publishing = Publishing::default();
    let votes = |reason: &str| {
        let mut vote = vote("redis", VoteState::Busy, 0);
        vote.reason = reason.to_owned();
        [vote]
    };
    let sent = votes("5 clients, 1.5 KiB/s since 2026-01-02");
    publishing.sent(&draft(&sent, "1/0/0"), at(0));
    let later = votes("12 clients, 0 KiB/s since 2026-01-03");
    assert_eq!(publishing.due(&draft(&later, "1/0/0"), at(59_999)), None);
    let other = votes("12 clients, 0 KiB/s, and a backup");
    let due = publishing.due(&draft(&other, "1/0/0"), at(59_999));
    assert_eq!(due, Some(Cause::Reworded));
    let moved = |one: &str, two: &str| {
        let mut votes = [vote("a", VoteState::Busy, 0), vote("b", VoteState::Busy, 0)];
        votes[0].reason = one.to_owned();
        votes[1].reason = two.to_owned();
        votes
    };
    publishing.sent(&draft(&moved("ab", "c"), "1/0/0"), at(0));
    let due = publishing.due(&draft(&moved("a", "bc"), "1/0/0"), at(20_000));
    assert_eq!(due, Some(Cause::Reworded));
}

#[test]
fn t6_a_new_policy_revision_a_new_voter_and_the_end_of_grace_are_changes() {
    let mut publishing = Publishing::default();
    let votes = [vote("cpu", VoteState::Idle, 1)];
    publishing.sent(&draft(&votes, "1/0/0"), at(0));
    assert_eq!(
        publishing.due(&draft(&votes, "2/0/0"), at(1)),
        Some(Cause::Changed)
    );
    let more = [vote("cpu", VoteState::Idle, 1), vote("gpu", VoteState::Idle, 1)];
    assert_eq!(
        publishing.due(&draft(&more, "1/0/0"), at(1)),
        Some(Cause::Changed)
    );
    let in_grace = Draft {
        boot_grace_left_ms: 5,
        ..draft(&votes, "1/0/0")
    };
    assert_eq!(publishing.due(&in_grace, at(1)), Some(Cause::Changed));
}

#[test]
fn t6_after_a_failed_attempt_the_next_one_waits_a_moment() {
    let mut publishing = Publishing::default();
    let votes = [vote("cpu", VoteState::Idle, 1)];
    publishing.failed(at(10_000));
    assert_eq!(publishing.heartbeat_in_ms(60_000, at(10_000)), PAUSE_MS);
    assert_eq!(publishing.due(&draft(&votes, "1/0/0"), at(10_999)), None);
    assert_eq!(
        publishing.due(&draft(&votes, "1/0/0"), at(11_000)),
        Some(Cause::First)
    );
}

#[test]
fn t6_after_the_bus_was_away_the_verdict_is_sent_anew() {
    let mut publishing = Publishing::default();
    let votes = [vote("cpu", VoteState::Idle, 1)];
    publishing.sent(&draft(&votes, "1/0/0"), at(0));
    publishing.forget();
    assert_eq!(publishing.due(&draft(&votes, "1/0/0"), at(1)), Some(Cause::First));
}
