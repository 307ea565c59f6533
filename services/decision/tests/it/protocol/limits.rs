//! The order of a claim's steps, the host that carries its executor, and the limits: P4, P9, P10, L, S.

use crate::bench::{Bench, Step, acting, vote};
use snooze_decision::claim::{
    Action, Answer, AuditKind, End, Frozen, Input, InstanceState, Key, Outcome, Phase, Tags, Value,
    apply_freeze, apply_thaw, tags_to_mend,
};
use snooze_decision::{PolicyMistake, PolicyValues, VoteState, Wall};

#[test]
fn p4_the_steps_come_in_their_order() {
    let mut bench = Bench::new(acting());
    bench.claim();
    bench.finish();
    let mut names: Vec<&str> = bench
        .done
        .iter()
        .filter_map(|action| match action {
            Action::Audit(entry) => Some(match entry.kind {
                AuditKind::Intent => "intent",
                AuditKind::Notice => "notice",
                AuditKind::Verified => "verified",
                AuditKind::Committed => "committed",
                AuditKind::Call => "called",
                AuditKind::Stopped => "stopped",
                _ => "other",
            }),
            Action::Prepare { .. } => Some("prepare"),
            Action::ReadProtections => Some("protections"),
            Action::Verify { .. } => Some("verify"),
            Action::Call(_) => Some("call"),
            Action::ReadInstance => Some("watch"),
            Action::WriteTags(_) => Some("tags"),
            _ => None,
        })
        .collect();
    names.dedup();
    assert_eq!(
        names,
        [
            "intent",
            "prepare",
            "notice",
            "protections",
            "verify",
            "verified",
            "committed",
            "call",
            "called",
            "watch",
            "tags",
            "stopped"
        ]
    );
}

#[test]
fn p4_a_running_machine_that_is_tagged_stopped_is_mended() {
    let bench = Bench::new(acting());
    let record = &bench.key().value;
    let mended = tags_to_mend(InstanceState::Running, Some("Stopped"), record);
    assert_eq!(mended, Some(Tags::Running));
    assert_eq!(
        tags_to_mend(InstanceState::Stopped, Some("Stopped"), record),
        None
    );
    assert_eq!(
        tags_to_mend(InstanceState::Running, Some("Running"), record),
        None
    );
    assert_eq!(tags_to_mend(InstanceState::Running, None, record), None);
}

#[test]
fn p9_the_quarantine_is_longer_than_the_longest_way_of_a_call() {
    let values = PolicyValues {
        quarantine_ms: 620_000,
        ..acting()
    };
    let mistakes = snooze_decision::Policy::check(values).expect_err("F + E + L is just as long");
    let short = PolicyMistake::QuarantineTooShort {
        quarantine_ms: 620_000,
        way_ms: 620_000,
    };
    assert_eq!(mistakes, [short]);
}

fn own_host() -> Bench {
    let values = PolicyValues {
        self_stop: true,
        ..acting()
    };
    let mut bench = Bench::new(values);
    bench.self_boot = Some("boot-1".to_owned());
    bench
}

#[test]
fn p10_on_the_executors_own_host_tags_come_before_the_call() {
    let mut bench = own_host();
    bench.claim();
    bench.up_to(Step::Verify);
    assert!(matches!(bench.tags(), Some(Tags::Stopped { .. })));
    assert!(
        bench.key().value.claim.is_some_and(|claim| claim.tagged),
        "written down first"
    );
    bench.up_to(Step::Call);
    assert_eq!(bench.calls(), 0);
}

#[test]
fn p10_tags_that_proved_untrue_are_corrected() {
    let mut bench = own_host();
    bench.claim();
    bench.up_to(Step::Verify);
    bench.verdict.votes[0] = vote("cpu", VoteState::Busy);
    bench.finish();
    assert_eq!(bench.calls(), 0);
    assert_eq!(bench.tags(), Some(&Tags::Running));
    // The same where the executor died in between.
    let mut bench = own_host();
    bench.claim();
    bench.up_to(Step::Verify);
    bench.lose_holder();
    bench.take_over();
    bench.finish();
    assert_eq!(bench.tags(), Some(&Tags::Running));
}

#[test]
fn p10_the_next_boot_settles_the_claim() {
    let mut bench = own_host();
    bench.claim();
    bench.up_to(Step::Watch);
    bench.lose_holder();
    // The machine came up again: this executor runs on it.
    bench.instance = InstanceState::Running;
    bench.self_boot = Some("boot-2".to_owned());
    bench.take_over();
    let since = bench.now.boot;
    bench.finish();
    assert_eq!(bench.tags(), Some(&Tags::Running));
    assert_eq!(
        bench.end,
        Some(End::Freed {
            outcome: Outcome::Stopped
        })
    );
    assert!(bench.now.boot.since(since) < bench.policy.takeover_ms, "at once");
    assert_eq!(bench.calls(), 1);
}

#[test]
fn l1_a_slot_is_taken_with_the_claim_and_given_back_with_the_change_to_free() {
    let bench = Bench::at(Step::Free);
    let claim = bench.key().value.claim.expect("still claimed");
    let taken = bench.store.state(0, &claim.slots).slots;
    assert_eq!(taken.len(), 1, "kept to the end");
    let mut bench = bench;
    let planned = bench.next().expect("the last batch");
    let Action::Write(batch) = &planned.action else {
        panic!("not a write")
    };
    assert!(matches!(&batch.writes[0].key, Key::Slot { n: 0, .. }));
    assert!(matches!(batch.writes[0].value, Value::Delete));
    assert!(matches!(&batch.writes[1].value, Value::Host(record) if record.claim.is_none()));
    bench.carry_out(planned);
    assert!(bench.store.all_free());
}

