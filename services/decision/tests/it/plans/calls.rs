//! Who may claim, commit and call, and on which answers: P1, P3, P4, S1, S25, T5.

use super::{before, before_with, plan_of};
use crate::bench::{Bench, Step, acting, vote};
use snooze_decision::claim::{Action, Answer, AuditKind, End, Entry, Input, Planned, Ticket, Verified};
use snooze_decision::{Boot, Checker, Combine, Mode, PolicyValues, Role, Violation, VoteState, VoterRule};

#[test]
fn p1_a_call_without_a_commit_is_refused() {
    let mut before = before(Step::Commit);
    assert_eq!(
        before.inspect(&plan_of(Step::Call)),
        Err(Violation::CallWithoutCommit)
    );
}

#[test]
fn p1_a_call_without_a_verification_is_refused() {
    // A holder that finds its own commit in the key and has asked nobody.
    let mut before = before(Step::Call);
    let key = before.bench.key();
    let empty = Entry::default();
    let mut checker = Checker::new(&before.bench.terms(), "holder-1".to_owned(), empty);
    let now = before.bench.now;
    checker.heard(now, &Input::KeyChanged(Box::new(key)));
    let audit = plan_of(Step::Audit(AuditKind::Committed));
    let audit = Planned {
        ticket: Ticket(1),
        ..audit
    };
    checker.inspect(now, &audit).expect("it may be filed");
    let (ticket, answer) = (Ticket(1), Answer::Filed);
    checker.heard(now, &Input::Answer { ticket, answer });
    let call = before.planned.clone();
    assert_eq!(
        checker.inspect(now, &call),
        Err(Violation::CallWithoutVerification)
    );
    assert_eq!(before.step(), Ok(()), "with one it may");
}

#[test]
fn p1_a_call_on_a_verification_that_is_or_may_get_too_old_is_refused() {
    let mut before_call = before(Step::Call);
    before_call.bench.pass(before_call.bench.policy.freshness_ms);
    assert_eq!(before_call.step(), Err(Violation::CallOnStaleVerification));
    let mut before_call = before(Step::Call);
    if let Action::Call(permit) = &mut before_call.planned.action {
        permit.not_after = Boot(permit.not_after.0 + 1);
    }
    assert_eq!(before_call.step(), Err(Violation::CallOnStaleVerification));
}

#[test]
fn p1_a_second_call_is_refused() {
    let mut before = before(Step::Call);
    assert_eq!(before.step(), Ok(()));
    assert_eq!(before.again(), Err(Violation::SecondCall));
}

#[test]
fn p4_a_step_before_the_one_before_it_is_filed_is_refused() {
    for (filing, next) in [
        (AuditKind::Intent, Step::Prepare),
        (AuditKind::Notice, Step::Protections),
        (AuditKind::Notice, Step::Verify),
        (AuditKind::Committed, Step::Call),
    ] {
        let mut before = before(Step::Audit(filing));
        let refused = before.inspect(&plan_of(next));
        assert_eq!(refused, Err(Violation::StepBeforeAudit), "{filing:?} {next:?}");
    }
}

#[test]
fn p3_a_commit_on_an_answer_that_does_not_say_idle_is_refused() {
    type Spoil = fn(&mut Verified);
    let spoilers: [(&str, Spoil); 15] = [
        ("nonce", |answer| answer.nonce.push('x')),
        ("claim", |answer| answer.claim.0 += 1),
        ("preparation", |answer| answer.prepared = false),
        ("agent", |answer| answer.verdict.agent.push('x')),
        ("twin", |answer| answer.last_heard = Some("twin".to_owned())),
        ("boot", |answer| answer.verdict.boot_id.push('x')),
        ("policy", |answer| answer.verdict.policy_revision.push('x')),
        ("old sample", |answer| answer.verdict.sample_age_ms = 60_000),
        ("boot grace", |answer| answer.verdict.boot_grace_left_ms = 1),
        ("uptime", |answer| answer.verdict.uptime_ms = 599_999),
        ("busy", |answer| {
            answer.verdict.votes[0] = vote("cpu", VoteState::Busy);
        }),
        ("raw", |answer| answer.verdict.votes[0].raw = VoteState::Unknown),
        ("naptime", |answer| answer.verdict.votes[0].idle_ms = 1_799_999),
        ("people", |answer| answer.verdict.votes.truncate(1)),
        ("twice", |answer| {
            let again = answer.verdict.votes[0].clone();
            answer.verdict.votes.push(again);
        }),
    ];
    for (what, spoil) in spoilers {
        let mut before = before_with(Bench::at(Step::Commit), Step::Commit, spoil);
        assert_eq!(before.step(), Err(Violation::CommitWithoutVerification), "{what}");
    }
}

