//! One call a claim, on a fresh verification, and what is done when nobody knows what became of it: P1, P2,
//! P3.

use crate::bench::{Bench, Step};
use snooze_decision::claim::{
    Action, Answer, AuditKind, CallOutcome, End, Input, InstanceState, Outcome, Permit, Phase, Verified,
    Wake, apply_wake, note_running, start_is_due, wake_is_late,
};
use snooze_decision::{Boot, VoteState, Wall};

fn wake(at: Wall) -> Wake {
    Wake {
        at,
        reason: "work".to_owned(),
        by: "ada".to_owned(),
    }
}

#[test]
fn p1_there_is_one_call_a_claim_and_only_after_commit_and_audit() {
    let mut bench = Bench::at(Step::Call);
    assert_eq!(bench.phase(), Some(Phase::Committed));
    assert!(
        bench
            .audits()
            .ends_with(&[AuditKind::Verified, AuditKind::Committed])
    );
    bench.finish();
    assert_eq!(bench.calls(), 1);
    assert_eq!(
        bench.end,
        Some(End::Freed {
            outcome: Outcome::Stopped
        })
    );
}

#[test]
fn p1_the_last_look_after_signing_counts_from_the_question() {
    let mut bench = Bench::at(Step::Verify);
    let asked_at = bench.now.boot;
    bench.pass(4_000);
    bench.up_to(Step::Call);
    let call = bench.next().expect("the call");
    let Action::Call(permit) = call.action else {
        panic!("not a call")
    };
    assert_eq!(permit.not_after, asked_at.plus(bench.policy.freshness_ms));
    assert!(permit.allows(Boot(permit.not_after.0 - 1)));
    assert!(!permit.allows(permit.not_after));
    assert_eq!(permit.timeout_ms, bench.policy.call_timeout_ms);
}

#[test]
fn p1_a_verification_that_grew_old_before_the_call_leads_to_none() {
    let mut bench = Bench::at(Step::Audit(AuditKind::Committed));
    bench.pass(bench.policy.freshness_ms);
    bench.finish();
    assert_eq!(bench.calls(), 0);
    assert!(bench.cancelled_because().contains("too old"));
}

#[test]
fn p1_an_unsent_or_refused_call_is_cancelled_and_an_unanswered_one_is_not() {
    let refused = CallOutcome::Refused {
        reason: "no".to_owned(),
    };
    let unsent = CallOutcome::NotSent {
        reason: "late".to_owned(),
    };
    for outcome in [refused, unsent] {
        let mut bench = Bench::at(Step::Call);
        bench.answer_next(Answer::Called(outcome));
        bench.finish();
        assert!(matches!(
            bench.end,
            Some(End::Freed {
                outcome: Outcome::Cancelled { .. }
            })
        ));
    }
    let mut bench = Bench::at(Step::Call);
    let reason = "503".to_owned();
    bench.answer_next(Answer::Called(CallOutcome::Unknown { reason }));
    bench.up_to(Step::Watch);
    assert_eq!(bench.phase(), Some(Phase::Unknown));
}

#[test]
fn p2_a_takeover_never_calls_whatever_it_finds() {
    let steps = [
        Step::Prepare,
        Step::Protections,
        Step::Verify,
        Step::Commit,
        Step::Audit(AuditKind::Committed),
        Step::Call,
        Step::Watch,
        Step::Tags,
        Step::Free,
    ];
    for step in steps {
        let mut bench = Bench::at(step);
        let committed = bench.phase() != Some(Phase::Claimed(progress_of(&bench)));
        let called = bench.calls();
        bench.lose_holder();
        bench.take_over();
        bench.finish();
        assert_eq!(bench.calls(), called, "{step:?}: a takeover called");
        let stopped = bench.instance == InstanceState::Stopped;
        let freed =
            matches!(&bench.end, Some(End::Freed { outcome }) if (*outcome == Outcome::Stopped) == stopped);
        assert!(freed, "{step:?}, committed {committed}: {:?}", bench.end);
        assert!(bench.store.all_free(), "{step:?}");
    }
}

fn progress_of(bench: &Bench) -> snooze_decision::claim::Progress {
    match bench.phase() {
        Some(Phase::Claimed(progress)) => progress,
        _ => snooze_decision::claim::Progress::Intent,
    }
}

#[test]
fn p2_after_a_call_in_doubt_the_host_is_watched_for_all_of_the_quarantine() {
    let mut bench = Bench::at(Step::Call);
    bench.lose_holder();
    bench.take_over();
    bench.up_to(Step::Watch);
    assert_eq!(bench.phase(), Some(Phase::Unknown));
    let since = bench.now.boot;
    bench.up_to(Step::Free);
    let watched = bench.now.boot.since(since);
    assert!(watched >= bench.policy.quarantine_ms, "only {watched} ms");
    // Another takeover in the middle counts anew.
    let mut bench = Bench::at(Step::Call);
    bench.lose_holder();
    bench.take_over();
    bench.up_to(Step::Watch);
    bench.lose_holder();
    bench.pass(bench.policy.quarantine_ms - 1_000);
    bench.take_over();
    bench.up_to(Step::Watch);
    let since = bench.now.boot;
    bench.up_to(Step::Free);
    assert!(bench.now.boot.since(since) >= bench.policy.quarantine_ms);
}

