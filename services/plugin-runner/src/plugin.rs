//! One plugin of this host, whatever it runs in: asked for an opinion, given events, counted.
//!
//! **Invariant:** every question has a time-out, and what is not a plain answer in time is an error,
//! which its caller shows as unknown.

mod error;
mod status;
mod voting;
mod wire;

pub use error::AskError;
pub(crate) use status::missing;

use crate::{
    file_identity::FileIdentity,
    latencies::Latencies,
    line::{self, Method, PluginOpinion},
    manifest::PluginManifest,
    nats_plugin::NatsPlugin,
    stdio::{CallError, Limits, Stage, Start, StdioPlugin},
};
use serde::Serialize;
use serde_json::Value;
use snooze_schemas::{
    EventType, HostId, PluginName,
    event::{Event, HandlerResult, Severity},
    metrics::Metrics,
    plugin::manifest::EventTerms,
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::Instant,
};
use voting::Voting;
use wire::{bounded, handler_result, on_the_wire};

/// The key of a plugin's configuration that says which events it gets.
pub(crate) const EVENTS: &str = "events";

/// How long a plugin on the bus may take to say which events it handles.
pub(crate) const EVENTS_LIMIT: Duration = Duration::from_secs(2);

/// What a plugin runs in.
#[derive(Debug)]
pub enum Runtime {
    /// A child process.
    Process(Arc<StdioPlugin>),
    /// Whoever answers on the plugin's subjects.
    Nats(NatsPlugin),
}

/// One plugin of this host.
#[derive(Debug)]
pub struct Plugin {
    runtime: Runtime,
    manifest: Option<Arc<PluginManifest>>,
    calls: AtomicU64,
    errors: AtomicU64,
    time_outs: AtomicU64,
    last_error: Mutex<Option<LastError>>,
    latencies: Latencies,
    voting: Mutex<Voting>,
    /// How many preparations of a stop it is at work for.
    preparing: AtomicUsize,
    /// One place for each severity: what is less urgent does not queue up before what is more so.
    turns: [Semaphore; Severity::DESCENDING.len()],
}

/// The last thing that went wrong with it.
#[derive(Debug)]
struct LastError {
    at: Instant,
    text: String,
}

/// Why a plugin gets an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// It happened.
    Event,
    /// It is the work before a stop, for which the runner itself asks.
    Preparation,
}

/// As long as it lives its plugin is at work for a preparation.
struct Preparing<'a>(&'a AtomicUsize);

impl<'a> Preparing<'a> {
    fn begin(count: &'a AtomicUsize, work: Work) -> Option<Preparing<'a>> {
        (work == Work::Preparation).then(|| {
            count.fetch_add(1, Ordering::Relaxed);
            Preparing(count)
        })
    }
}

impl Drop for Preparing<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Serialize)]
struct CheckIdleParams<'a> {
    metrics: &'a Metrics,
}

#[derive(Serialize)]
struct HandleEventParams {
    event: Value,
}

impl Plugin {
    /// A plugin that has not been asked anything yet.
    #[must_use]
    pub fn new(runtime: Runtime) -> Arc<Plugin> {
        let manifest = match &runtime {
            Runtime::Process(process) => process.manifest().cloned(),
            Runtime::Nats(_) => None,
        };
        Plugin::described(runtime, manifest)
    }