#[test]
fn t5_the_checker_counts_by_the_policys_own_mode() {
    let claimed = |combine| {
        let mut values = PolicyValues { combine, ..acting() };
        let people = VoterRule {
            role: Some(Role::Advisory),
            weight: None,
        };
        values.voters.insert("people".to_owned(), people);
        let mut bench = Bench::new(values);
        bench.claim();
        bench.up_to(Step::Commit);
        bench
    };
    for combine in [
        Combine::All,
        Combine::Any,
        Combine::Quorum(1),
        Combine::Weighted(1.0),
    ] {
        let mut right = before_with(claimed(combine), Step::Commit, |_| {});
        assert_eq!(right.step(), Ok(()), "{combine:?}");
        // The advisory voter alone is idle.
        let busy = |answer: &mut Verified| answer.verdict.votes[0] = vote("cpu", VoteState::Busy);
        let mut wrong = before_with(claimed(combine), Step::Commit, busy);
        assert_eq!(
            wrong.step(),
            Err(Violation::CommitWithoutVerification),
            "{combine:?}"
        );
    }
}

#[test]
fn p3_a_new_question_makes_the_answer_to_the_one_before_worthless() {
    let mut before = before(Step::Commit);
    let mut question = plan_of(Step::Verify);
    question.ticket = Ticket(before.planned.ticket.0);
    assert_eq!(before.inspect(&question), Ok(()));
    assert_eq!(before.again(), Err(Violation::CommitWithoutVerification));
}

#[test]
fn p3_a_commit_on_a_verification_that_is_too_old_is_refused() {
    let mut before = before(Step::Commit);
    before.bench.pass(before.bench.policy.freshness_ms);
    assert_eq!(before.step(), Err(Violation::CommitOnStaleVerification));
}

#[test]
fn s1_a_claim_under_a_policy_that_only_observes_is_refused() {
    let mut before = before(Step::Claim);
    let values = PolicyValues {
        mode: Mode::Observe,
        ..acting()
    };
    let observing = Bench::new(values).terms();
    let key = Entry::default();
    before.checker = Checker::new(&observing, "holder-1".to_owned(), key);
    assert_eq!(before.step(), Err(Violation::ClaimWhileObserving));
}

#[test]
fn s25_a_claim_on_the_executors_own_machine_is_refused_without_self_stop() {
    let mut before = before(Step::Claim);
    let mut terms = before.bench.terms();
    terms.self_boot = Some("boot-1".to_owned());
    let key = Entry::default();
    before.checker = Checker::new(&terms, "holder-1".to_owned(), key);
    assert_eq!(before.step(), Err(Violation::SelfStopForbidden));
}

#[test]
fn a_ticket_that_was_used_before_is_refused() {
    let mut before = before(Step::Prepare);
    assert_eq!(before.step(), Ok(()));
    assert_eq!(before.step(), Err(Violation::TicketUsedTwice));
}

#[test]
fn a_plan_after_the_end_is_refused() {
    let mut before = before(Step::Prepare);
    let end = End::NotClaimed;
    before.planned.action = Action::Finished(end);
    assert_eq!(before.step(), Ok(()));
    assert_eq!(before.again(), Err(Violation::PlanAfterEnd));
}
