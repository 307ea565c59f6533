//! A cloud that records the calls and stops nothing: the default of `snooze up`, and most tests' cloud.
//!
//! Instances appear, running, when they are first named. A stop takes as long as it is told to:
//! running, stopping, stopped. It keeps nothing on disk and forgets everything with the process.

use super::{
    CallOutcome, Cloud, CloudError, Inspection, InstanceState, Permission, Protection, Seen, StopRequest,
    Target,
};
use futures_util::future::BoxFuture;
use snooze_schemas::host::Action;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::broadcast, time::Instant};

/// Calls that are remembered; the oldest go first.
const CALLS_KEPT: usize = 1_000;

/// A handle to one simulated cloud; clones share it.
#[derive(Debug, Clone)]
pub struct SimulatedCloud {
    inner: Arc<Mutex<Inner>>,
    told: broadcast::Sender<SimulatedCall>,
}

/// One request that reached the simulated cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimulatedCall {
    /// What was asked.
    pub verb: Verb,
    /// The instance that was named.
    pub instance: String,
    /// The region that was named.
    pub region: String,
}

/// What a simulated cloud can be asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verb {
    /// Stop an instance.
    Stop,
    /// Hibernate an instance.
    Hibernate,
    /// Start an instance.
    Start,
    /// Write these tags.
    Tag(BTreeMap<String, String>),
}

impl Verb {
    /// As the cloud's API calls it.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Stop | Self::Hibernate => "StopInstances",
            Self::Start => "StartInstances",
            Self::Tag(_) => "CreateTags",
        }
    }
}

/// How the next stop is to go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is refused, for good.
    Refuse,
    /// It is applied, and the answer never comes.
    ApplyWithoutAnswer,
    /// It is not applied, and the answer never comes.
    LoseRequest,
    /// It is applied so much later, and the answer never comes.
    ApplyLate(Duration),
}

#[derive(Debug)]
struct Inner {
    stop_takes: Duration,
    instances: BTreeMap<String, Instance>,
    calls: VecDeque<SimulatedCall>,
    faults: VecDeque<Fault>,
    starts_to_refuse: u32,
}

#[derive(Debug, Clone)]
struct Instance {
    /// When it began to stop, and when it is stopped; absent while it runs.
    stop: Option<(Instant, Instant)>,
    gone: bool,
    tags: BTreeMap<String, String>,
    protections: Vec<Protection>,
    can_hibernate: bool,
}

impl Instance {
    fn new() -> Self {
        Self {
            stop: None,
            gone: false,
            tags: BTreeMap::new(),
            protections: Vec::new(),
            can_hibernate: false,
        }
    }

    fn state(&self, now: Instant) -> InstanceState {
        match self.stop {
            _ if self.gone => InstanceState::Terminated,
            Some((_, stopped)) if stopped <= now => InstanceState::Stopped,
            Some((stopping, _)) if stopping <= now => InstanceState::Stopping,
            _ => InstanceState::Running,
        }
    }
}

impl Default for SimulatedCloud {
    /// A cloud in which a stop takes two seconds: long enough to be seen, short enough to be waited for.
    fn default() -> Self {
        Self::new(Duration::from_secs(2))
    }
}

impl SimulatedCloud {
    /// A cloud in which a stop takes so long.
    #[must_use]
    pub fn new(stop_takes: Duration) -> Self {
        let (told, _) = broadcast::channel(256);
        Self {
            inner: Arc::new(Mutex::new(Inner {
                stop_takes,
                instances: BTreeMap::new(),
                calls: VecDeque::new(),
                faults: VecDeque::new(),
                starts_to_refuse: 0,
            })),
            told,
        }
    }

    /// From now on a stop takes so long.
    pub fn stop_takes(&self, time: Duration) {
        self.lock().stop_takes = time;
    }

    /// Every call so far, the oldest first; at most the last thousand.
    #[must_use]
    pub fn calls(&self) -> Vec<SimulatedCall> {
        self.lock().calls.iter().cloned().collect()
    }

    /// How many calls so far would have stopped this instance.
    #[must_use]
    pub fn stop_calls(&self, instance: &str) -> usize {
        let is_stop = |call: &&SimulatedCall| {
            call.instance == instance && matches!(call.verb, Verb::Stop | Verb::Hibernate)
        };
        self.lock().calls.iter().filter(is_stop).count()
    }

    /// Hears of each call as it is made; one who is slow loses the oldest.
    #[must_use]
    pub fn watch(&self) -> broadcast::Receiver<SimulatedCall> {
        self.told.subscribe()
    }

    /// What an instance is doing now.
    #[must_use]
    pub fn state_of(&self, instance: &str) -> InstanceState {
        let now = Instant::now();
        self.lock().instance(instance).state(now)
    }