#[test]
fn p2_a_host_in_doubt_that_is_seen_stopping_and_then_running_is_in_doubt_again() {
    let mut bench = Bench::at(Step::Call);
    bench.answer_next(Answer::Called(CallOutcome::Accepted));
    bench.up_to(Step::Watch);
    bench.answer_next(Answer::Instance(InstanceState::Stopping));
    bench.up_to(Step::Watch);
    bench.answer_next(Answer::Instance(InstanceState::Running));
    bench.up_to(Step::Watch);
    assert_eq!(bench.phase(), Some(Phase::Unknown));
    bench.answer_next(Answer::Instance(InstanceState::Stopping));
    bench.up_to(Step::Watch);
    assert_eq!(bench.phase(), Some(Phase::Stopping));
}

#[test]
fn p2_a_wake_cancels_before_the_commit_and_waits_after_it() {
    let mut bench = Bench::at(Step::Verify);
    let now = bench.now.wall;
    bench.change(|key| apply_wake(key, wake(now)));
    bench.finish();
    assert_eq!(bench.calls(), 0);
    assert!(bench.cancelled_because().contains("wake by ada"));

    let mut bench = Bench::at(Step::Call);
    bench.change(|key| {
        assert!(wake_is_late(&key.value).is_some());
        apply_wake(key, wake(now))
    });
    bench.finish();
    assert_eq!(
        bench.end,
        Some(End::Freed {
            outcome: Outcome::Stopped
        })
    );
    assert!(start_is_due(&bench.key().value), "the wake still waits");
    bench.change(|key| note_running(key, now));
    assert!(!start_is_due(&bench.key().value));
    assert_eq!(bench.key().value.last_start, Some(now));
}

#[test]
fn p3_only_an_answer_to_this_question_from_this_agent_boot_and_policy_counts() {
    type Spoil = fn(&mut Verified);
    let spoilers: [(&str, Spoil); 8] = [
        ("nonce", |answer| answer.nonce.push('x')),
        ("claim", |answer| answer.claim.0 += 1),
        ("preparation", |answer| answer.prepared = false),
        ("agent", |answer| answer.verdict.agent.push('x')),
        ("boot", |answer| answer.verdict.boot_id.push('x')),
        ("policy", |answer| answer.verdict.policy_revision.push('x')),
        ("sample", |answer| answer.verdict.sample_age_ms = 60_000),
        ("grace", |answer| answer.verdict.boot_grace_left_ms = 1),
    ];
    for (what, spoil) in spoilers {
        let mut bench = Bench::at(Step::Verify);
        while let Some(planned) = bench.next() {
            let Action::Verify { claim, nonce, .. } = &planned.action else {
                bench.carry_out(planned);
                continue;
            };
            let mut answer = Verified {
                claim: *claim,
                nonce: nonce.clone(),
                prepared: true,
                last_heard: None,
                verdict: snooze_decision::Verdict {
                    sample_age_ms: 0,
                    ..bench.verdict.clone()
                },
            };
            spoil(&mut answer);
            bench.tell(Input::Answer {
                ticket: planned.ticket,
                answer: Answer::Verified(answer),
            });
        }
        assert_eq!(bench.calls(), 0, "another {what}");
    }
}

#[test]
fn p3_either_half_of_a_vote_is_a_veto() {
    for (state, raw) in [
        (VoteState::Busy, VoteState::Idle),
        (VoteState::Idle, VoteState::Busy),
        (VoteState::Idle, VoteState::Unknown),
    ] {
        let mut bench = Bench::at(Step::Verify);
        bench.verdict.votes[0].state = state;
        bench.verdict.votes[0].raw = raw;
        bench.finish();
        assert_eq!(bench.calls(), 0, "{state:?} {raw:?}");
        assert!(bench.cancelled_because().contains("cpu"));
    }
}

#[test]
fn p3_an_unanswered_question_is_asked_again_with_another_nonce_and_not_for_ever() {
    let mut bench = Bench::at(Step::Verify);
    let mut nonces = Vec::new();
    while bench.end.is_none() {
        let Some(planned) = bench.next() else { break };
        if let Action::Verify {
            nonce, prolong_ms, ..
        } = &planned.action
        {
            assert_eq!(*prolong_ms, bench.policy.quarantine_ms);
            nonces.push(nonce.clone());
            let reason = "no responders".to_owned();
            bench.tell(Input::Answer {
                ticket: planned.ticket,
                answer: Answer::Failed { reason },
            });
        } else {
            bench.carry_out(planned);
        }
    }
    let asked = nonces.len();
    nonces.dedup();
    assert_eq!((asked, nonces.len()), (3, 3));
    assert_eq!(bench.calls(), 0);
}

#[test]
fn the_checker_refuses_a_call_that_nothing_leads_to() {
    use snooze_decision::claim::{ClaimNumber, Planned, Ticket};
    use snooze_decision::{Checker, StopAction, Violation};
    let bench = Bench::at(Step::Verify);
    let mut checker = Checker::new(&bench.terms(), "holder-1".to_owned(), bench.key());
    let call = Planned {
        ticket: Ticket(1),
        within_ms: 1_000,
        action: Action::Call(Permit {
            claim: ClaimNumber(2),
            action: StopAction::Stop,
            not_after: Boot(u64::MAX),
            timeout_ms: 1_000,
        }),
    };
    assert_eq!(
        checker.inspect(bench.now, &call),
        Err(Violation::CallWithoutCommit)
    );
}
