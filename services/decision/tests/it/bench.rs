//! A workbench for one host: carries a claim's plans out at once, in a world in which everything answers
//! and time passes only where the claim waits for it. Tests stop it at a step and change the world there.

use crate::store::Store;
use snooze_decision::claim::{
    Action, Answer, AuditKind, CallOutcome, ClaimNumber, Drawn, End, Entry, HostRecord, Input, InstanceState,
    Observer, Opening, Phase, Planned, PrepareState, Protections, Revision, Sighting, Tags, Target, Terms,
    Value, Verified,
};
use snooze_decision::{
    Boot, Guarded, Mode, Now, Policy, PolicyValues, Verdict, Violation, Vote, VoteState, Wall,
};
use std::collections::{BTreeMap, VecDeque};

pub(crate) const REVISION: &str = "3/1/0";
pub(crate) const HOUR: u64 = 3_600_000;

/// The steps of a claim that a test can stop at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Claim,
    Audit(AuditKind),
    Prepare,
    Protections,
    Verify,
    Commit,
    Call,
    Watch,
    Tags,
    Cancel,
    Free,
}

impl Step {
    pub(crate) fn is(self, action: &Action) -> bool {
        match (self, action) {
            (Self::Audit(kind), Action::Audit(entry)) => entry.kind == kind,
            (Self::Prepare, Action::Prepare { .. })
            | (Self::Protections, Action::ReadProtections)
            | (Self::Verify, Action::Verify { .. })
            | (Self::Call, Action::Call(_))
            | (Self::Watch, Action::ReadInstance)
            | (Self::Tags, Action::WriteTags(_))
            | (Self::Cancel, Action::Cancel { .. }) => true,
            (_, Action::Write(batch)) => match batch.writes.last().map(|write| &write.value) {
                Some(Value::Host(record)) => match (self, &record.claim) {
                    (Self::Free, None) => true,
                    (Self::Commit, Some(claim)) => claim.phase == Phase::Committed && batch.writes.len() > 1,
                    (Self::Claim, Some(claim)) => claim.number == ClaimNumber(0),
                    _ => false,
                },
                _ => false,
            },
            _ => false,
        }
    }
}

/// One line of what passed between a test and its machine.
#[derive(Debug, Clone)]
pub(crate) enum Logged {
    Told(Input),
    Planned(Planned),
}

pub(crate) struct Bench {
    pub(crate) policy: Policy,
    pub(crate) store: Store,
    pub(crate) verdict: Verdict,
    pub(crate) now: Now,
    pub(crate) instance: InstanceState,
    /// What the call leads to, and the instance after it.
    pub(crate) outcome: CallOutcome,
    pub(crate) after_call: InstanceState,
    pub(crate) prepare: PrepareState,
    pub(crate) prepared: bool,
    pub(crate) forbids: Vec<String>,
    pub(crate) instance_tags: BTreeMap<String, String>,
    pub(crate) self_boot: Option<String>,
    /// Why the instance cannot be read, where it cannot.
    pub(crate) unreadable: Option<String>,
    /// Everything that the machine was told and planned, in order.
    pub(crate) log: Vec<(Now, Logged)>,
    /// What happened, in order.
    pub(crate) done: Vec<Action>,
    pub(crate) end: Option<End>,
    pub(crate) guarded: Option<Guarded>,
    queue: VecDeque<Planned>,
    holders: u32,
}

pub(crate) fn acting() -> PolicyValues {
    PolicyValues {
        mode: Mode::Act,
        ..PolicyValues::default()
    }
}

pub(crate) fn idle_vote(voter: &str, idle_ms: u64) -> Vote {
    Vote {
        voter: voter.to_owned(),
        state: VoteState::Idle,
        raw: VoteState::Idle,
        reason: "nothing happens".to_owned(),
        idle_ms,
    }
}

pub(crate) fn vote(voter: &str, state: VoteState) -> Vote {
    Vote {
        state,
        raw: state,
        idle_ms: 0,
        reason: "so it says".to_owned(),
        ..idle_vote(voter, 0)
    }
}

pub(crate) fn idle_verdict() -> Verdict {
    Verdict {
        boot_id: "boot-1".to_owned(),
        agent: "agent-1".to_owned(),
        seq: 7,
        policy_revision: REVISION.to_owned(),
        sample_age_ms: 100,
        uptime_ms: 10 * HOUR,
        boot_grace_left_ms: 0,
        votes: vec![idle_vote("cpu", HOUR), idle_vote("people", 2 * HOUR)],
    }
}

impl Bench {
    pub(crate) fn new(values: PolicyValues) -> Bench {
        Bench {
            policy: Policy::check(values).expect("a sound policy"),
            store: Store::default(),
            // The last sample of a series with an interval of a minute may well be this old.
            verdict: Verdict {
                sample_age_ms: 45_000,
                ..idle_verdict()
            },
            now: Now {
                boot: Boot(1_000_000),
                wall: Wall(1_700_000_000_000),
            },
            instance: InstanceState::Running,
            outcome: CallOutcome::Accepted,
            after_call: InstanceState::Stopped,
            prepare: PrepareState::Done,
            prepared: true,
            forbids: Vec::new(),
            instance_tags: BTreeMap::new(),
            self_boot: None,
            unreadable: None,
            log: Vec::new(),
            done: Vec::new(),
            end: None,
            guarded: None,
            queue: VecDeque::new(),
            holders: 0,
        }
    }