    /// The tags of an instance.
    #[must_use]
    pub fn tags_of(&self, instance: &str) -> BTreeMap<String, String> {
        self.lock().instance(instance).tags.clone()
    }

    /// Somebody else sets a tag.
    pub fn set_tag(&self, instance: &str, key: &str, value: &str) {
        self.lock()
            .instance(instance)
            .tags
            .insert(key.to_owned(), value.to_owned());
    }

    /// Somebody else protects an instance.
    pub fn protect(&self, instance: &str, protection: Protection) {
        self.lock().instance(instance).protections.push(protection);
    }

    /// The instance was started with hibernation configured.
    pub fn allow_hibernation(&self, instance: &str) {
        self.lock().instance(instance).can_hibernate = true;
    }

    /// A person starts an instance, past the executor.
    pub fn start_by_hand(&self, instance: &str) {
        self.lock().instance(instance).stop = None;
    }

    /// A person stops an instance, past the executor; it is stopped at once.
    pub fn stop_by_hand(&self, instance: &str) {
        let now = Instant::now();
        self.lock().instance(instance).stop = Some((now, now));
    }

    /// A person terminates an instance.
    pub fn terminate_by_hand(&self, instance: &str) {
        self.lock().instance(instance).gone = true;
    }

    /// So many starts are refused before one is accepted.
    pub fn refuse_starts(&self, count: u32) {
        self.lock().starts_to_refuse = count;
    }

    /// The next stop that is not yet spoken for goes wrong like this.
    pub fn fail_next_stop(&self, fault: Fault) {
        self.lock().faults.push_back(fault);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic of another holder leaves at worst one call unrecorded; the map itself is whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, verb: Verb, target: &Target) {
        let call = SimulatedCall {
            verb,
            instance: target.instance().to_owned(),
            region: target.region().to_owned(),
        };
        let mut inner = self.lock();
        if inner.calls.len() == CALLS_KEPT {
            inner.calls.pop_front();
        }
        inner.calls.push_back(call.clone());
        drop(inner);
        // Nobody listening is the usual case and no fault.
        drop(self.told.send(call));
    }

    fn refuses_start(&self) -> bool {
        let mut inner = self.lock();
        let refuses = inner.starts_to_refuse > 0;
        inner.starts_to_refuse = inner.starts_to_refuse.saturating_sub(1);
        refuses
    }

    /// Does what the cloud does on receipt of a stop; nothing means that no answer ever comes.
    fn receive_stop(&self, target: &Target, action: Action) -> Option<CallOutcome> {
        let now = Instant::now();
        let mut inner = self.lock();
        let fault = inner.faults.pop_front();
        let takes = inner.stop_takes;
        let instance = inner.instance(target.instance());
        let state = instance.state(now);
        let refusal = match (fault, state) {
            (Some(Fault::Refuse), _) => Some("UnauthorizedOperation"),
            (_, InstanceState::Terminated) => Some("IncorrectInstanceState"),
            _ if action == Action::Hibernate && !instance.can_hibernate => {
                Some("UnsupportedHibernationConfiguration")
            }
            _ => None,
        };
        if let Some(code) = refusal {
            return Some(CallOutcome::Refused {
                code: code.to_owned(),
                message: format!("{} was refused by the simulated cloud", target.instance()),
            });
        }
        let begins = match fault {
            Some(Fault::ApplyLate(late)) => now + late,
            _ => now,
        };
        if state == InstanceState::Running && fault != Some(Fault::LoseRequest) {
            instance.stop = Some((begins, begins + takes));
        }
        match fault {
            None | Some(Fault::Refuse) => Some(CallOutcome::Accepted {
                before: state,
                now: instance.state(now),
            }),
            Some(Fault::ApplyWithoutAnswer | Fault::LoseRequest | Fault::ApplyLate(_)) => None,
        }
    }
}

impl Inner {
    fn instance(&mut self, id: &str) -> &mut Instance {
        self.instances.entry(id.to_owned()).or_insert_with(Instance::new)
    }
}

impl Cloud for SimulatedCloud {
    fn stop<'a>(&'a self, target: &'a Target, request: StopRequest) -> BoxFuture<'a, CallOutcome> {
        Box::pin(async move {
            if let Err(reason) = (request.guard)() {
                return CallOutcome::NotSent { reason };
            }
            let verb = match request.action {
                Action::Stop => Verb::Stop,
                Action::Hibernate => Verb::Hibernate,
            };
            self.record(verb, target);
            match self.receive_stop(target, request.action) {
                Some(outcome) => outcome,
                None => {
                    tokio::time::sleep(request.within).await;
                    CallOutcome::Unknown {
                        reason: format!("no answer within {} ms", request.within.as_millis()),
                    }
                }
            }
        })
    }

