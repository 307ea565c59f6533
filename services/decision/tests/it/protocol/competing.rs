//! Who wins where several want something of one host, and what must be true of it: P5 to P8.

use crate::bench::{Bench, HOUR, Step, acting};
use snooze_decision::claim::{
    Action, CallOutcome, End, Input, InstanceState, Lease, MAX_LEASES, Outcome, Phase, Postponement,
    PrepareState, RequestRefused, apply_lease, apply_postponement, apply_veto,
};
use snooze_decision::{Boot, Wall};

fn lease(id: &str, until: Wall) -> Lease {
    Lease {
        id: id.to_owned(),
        until,
        reason: "a long job".to_owned(),
        holder: "ada".to_owned(),
    }
}

#[test]
fn p5_a_lease_veto_or_postponement_wins_before_the_commit_and_is_too_late_after_it() {
    for step in [Step::Prepare, Step::Protections, Step::Verify, Step::Commit] {
        let mut bench = Bench::at(step);
        let now = bench.now.wall;
        bench.change(|key| apply_lease(key, lease("job", now.plus(HOUR)), now).expect("in time"));
        assert_eq!(bench.phase(), Some(Phase::Cancelled), "in the same write");
        bench.finish();
        assert_eq!(bench.calls(), 0, "{step:?}");
        assert_eq!(bench.key().value.leases.len(), 1, "the lease is kept");
    }
    let bench = Bench::at(Step::Call);
    let (key, now) = (bench.key(), bench.now.wall);
    let since = key
        .value
        .claim
        .as_ref()
        .and_then(|claim| claim.committed_at)
        .expect("committed");
    let too_late = RequestRefused::TooLate { since };
    assert_eq!(
        apply_lease(&key, lease("job", now.plus(HOUR)), now),
        Err(too_late.clone())
    );
    assert_eq!(apply_veto(&key, "no".to_owned()), Err(too_late.clone()));
    let postponement = Postponement {
        until: now.plus(HOUR),
        reason: "later".to_owned(),
    };
    assert_eq!(apply_postponement(&key, postponement, now), Err(too_late));
}

#[test]
fn p5_leases_are_bounded_and_always_expire() {
    let mut bench = Bench::new(acting());
    let now = bench.now.wall;
    for n in 0..MAX_LEASES {
        bench.change(|key| apply_lease(key, lease(&format!("{n}"), now.plus(HOUR)), now).expect("fits"));
    }
    let key = bench.key();
    let more = apply_lease(&key, lease("more", now.plus(HOUR)), now);
    assert_eq!(more, Err(RequestRefused::TooManyLeases));
    assert!(
        apply_lease(&key, lease("0", now.plus(2 * HOUR)), now).is_ok(),
        "the same id replaces"
    );
    let later = now.plus(2 * HOUR);
    let after = apply_lease(&key, lease("more", later.plus(HOUR)), later).expect("the others expired");
    assert_eq!(
        after.leases.len(),
        MAX_LEASES + 1,
        "what has ended stays for a day"
    );
    let later = now.plus(48 * HOUR);
    let after = apply_lease(&key, lease("more", later.plus(HOUR)), later).expect("the others expired");
    assert_eq!(after.leases.len(), 1);
    for until in [now, Wall(now.0 - 1), now.plus(400 * 24 * HOUR)] {
        let refused = apply_lease(&bench.key(), lease("bad", until), now);
        assert!(matches!(refused, Err(RequestRefused::BadDuration { .. })));
    }
}

#[test]
fn p6_a_holder_beats_while_a_slow_answer_is_awaited() {
    let mut bench = Bench::at(Step::Verify);
    let question = bench.next().expect("the question");
    let before = bench.key().revision;
    let mut beats = 0;
    while bench.now.boot < Boot(1_000_000).plus(HOUR) && beats < 5 {
        let planned = bench.next().expect("a beat");
        assert!(matches!(planned.action, Action::Write(_)), "{planned:?}");
        bench.carry_out(planned);
        beats += 1;
    }
    assert!(bench.key().revision > before);
    assert!(matches!(question.action, Action::Verify { .. }));
}