    /// A claim under the shipped policy, acting, stopped at a step.
    pub(crate) fn at(step: Step) -> Bench {
        let mut bench = Bench::new(acting());
        bench.claim();
        bench.up_to(step);
        bench
    }

    fn drawn(&mut self) -> Drawn {
        self.holders += 1;
        Drawn {
            holder: format!("holder-{}", self.holders),
            nonce: format!("nonce-{}", self.holders),
        }
    }

    pub(crate) fn terms(&self) -> Terms {
        Terms {
            host: "h0".to_owned(),
            group: "default".to_owned(),
            policy: self.policy.clone(),
            policy_revision: REVISION.to_owned(),
            target: Some(Target {
                provider: "simulated".to_owned(),
                account: String::new(),
                region: "nowhere".to_owned(),
                instance: "i-h0".to_owned(),
            }),
            self_boot: self.self_boot.clone(),
        }
    }

    pub(crate) fn claim(&mut self) {
        let drawn = self.drawn();
        let state = self.store.state(0, &[]);
        let limit = self.policy.max_concurrent_stops;
        let verdict = self.verdict.clone();
        let opening = Opening {
            key: state.host,
            gate: state.gate,
            slot: self.store.free_slot(limit, 0).expect("a free slot"),
            verdict: &verdict,
            reason: "idle for an hour".to_owned(),
        };
        let (guarded, plans) = Guarded::claim(self.terms(), drawn, opening, self.now).expect("sound plans");
        self.log = Vec::new();
        self.note(&plans);
        self.guarded = Some(guarded);
        self.queue = plans.into();
        self.end = None;
    }

    /// The holder is gone, with everything that it had planned.
    pub(crate) fn lose_holder(&mut self) {
        self.guarded = None;
        self.queue.clear();
    }

    /// Another executor watches the key for T and takes the claim over.
    pub(crate) fn take_over(&mut self) {
        let mut observer = Observer::default();
        let takeover_ms = self.policy.takeover_ms;
        let key = self.key();
        assert!(matches!(
            observer.look(&key, takeover_ms, self.now.boot),
            Sighting::Held { .. }
        ));
        self.pass(takeover_ms);
        assert_eq!(
            observer.look(&key, takeover_ms, self.now.boot),
            Sighting::Abandoned
        );
        let drawn = self.drawn();
        let (guarded, plans) = Guarded::take_over(self.terms(), drawn, &key, self.now).expect("sound plans");
        self.guarded = Some(guarded);
        self.queue = plans.into();
        self.end = None;
    }

    fn note(&mut self, plans: &[Planned]) {
        let now = self.now;
        let lines = plans
            .iter()
            .cloned()
            .map(|planned| (now, Logged::Planned(planned)));
        self.log.extend(lines);
    }

    pub(crate) fn key(&self) -> Entry<HostRecord> {
        self.store.host(0)
    }

    pub(crate) fn phase(&self) -> Option<Phase> {
        self.key().value.claim.map(|claim| claim.phase)
    }

    pub(crate) fn pass(&mut self, ms: u64) {
        self.now.boot = self.now.boot.plus(ms);
        self.now.wall = self.now.wall.plus(ms);
    }

    /// Carries everything out until this step is next; it stays undone.
    pub(crate) fn up_to(&mut self, step: Step) {
        for _ in 0..10_000 {
            match self.next() {
                Some(planned) if step.is(&planned.action) => {
                    self.queue.push_front(planned);
                    return;
                }
                Some(planned) => self.carry_out(planned),
                None => break,
            }
        }
        panic!("{step:?} never came; done: {:#?}", self.kinds());
    }

    /// Carries everything out until the machine is finished.
    pub(crate) fn finish(&mut self) {
        for _ in 0..100_000 {
            match self.next() {
                Some(planned) => self.carry_out(planned),
                None => return,
            }
        }
        panic!("it never ends; done: {:#?}", self.kinds());
    }

    /// The next planned action, after as much time as it takes; none where the machine is finished.
    pub(crate) fn next(&mut self) -> Option<Planned> {
        loop {
            if let Some(planned) = self.queue.pop_front() {
                return Some(planned);
            }
            let wake_at = self.guarded.as_ref()?.holder().wake_at()?;
            self.pass(wake_at.since(self.now.boot));
            self.tell(Input::Tick);
        }
    }

    pub(crate) fn tell(&mut self, input: Input) {
        self.try_tell(input).expect("sound plans");
    }

    pub(crate) fn try_tell(&mut self, input: Input) -> Result<(), Violation> {
        if let Some(guarded) = &mut self.guarded {
            self.log.push((self.now, Logged::Told(input.clone())));
            let plans = guarded.step(self.now, input)?;
            self.note(&plans);
            self.queue.extend(plans);
        }
        Ok(())
    }