    fn start<'a>(&'a self, target: &'a Target, _within: Duration) -> BoxFuture<'a, CallOutcome> {
        Box::pin(async move {
            let before = self.state_of(target.instance());
            self.record(Verb::Start, target);
            if self.refuses_start() {
                return CallOutcome::Refused {
                    code: "InsufficientInstanceCapacity".to_owned(),
                    message: format!("{} was refused by the simulated cloud", target.instance()),
                };
            }
            self.start_by_hand(target.instance());
            CallOutcome::Accepted {
                before,
                now: InstanceState::Running,
            }
        })
    }

    fn see<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<Seen, CloudError>> {
        Box::pin(async move {
            Ok(Seen {
                state: self.state_of(target.instance()),
                tags: self.tags_of(target.instance()),
            })
        })
    }

    fn inspect<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<Inspection, CloudError>> {
        Box::pin(async move {
            let now = Instant::now();
            let mut inner = self.lock();
            let instance = inner.instance(target.instance());
            Ok(Inspection {
                state: instance.state(now),
                tags: instance.tags.clone(),
                protections: instance.protections.clone(),
                can_hibernate: instance.can_hibernate,
            })
        })
    }

    fn permission_check<'a>(&'a self, _target: &'a Target) -> BoxFuture<'a, Result<Permission, CloudError>> {
        Box::pin(async move { Ok(Permission::Granted) })
    }

    fn write_tags<'a>(
        &'a self,
        target: &'a Target,
        tags: &'a BTreeMap<String, String>,
    ) -> BoxFuture<'a, Result<(), CloudError>> {
        Box::pin(async move {
            self.record(Verb::Tag(tags.clone()), target);
            self.lock().instance(target.instance()).tags.extend(tags.clone());
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use snooze_schemas::roster::RosterRecord;

    fn target() -> Target {
        let record: RosterRecord = serde_json::from_value(serde_json::json!({
            "provider": "simulated", "instance": "sim-1", "enrolled_at": "2026-01-01T00:00:00Z",
        }))
        .expect("a record");
        Target::from_roster(&"h1".parse().expect("a host id"), &record)
    }

    fn request(guard: super::super::SendGuard) -> StopRequest {
        StopRequest {
            action: Action::Stop,
            guard,
            within: Duration::from_millis(50),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_instance_goes_from_running_over_stopping_to_stopped() {
        let cloud = SimulatedCloud::new(Duration::from_secs(2));
        assert_eq!(cloud.state_of("sim-1"), InstanceState::Running);
        let outcome = cloud.stop(&target(), request(Arc::new(|| Ok(())))).await;
        assert!(matches!(outcome, CallOutcome::Accepted { .. }), "{outcome:?}");
        assert_eq!(cloud.state_of("sim-1"), InstanceState::Stopping);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(cloud.state_of("sim-1"), InstanceState::Stopped);
        assert_eq!(cloud.stop_calls("sim-1"), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn s20_stopping_what_is_stopped_already_succeeds() {
        let cloud = SimulatedCloud::new(Duration::ZERO);
        cloud.stop_by_hand("sim-1");
        let outcome = cloud.stop(&target(), request(Arc::new(|| Ok(())))).await;
        assert_eq!(
            outcome,
            CallOutcome::Accepted {
                before: InstanceState::Stopped,
                now: InstanceState::Stopped
            }
        );
    }

    #[tokio::test(start_paused = true)]
    async fn p1_a_verdict_that_is_too_old_at_the_last_look_sends_nothing() {
        let cloud = SimulatedCloud::new(Duration::ZERO);
        let guard: super::super::SendGuard = Arc::new(|| Err("21 s old".to_owned()));
        let outcome = cloud.stop(&target(), request(guard)).await;
        assert!(matches!(outcome, CallOutcome::NotSent { .. }), "{outcome:?}");
        assert_eq!(cloud.stop_calls("sim-1"), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_answer_is_unknown_whether_it_was_applied_or_not() {
        for (fault, after) in [
            (Fault::ApplyWithoutAnswer, InstanceState::Stopped),
            (Fault::LoseRequest, InstanceState::Running),
        ] {
            let cloud = SimulatedCloud::new(Duration::ZERO);
            cloud.fail_next_stop(fault);
            let outcome = cloud.stop(&target(), request(Arc::new(|| Ok(())))).await;
            assert!(matches!(outcome, CallOutcome::Unknown { .. }), "{outcome:?}");
            assert_eq!(cloud.state_of("sim-1"), after);
        }
    }
}
