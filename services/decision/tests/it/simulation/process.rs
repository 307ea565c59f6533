//! What an executor process does: polling keys, deciding, claiming, taking over, carrying plans out.

use super::executor::{Carried, Heard as Known};
use super::world::{Address, Change, Event, REVISION, Weather, World};
use snooze_decision::claim::{
    Action, Answer, CallOutcome, ClaimNumber, End, Entry, HostRecord, Input, InstanceState, Opening, Phase,
    Planned, Sighting, StateRead, Tags, Value, start_is_due, tags_to_mend,
};
use snooze_decision::decide::{Enrolled, Heard, Identity, Slots};
use snooze_decision::{Decision, Facts, Guarded, Verdict, combine, decide};
use std::collections::BTreeMap;

const POLL_MS: u64 = 3_000;

impl World {
    pub(super) fn poll(&mut self, executor: usize) {
        self.after(POLL_MS, Event::Poll(executor));
        if !self.executors[executor].alive {
            return;
        }
        let incarnation = self.executors[executor].incarnation;
        for host in 0..self.machines.len() {
            let state = Box::new(self.store.state(host, &[]));
            if let Some(ms) = self.travel() {
                self.after(
                    ms,
                    Event::Polled {
                        executor,
                        incarnation,
                        host,
                        state,
                    },
                );
            }
        }
    }

    pub(super) fn hear(&mut self, executor: usize, host: usize, verdict: Verdict) {
        let process = &mut self.executors[executor];
        if process.alive {
            let at = process.now(self.now).boot;
            let memory_ms = 3 * self.policy.heartbeat_ms;
            let witness = process.witnesses.entry(host).or_default();
            let identity = witness.observe(&verdict, memory_ms, at);
            let heard = Known {
                verdict,
                at,
                identity,
            };
            process.verdicts.insert(host, heard);
        }
    }

    pub(super) fn polled(&mut self, executor: usize, host: usize, state: StateRead) {
        self.mend(executor, host, &state.host.value);
        if self.executors[executor].claims.contains_key(&host) {
            return;
        }
        let takeover_ms = self.policy.takeover_ms;
        let process = &mut self.executors[executor];
        let now = process.now(self.now);
        let sighting = process
            .observers
            .entry(host)
            .or_default()
            .look(&state.host, takeover_ms, now.boot);
        match sighting {
            Sighting::Free => self.consider(executor, host, state),
            Sighting::Held { .. } => self.veto(executor, host, state),
            Sighting::Abandoned => {
                let phase = match state.host.value.claim.as_ref().map(|claim| claim.phase) {
                    Some(Phase::Claimed(progress)) => progress.name(),
                    _ => state.host.value.phase_name(),
                };
                self.ledger.seen.note(format!("takeover of {phase}"));
                let process = &mut self.executors[executor];
                process.observers.remove(&host);
                let (id, drawn) = process.draw(executor);
                let holder = drawn.holder.clone();
                let terms = process.terms(host, &self.policy, REVISION, self.machines[host].boot_id());
                let (guarded, plans) =
                    Guarded::take_over(terms, drawn, &state.host, now).expect("sound plans");
                self.carry(executor, host, Carried { id, guarded, holder }, plans);
            }
        }
    }

    fn consider(&mut self, executor: usize, host: usize, state: StateRead) {
        let draw = self.rng.next();
        let slot = self.store.free_slot(self.policy.max_concurrent_stops, draw);
        let process = &mut self.executors[executor];
        let now = process.now(self.now);
        let Some(heard) = process.verdicts.get(&host).cloned() else {
            return;
        };
        let verdict = heard.verdict;
        let tags = BTreeMap::new();
        let explained = decide(&Facts {
            policy: &self.policy,
            policy_revision: REVISION,
            verdict: Some(Heard {
                verdict: &verdict,
                at: heard.at,
            }),
            identity: heard.identity,
            key: &state.host,
            gate: &state.gate.value,
            roster: Some(Enrolled {
                carries_executor: process.carried_by == Some(host),
                tags: &tags,
            }),
            slots: Slots::Unread,
            now,
        });
        let (Decision::Claim, Some(slot)) = (explained.decision, slot) else {
            return;
        };
        let (id, drawn) = process.draw(executor);
        let holder = drawn.holder.clone();
        let terms = process.terms(host, &self.policy, REVISION, self.machines[host].boot_id());
        let opening = Opening {
            key: state.host,
            gate: state.gate,
            slot,
            verdict: &verdict,
            reason: "idle".to_owned(),
        };
        let (guarded, plans) = Guarded::claim(terms, drawn, opening, now).expect("sound plans");
        self.carry(executor, host, Carried { id, guarded, holder }, plans);
    }

