//! What may be written, and when: L1, L3, L7, P5, P10 and the table of phases.

use super::before;
use crate::bench::{Bench, Step};
use snooze_decision::claim::{
    Action, Answer, Batch, Entry, Frozen, Input, Key, Lease, Phase, Planned, Revision, Ticket, Value, Write,
    apply_lease,
};
use snooze_decision::{Checker, Violation, Wall};

#[test]
fn l3_a_commit_past_the_kill_switch_is_refused() {
    type Spoil = fn(&mut Batch);
    let spoilers: [Spoil; 3] = [
        |batch| batch.writes.retain(|write| write.key != Key::Gate),
        |batch| {
            for write in &mut batch.writes {
                if let Value::Gate(gate) = &mut write.value {
                    gate.freezes += 1;
                }
            }
        },
        |batch| {
            for write in &mut batch.writes {
                if let Value::Gate(gate) = &mut write.value {
                    let closed = Frozen {
                        since: Wall(1),
                        reason: String::new(),
                        by: String::new(),
                    };
                    gate.frozen = Some(closed);
                }
            }
        },
    ];
    for spoil in spoilers {
        assert_eq!(
            before(Step::Commit).spoilt(spoil),
            Err(Violation::CommitPastTheGate)
        );
    }
    assert_eq!(before(Step::Commit).step(), Ok(()));
}

#[test]
fn a_batch_that_does_not_end_with_the_hosts_key_is_refused() {
    let refused = before(Step::Commit).spoilt(|batch| batch.writes.reverse());
    assert_eq!(refused, Err(Violation::HostKeyNotLast));
    let refused = before(Step::Commit).spoilt(|batch| {
        let host = batch.writes.last().cloned().expect("the host's key");
        batch.writes.push(host);
    });
    assert_eq!(refused, Err(Violation::HostKeyNotLast), "twice");
}

#[test]
fn a_write_at_a_revision_that_is_not_the_last_known_is_refused() {
    let moved = |batch: &mut Batch| {
        let host = batch.writes.last_mut().expect("the host's key");
        host.expected = Revision(host.expected.0 + 1);
    };
    assert_eq!(
        before(Step::Commit).spoilt(moved),
        Err(Violation::WriteAtUnknownRevision)
    );
}

#[test]
fn a_second_write_in_flight_is_refused() {
    let mut before = before(Step::Commit);
    assert_eq!(before.step(), Ok(()));
    assert_eq!(before.again(), Err(Violation::TwoWritesInFlight));
}

#[test]
fn l7_a_write_after_an_ambiguous_one_without_a_read_is_refused() {
    let mut before = before(Step::Commit);
    assert_eq!(before.step(), Ok(()));
    before.hear(Answer::Ambiguous);
    assert_eq!(before.again(), Err(Violation::WriteInDoubt));
}

#[test]
fn l1_slots_apart_from_their_claim_are_refused() {
    let no_slot = |batch: &mut Batch| batch.writes.retain(|write| write.key == Key::Host);
    assert_eq!(before(Step::Claim).spoilt(no_slot), Err(Violation::SlotsApart));
    let early = |batch: &mut Batch| {
        let slot = Write {
            key: Key::Slot {
                group: "default".to_owned(),
                n: 0,
            },
            value: Value::Delete,
            expected: Revision(1),
        };
        batch.writes.insert(0, slot);
    };
    assert_eq!(before(Step::Commit).spoilt(early), Err(Violation::SlotsApart));
}

#[test]
fn a_phase_that_the_protocol_does_not_have_there_is_refused() {
    let becomes = |step: Step, phase: Phase| {
        before(step).spoilt(|batch| {
            if let Some(Write {
                value: Value::Host(record),
                ..
            }) = batch.writes.last_mut()
                && let Some(claim) = &mut record.claim
            {
                claim.phase = phase;
            }
        })
    };
    for phase in [Phase::Stopped, Phase::Unknown, Phase::Stopping] {
        assert_eq!(becomes(Step::Commit, phase), Err(Violation::ForbiddenPhase));
    }
    assert_eq!(
        becomes(Step::Claim, Phase::Stopping),
        Err(Violation::ForbiddenPhase)
    );
}

#[test]
fn p10_only_the_next_boot_takes_an_accepted_stop_for_one_that_came_about() {
    let stopped = |boot: Option<&str>| {
        let bench = Bench::at(Step::Watch);
        let key = bench.key();
        let mut terms = bench.terms();
        terms.self_boot = boot.map(str::to_owned);
        let mut record = key.value.clone();
        let claim = record.claim.as_mut().expect("claimed");
        assert_eq!(claim.phase, Phase::Stopping);
        claim.phase = Phase::Stopped;
        claim.holder = "holder-2".to_owned();
        let write = Write {
            key: Key::Host,
            value: Value::Host(Box::new(record)),
            expected: key.revision,
        };
        let planned = Planned {
            ticket: Ticket(1),
            within_ms: 1_000,
            action: Action::Write(Batch { writes: vec![write] }),
        };
        Checker::new(&terms, "holder-2".to_owned(), key).inspect(bench.now, &planned)
    };
    assert_eq!(stopped(None), Err(Violation::ForbiddenPhase));
    assert_eq!(stopped(Some("boot-1")), Err(Violation::ForbiddenPhase));
    assert_eq!(stopped(Some("boot-2")), Ok(()));
}

#[test]
fn p5_the_checker_goes_by_what_others_wrote() {
    let mut before = before(Step::Commit);
    let key = before.bench.key();
    let now = before.bench.now;
    let lease = Lease {
        id: "job".to_owned(),
        until: now.wall.plus(60_000),
        reason: String::new(),
        holder: "ada".to_owned(),
    };
    let value = apply_lease(&key, lease, now.wall).expect("in time");
    let revision = Revision(key.revision.0 + 1);
    let entry = Box::new(Entry { revision, value });
    before.checker.heard(now, &Input::KeyChanged(entry));
    assert_eq!(before.step(), Err(Violation::WriteAtUnknownRevision));
}