#[test]
fn p6_an_observer_counts_on_its_own_clock_and_from_each_new_revision() {
    use snooze_decision::claim::{Observer, Sighting};
    let mut bench = Bench::at(Step::Prepare);
    let mut observer = Observer::default();
    let look = |observer: &mut Observer, bench: &Bench| observer.look(&bench.key(), 10_000, bench.now.boot);
    assert!(matches!(look(&mut observer, &bench), Sighting::Held { .. }));
    bench.pass(9_999);
    assert!(matches!(look(&mut observer, &bench), Sighting::Held { .. }));
    bench.tell(Input::Tick);
    bench.carry_out_next();
    bench.carry_out_next();
    bench.pass(1);
    assert!(
        matches!(look(&mut observer, &bench), Sighting::Held { .. }),
        "a new revision is a sign of life"
    );
    bench.pass(10_000);
    assert_eq!(look(&mut observer, &bench), Sighting::Abandoned);
    assert_eq!(
        Observer::default().look(&Bench::new(acting()).key(), 10_000, Boot(0)),
        Sighting::Free
    );
}

#[test]
fn p6_a_holder_that_lost_its_claim_ends_and_touches_nothing() {
    let mut bench = Bench::at(Step::Verify);
    let question = bench.next().expect("the question");
    let mut first = bench.guarded.take();
    bench.take_over();
    bench.finish();
    let revision = bench.key().revision;
    bench.guarded = first.take();
    bench.tell(Input::Tick);
    bench.carry_out(question);
    bench.finish();
    assert_eq!(bench.end, Some(End::TakenOver));
    assert_eq!(bench.key().revision, revision);
    assert_eq!(bench.calls(), 0);
}

#[test]
fn p7_prepare_carries_the_claims_number_and_a_duration_and_is_the_poll() {
    let mut bench = Bench::new(acting());
    bench.prepare = PrepareState::Working;
    bench.claim();
    bench.up_to(Step::Prepare);
    let number = bench
        .key()
        .value
        .claim_number(bench.key().revision)
        .expect("claimed");
    for _ in 0..5 {
        bench.up_to(Step::Prepare);
        let planned = bench.next().expect("prepare");
        let Action::Prepare {
            claim,
            duration_ms,
            notice_ms,
            ..
        } = &planned.action
        else {
            panic!("not prepare")
        };
        assert_eq!(*claim, number);
        assert!(*duration_ms > notice_ms + bench.policy.pre_snooze_ms);
        bench.carry_out(planned);
    }
    bench.prepare = PrepareState::Done;
    bench.finish();
    assert_eq!(bench.calls(), 1);
}

#[test]
fn p7_a_failed_or_endless_preparation_gives_up_and_tells_the_host() {
    for state in [PrepareState::Failed, PrepareState::Working] {
        let mut bench = Bench::new(acting());
        bench.prepare = state;
        bench.claim();
        bench.finish();
        assert_eq!(bench.calls(), 0);
        assert!(bench.cancelled_because().contains("preparation"));
        assert_eq!(bench.count(|action| matches!(action, Action::Cancel { .. })), 1);
    }
}

#[test]
fn p8_only_a_running_unprotected_instance_is_stopped() {
    for state in [
        InstanceState::Pending,
        InstanceState::ShuttingDown,
        InstanceState::Terminated,
        InstanceState::Missing,
    ] {
        let mut bench = Bench::at(Step::Protections);
        bench.instance = state;
        bench.finish();
        assert_eq!(bench.calls(), 0, "{state:?}");
    }
    let mut bench = Bench::at(Step::Protections);
    bench.forbids.push("It is a one-time spot instance.".to_owned());
    bench.finish();
    assert!(bench.cancelled_because().contains("one-time spot"));
}

#[test]
fn p8_a_stop_by_somebody_else_is_success_without_a_call_and_without_tags() {
    for state in [InstanceState::Stopping, InstanceState::Stopped] {
        let mut bench = Bench::at(Step::Protections);
        bench.instance = state;
        bench.carry_out_next();
        bench.instance = InstanceState::Stopped;
        bench.finish();
        assert_eq!((bench.calls(), bench.tags()), (0, None));
        assert_eq!(
            bench.end,
            Some(End::Freed {
                outcome: Outcome::Stopped
            })
        );
        assert_eq!(bench.key().value.last_stop, None, "it was not our stop");
    }
    let mut bench = Bench::at(Step::Call);
    bench.instance = InstanceState::Stopped;
    bench.outcome = CallOutcome::AlreadyStopping;
    bench.finish();
    assert_eq!(
        bench.end,
        Some(End::Freed {
            outcome: Outcome::Stopped
        })
    );
}