    /// A busy verdict on a claimed host is a veto, whoever hears it.
    fn veto(&mut self, executor: usize, host: usize, state: StateRead) {
        let Some(heard) = self.executors[executor].verdicts.get(&host) else {
            return;
        };
        let reason = match heard.identity {
            Identity::TwoAgents => "Two agents speak",
            Identity::Repeated => "an old verdict",
            Identity::One => "it is busy",
        };
        let busy = combine(&self.policy, &heard.verdict).idleness.ms() == 0;
        if (busy || heard.identity != Identity::One) && self.rng.permille(300) {
            let (read, change) = (Box::new(state.host), Change::Veto(reason));
            let ms = self.rng.range(1, 50);
            self.after(ms, Event::Lands { host, read, change });
        }
    }

    /// What is not true any more is put right: tags, a wake that is done.
    fn mend(&mut self, executor: usize, host: usize, record: &HostRecord) {
        let machine = &self.machines[host];
        let tag = matches!(machine.tag, Some(Tags::Stopped { .. })).then_some("Stopped");
        if let Some(tags) = tags_to_mend(machine.state, tag, record) {
            self.after(20, Event::WriteTags(None, host, Box::new(tags)));
        }
        if start_is_due(record) && self.executors[executor].alive {
            match self.machines[host].state {
                InstanceState::Stopped => self.start(host),
                InstanceState::Running => {
                    let read = Box::new(self.store.host(host));
                    self.after(
                        1,
                        Event::Lands {
                            host,
                            read,
                            change: Change::Running,
                        },
                    );
                }
                _ => {}
            }
        }
    }

    fn carry(&mut self, executor: usize, host: usize, carried: Carried, plans: Vec<Planned>) {
        let to = Address {
            executor,
            incarnation: self.executors[executor].incarnation,
            host,
            machine: carried.id,
        };
        self.executors[executor].claims.insert(host, carried);
        self.carry_out_all(to, plans);
    }

    /// Tells a machine something and carries out what it plans.
    pub(super) fn tell(&mut self, to: Address, input: Input) {
        if !self.is_running(to.executor, to.incarnation) {
            return;
        }
        let process = &mut self.executors[to.executor];
        let now = process.now(self.now);
        let Some(carried) = process
            .claims
            .get_mut(&to.host)
            .filter(|carried| carried.id == to.machine)
        else {
            return;
        };
        let told = format!("{input:?}");
        let plans = carried
            .guarded
            .step(now, input)
            .unwrap_or_else(|violation| panic!("{violation}, after {told}: {:#?}", carried.guarded));
        self.carry_out_all(to, plans);
    }

    fn carry_out_all(&mut self, to: Address, plans: Vec<Planned>) {
        for planned in plans {
            // A crash at every step: right before it, or right after it.
            let crash = if self.faults {
                self.rng.range(0, 1_000)
            } else {
                999
            };
            let step = step(&planned);
            if crash < 4 {
                self.ledger.seen.note(format!("crash before {step}"));
                self.crash(to.executor);
                return;
            }
            self.carry_out(to, planned);
            if crash < 10 {
                self.ledger.seen.note(format!("crash after {step}"));
                self.crash(to.executor);
                return;
            }
        }
        let process = &self.executors[to.executor];
        let carried = process
            .claims
            .get(&to.host)
            .filter(|carried| carried.id == to.machine);
        if let Some(at) = carried.and_then(|carried| carried.guarded.holder().wake_at()) {
            let at = process.truth_of(at).max(self.now + 1);
            self.at(at, Event::Wake(to));
        }
    }

