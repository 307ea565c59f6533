//! The world of one seed: true time, a queue of what happens next, and everything that there is.
//!
//! While faults are on, messages are lost, doubled, delayed by up to forty seconds and so reordered;
//! executors crash, pause and start again. Afterwards everything must come to rest.

use super::executor::Executor;
use super::ledger::{Ledger, open_gate};
use super::machine::Machine;
use super::rng::Rng;
use crate::store::Store;
use snooze_decision::claim::{
    Answer, AuditKind, Batch, Entry, HostRecord, Input, Permit, StateRead, Tags, Ticket,
};
use snooze_decision::{Combine, Mode, Policy, PolicyValues, Verdict};
use std::collections::BTreeMap;

pub(super) const REVISION: &str = "1/0/0";
/// For how long faults are on, and for how long everything then has to come to rest.
pub(super) const FAULTS_MS: u64 = 400_000;
pub(super) const REST_MS: u64 = 150_000;

/// A place in one process that an answer goes to: executor, its run, host, its machine.
#[derive(Clone, Copy)]
pub(super) struct Address {
    pub(super) executor: usize,
    pub(super) incarnation: u64,
    pub(super) host: usize,
    pub(super) machine: u64,
}

pub(super) enum Event {
    Poll(usize),
    Polled {
        executor: usize,
        incarnation: u64,
        host: usize,
        state: Box<StateRead>,
    },
    Verdict {
        executor: usize,
        host: usize,
        verdict: Box<Verdict>,
    },
    Wake(Address),
    Give(Address, Box<Input>),
    Answer(Address, Ticket, Box<Answer>),
    Batch(Address, Ticket, Box<Batch>),
    ReadKeys(Address, Ticket, Vec<u32>),
    File(Address, Ticket, u64, AuditKind),
    Prepare(Address, Ticket, u64, u64),
    Verify(Address, Ticket, u64, String, u64),
    Measured {
        to: Address,
        ticket: Ticket,
        claim: u64,
        nonce: String,
        from: u64,
    },
    Cancel(Address, Ticket, u64),
    ReadInstance(Address, Ticket),
    ReadProtections(Address, Ticket, u64),
    WriteTags(Option<(Address, Ticket)>, usize, Box<Tags>),
    LastLook {
        from: Address,
        ticket: Ticket,
        permit: Box<Permit>,
        holder: String,
    },
    CloudCall {
        from: Address,
        ticket: Ticket,
        claim: u64,
        signed_at: u64,
    },
    CloudApplies {
        host: usize,
        claim: u64,
    },
    Stopped(usize),
    Terminated(usize),
    Vanished(usize),
    Started(usize),
    Publish(usize),
    Person,
    Lands {
        host: usize,
        read: Box<Entry<HostRecord>>,
        change: Change,
    },
    Trouble,
    Restart(usize),
    Rest,
}

/// What a person or another executor does to a host's key.
#[derive(Clone, Copy)]
pub(super) enum Change {
    Lease,
    Postpone,
    Wake,
    Veto(&'static str),
    Running,
}

/// Whether anything goes wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Weather {
    Calm,
    Faults,
}

pub(super) struct World {
    pub(super) now: u64,
    order: u64,
    queue: BTreeMap<(u64, u64), Event>,
    pub(super) rng: Rng,
    pub(super) faults: bool,
    pub(super) weather: Weather,
    /// How bad this seed's faults are, 1 to 10.
    pub(super) harsh: u64,
    pub(super) policy: Policy,
    pub(super) store: Store,
    pub(super) machines: Vec<Machine>,
    pub(super) executors: Vec<Executor>,
    pub(super) ledger: Ledger,
    /// Calls between an executor and the cloud: host, claim, and until when they could be accepted.
    pub(super) on_the_wire: Vec<(usize, u64, u64)>,
}

pub(super) fn policy(concurrent: u32, combine: Combine) -> Policy {
    let values = PolicyValues {
        mode: Mode::Act,
        combine,
        self_stop: true,
        check_interval_ms: 5_000,
        heartbeat_ms: 5_000,
        naptime_ms: 15_000,
        boot_grace_ms: 2_000,
        cooldown_ms: 2_000,
        notice_ms: 2_000,
        pre_snooze_ms: 10_000,
        settle_ms: 500,
        freshness_ms: 10_000,
        call_timeout_ms: 5_000,
        signature_life_ms: 20_000,
        application_ms: 15_000,
        quarantine_ms: 50_000,
        beat_ms: 1_000,
        takeover_ms: 5_000,
        verify_window_ms: 1_000,
        plugin_timeout_ms: 1_000,
        max_concurrent_stops: concurrent,
        ..PolicyValues::default()
    };
    Policy::check(values).expect("the simulation's policy is sound")
}

