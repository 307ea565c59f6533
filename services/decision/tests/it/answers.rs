//! A claim that is told true and untrue answers in any order, at any time: it never panics, never plans what
//! its checker refuses, never calls twice, and always wakes again.

use crate::bench::{Bench, acting, vote};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use snooze_decision::claim::{
    Action, Answer, CallOutcome, ClaimNumber, End, Frozen, Input, InstanceState, Phase, Planned,
    PrepareState, Protections, Revision, Ticket, Verified, apply_freeze, apply_veto,
};
use snooze_decision::{PolicyValues, VoteState, Wall};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// What a run does next.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    /// Time passes until the machine wants to be woken.
    Wake,
    /// Time passes.
    Pass(u64),
    /// The plan that waits for so long is answered truly; it may be answered again later.
    Truth { back: usize, again: bool },
    /// Somebody else changes the keys.
    Meddle(u8),
    /// A plan is answered with something else, or with an answer to nothing that was ever planned.
    Nonsense { kind: u8, back: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => Just(Step::Wake),
        2 => (0_u64..2_000).prop_map(Step::Pass),
        1 => (0_u64..20_000).prop_map(Step::Pass),
        24 => Just(Step::Truth { back: 0, again: false }),
        2 => (0_usize..4, any::<bool>()).prop_map(|(back, again)| Step::Truth { back, again }),
        1 => (0_u8..3).prop_map(Step::Meddle),
        2 => (0_u8..KINDS, 0_usize..4).prop_map(|(kind, back)| Step::Nonsense { kind, back }),
    ];
    proptest::collection::vec(step, 0..160)
}

/// How many runs came where: a property that is only ever looked at on the way says nothing of the end.
#[derive(Debug, Default)]
struct Seen {
    questions: u32,
    wrong_answers: u32,
    commits: u32,
    calls: u32,
    unknown: u32,
    freed: u32,
    lost: u32,
}

