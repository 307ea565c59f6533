//! Watching what became of a call: what cannot be read, what others stopped, what a takeover keeps. P2, P8, S24.

use crate::bench::{Bench, Step, acting};
use snooze_decision::claim::{
    Action, Answer, AuditKind, CallOutcome, End, InstanceState, Outcome, Phase, Tags,
};
use snooze_decision::{Policy, PolicyValues};

fn alarms(bench: &Bench) -> Vec<String> {
    let alarm = |action: &Action| match action {
        Action::Audit(entry) if entry.kind == AuditKind::Alarm => Some(entry.message.clone()),
        _ => None,
    };
    bench.done.iter().filter_map(alarm).collect()
}

fn in_doubt() -> Bench {
    let mut bench = Bench::at(Step::Call);
    let reason = "reset".to_owned();
    bench.answer_next(Answer::Called(CallOutcome::Unknown { reason }));
    bench.up_to(Step::Watch);
    bench
}

#[test]
fn s24_an_instance_that_cannot_be_read_is_an_alarm_in_each_quarantine() {
    let mut bench = in_doubt();
    bench.unreadable = Some("not allowed".to_owned());
    let since = bench.now.boot;
    let before = alarms(&bench).len();
    let quarantine_ms = bench.policy.quarantine_ms;
    while bench.now.boot.since(since) < 3 * quarantine_ms + 60_000 {
        bench.carry_out_next();
    }
    let told = alarms(&bench);
    assert_eq!(told.len() - before, 3, "{told:#?}");
    assert!(told.iter().skip(before).all(|text| text.contains("not allowed")));
    assert_eq!(bench.phase(), Some(Phase::Unknown), "its slot stays taken (P2)");
    // Once it can be read, it goes on.
    bench.unreadable = None;
    bench.instance = InstanceState::Running;
    bench.finish();
    assert!(bench.store.all_free());
}

#[test]
fn p2_an_instance_that_is_gone_is_let_go_after_the_quarantine() {
    let mut bench = in_doubt();
    bench.instance = InstanceState::Missing;
    let since = bench.now.boot;
    bench.up_to(Step::Free);
    assert!(bench.now.boot.since(since) >= bench.policy.quarantine_ms);
    bench.finish();
    assert_eq!(bench.tags(), None);
    assert!(bench.store.all_free());
}

#[test]
fn p8_a_claim_names_the_instance_that_it_is_on_through_every_takeover() {
    let mut bench = Bench::at(Step::Call);
    let named = bench.terms().target;
    assert!(named.is_some());
    let of_claim = |bench: &Bench| bench.key().value.claim.and_then(|claim| claim.target);
    assert_eq!(of_claim(&bench), named);
    bench.lose_holder();
    bench.take_over();
    bench.up_to(Step::Watch);
    assert_eq!(of_claim(&bench), named);
}

#[test]
fn p2_a_takeover_watches_for_the_longer_quarantine_of_the_claim_and_of_its_own_policy() {
    // The policy of the claim, and that of whoever takes over: one that cannot be used is replaced by defaults.
    let with = |quarantine_ms: u64| PolicyValues {
        quarantine_ms,
        ..acting()
    };
    let (short_ms, long_ms) = (900_000, 1_800_000);
    for (claimed, taken_over) in [(long_ms, short_ms), (short_ms, long_ms)] {
        let mut bench = Bench::new(with(claimed));
        bench.claim();
        bench.up_to(Step::Call);
        bench.answer_next(Answer::Called(CallOutcome::Unknown {
            reason: "reset".to_owned(),
        }));
        bench.up_to(Step::Watch);
        assert_eq!(
            bench.key().value.claim.map(|claim| claim.quarantine_ms),
            Some(claimed)
        );
        bench.policy = Policy::check(with(taken_over)).expect("a sound policy");
        bench.lose_holder();
        bench.take_over();
        bench.instance = InstanceState::Running;
        let since = bench.now.boot;
        bench.up_to(Step::Free);
        let watched = bench.now.boot.since(since);
        assert!(watched >= long_ms, "{claimed} and {taken_over}: {watched} ms");
        bench.finish();
        assert!(bench.cancelled_because().contains("seen running throughout"));
    }
}

#[test]
fn p4_the_date_of_a_stop_is_kept_by_whoever_takes_over() {
    let mut bench = Bench::at(Step::Tags);
    let stopped = bench.key().value.last_stop.expect("seen stopped");
    bench.pass(3_600_000);
    bench.lose_holder();
    bench.take_over();
    bench.finish();
    assert_eq!(bench.key().value.last_stop, Some(stopped.clone()));
    assert!(matches!(bench.tags(), Some(Tags::Stopped { at, .. }) if *at == stopped.at));
}

#[test]
fn p8_a_stop_that_somebody_else_was_faster_with_is_not_ours() {
    let mut bench = Bench::at(Step::Call);
    bench.answer_next(Answer::Called(CallOutcome::AlreadyStopping));
    bench.instance = InstanceState::Stopped;
    bench.finish();
    let stopped = End::Freed {
        outcome: Outcome::Stopped,
    };
    assert_eq!(bench.end, Some(stopped), "success all the same");
    assert_eq!(bench.tags(), None);
    assert_eq!(bench.key().value.last_stop, None);
}

#[test]
fn p2_a_call_into_somebody_elses_stop_is_in_doubt_once_the_machine_runs_again() {
    let mut bench = Bench::at(Step::Call);
    bench.answer_next(Answer::Called(CallOutcome::AlreadyStopping));
    bench.up_to(Step::Watch);
    bench.answer_next(Answer::Instance(InstanceState::Stopping));
    bench.instance = InstanceState::Running;
    let since = bench.now.boot;
    bench.up_to(Step::Free);
    assert!(bench.now.boot.since(since) >= bench.policy.quarantine_ms);
    bench.finish();
    assert!(bench.cancelled_because().contains("seen running throughout"));
}