#[test]
fn s20_a_stop_is_only_asked_of_a_running_instance_and_a_stopped_one_is_success() {
    let mut bench = Bench::at(Step::Protections);
    bench.instance = InstanceState::Pending;
    bench.finish();
    assert!(bench.cancelled_because().contains("not running"));
    let mut bench = Bench::at(Step::Call);
    bench.instance = InstanceState::Stopping;
    bench.after_call = InstanceState::Stopped;
    bench.outcome = CallOutcome::AlreadyStopping;
    bench.finish();
    assert_eq!(
        bench.end,
        Some(End::Freed {
            outcome: Outcome::Stopped
        })
    );
}

#[test]
fn p5_a_lease_that_lands_while_the_commit_is_on_its_way_wins_or_loses_cleanly() {
    // The commit's batch is planned, and the lease is first: the batch is refused as a whole.
    let mut bench = Bench::at(Step::Commit);
    let commits = bench.store.gate.value.commits;
    let now = bench.now.wall;
    bench.change(|key| apply_lease(key, lease("job", now.plus(HOUR)), now).expect("in time"));
    bench.finish();
    assert_eq!((bench.calls(), bench.store.gate.value.commits), (0, commits));
}

#[test]
fn p5_a_start_by_a_person_wins_before_the_commit() {
    use snooze_decision::claim::note_running;
    for step in [Step::Prepare, Step::Protections, Step::Verify, Step::Commit] {
        let mut bench = Bench::at(step);
        let now = bench.now.wall.plus(1);
        bench.change(|key| note_running(key, now));
        bench.finish();
        assert_eq!(bench.calls(), 0, "{step:?}");
        assert!(bench.cancelled_because().contains("started since the claim"));
        assert_eq!(bench.key().value.last_start, Some(now));
    }
    // One from long before the claim, and one that comes too late, leave it alone.
    let mut bench = Bench::at(Step::Verify);
    let before = Wall(bench.now.wall.0 - HOUR);
    bench.change(|key| note_running(key, before));
    bench.up_to(Step::Call);
    let now = bench.now.wall;
    bench.change(|key| note_running(key, now));
    bench.finish();
    assert_eq!(bench.calls(), 1);
}

#[test]
fn p5_a_shorter_postponement_does_not_shorten_a_longer_one() {
    let mut bench = Bench::new(acting());
    let now = bench.now.wall;
    let until = |hours: u64| Postponement {
        until: now.plus(hours * HOUR),
        reason: format!("{hours} h"),
    };
    for (hours, holds) in [(2, 2), (1, 2), (2, 2), (3, 3)] {
        bench.change(|key| apply_postponement(key, until(hours), now).expect("in time"));
        assert_eq!(bench.key().value.postponement, Some(until(holds)), "{hours}");
    }
}

#[test]
fn s9_an_executor_whose_clock_is_ahead_takes_nobodys_lease_away() {
    let mut bench = Bench::new(acting());
    let now = bench.now.wall;
    bench.change(|key| apply_lease(key, lease("job", now.plus(HOUR)), now).expect("it fits"));
    let postponement = Postponement {
        until: now.plus(HOUR),
        reason: "later".to_owned(),
    };
    bench.change(|key| apply_postponement(key, postponement.clone(), now).expect("in time"));
    // Two hours ahead, it writes a lease of its own, and carries a claim to its end.
    let ahead = now.plus(2 * HOUR);
    bench.change(|key| apply_lease(key, lease("other", ahead.plus(HOUR)), ahead).expect("it fits"));
    bench.now.wall = ahead;
    bench.claim();
    bench.up_to(Step::Verify);
    bench.tell(Input::GiveUp {
        reason: "enough".to_owned(),
    });
    bench.finish();
    let record = bench.key().value;
    assert_eq!(record.leases.len(), 2, "{:?}", record.leases);
    assert!(record.leases.iter().any(|lease| lease.id == "job"));
    assert_eq!(record.postponement, Some(postponement));
}

#[test]
fn s9_leases_that_have_ended_are_bounded_too() {
    let mut bench = Bench::new(acting());
    let mut now = bench.now.wall;
    for n in 0..500 {
        now = now.plus(60_000);
        let short = lease(&format!("job-{n}"), now.plus(30_000));
        bench.change(|key| apply_lease(key, short, now).expect("only those that hold count"));
    }
    let leases = bench.key().value.leases;
    assert!(leases.len() <= 2 * MAX_LEASES, "{}", leases.len());
    assert!(leases.iter().any(|lease| lease.id == "job-499"));
    assert!(
        leases.iter().any(|lease| lease.id == "job-498"),
        "the last to end stay"
    );
}
