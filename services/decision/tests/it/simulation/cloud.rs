//! The cloud and the runners: late, refusing, applying late, answering never; and hosts that measure.

use super::world::{Address, Event, REVISION, World};
use snooze_decision::Verdict;
use snooze_decision::claim::{
    Answer, CallOutcome, ClaimNumber, InstanceState, PrepareState, Protections, Ticket, Verified,
};
use std::collections::BTreeMap;

use super::machine::{Preparation, Protection};

impl World {
    pub(super) fn cloud(&mut self, event: Event) {
        match event {
            Event::LastLook {
                from,
                ticket,
                permit,
                holder,
            } => {
                if !self.is_running(from.executor, from.incarnation) {
                    return;
                }
                let boot = self.executors[from.executor].now(self.now).boot;
                if !permit.allows(boot) {
                    let reason = "too old after signing".to_owned();
                    let answer = Answer::Called(CallOutcome::NotSent { reason });
                    self.at(self.now, Event::Answer(from, ticket, Box::new(answer)));
                    return;
                }
                let process = (from.executor, from.incarnation);
                let fresh_ms = self.policy.freshness_ms;
                self.ledger
                    .called(process, from.host, permit.claim.0, &holder, fresh_ms, self.now);
                // A process may fall asleep between its last look and the sending.
                let asleep = self.faults && self.rng.permille(120);
                let sleep = if asleep { self.rng.range(1_000, 25_000) } else { 0 };
                if let Some(ms) = self.travel() {
                    let signed_at = self.now;
                    let dead_at = signed_at + self.policy.signature_life_ms;
                    let claim = permit.claim.0;
                    if self.now + sleep + ms <= dead_at {
                        self.on_the_wire.push((from.host, claim, self.now + sleep + ms));
                    }
                    self.after(
                        sleep + ms,
                        Event::CloudCall {
                            from,
                            ticket,
                            claim,
                            signed_at,
                        },
                    );
                }
            }
            Event::CloudCall {
                from,
                ticket,
                claim,
                signed_at,
            } => {
                self.on_the_wire.retain(|call| call.1 != claim);
                self.answer_call(from, ticket, claim, signed_at);
            }
            Event::CloudApplies { host, claim } => {
                self.machines[host].accepted.retain(|other| *other != claim);
                let policy = &self.policy;
                let way_ms = policy.freshness_ms + policy.signature_life_ms + policy.application_ms;
                self.ledger.applied(claim, way_ms + way_ms / 500, self.now);
                if matches!(
                    self.machines[host].state,
                    InstanceState::Running | InstanceState::Pending
                ) {
                    self.goes_down(host);
                }
            }
            Event::Stopped(host) if self.machines[host].state == InstanceState::Stopping => {
                self.machines[host].state = InstanceState::Stopped;
                self.follow_down(host);
            }
            Event::Terminated(host) => {
                self.machines[host].state = InstanceState::Terminated;
                let ms = self.rng.range(5_000, 60_000);
                self.after(ms, Event::Vanished(host));
            }
            Event::Vanished(host) => self.machines[host].state = InstanceState::Missing,
            Event::Started(host) if self.machines[host].state == InstanceState::Pending => {
                self.machines[host].comes_up(self.now);
                self.follow_up(host);
            }
            Event::ReadInstance(to, ticket) => {
                let state = self.machines[to.host].state;
                if state == InstanceState::Missing {
                    self.ledger.seen.note("a machine that is missing");
                }
                self.reply(to, ticket, &Answer::Instance(state));
            }
            Event::ReadProtections(to, ticket, claim) => {
                let machine = &self.machines[to.host];
                let (mut forbids, mut tags) = (Vec::new(), BTreeMap::new());
                match machine.protection {
                    Protection::StopProtected => forbids.push("It is protected.".to_owned()),
                    Protection::OptedOut => {
                        drop(tags.insert(self.policy.opt_out_tag.clone(), String::new()));
                    }
                    Protection::None if machine.is_up() => self.ledger.cleared(claim),
                    Protection::None => {}
                }
                let instance = Protections {
                    state: machine.state,
                    forbids,
                    tags,
                };
                self.reply(to, ticket, &Answer::Protections(instance));
            }
            Event::WriteTags(asked, host, tags) => {
                self.machines[host].tag = Some(*tags);
                if let Some((to, ticket)) = asked {
                    self.reply(to, ticket, &Answer::Done);
                }
            }
            _ => {}
        }
    }

    fn answer_call(&mut self, from: Address, ticket: Ticket, claim: u64, signed_at: u64) {
        let expired = self.now - signed_at > self.policy.signature_life_ms;
        let luck = if self.faults {
            self.rng.range(0, 1_000)
        } else {
            999
        };
        let state = self.machines[from.host].state;
        let refuse = |reason: &str| CallOutcome::Refused {
            reason: reason.to_owned(),
        };
        let outcome = match state {
            _ if expired => refuse("the signature has expired"),
            _ if luck < 80 => refuse("throttled"),
            InstanceState::Stopping | InstanceState::Stopped => CallOutcome::AlreadyStopping,
            InstanceState::Running if luck < 140 => CallOutcome::Unknown {
                reason: "503".to_owned(),
            },
            InstanceState::Running => {
                self.accept(from.host, claim);
                CallOutcome::Accepted
            }
            _ => refuse("not running"),
        };
        if matches!(outcome, CallOutcome::Unknown { .. }) && self.rng.permille(500) {
            self.accept(from.host, claim);
        }
        self.reply(from, ticket, &Answer::Called(outcome));
    }