    /// Answers the action that is next with something else than what would truly come.
    pub(crate) fn answer_next(&mut self, answer: Answer) {
        let planned = self.next().expect("an action to answer");
        self.done.push(planned.action);
        let ticket = planned.ticket;
        self.tell(Input::Answer { ticket, answer });
    }

    /// Whether the machine is finished or says when it goes on.
    pub(crate) fn will_wake(&self) -> bool {
        let finished = self
            .done
            .iter()
            .any(|action| matches!(action, Action::Finished(_)));
        let wake_at = self
            .guarded
            .as_ref()
            .and_then(|guarded| guarded.holder().wake_at());
        finished || wake_at.is_some_and(|at| at > self.now.boot)
    }

    /// What is planned and not carried out, noted as done; the answers are the test's.
    pub(crate) fn take_planned(&mut self) -> Vec<Planned> {
        let planned: Vec<Planned> = self.queue.drain(..).collect();
        self.done
            .extend(planned.iter().map(|planned| planned.action.clone()));
        planned
    }

    pub(crate) fn carry_out_next(&mut self) {
        let planned = self.next().expect("an action to carry out");
        self.carry_out(planned);
    }

    pub(crate) fn carry_out(&mut self, planned: Planned) {
        self.done.push(planned.action.clone());
        let ticket = planned.ticket;
        if let Some(answer) = self.answer_to(planned.action) {
            self.tell(Input::Answer { ticket, answer });
        }
    }

    /// Does what is planned in this world, and says what truly comes of it; nothing at the end.
    pub(crate) fn answer_to(&mut self, action: Action) -> Option<Answer> {
        Some(match action {
            Action::Finished(end) => {
                self.end = Some(end);
                return None;
            }
            Action::Write(batch) => {
                let landed = self.store.apply(0, &batch);
                self.store.check_slots(self.policy.max_concurrent_stops);
                landed.map_or(Answer::Conflict, |revision| Answer::Written { revision })
            }
            Action::ReadState { slots, .. } => Answer::State(Box::new(self.store.state(0, &slots))),
            Action::Audit(_) => Answer::Filed,
            Action::Prepare { .. } => Answer::Prepared {
                state: self.prepare,
                message: "a handler".to_owned(),
            },
            Action::ReadProtections => Answer::Protections(Protections {
                state: self.instance,
                forbids: self.forbids.clone(),
                tags: self.instance_tags.clone(),
            }),
            Action::Verify { claim, nonce, .. } => {
                let window_ms = self.policy.verify_window_ms;
                self.pass(window_ms);
                let mut verdict = self.verdict.clone();
                verdict.sample_age_ms = window_ms;
                Answer::Verified(Verified {
                    claim,
                    nonce,
                    prepared: self.prepared,
                    last_heard: Some(verdict.agent.clone()),
                    verdict,
                })
            }
            Action::Call(_) => {
                self.instance = self.after_call;
                Answer::Called(self.outcome.clone())
            }
            Action::ReadInstance => match self.unreadable.clone() {
                Some(reason) => Answer::Failed { reason },
                None => Answer::Instance(self.instance),
            },
            Action::WriteTags(_) | Action::Cancel { .. } => Answer::Done,
        })
    }

    pub(crate) fn calls(&self) -> usize {
        self.count(|action| matches!(action, Action::Call(_)))
    }

    pub(crate) fn count(&self, kind: fn(&Action) -> bool) -> usize {
        self.done.iter().filter(|action| kind(action)).count()
    }

    pub(crate) fn audits(&self) -> Vec<AuditKind> {
        let kind = |action: &Action| match action {
            Action::Audit(entry) => Some(entry.kind),
            _ => None,
        };
        self.done.iter().filter_map(kind).collect()
    }

    /// What the tags of the instance say, as written by the claim.
    pub(crate) fn tags(&self) -> Option<&Tags> {
        let tags = |action: &'_ Action| matches!(action, Action::WriteTags(_));
        match self.done.iter().rfind(|action| tags(action)) {
            Some(Action::WriteTags(tags)) => Some(tags),
            _ => None,
        }
    }

    /// A person's change of the host's key.
    pub(crate) fn change(&mut self, change: impl FnOnce(&Entry<HostRecord>) -> HostRecord) -> Revision {
        let key = self.key();
        let record = change(&key);
        self.store
            .put_host(0, key.revision, record)
            .expect("nobody else writes")
    }

    pub(crate) fn cancelled_because(&self) -> String {
        match &self.end {
            Some(End::Freed {
                outcome: snooze_decision::claim::Outcome::Cancelled { reason },
            }) => reason.clone(),
            other => panic!("not cancelled: {other:?}"),
        }
    }

    fn kinds(&self) -> Vec<String> {
        let name = |action: &Action| format!("{action:?}").chars().take(60).collect();
        let last = self.done.len().saturating_sub(20);
        self.done[last..].iter().map(name).collect()
    }
}
