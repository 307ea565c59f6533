//! The machine that carries one claim, from its first write to the last.
//!
//! It knows no clock and does no IO: every call of [`Holder::step`] is told the time and one input, and
//! returns what is to be done. Two things may be in flight at once: one write or read of the keys
//! (`pen.rs`), so that beats go on whatever else takes its time, and one errand to the outside
//! (`ascent.rs` before the commit, `aftermath.rs` after the call).
//!
//! Only a machine made by [`Holder::claim`] can ever plan a call: the way there leads through stages
//! that [`Holder::take_over`] never enters.

use super::action::{Action, AuditEntry, AuditKind, End, Planned, Tags, Ticket};
use super::input::{Answer, CallOutcome, Input};
use super::pen::{Pen, Want};
use super::record::{Claim, ClaimNumber, Entry, HostRecord, Phase, Progress};
use super::stage::{Errand, Stage, What};
use super::terms::{Drawn, Opening, Terms};
use crate::policy::Role;
use crate::time::{Boot, Now};
use alloc::{boxed::Box, collections::VecDeque, string::String, vec::Vec};

/// Between a failure and the next attempt.
pub(super) const PAUSE_MS: u64 = 1_000;
/// How much longer than planned an answer is waited for, before it counts as missing.
pub(crate) const GRACE_MS: u64 = 2_000;
/// How often something that may fail is tried before the claim does without it.
pub(super) const ATTEMPTS: u32 = 3;
/// For how long anything but a verification, a call or a write may take.
pub(super) const ERRAND_MS: u64 = 10_000;

/// The machine of one claim.
#[derive(Debug)]
pub struct Holder {
    pub(super) terms: Terms,
    pub(super) drawn: Drawn,
    pub(super) pen: Pen,
    pub(super) stage: Stage,
    pub(super) errand: Option<Errand>,
    /// How often the errand of this stage has failed.
    pub(super) attempts: u32,
    /// No errand before this.
    pub(super) resume_at: Boot,
    pub(super) questions: u32,
    /// A reason to give the claim up that came while its commit was on its way.
    pub(super) doomed: Option<String>,
    /// Who voted in the verdict that opened the claim, the advisory ones left out; nobody after a takeover,
    /// which never verifies.
    pub(super) voters: Vec<String>,
    /// Whether tags may say that the host is stopped before it is (P10).
    pub(super) tagged: bool,
    pub(super) audits: VecDeque<AuditEntry>,
    pub(super) out: Vec<Planned>,
    pub(super) tickets: u64,
}

impl Holder {
    /// Makes a claim: the first plan is the batch that writes it.
    #[must_use]
    pub fn claim(terms: Terms, drawn: Drawn, opening: Opening<'_>, now: Now) -> (Holder, Vec<Planned>) {
        let claim = Claim {
            number: ClaimNumber(0),
            holder: drawn.holder.clone(),
            phase: Phase::Claimed(Progress::Intent),
            beat: 0,
            freezes: opening.gate.value.freezes,
            policy_revision: terms.policy_revision.clone(),
            reason: opening.reason,
            action: terms.policy.action,
            agent: opening.verdict.agent.clone(),
            boot_id: opening.verdict.boot_id.clone(),
            target: terms.target.clone(),
            quarantine_ms: terms.policy.quarantine_ms,
            group: terms.group.clone(),
            slots: Vec::from([opening.slot.n]),
            claimed_at: now.wall,
            committed_at: None,
            stopped_by_others: false,
            tagged: false,
            cancelled_because: String::new(),
        };
        let want = Want::Claim(Box::new(claim), opening.slot);
        let voters = opening.verdict.votes.iter().map(|vote| vote.voter.clone());
        let voters = voters.filter(|voter| terms.policy.role_of(voter) != Role::Advisory);
        let voters = voters.collect();
        let barred = opening.key.value.claim.is_some() || opening.gate.value.frozen.is_some();
        let mut holder = Holder::new(terms, drawn, Pen::new(&opening.key, opening.gate, want, now.boot));
        holder.voters = voters;
        if barred {
            holder.finish(End::NotClaimed);
        }
        let plans = holder.step(now, Input::Tick);
        (holder, plans)
    }

    /// Takes over an abandoned claim, at the revision at which it was seen: the first plan is the write.
    ///
    /// What was not committed is cancelled; where the call may have been made, the machine is watched.
    #[must_use]
    pub fn take_over(
        terms: Terms,
        drawn: Drawn,
        abandoned: &Entry<HostRecord>,
        now: Now,
    ) -> (Holder, Vec<Planned>) {
        let want = Holder::inheritance(&terms, abandoned);
        let gate = Entry::default();
        let mut holder = Holder::new(terms, drawn, Pen::new(abandoned, gate, want, now.boot));
        holder.tagged = holder.pen.claim().is_some_and(|claim| claim.tagged);
        let plans = holder.step(now, Input::Tick);
        (holder, plans)
    }

    fn new(terms: Terms, drawn: Drawn, pen: Pen) -> Holder {
        Holder {
            terms,
            drawn,
            pen,
            stage: Stage::Arriving,
            errand: None,
            attempts: 0,
            resume_at: Boot(0),
            questions: 0,
            doomed: None,
            voters: Vec::new(),
            tagged: false,
            audits: VecDeque::new(),
            out: Vec::new(),
            tickets: 0,
        }
    }

    /// Takes one input and says what is to be done now.
    pub fn step(&mut self, now: Now, input: Input) -> Vec<Planned> {
        if self.stage != Stage::Finished {
            self.take(now, input);
            self.drive(now);
        }
        core::mem::take(&mut self.out)
    }