    fn accept(&mut self, host: usize, claim: u64) {
        self.machines[host].accepted.push(claim);
        let slow = self.faults && self.rng.permille(400);
        let ms = if slow {
            self.rng.range(1_000, self.policy.application_ms)
        } else {
            self.rng.range(5, 300)
        };
        self.after(ms, Event::CloudApplies { host, claim });
    }

    pub(super) fn goes_down(&mut self, host: usize) {
        self.machines[host].state = InstanceState::Stopping;
        self.machines[host].down_at = Some(self.now);
        let ms = self.rng.range(200, 4_000);
        self.after(ms, Event::Stopped(host));
    }

    pub(super) fn start(&mut self, host: usize) {
        if self.machines[host].state == InstanceState::Stopped {
            self.machines[host].state = InstanceState::Pending;
            let ms = self.rng.range(500, 3_000);
            self.after(ms, Event::Started(host));
        }
    }

    pub(super) fn runner(&mut self, event: Event) {
        match event {
            Event::Prepare(to, ticket, claim, duration_ms) => {
                let refuses = self.faults && self.rng.permille(10);
                let work_ms = self.rng.range(0, 4_000);
                let now = self.now;
                let machine = &mut self.machines[to.host];
                if !machine.is_up() {
                    return;
                }
                let state = if claim < machine.highest_claim || refuses {
                    PrepareState::Failed
                } else {
                    machine.highest_claim = claim;
                    let preparation = machine.prepared.get_or_insert(Preparation {
                        claim,
                        done_at: now + work_ms,
                        until: now + duration_ms,
                    });
                    if preparation.claim != claim {
                        preparation.claim = claim;
                        preparation.done_at = now + work_ms;
                        preparation.until = now + duration_ms;
                    }
                    if now >= preparation.done_at {
                        PrepareState::Done
                    } else {
                        PrepareState::Working
                    }
                };
                let message = String::new();
                self.reply(to, ticket, &Answer::Prepared { state, message });
            }
            Event::Verify(to, ticket, claim, nonce, prolong_ms) => {
                if !self.machines[to.host].is_up() {
                    return;
                }
                // A handler may take its preparation back at any time (P7).
                if self.faults && self.rng.permille(20) {
                    self.machines[to.host].prepared = None;
                }
                let (now, window) = (self.now, self.policy.verify_window_ms);
                if let Some(preparation) = &mut self.machines[to.host].prepared
                    && preparation.claim == claim
                {
                    preparation.until = preparation.until.max(now + prolong_ms);
                }
                let plugins = self.rng.range(0, self.policy.plugin_timeout_ms);
                let from = now;
                self.after(
                    window + plugins,
                    Event::Measured {
                        to,
                        ticket,
                        claim,
                        nonce,
                        from,
                    },
                );
            }
            Event::Measured {
                to,
                ticket,
                claim,
                nonce,
                from,
            } => {
                let (now, naptime_ms, mode) = (self.now, self.policy.naptime_ms, self.policy.combine);
                let machine = &mut self.machines[to.host];
                if !machine.is_up() {
                    return;
                }
                let in_force = |one: &Preparation| one.claim == claim && one.until > now;
                let prepared = machine.prepared.as_ref().is_some_and(in_force);
                let idle = prepared && machine.truly_idle(mode, from, now, naptime_ms);
                let verdict = machine.verdict(from, now, now - from, REVISION);
                self.ledger.answered(&nonce, idle);
                let answer = Answer::Verified(Verified {
                    claim: ClaimNumber(claim),
                    nonce,
                    prepared,
                    last_heard: None,
                    verdict,
                });
                self.reply(to, ticket, &answer);
            }
            Event::Cancel(to, ticket, claim) => {
                let machine = &mut self.machines[to.host];
                if !machine.is_up() {
                    return;
                }
                machine.prepared.take_if(|one| one.claim <= claim);
                self.reply(to, ticket, &Answer::Done);
            }
            _ => {}
        }
    }

    pub(super) fn publish(&mut self, host: usize) {
        self.after(5_000, Event::Publish(host));
        if !self.machines[host].is_up() {
            return;
        }
        let from = self.now.saturating_sub(1_000);
        let sample_age_ms = self.rng.range(0, self.policy.check_interval_ms);
        let verdict = self.machines[host].verdict(from, self.now, sample_age_ms, REVISION);
        self.send_verdict(host, verdict);
        if self.now < self.machines[host].cloned_until {
            let verdict = self.machines[host].clone_verdict(REVISION);
            self.send_verdict(host, verdict);
        }
    }

    fn send_verdict(&mut self, host: usize, verdict: Verdict) {
        let verdict = Box::new(verdict);
        let copies = if self.faults && self.rng.permille(100) {
            2
        } else {
            1
        };
        for _ in 0..copies {
            let executor = self.rng.range(0, self.executors.len() as u64) as usize;
            if let Some(ms) = self.travel() {
                let verdict = verdict.clone();
                self.after(
                    ms,
                    Event::Verdict {
                        executor,
                        host,
                        verdict,
                    },
                );
            }
        }
    }
}
