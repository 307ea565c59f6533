//! One plugin of this host, whatever it runs in: asked for an opinion, given events, counted.
//!
//! **Invariant:** every question has a time-out, and what is not a plain answer in time is an error,
//! which its caller shows as unknown.

mod calls;
mod error;
mod given;
mod questions;
mod status;
mod voting;
mod wire;

pub use error::AskError;
pub(crate) use status::missing;
pub(crate) use wire::told_data;

use crate::{
    file_identity::FileIdentity,
    latencies::Latencies,
    manifest::PluginManifest,
    nats_plugin::NatsPlugin,
    set::Digests,
    stdio::{Stage, Start, StdioPlugin},
};
use calls::Calls;
use snooze_bus::RequestCounts;
use snooze_schemas::{
    EventType, PluginName,
    event::Severity,
    plugin::{approval::Rights, manifest::EventTerms},
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Semaphore, SemaphorePermit};
use voting::Voting;

/// The key of a plugin's configuration that says which events it gets.
pub(crate) const EVENTS: &str = "events";

/// The key of the terms by which it gets one type of them that says what their data has to be.
pub(crate) const WHEN: &str = "when";

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
    calls: Calls,
    latencies: Latencies,
    voting: Mutex<Voting>,
    /// How many preparations of a stop it is at work for.
    preparing: AtomicUsize,
    /// Whether it was said that it handles what it is not given; another grant makes another plugin.
    withheld_is_told: AtomicBool,
    /// One place for each severity: what is less urgent does not queue up before what is more so.
    turns: [Semaphore; Severity::DESCENDING.len()],
}

/// Why a plugin gets an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// It happened.
    Event,
    /// It is the work before a stop, for which the runner itself asks.
    Preparation,
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
            calls: Calls::default(),
            latencies: Latencies::default(),
            voting: Mutex::default(),
            preparing: AtomicUsize::new(0),
            withheld_is_told: AtomicBool::new(false),
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

    /// Whether its process will run again by itself, or has ended for another to take its place.
    pub(crate) fn may_be_back(&self) -> bool {
        let stage = self.stage();
        let is_back = |stage| matches!(stage, Stage::Starting | Stage::Running | Stage::Restarting);
        self.is_ended() || stage.is_some_and(is_back)
    }

    /// Whether its process has ended for good.
    pub(crate) fn is_ended(&self) -> bool {
        self.stage() == Some(Stage::Stopped)
    }

    fn stage(&self) -> Option<Stage> {
        match &self.runtime {
            Runtime::Process(process) => Some(*process.stage().borrow()),
            Runtime::Nats(_) => None,
        }
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

    /// Why there is no opinion, in the words of its vote: one that was not granted what it asks for may fail for that.
    pub(crate) fn unknown(&self, error: &AskError) -> String {
        let lacking = match &self.runtime {
            Runtime::Process(process) => process.grant().lacking(&process.found()),
            Runtime::Nats(_) => None,
        };
        match lacking {
            Some(lacking) => format!("{error}; {lacking}"),
            None => error.to_string(),
        }
    }

    /// What it wants and may do; nothing where it runs elsewhere. It reads the disk: nothing for the loop.
    pub(crate) fn rights(&self, digests: &Digests) -> Option<Rights> {
        let Runtime::Process(process) = &self.runtime else {
            return None;
        };
        let fenced = process.fenced();
        let mut rights = process.grant().rights(&process.found(), |path| digests.of(path));
        // That nothing fences a library is known before it starts.
        if !rights.native {
            rights.not_enforced = fenced.not_enforced;
        }
        rights.not_granted = fenced.not_granted;
        rights.granted.events.extend(self.events_of_file());
        rights.withheld = self.withheld();
        rights.switched_off = self.switched_off();
        let started = process.start().file;
        rights.replaced = *process.stage().borrow() == Stage::Running
            && started.is_some_and(|started| !started.is_still_at(process.path()));
        Some(rights)
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

    /// How often it was asked by whomever, and how that went.
    pub(crate) fn counts(&self) -> Arc<RequestCounts> {
        self.calls.counts()
    }
}