    /// The same, with what its author states of it.
    #[must_use]
    pub fn described(runtime: Runtime, manifest: Option<Arc<PluginManifest>>) -> Arc<Plugin> {
        Arc::new(Plugin {
            runtime,
            manifest,
            calls: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            time_outs: AtomicU64::new(0),
            last_error: Mutex::new(None),
            latencies: Latencies::default(),
            voting: Mutex::default(),
            preparing: AtomicUsize::new(0),
            turns: std::array::from_fn(|_| Semaphore::new(1)),
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> PluginName {
        match &self.runtime {
            Runtime::Process(process) => process.name(),
            Runtime::Nats(plugin) => plugin.name().clone(),
        }
    }

    /// Waits until it can be asked, or will not be for longer than the limit. Cancelling it loses nothing.
    pub async fn ready(&self, within: Duration) {
        self.until(within, |stage| {
            !matches!(stage, Stage::Starting | Stage::Restarting)
        })
        .await;
    }

    /// What its author states of it.
    #[must_use]
    pub fn manifest(&self) -> Option<&PluginManifest> {
        self.manifest.as_deref()
    }

    /// The events that its manifest names; nothing where it names none.
    pub(crate) fn stated_events(&self) -> Option<&BTreeMap<EventType, EventTerms>> {
        let events = &self.manifest()?.stated().events;
        (!events.is_empty()).then_some(events)
    }

    /// Waits until it has introduced itself for the first time or failed to, so that its name and its events
    /// are known. They are already where its manifest names them.
    pub async fn introduced(&self, within: Duration) {
        if let Runtime::Process(process) = &self.runtime
            && self.stated_events().is_none()
            && process.events().is_none()
        {
            self.until(within, |stage| stage != Stage::Starting).await;
        }
    }

    /// Waits until no other event of this severity is handled by it. Holding what is returned keeps others
    /// waiting.
    pub(crate) async fn turn(&self, severity: Severity) -> SemaphorePermit<'_> {
        let place = &self.turns[usize::from(u8::from(severity))];
        place.acquire().await.expect("it is never closed")
    }

    async fn until(&self, within: Duration, wanted: impl Fn(Stage) -> bool) {
        if let Runtime::Process(process) = &self.runtime {
            let mut stage = process.stage();
            let reached = stage.wait_for(|stage| wanted(*stage));
            // Whether it was reached shows in the answer to the question that follows.
            drop(tokio::time::timeout(within, reached).await);
        }
    }

    /// What it runs in.
    #[must_use]
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Whether it votes: one that handles events, and has said from the start that it does not know
    /// `CheckIdle`, does not. One that was started anew, and could not be asked whether it still does within
    /// the time that it has to introduce itself and `round`, the time between two questions, does.
    #[must_use]
    pub(crate) fn votes(&self, round: Duration) -> bool {
        let introduction = match &self.runtime {
            Runtime::Process(process) => process.handshake_limit(),
            Runtime::Nats(_) => Duration::ZERO,
        };
        self.voting().votes(introduction.saturating_add(round))
    }

    /// Whether a next runner may take the file that it was started from for one that does not vote.
    #[must_use]
    pub(crate) fn has_left(&self) -> bool {
        self.voting().has_left(self.start().file)
    }

    /// It does not vote, because an earlier runner knew this file as one that does not (T4). It is asked all
    /// the same when its process has started.
    pub(crate) fn recall_as_handler(&self, file: FileIdentity) {
        self.voting().recall_as_handler(file);
    }

    /// Whether it does not vote and has not been asked whether it still does not since its process was
    /// started anew.
    #[must_use]
    pub(crate) fn is_to_be_judged(&self) -> bool {
        self.voting().is_to_be_judged(self.start())
    }

    fn start(&self) -> Start {
        match &self.runtime {
            Runtime::Process(process) => process.start(),
            Runtime::Nats(_) => Start::default(),
        }
    }

    fn voting(&self) -> std::sync::MutexGuard<'_, Voting> {
        self.voting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_preparing(&self) -> bool {
        self.preparing.load(Ordering::Relaxed) > 0
    }

    /// Whether it handles events, by its own word or by its configuration.
    fn handles_events(&self) -> bool {
        let Runtime::Process(process) = &self.runtime else {
            return false;
        };
        let says_so = process.events().is_some_and(|events| !events.is_empty());
        says_so
            || self.stated_events().is_some()
            || matches!(process.config().get(EVENTS), Some(Value::Object(events)) if !events.is_empty())
    }

    /// Asks whether the host is idle.
    ///
    /// # Errors
    /// Why there is no opinion.
    pub async fn check_idle(
        self: &Arc<Self>,
        metrics: &Metrics,
        host: &HostId,
        limits: impl Into<Limits>,
    ) -> Result<PluginOpinion, AskError> {
        let (limits, start, was_preparing) = (limits.into(), self.start(), self.is_preparing());
        let asked = Instant::now();
        let outcome = match &self.runtime {
            Runtime::Process(process) => process
                .call(Method::CheckIdle, &CheckIdleParams { metrics }, limits)
                .await
                .map_err(AskError::of_call)
                .and_then(|result| line::opinion(&result).map_err(AskError::Odd)),
            Runtime::Nats(plugin) => {
                let was_there = plugin.is_present();
                let outcome = plugin.check_idle(metrics, host, limits.own).await;
                if !was_there && plugin.is_present() {
                    self.learn_events();
                }
                outcome
            }
        };
        let outcome = match outcome {
            Err(error) if error.is_of_work() && (was_preparing || self.is_preparing()) => {
                Err(AskError::Preparing)
            }
            other => other,
        };
        match &outcome {
            Ok(_) => self.voting().has_answered(),
            Err(AskError::UnknownMethod) if self.handles_events() => self.voting().leaves(start),
            Err(AskError::UnknownMethod) => self.voting().stays(),
            // One at work is there, and is asked when it is done.
            Err(error) if error.is_of_work() => {}
            Err(_) => self.voting().was_asked_in_vain(start),
        }
        if !matches!(&outcome, Err(AskError::Process(CallError::Starting))) {
            self.latencies.add(asked.elapsed());
        }
        self.count(outcome)
    }

    /// One on the bus has appeared: asks it, beside everything else, which events it handles.
    fn learn_events(self: &Arc<Self>) {
        let plugin = self.clone();
        tokio::spawn(async move {
            if let Runtime::Nats(nats) = &plugin.runtime
                && let Err(error) = nats.learn_events(EVENTS_LIMIT).await
            {
                tracing::debug!(plugin = %plugin.name(), %error, "a plugin does not say which events it handles");
            }
        });
    }

    /// Gives it an event to handle.
    ///
    /// # Errors
    /// Why it is not known what became of it.
    pub(crate) async fn handle_event(
        &self,
        event: &Event,
        work: Work,
        left: Duration,
    ) -> Result<HandlerResult, AskError> {
        let mut preparing = None;
        let outcome = match &self.runtime {
            Runtime::Process(process) => {
                let params = |left| {
                    // From when it is its turn, and no earlier: it may be busy with something else until then.
                    preparing = Preparing::begin(&self.preparing, work);
                    HandleEventParams {
                        event: on_the_wire(event, left),
                    }
                };
                process
                    .call_by(Method::HandleEvent, event.severity, left, params)
                    .await
                    .map_err(AskError::of_call)
                    .map(|result| handler_result(&result))
            }
            Runtime::Nats(plugin) => {
                preparing = Preparing::begin(&self.preparing, work);
                plugin.handle_event(event, left).await.map(bounded)
            }
        };
        drop(preparing);
        self.count(outcome)
    }

    /// Which events it handles, as it said when it was introduced. One on the bus that has not said it yet
    /// is asked.
    ///
    /// # Errors
    /// Why it is not known.
    pub async fn supported_events(&self, within: Duration) -> Result<Vec<EventType>, AskError> {
        match &self.runtime {
            Runtime::Process(process) => match process.events() {
                Some(events) => Ok(events.to_vec()),
                None => Err(AskError::Odd("it has not introduced itself yet".to_owned())),
            },
            Runtime::Nats(plugin) => match plugin.events() {
                Some(events) => Ok(events),
                None => plugin.learn_events(within).await,
            },
        }
    }

    fn count<T>(&self, outcome: Result<T, AskError>) -> Result<T, AskError> {
        // It was not asked, because there is nobody yet to be asked: no call and no fault, and nothing that is worth
        // telling once it works.
        if matches!(&outcome, Err(AskError::Process(CallError::Starting))) {
            return outcome;
        }
        self.calls.fetch_add(1, Ordering::Relaxed);
        // That it does not know a method is an answer, and its right.
        if let Err(error) = &outcome
            && !matches!(error, AskError::UnknownMethod)
        {
            let counter = if error.is_time_out() {
                &self.time_outs
            } else {
                &self.errors
            };
            counter.fetch_add(1, Ordering::Relaxed);
            *self.last_error() = Some(LastError {
                at: Instant::now(),
                text: error.to_string(),
            });
        }
        outcome
    }

    fn last_error(&self) -> std::sync::MutexGuard<'_, Option<LastError>> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