impl World {
    pub(super) fn new(seed: u64, weather: Weather) -> World {
        let faults = weather == Weather::Faults;
        let mut rng = Rng::new(seed);
        let hosts = rng.range(1, 4) as usize;
        let count = rng.range(1, 4) as usize;
        let concurrent = rng.range(1, 3) as u32;
        let harsh = rng.range(1, 11);
        let combine = match rng.range(0, 8) {
            0 => Combine::Any,
            1 => Combine::Quorum(1),
            2 => Combine::Quorum(2),
            3 => Combine::Weighted(1.0),
            4 => Combine::Weighted(1.5),
            _ => Combine::All,
        };
        let carried = (faults && rng.permille(250)).then_some(0);
        let executors = (0..count)
            .map(|n| Executor::new(rng.next() >> 20, carried.filter(|_| n == 0)))
            .collect();
        let machines = (0..hosts)
            .map(|_| Machine::new(faults && rng.permille(200)))
            .collect();
        let mut world = World {
            now: 0,
            order: 0,
            queue: BTreeMap::new(),
            rng,
            faults,
            weather,
            harsh,
            policy: policy(concurrent, combine),
            store: Store::default(),
            machines,
            executors,
            ledger: Ledger::default(),
            on_the_wire: Vec::new(),
        };
        for executor in 0..count {
            let at = world.rng.range(0, 2_000);
            world.at(at, Event::Poll(executor));
        }
        for host in 0..hosts {
            let at = world.rng.range(0, 5_000);
            world.at(at, Event::Publish(host));
        }
        if faults {
            world.at(1_000, Event::Person);
            world.at(2_000, Event::Trouble);
        }
        world.at(FAULTS_MS, Event::Rest);
        world
    }

    pub(super) fn run(&mut self) {
        while let Some(((at, _), event)) = self.queue.pop_first() {
            if at > FAULTS_MS + REST_MS {
                break;
            }
            self.now = at;
            self.happens(event);
        }
        let left: Vec<String> = (0..self.machines.len())
            .map(|host| {
                format!(
                    "h{host} {:?}",
                    self.store.host(host).value.claim.map(|claim| claim.phase)
                )
            })
            .collect();
        assert!(
            self.store.all_free(),
            "with all faults over, not everything came to rest: {left:?}"
        );
        for (host, machine) in self.machines.iter().enumerate() {
            let lies = machine.is_up() && matches!(machine.tag, Some(Tags::Stopped { .. }));
            assert!(!lies, "h{host} runs and is still tagged as stopped");
        }
    }

    pub(super) fn at(&mut self, at: u64, event: Event) {
        self.order += 1;
        self.queue.insert((at, self.order), event);
    }

    pub(super) fn after(&mut self, ms: u64, event: Event) {
        self.at(self.now + ms, event);
    }

    /// How long a message takes; none where it is lost.
    pub(super) fn travel(&mut self) -> Option<u64> {
        let short = self.rng.range(2, 60);
        if !self.faults {
            return Some(short);
        }
        match self.rng.range(0, 10_000 / self.harsh) {
            0..60 => None,
            60..100 => Some(self.rng.range(60, 40_000)),
            _ => Some(short),
        }
    }

    /// An answer on its way back: perhaps lost, perhaps late, perhaps twice.
    pub(super) fn reply(&mut self, to: Address, ticket: Ticket, answer: &Answer) {
        let copies = if self.faults && self.rng.permille(50) {
            2
        } else {
            1
        };
        for _ in 0..copies {
            if let Some(ms) = self.travel() {
                self.after(ms, Event::Answer(to, ticket, Box::new(answer.clone())));
            }
        }
    }

    fn happens(&mut self, event: Event) {
        // A paused process takes everything later, in the same order.
        if let Some(executor) = event.executor() {
            let until = self.executors[executor].paused_until;
            if until > self.now {
                self.at(until, event);
                return;
            }
        }
        match event {
            Event::Poll(executor) => self.poll(executor),
            Event::Polled {
                executor,
                incarnation,
                host,
                state,
            } => {
                if self.is_running(executor, incarnation) {
                    self.polled(executor, host, *state);
                }
            }
            Event::Verdict {
                executor,
                host,
                verdict,
            } => self.hear(executor, host, *verdict),
            Event::Wake(to) => self.tell(to, Input::Tick),
            Event::Give(to, input) => self.tell(to, *input),
            Event::Answer(to, ticket, answer) => {
                if let Answer::Verified(verified) = &*answer
                    && self.is_running(to.executor, to.incarnation)
                {
                    self.ledger
                        .received((to.executor, to.incarnation), &verified.nonce);
                }
                let answer = *answer;
                self.tell(to, Input::Answer { ticket, answer });
            }
            Event::Batch(to, ticket, batch) => self.batch_lands(to, ticket, &batch),
            Event::ReadKeys(to, ticket, slots) => {
                let state = self.store.state(to.host, &slots);
                self.reply(to, ticket, &Answer::State(Box::new(state)));
            }
            Event::File(to, ticket, claim, kind) => {
                if kind == AuditKind::Stopped {
                    self.was_down(to.host, claim);
                }
                self.ledger.filed(claim, kind);
                self.reply(to, ticket, &Answer::Filed);
            }
            Event::Prepare(..) | Event::Verify(..) | Event::Measured { .. } | Event::Cancel(..) => {
                self.runner(event);
            }
            Event::LastLook { .. }
            | Event::CloudCall { .. }
            | Event::CloudApplies { .. }
            | Event::ReadInstance(..)
            | Event::ReadProtections(..)
            | Event::WriteTags(..)
            | Event::Stopped(_)
            | Event::Terminated(_)
            | Event::Vanished(_)
            | Event::Started(_) => self.cloud(event),
            Event::Publish(host) => self.publish(host),
            Event::Person => self.person(),
            Event::Lands { host, read, change } => self.change_lands(host, &read, change),
            Event::Trouble => self.trouble(),
            Event::Restart(executor) => self.restart(executor),
            Event::Rest => self.rest(),
        }
    }

