//! A host that carries its own executor, after it came up again: P10.

use crate::bench::{Bench, Step, acting};
use snooze_decision::PolicyValues;
use snooze_decision::claim::{
    Answer, AuditKind, CallOutcome, End, InstanceState, Outcome, Phase, Tags, tags_to_mend,
};

fn own_host(step: Step) -> Bench {
    let mut bench = Bench::new(PolicyValues {
        self_stop: true,
        ..acting()
    });
    bench.self_boot = Some("boot-1".to_owned());
    bench.claim();
    bench.up_to(step);
    bench
}

/// The machine went down with its executor, and came up again with a new one.
fn boots(bench: &mut Bench) {
    bench.lose_holder();
    bench.instance = InstanceState::Running;
    bench.self_boot = Some("boot-2".to_owned());
    bench.take_over();
}

#[test]
fn p10_a_boot_between_commit_and_answer_is_not_taken_for_a_stop() {
    // The machine panicked, or somebody rebooted it, before the call or before its answer came.
    for step in [Step::Audit(AuditKind::Committed), Step::Call] {
        let mut bench = own_host(step);
        boots(&mut bench);
        bench.up_to(Step::Watch);
        assert_eq!(bench.phase(), Some(Phase::Unknown), "{step:?}");
        assert_eq!(bench.tags(), Some(&Tags::Running), "they are put right at once");
        let since = bench.now.boot;
        bench.up_to(Step::Free);
        let watched = bench.now.boot.since(since);
        assert!(watched >= bench.policy.quarantine_ms, "a call may still come");
        bench.finish();
        assert!(bench.cancelled_because().contains("after a boot"));
        assert_eq!(bench.key().value.last_stop, None, "nothing was stopped");
        assert!(!bench.audits().contains(&AuditKind::Stopped), "and none is filed");
        assert!(bench.store.all_free());
    }
}

#[test]
fn p10_a_call_that_comes_about_after_the_boot_is_seen() {
    let mut bench = own_host(Step::Call);
    let reason = "reset".to_owned();
    bench.answer_next(Answer::Called(CallOutcome::Unknown { reason }));
    boots(&mut bench);
    bench.up_to(Step::Watch);
    bench.pass(60_000);
    assert_eq!(bench.phase(), Some(Phase::Unknown), "it is still held");
    bench.instance = InstanceState::Stopped;
    bench.finish();
    let stopped = End::Freed {
        outcome: Outcome::Stopped,
    };
    assert_eq!(bench.end, Some(stopped));
}

#[test]
fn p10_an_accepted_stop_that_the_machine_came_back_from_has_the_date_of_its_commit() {
    let mut bench = own_host(Step::Watch);
    let committed_at = bench.key().value.claim.and_then(|claim| claim.committed_at);
    bench.pass(8 * 3_600_000);
    boots(&mut bench);
    bench.finish();
    let last_stop = bench.key().value.last_stop.expect("it was stopped");
    assert_eq!(Some(last_stop.at), committed_at);
    assert_eq!(bench.tags(), Some(&Tags::Running));
}

#[test]
fn p10_tags_of_a_stop_by_others_are_cleared_after_the_boot_as_well() {
    let mut bench = own_host(Step::Call);
    bench.answer_next(Answer::Called(CallOutcome::AlreadyStopping));
    bench.up_to(Step::Watch);
    boots(&mut bench);
    bench.finish();
    assert_eq!(bench.tags(), Some(&Tags::Running));
    assert_eq!(bench.key().value.last_stop, None);
}

#[test]
fn p4_a_stale_tag_is_mended_under_any_claim_that_has_not_written_it() {
    let mend = |bench: &Bench| tags_to_mend(InstanceState::Running, Some("Stopped"), &bench.key().value);
    for step in [Step::Prepare, Step::Verify, Step::Call] {
        let bench = Bench::at(step);
        assert_eq!(mend(&bench), Some(Tags::Running), "{step:?}");
    }
    assert_eq!(mend(&Bench::at(Step::Watch)), None, "the stop was accepted");
    let tagged = own_host(Step::Verify);
    assert_eq!(mend(&tagged), None, "the tag stands before the call");
    let mut in_doubt = Bench::at(Step::Call);
    let reason = "reset".to_owned();
    in_doubt.answer_next(Answer::Called(CallOutcome::Unknown { reason }));
    in_doubt.up_to(Step::Watch);
    assert_eq!(mend(&in_doubt), Some(Tags::Running));
}
