//! Other terms, other voters, and a restart of the runner in between.

use super::*;

#[test]
fn t3_a_reconfigured_plugin_breaks_every_run_and_its_old_answer_counts_for_nothing() {
    let mut desk = Desk::new();
    for end in [2_000, 3_000] {
        desk.quiet_second(end);
    }
    let policy = desk.policy.clone();
    let remarks = desk.tally.ask_these(plugin("b"), &policy);
    assert_eq!(remarks, [Remark::Changed(vec![voter("redis")])]);
    assert_eq!(desk.vote("cpu", 3_000).idle_ms, 0);
    assert_eq!(desk.vote("redis", 3_000).state, VoteState::Unknown);
    desk.tally
        .answer(&voter("redis"), "a", at(3_100), idle(), &policy);
    assert_eq!(
        desk.vote("redis", 3_100).state,
        VoteState::Unknown,
        "asked under the old terms"
    );
}

#[test]
fn t3_a_changed_threshold_or_role_breaks_every_run() {
    let changes: [fn(&mut Policy); 2] = [
        |policy| policy.cpu_threshold_percent = 20.0,
        |policy| policy.voters.entry(voter("cpu")).or_default().role = Some(Role::Advisory),
    ];
    for change in changes {
        let mut desk = Desk::new();
        for end in [2_000, 3_000] {
            desk.quiet_second(end);
        }
        change(&mut desk.policy);
        desk.quiet_second(4_000);
        assert_eq!(desk.vote("redis", 4_000).idle_ms, 0);
    }
}

#[test]
fn t4_a_restart_bridges_a_hole_of_less_than_two_intervals() {
    for (first_end, expected) in [(5_900, 3_000), (6_100, 1_000)] {
        let mut desk = Desk::new();
        for end in [2_000, 3_000] {
            desk.quiet_second(end);
        }
        let text = serde_json::to_string(&desk.tally.keep()).expect("writes");
        let kept = serde_json::from_str(&text).expect("reads");
        desk.tally = Tally::resume(BOOT.to_owned(), kept, 1_000);
        desk.tally.ask_these(plugin("a"), &desk.policy);
        desk.seq += 2;
        desk.late(first_end, first_end, 1.0);
        assert_eq!(
            desk.vote("cpu", first_end).idle_ms,
            expected,
            "a first sample until {first_end}"
        );
    }
}

#[test]
fn t3_votes_after_a_new_policy_are_made_under_it() {
    let mut desk = Desk::new();
    for end in [2_000, 3_000] {
        desk.quiet_second(end);
    }
    desk.policy.cpu_threshold_percent = 0.5;
    let policy = desk.policy.clone();
    let remarks = desk.tally.ask_these(plugin("a"), &policy);
    assert_eq!(remarks, [Remark::Changed(vec![voter("cpu")])]);
    let cpu = desk.vote("cpu", 3_000);
    assert_eq!((cpu.state, cpu.idle_ms), (VoteState::Busy, 0));
    assert_eq!(cpu.evidence["threshold"], 0.5);
    assert_eq!(
        desk.vote("redis", 3_000).idle_ms,
        0,
        "its run broke with the others"
    );
}

#[test]
fn t4_a_plugins_run_bridges_a_restart_of_less_than_two_intervals_and_no_more() {
    for (first_answer, expected) in [(4_999, 2_999), (5_000, 0)] {
        let mut desk = Desk::new();
        for end in [2_000, 3_000] {
            desk.quiet_second(end);
        }
        desk.tally = Tally::resume(BOOT.to_owned(), desk.tally.keep(), 1_000);
        desk.tally.ask_these(plugin("a"), &desk.policy);
        desk.seq += 2;
        desk.late(4_500, 4_500, 1.0);
        let policy = desk.policy.clone();
        desk.tally
            .answer(&voter("redis"), "a", at(first_answer), idle(), &policy);
        assert_eq!(
            desk.vote("redis", first_answer).idle_ms,
            expected,
            "{first_answer}"
        );
        desk.tally
            .answer(&voter("redis"), "a", at(first_answer + 2_900), idle(), &policy);
        assert_eq!(
            desk.vote("redis", first_answer + 2_900).idle_ms,
            expected + 2_900,
            "from then on it is as ever"
        );
    }
}

#[test]
fn t4_every_break_of_a_run_is_counted() {
    let mut desk = Desk::new();
    for end in [2_000, 3_000] {
        desk.quiet_second(end);
    }
    let before = desk.tally.breaks();
    let policy = desk.policy.clone();
    desk.tally
        .answer(&voter("redis"), "a", at(3_100), idle(), &policy);
    assert_eq!(desk.tally.breaks(), before);
    let busy = Opinion::new(VoteState::Busy, "a client");
    desk.tally.answer(&voter("redis"), "a", at(3_200), busy, &policy);
    assert_eq!(desk.tally.breaks(), before + 1);
}

#[test]
fn s2_who_is_required_and_missing_is_unknown() {
    let mut desk = Desk::new();
    let missing = AskedVoter {
        terms: "barred".to_owned(),
        barred: Some("it is missing".to_owned()),
    };
    desk.tally
        .ask_these([(voter("redis"), missing)].into(), &desk.policy);
    desk.late(2_000, 2_000, 1.0);
    let redis = desk.vote("redis", 2_000);
    assert_eq!(
        (redis.state, redis.role, redis.reason.as_str()),
        (VoteState::Unknown, Role::Required, "it is missing")
    );
}