#[test]
fn p1_no_sequence_of_answers_makes_a_claim_panic_or_break_a_plan() {
    let config = Config {
        cases: 1_500,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let seen = RefCell::new(Seen::default());
    let ran = TestRunner::new_with_rng(config, rng).run(&steps(), |steps| run(&steps, &seen));
    assert_eq!(ran, Ok(()));
    let seen = seen.into_inner();
    println!("{seen:?}");
    let least = [
        seen.questions,
        seen.wrong_answers,
        seen.commits,
        seen.calls,
        seen.unknown,
        seen.freed,
        seen.lost,
    ];
    assert!(
        least.iter().all(|count| *count >= 50),
        "too little was reached: {seen:?}"
    );
}

fn run(steps: &[Step], seen: &RefCell<Seen>) -> Result<(), TestCaseError> {
    let mut bench = Bench::new(PolicyValues {
        notice_ms: 1_500,
        settle_ms: 100,
        ..acting()
    });
    if steps.len().is_multiple_of(3) {
        let reason = "no answer".to_owned();
        bench.outcome = CallOutcome::Unknown { reason };
    }
    bench.claim();
    let mut open = Vec::new();
    let mut unknown = false;
    for step in steps {
        open.extend(bench.take_planned());
        let input = match *step {
            Step::Wake => {
                let wake_at = bench.guarded.as_ref().and_then(|one| one.holder().wake_at());
                bench.pass(wake_at.map_or(0, |at| at.since(bench.now.boot)));
                Input::Tick
            }
            Step::Pass(ms) => {
                bench.pass(ms);
                Input::Tick
            }
            Step::Truth { back, again } => match truth(&mut bench, &mut open, back, again) {
                Some(input) => input,
                None => Input::Tick,
            },
            Step::Meddle(kind) => {
                meddle(&mut bench, kind);
                match kind {
                    0 => Input::Tick,
                    _ => Input::KeyChanged(Box::new(bench.key())),
                }
            }
            Step::Nonsense { kind, back } => {
                let about = open.iter().rev().nth(back).cloned();
                if let (0, Some(refused)) = (kind, &about) {
                    // What was refused for certain does not land later either.
                    open.retain(|planned| planned.ticket != refused.ticket);
                }
                let ticket = about.as_ref().map_or(Ticket(u64::MAX), |planned| planned.ticket);
                let answer = nonsense(kind, &bench, about.as_ref());
                let spoilt = matches!(answer, Answer::Verified(_));
                seen.borrow_mut().wrong_answers += u32::from(spoilt);
                Input::Answer { ticket, answer }
            }
        };
        prop_assert_eq!(bench.try_tell(input), Ok(()));
        let known = bench.guarded.as_ref().map(|one| one.holder().key().value.clone());
        let phase = known.and_then(|record| record.claim).map(|claim| claim.phase);
        unknown |= phase == Some(Phase::Unknown);
        open.extend(bench.take_planned());
        prop_assert!(bench.will_wake(), "nothing would ever wake it again");
    }
    let calls = bench.count(|action| matches!(action, Action::Call(_)));
    prop_assert!(calls <= 1, "{calls} calls");
    let mut seen = seen.borrow_mut();
    seen.calls += u32::from(calls > 0);
    seen.unknown += u32::from(unknown);
    seen.questions += u32::from(bench.count(|action| matches!(action, Action::Verify { .. })) > 0);
    seen.commits += u32::from(bench.store.gate.value.commits > 0);
    let end = |end: fn(&End) -> bool| {
        let ends = bench.done.iter().filter_map(|action| match action {
            Action::Finished(found) => Some(found),
            _ => None,
        });
        u32::from(ends.filter(|found| end(found)).count() > 0)
    };
    seen.freed += end(|end| matches!(end, End::Freed { .. }));
    seen.lost += end(|end| matches!(end, End::TakenOver));
    Ok(())
}

fn truth(bench: &mut Bench, open: &mut Vec<Planned>, back: usize, again: bool) -> Option<Input> {
    let oldest = open.len().checked_sub(1)?.min(back);
    let planned = open.get(oldest).cloned()?;
    if !again {
        open.remove(oldest);
    }
    let answer = bench.answer_to(planned.action)?;
    let ticket = planned.ticket;
    Some(Input::Answer { ticket, answer })
}

const KINDS: u8 = 34;

/// Something that may come and is not what truly came.
fn nonsense(kind: u8, bench: &Bench, about: Option<&Planned>) -> Answer {
    let reason = || "nonsense".to_owned();
    let of_write = about.is_some_and(|planned| matches!(planned.action, Action::Write(_)));
    match kind {
        32.. if of_write => Answer::Ambiguous,
        0 => Answer::Conflict,
        1 | 2 => Answer::Ambiguous,
        3 => Answer::Filed,
        4 => Answer::Done,
        5 => Answer::Failed { reason: reason() },
        6..12 => Answer::Instance(instance(kind)),
        12 => Answer::Called(CallOutcome::Accepted),
        13 => Answer::Called(CallOutcome::AlreadyStopping),
        14 => Answer::Called(CallOutcome::Refused { reason: reason() }),
        15 => Answer::Called(CallOutcome::NotSent { reason: reason() }),
        16 => Answer::Called(CallOutcome::Unknown { reason: reason() }),
        17..20 => Answer::Prepared {
            state: [PrepareState::Done, PrepareState::Working, PrepareState::Failed][usize::from(kind - 17)],
            message: reason(),
        },
        20..26 => Answer::Protections(Protections {
            state: instance(kind),
            forbids: if kind == 21 { vec![reason()] } else { Vec::new() },
            tags: BTreeMap::new(),
        }),
        26..32 => Answer::Verified(verified(kind, bench, about)),
        other => Answer::Written {
            // Never said of a write: only one that landed is told so.
            revision: Revision(u64::from(other)),
        },
    }
}

fn instance(kind: u8) -> InstanceState {
    match kind % 6 {
        0 => InstanceState::Running,
        1 => InstanceState::Stopping,
        2 => InstanceState::Stopped,
        3 => InstanceState::Terminated,
        4 => InstanceState::Missing,
        _ => InstanceState::Pending,
    }
}

/// What others do to the keys: another holder takes the claim over, somebody vetoes, somebody freezes.
fn meddle(bench: &mut Bench, kind: u8) {
    let key = bench.key();
    match kind {
        0 if key.value.claim.is_some() => {
            bench.change(|key| {
                let mut record = key.value.clone();
                if let Some(claim) = &mut record.claim {
                    claim.number = claim.number_at(key.revision);
                    claim.holder.push_str("-and-another");
                }
                record
            });
        }
        1 => {
            if let Ok(after) = apply_veto(&key, "nonsense".to_owned()) {
                bench.change(|_| after);
            }
        }
        _ => {
            let frozen = Frozen {
                since: Wall(1),
                reason: "nonsense".to_owned(),
                by: "ada".to_owned(),
            };
            let closed = apply_freeze(&bench.store.gate.value, frozen);
            bench.store.put_gate(closed);
        }
    }
}

/// An answer to a question, wrong in one way.
fn verified(kind: u8, bench: &Bench, about: Option<&Planned>) -> Verified {
    let (claim, nonce) = match about.map(|planned| &planned.action) {
        Some(Action::Verify { claim, nonce, .. }) => (*claim, nonce.clone()),
        _ => (ClaimNumber(1), "nonsense".to_owned()),
    };
    let mut answer = Verified {
        claim,
        nonce,
        prepared: true,
        last_heard: None,
        verdict: bench.verdict.clone(),
    };
    answer.verdict.sample_age_ms = 0;
    match kind {
        26 => answer.nonce.push('x'),
        27 => answer.claim.0 += 1,
        28 => answer.prepared = false,
        29 => answer.verdict.votes[0] = vote("cpu", VoteState::Busy),
        30 => answer.verdict.votes[1].raw = VoteState::Unknown,
        _ => answer.verdict.agent.push('x'),
    }
    answer
}