    pub(super) fn is_running(&self, executor: usize, incarnation: u64) -> bool {
        let executor = &self.executors[executor];
        executor.alive && executor.incarnation == incarnation
    }

    fn batch_lands(&mut self, to: Address, ticket: Ticket, batch: &Batch) {
        let before = self.store.host(to.host);
        let gate = open_gate(&self.store);
        let landed = self.store.apply(to.host, batch);
        if landed.is_some() {
            if super::ledger::frees(batch) {
                self.nothing_pending(to.host, &before);
                if before.value.phase_name() == "stopped" {
                    self.ledger.seen.note("stop");
                    self.ledger.seen.note(format!("stop of h{}", to.host));
                    if self.machines[to.host].is_gone() {
                        self.ledger.seen.note("stop of a terminated machine");
                    }
                }
            }
            self.after_landing(to.host, &before.value, gate);
        }
        let answer = landed.map_or(Answer::Conflict, |revision| Answer::Written { revision });
        self.reply(to, ticket, &answer);
    }

    /// Every change of a host's key is looked at, and those who watch hear of it.
    pub(super) fn after_landing(&mut self, host: usize, before: &HostRecord, gate: Option<u64>) {
        self.ledger.landed(&self.store, before, gate, host, self.now);
        self.store.check_slots(self.policy.max_concurrent_stops);
        if self.rng.permille(300) {
            let entry = Box::new(self.store.host(host));
            for to in self.carrying(host) {
                if let Some(ms) = self.travel() {
                    self.after(ms, Event::Give(to, Box::new(Input::KeyChanged(entry.clone()))));
                }
            }
        }
    }

    /// P2: while a call may still take effect its claim and slots stay taken. But for three cases: the machine is
    /// gone and cannot be stopped any more; somebody else stopped it under this very claim, while our call
    /// was on its way (P9); it settled an accepted stop at its next boot, which a reboot by hand was (P10).
    fn nothing_pending(&self, host: usize, before: &Entry<HostRecord>) {
        let Some(claim) = before.value.claim_number(before.revision).map(|number| number.0) else {
            return;
        };
        let wire = |call: &(usize, u64, u64)| call.0 == host && call.1 == claim && call.2 >= self.now;
        let machine = &self.machines[host];
        let pending = self.on_the_wire.iter().any(wire) || machine.accepted.contains(&claim);
        let seen_stopped = before.value.phase_name() == "stopped";
        let by_hand = machine.hand_stopped_at >= self.ledger.made_at(claim);
        let excused = machine.is_gone() || (seen_stopped && (by_hand || self.came_back(host, before)));
        assert!(
            excused || !pending,
            "h{host} was freed while the call of claim {claim} may still stop it"
        );
    }

    /// Whether the host carries an executor and has booted since its claim.
    fn came_back(&self, host: usize, entry: &Entry<HostRecord>) -> bool {
        let on_it = |executor: &Executor| executor.carried_by == Some(host);
        let boot_id = self.machines[host].boot_id();
        let claim = entry.value.claim.as_ref();
        self.executors.iter().any(on_it) && claim.is_some_and(|claim| claim.boot_id != boot_id)
    }

    /// Nothing is filed as stopped that did not go down; but for a machine that was rebooted by hand after the
    /// cloud had accepted its stop (P10).
    fn was_down(&self, host: usize, claim: u64) {
        let machine = &self.machines[host];
        let down = machine.down_at >= self.ledger.made_at(claim) || machine.is_gone();
        let accepted = self.came_back(host, &self.store.host(host)) && machine.accepted.contains(&claim);
        assert!(
            down || accepted,
            "h{host} is filed as stopped and never went down"
        );
    }

    /// The machines that are carried for a host now.
    pub(super) fn carrying(&self, host: usize) -> Vec<Address> {
        let of = |(executor, process): (usize, &Executor)| {
            process.claims.get(&host).map(|carried| Address {
                executor,
                incarnation: process.incarnation,
                host,
                machine: carried.id,
            })
        };
        self.executors.iter().enumerate().filter_map(of).collect()
    }
}

impl Event {
    /// Which process has to take it, where one has.
    fn executor(&self) -> Option<usize> {
        match self {
            Self::Poll(executor) | Self::Polled { executor, .. } | Self::Verdict { executor, .. } => {
                Some(*executor)
            }
            Self::Wake(to) | Self::Give(to, _) | Self::Answer(to, _, _) => Some(to.executor),
            Self::LastLook { from, .. } => Some(from.executor),
            _ => None,
        }
    }
}