    /// When to call [`Holder::step`] with a tick if nothing comes before; none once it is finished.
    #[must_use]
    pub fn wake_at(&self) -> Option<Boot> {
        if self.stage == Stage::Finished {
            return None;
        }
        let mut times = Vec::from([self.pen.wake_at(self.terms.policy.beat_ms)]);
        match &self.errand {
            Some(errand) => times.push(errand.due.plus(GRACE_MS)),
            None => times.push(self.resume_at),
        }
        match &self.stage {
            Stage::Noticing(notice) => {
                times.push(notice.until);
                if !notice.done {
                    times.push(notice.poll_at);
                }
            }
            Stage::Settling { until } => times.push(*until),
            Stage::Watching(watch) if self.errand.is_none() => times.push(watch.look_at),
            _ => {}
        }
        let latest_step = self.pen.stepped_at;
        times.into_iter().filter(|time| *time > latest_step).min()
    }

    /// The claim's number, once the claim is made.
    #[must_use]
    pub fn number(&self) -> Option<ClaimNumber> {
        self.pen.number()
    }

    /// The host's key as the machine last knew it.
    #[must_use]
    pub fn key(&self) -> &Entry<HostRecord> {
        &self.pen.base
    }

    fn take(&mut self, now: Now, input: Input) {
        self.pen.stepped_at = now.boot;
        match input {
            Input::Tick => {}
            Input::Answer { ticket, answer } => self.take_answer(now, ticket, answer),
            Input::KeyChanged(entry) => self.key_changed(&entry),
            Input::GateChanged(gate) => self.gate_seen(gate),
            Input::PolicyChanged { revision } => {
                if revision != self.terms.policy_revision {
                    self.give_up(String::from("the policy changed"));
                }
            }
            Input::GiveUp { reason } => self.give_up(reason),
        }
    }

    fn take_answer(&mut self, now: Now, ticket: Ticket, answer: Answer) {
        if self.pen.awaits(ticket) {
            self.pen_answer(now, answer);
        } else if let Some(errand) = self.errand.take_if(|errand| errand.ticket == ticket) {
            self.errand_answer(now, errand, answer);
        }
    }

    fn drive(&mut self, now: Now) {
        self.time_out(now);
        self.advance(now);
        self.write_key(now);
        self.run_errand(now);
    }

    /// An answer that is overdue counts as the worst that it can mean.
    fn time_out(&mut self, now: Now) {
        if self.pen.overdue(now.boot) {
            self.pen_answer(now, Answer::Ambiguous);
        }
        let overdue = |errand: &mut Errand| now.boot >= errand.due.plus(GRACE_MS);
        if let Some(errand) = self.errand.take_if(overdue) {
            let reason = String::from("no answer in time");
            let answer = match errand.what {
                What::Call => Answer::Called(CallOutcome::Unknown { reason }),
                _ => Answer::Failed { reason },
            };
            self.errand_answer(now, errand, answer);
        }
    }

    fn errand_answer(&mut self, now: Now, errand: Errand, answer: Answer) {
        match (&errand.what, answer) {
            (What::Audit, Answer::Filed) => {
                self.audits.pop_front();
                self.resume_at = now.boot;
            }
            (What::Audit, _) => self.resume_at = now.boot.plus(PAUSE_MS),
            (What::Instance | What::Tags | What::Cancel, answer) if self.is_after() => {
                self.aftermath_answer(now, &errand, &answer);
            }
            (_, answer) => self.ascent_answer(now, errand, answer),
        }
    }

    /// Sends the next errand where one is due: what is to be filed comes before everything else.
    fn run_errand(&mut self, now: Now) {
        if self.errand.is_some() || now.boot < self.resume_at || self.stage == Stage::Finished {
            return;
        }
        let next = if let Some(entry) = self.audits.front() {
            Some((What::Audit, Action::Audit(entry.clone()), ERRAND_MS))
        } else if self.pen.want.is_some() {
            None
        } else if self.is_after() {
            self.aftermath_errand(now)
        } else {
            self.ascent_errand(now)
        };
        if let Some((what, action, within_ms)) = next {
            let ticket = self.plan(within_ms, action);
            self.errand = Some(Errand {
                ticket,
                planned_at: now.boot,
                due: now.boot.plus(within_ms),
                what,
            });
        }
    }

    pub(super) fn plan(&mut self, within_ms: u64, action: Action) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.out.push(Planned {
            ticket,
            within_ms,
            action,
        });
        ticket
    }

    pub(super) fn finish(&mut self, end: End) {
        self.stage = Stage::Finished;
        self.errand = None;
        self.plan(0, Action::Finished(end));
    }

    pub(super) fn go(&mut self, stage: Stage) {
        self.stage = stage;
        self.attempts = 0;
    }

    pub(super) fn file(&mut self, kind: AuditKind, message: String) {
        let claim = self.pen.number().unwrap_or_default();
        self.audits.push_back(AuditEntry { kind, claim, message });
    }

    /// Another attempt after a pause; or `false` where there were enough.
    pub(super) fn try_again(&mut self, now: Now) -> bool {
        self.attempts += 1;
        self.resume_at = now.boot.plus(PAUSE_MS);
        self.attempts < ATTEMPTS
    }

    pub(super) fn stopped_tags(&self, now: Now) -> Tags {
        let claim = self.pen.claim();
        let seen = self.pen.base.value.last_stop.as_ref().map(|stop| stop.at);
        Tags::Stopped {
            at: match claim.map(|claim| claim.phase) {
                Some(Phase::Stopped) => seen.unwrap_or(now.wall),
                _ => now.wall,
            },
            reason: claim.map_or_else(String::new, |claim| claim.reason.clone()),
        }
    }
}