    fn carry_out(&mut self, to: Address, planned: Planned) {
        let ticket = planned.ticket;
        let nothing_came = match &planned.action {
            Action::Write(_) => Answer::Ambiguous,
            Action::Call(_) => Answer::Called(CallOutcome::Unknown {
                reason: "time-out".to_owned(),
            }),
            _ => Answer::Failed {
                reason: "time-out".to_owned(),
            },
        };
        let request = match planned.action {
            Action::Finished(end) => {
                self.executors[to.executor].claims.remove(&to.host);
                let calm = self.weather == Weather::Calm;
                assert!(
                    !calm || end != End::TakenOver,
                    "a needless takeover of h{}",
                    to.host
                );
                return;
            }
            Action::Write(batch) => Event::Batch(to, ticket, Box::new(batch)),
            Action::ReadState { slots, .. } => Event::ReadKeys(to, ticket, slots),
            Action::Audit(entry) => Event::File(to, ticket, entry.claim.0, entry.kind),
            Action::Prepare {
                claim, duration_ms, ..
            } => Event::Prepare(to, ticket, claim.0, duration_ms),
            Action::ReadProtections => {
                let holder = self.executors[to.executor].claims[&to.host].guarded.holder();
                let claim = holder.number().map_or(0, |number| number.0);
                Event::ReadProtections(to, ticket, claim)
            }
            Action::Verify {
                claim,
                nonce,
                prolong_ms,
            } => {
                let process = (to.executor, to.incarnation);
                self.ledger.asked(process, to.host, claim.0, &nonce, self.now);
                Event::Verify(to, ticket, claim.0, nonce, prolong_ms)
            }
            Action::Call(permit) => {
                // Signing takes its time; the last look comes after it.
                let slow = self.faults && self.rng.permille(200);
                let ms = if slow {
                    self.rng.range(100, 15_000)
                } else {
                    self.rng.range(1, 30)
                };
                let holder = self.executors[to.executor].claims[&to.host].holder.clone();
                let permit = Box::new(permit);
                self.after(
                    ms,
                    Event::LastLook {
                        from: to,
                        ticket,
                        permit,
                        holder,
                    },
                );
                self.after(
                    planned.within_ms,
                    Event::Answer(to, ticket, Box::new(nothing_came)),
                );
                return;
            }
            Action::ReadInstance => Event::ReadInstance(to, ticket),
            Action::WriteTags(tags) => Event::WriteTags(Some((to, ticket)), to.host, Box::new(tags)),
            Action::Cancel { claim, .. } => Event::Cancel(to, ticket, claim.0),
        };
        self.after(
            planned.within_ms,
            Event::Answer(to, ticket, Box::new(nothing_came)),
        );
        self.send(request);
    }

    /// A request on its way: perhaps lost, late, or twice.
    fn send(&mut self, request: Event) {
        let twice = self.faults && self.rng.permille(40);
        let copy = match &request {
            Event::Batch(to, ticket, batch) if twice => Some(Event::Batch(*to, *ticket, batch.clone())),
            Event::Prepare(to, ticket, claim, ms) if twice => Some(Event::Prepare(*to, *ticket, *claim, *ms)),
            Event::Cancel(to, ticket, claim) if twice => Some(Event::Cancel(*to, *ticket, *claim)),
            _ => None,
        };
        for event in [Some(request), copy].into_iter().flatten() {
            if let Some(ms) = self.travel() {
                self.after(ms, event);
            }
        }
    }

    pub(super) fn change_lands(&mut self, host: usize, read: &Entry<HostRecord>, change: Change) {
        let before = self.store.host(host);
        let gate = super::ledger::open_gate(&self.store);
        // Whoever lost the race reads again and asks again; once is enough here.
        let read = if read.revision == before.revision {
            read
        } else {
            &before
        };
        let Some(record) = super::people::changed(read, change, self.now) else {
            return;
        };
        if self.store.put_host(host, before.revision, record).is_some() {
            self.after_landing(host, &before.value, gate);
        }
    }
}

/// The step that a plan is, as a word.
fn step(planned: &Planned) -> String {
    let word = match &planned.action {
        Action::Write(batch) => {
            let host = batch.writes.last().map(|write| &write.value);
            let claim = match host {
                Some(Value::Host(record)) => record.claim.as_ref(),
                _ => None,
            };
            let what = match claim {
                None => "free",
                Some(claim) if claim.number == ClaimNumber(0) => "claim",
                Some(claim) if claim.phase == Phase::Committed && batch.writes.len() > 1 => "commit",
                Some(claim) => claim.phase.name(),
            };
            return format!("write {what}");
        }
        Action::ReadState { .. } => "read state",
        Action::Audit(_) => "audit",
        Action::Prepare { .. } => "prepare",
        Action::ReadProtections => "read protections",
        Action::Verify { .. } => "verify",
        Action::Call(_) => "call",
        Action::ReadInstance => "read instance",
        Action::WriteTags(_) => "write tags",
        Action::Cancel { .. } => "cancel",
        Action::Finished(_) => "end",
    };
    word.to_owned()
}