#[test]
fn l1_a_slot_that_somebody_else_took_first_means_no_claim() {
    let mut bench = Bench::new(acting());
    bench.claim();
    bench.answer_next(Answer::Conflict);
    bench.finish();
    assert_eq!(bench.end, Some(End::NotClaimed));
    assert!(bench.store.all_free());
}

#[test]
fn l3_a_freeze_cancels_what_is_on_its_way_even_when_thawed_at_once() {
    let frozen = Frozen {
        since: Wall(1),
        reason: "a drill".to_owned(),
        by: "ada".to_owned(),
    };
    for thawed in [false, true] {
        for step in [Step::Prepare, Step::Verify, Step::Commit] {
            let mut bench = Bench::at(step);
            let mut gate = apply_freeze(&bench.store.gate.value, frozen.clone());
            if thawed {
                gate = apply_thaw(&gate);
            }
            bench.store.put_gate(gate);
            bench.finish();
            assert_eq!(bench.calls(), 0, "{step:?}");
            assert!(bench.cancelled_because().contains("frozen"), "{step:?}");
        }
    }
}

#[test]
fn l3_every_commit_rewrites_the_kill_switch_and_loses_cleanly_to_another_commit() {
    let mut bench = Bench::at(Step::Commit);
    let before = bench.store.gate.clone();
    // Another host's commit was first.
    let mut gate = before.value.clone();
    gate.commits += 1;
    bench.store.put_gate(gate);
    bench.finish();
    assert_eq!(bench.calls(), 1, "it read again and tried again");
    assert_eq!(bench.store.gate.value.commits, before.value.commits + 2);
}

#[test]
fn l7_after_an_ambiguous_write_the_key_is_read_and_written_before_anything_else() {
    for (step, landed) in [
        (Step::Claim, true),
        (Step::Claim, false),
        (Step::Commit, true),
        (Step::Commit, false),
        (Step::Free, true),
        (Step::Free, false),
    ] {
        let mut bench = Bench::at(step);
        let planned = bench.next().expect("the write");
        if landed && let Action::Write(batch) = &planned.action {
            bench.store.apply(0, batch).expect("it lands");
        }
        bench.tell(Input::Answer {
            ticket: planned.ticket,
            answer: Answer::Ambiguous,
        });
        let next = bench.next().expect("a read");
        assert!(
            matches!(next.action, Action::ReadState { .. }),
            "{step:?} {next:?}"
        );
        let before = bench.done.len();
        bench.carry_out(next);
        if !(landed && step == Step::Free) {
            let next = bench.next().expect("a write");
            assert!(matches!(next.action, Action::Write(_)), "{step:?} {next:?}");
            bench.carry_out(next);
        }
        bench.finish();
        assert!(bench.done.len() > before);
        assert_eq!(bench.calls(), 1, "{step:?}, landed: {landed}");
        assert!(bench.store.all_free());
        assert!(matches!(bench.end, Some(End::Freed { .. })), "{:?}", bench.end);
    }
}

#[test]
fn s24_a_stop_that_is_not_seen_in_time_is_an_alarm() {
    let mut bench = Bench::at(Step::Call);
    bench.after_call = InstanceState::Stopping;
    bench.carry_out_next();
    bench.up_to(Step::Audit(AuditKind::Alarm));
    assert_eq!(bench.phase(), Some(Phase::Stopping));
    bench.instance = InstanceState::Stopped;
    bench.finish();
    assert_eq!(
        bench.end,
        Some(End::Freed {
            outcome: Outcome::Stopped
        })
    );
    assert_eq!(
        bench
            .audits()
            .iter()
            .filter(|kind| **kind == AuditKind::Alarm)
            .count(),
        1
    );
}

#[test]
fn s12_notice_is_given_and_waited_out_before_the_stop() {
    let mut bench = Bench::at(Step::Audit(AuditKind::Notice));
    let since = bench.now.boot;
    bench.up_to(Step::Protections);
    assert!(bench.now.boot.since(since) >= bench.policy.notice_ms);
    bench.finish();
    assert_eq!(bench.calls(), 1);
}

#[test]
fn s8_tags_are_read_again_right_before_the_stop() {
    let mut bench = Bench::at(Step::Protections);
    let tag = bench.policy.opt_out_tag.clone();
    bench.instance_tags.insert(tag, "true".to_owned());
    bench.finish();
    assert_eq!(bench.calls(), 0);
    assert!(bench.cancelled_because().contains("cloudsnooze:disable"));
}

#[test]
fn s23_every_way_of_a_claim_is_filed_with_its_reason() {
    let mut bench = Bench::at(Step::Verify);
    bench.tell(Input::GiveUp {
        reason: "the service is to end".to_owned(),
    });
    bench.finish();
    assert_eq!(bench.cancelled_because(), "the service is to end");
    assert_eq!(bench.audits().last(), Some(&AuditKind::Cancelled));
}
