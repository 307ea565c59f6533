//! What is asked of a host on the way to its stop, and which answers count: P3, P4, I2, T3.

use crate::bench::{Bench, HOUR, Step, acting, idle_vote};
use crate::deciding::Desk;
use snooze_decision::claim::{Action, Answer, Input, PrepareState, apply_veto};
use snooze_decision::witness::Witness;
use snooze_decision::{Decision, Idleness, PolicyValues, explain};

#[test]
fn p3_the_sample_of_the_verification_is_new_however_old_the_last_of_the_series_is() {
    for interval_ms in [1_000, 10_000, 60_000] {
        let mut bench = Bench::new(PolicyValues {
            check_interval_ms: interval_ms,
            ..acting()
        });
        bench.verdict.sample_age_ms = interval_ms - 1;
        bench.claim();
        bench.finish();
        assert_eq!(bench.calls(), 1, "interval {interval_ms} ms");
    }
}

#[test]
fn p3_a_sample_begun_before_the_question_is_refused() {
    // One from the periodic series, and one that is a millisecond older than the question.
    for too_old_ms in [45_000, 5_001] {
        let mut bench = Bench::at(Step::Verify);
        let question = bench.next().expect("the question");
        let ticket = question.ticket;
        let Some(Answer::Verified(mut answer)) = bench.answer_to(question.action) else {
            panic!("not the answer to a question")
        };
        assert_eq!(answer.verdict.sample_age_ms, 5_000, "as old as the question");
        answer.verdict.sample_age_ms = too_old_ms;
        let answer = Answer::Verified(answer);
        bench.tell(Input::Answer { ticket, answer });
        bench.finish();
        assert_eq!(bench.calls(), 0, "{too_old_ms}");
        assert!(bench.cancelled_because().contains("before the question"));
    }
}

#[test]
fn i2_a_second_agent_between_claim_and_verification_takes_the_claim_back() {
    let mut bench = Bench::at(Step::Verify);
    let mut witness = Witness::default();
    let mut desk = Desk {
        key: bench.key(),
        ..Desk::default()
    };
    let verdict = desk.verdict.clone().expect("a verdict");
    let mut explained = desk.decide();
    for (agent, seq) in [("agent-1", 8), ("agent-2", 1), ("agent-1", 9)] {
        let mut verdict = verdict.clone();
        (verdict.agent, verdict.seq) = (agent.to_owned(), seq);
        desk.identity = witness.observe(&verdict, 180_000, bench.now.boot);
        desk.verdict = Some(verdict);
        explained = desk.decide();
    }
    // Whoever hears of a claimed host that is not idle takes its claim back.
    assert_eq!(explained.decision, Decision::Claimed);
    assert_eq!(explained.idleness, Idleness::Unknown);
    let why = explain::sentences_against_claim(&explained).join(" ");
    bench.change(|key| apply_veto(key, why).expect("in time"));
    bench.finish();
    assert_eq!(bench.calls(), 0);
    assert_eq!(
        bench.cancelled_because(),
        "Two agents speak under this host's id.",
        "its being stopped is no reason not to stop it"
    );
}

#[test]
fn i2_another_agent_that_was_heard_last_is_a_veto_at_the_first_question() {
    let mut bench = Bench::at(Step::Verify);
    let question = bench.next().expect("the question");
    let ticket = question.ticket;
    let Some(Answer::Verified(mut answer)) = bench.answer_to(question.action) else {
        panic!("not the answer to a question")
    };
    answer.last_heard = Some("twin".to_owned());
    let answer = Answer::Verified(answer);
    bench.tell(Input::Answer { ticket, answer });
    bench.finish();
    let asked_again = bench.count(|action| matches!(action, Action::Verify { .. }));
    assert_eq!(
        asked_again, 0,
        "two agents are proof, and no answer that may be better next time"
    );
    assert_eq!(bench.calls(), 0);
    assert!(bench.cancelled_because().contains("another agent speaks"));
}

#[test]
fn t3_a_voter_that_opened_the_claim_and_is_gone_at_the_verification_is_a_veto() {
    for gone in ["database", "memory"] {
        let mut bench = Bench::new(acting());
        bench.verdict.votes.push(idle_vote("database", HOUR));
        bench.verdict.votes.push(idle_vote("memory", HOUR));
        bench.claim();
        bench.up_to(Step::Verify);
        bench.verdict.votes.retain(|vote| vote.voter != gone);
        bench.finish();
        assert_eq!(bench.calls(), 0, "{gone}");
        assert!(bench.cancelled_because().contains(gone));
    }
}

#[test]
fn s12_pre_snooze_work_is_asked_about_at_the_end_of_its_time_however_short_that_is() {
    for pre_snooze_ms in [0, 1, 300] {
        let values = || PolicyValues {
            notice_ms: 300,
            pre_snooze_ms,
            ..acting()
        };
        // It works at first, and is done by the end of its time.
        let mut bench = Bench::new(values());
        bench.prepare = PrepareState::Working;
        bench.claim();
        bench.up_to(Step::Prepare);
        let since = bench.now.boot;
        bench.carry_out_next();
        while bench.now.boot.since(since) < 300 {
            bench.up_to(Step::Prepare);
            if bench.now.boot.since(since) >= 300 {
                bench.prepare = PrepareState::Done;
            }
            bench.carry_out_next();
        }
        bench.finish();
        assert_eq!(bench.calls(), 1, "pre-snooze time of {pre_snooze_ms} ms");
        // It is still at work then: given up, and not before it was asked.
        let mut bench = Bench::new(values());
        bench.prepare = PrepareState::Working;
        bench.claim();
        bench.up_to(Step::Cancel);
        let last = bench.log.iter().rev().find_map(|(now, line)| match line {
            crate::bench::Logged::Planned(planned) if Step::Prepare.is(&planned.action) => Some(*now),
            _ => None,
        });
        let asked = last.expect("it was asked").boot;
        assert_eq!(asked.since(since), 300 + pre_snooze_ms, "{pre_snooze_ms}");
        assert_eq!(bench.count(|action| matches!(action, Action::Call(_))), 0);
    }
}
