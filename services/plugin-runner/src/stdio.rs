//! A plugin that is a child process: kept running, asked one thing at a time.
//!
//! **Invariant:** a plugin that hangs, crashes, babbles or lies costs its own answer and nothing else.
//! Whatever goes wrong between question and answer, the process is killed and started again after a
//! back-off, because nothing is known any more of where in its pipes the next answer would begin.

mod call;
mod handshake;
mod instance;
mod slot;
mod supervise;
mod turns;

pub use call::{CallError, Limits};

use crate::{
    backoff::Restarts,
    config_book::{ConfigBook, Handed},
    discovery::Found,
    fence::{Fence, Fenced},
    file_identity::FileIdentity,
    guest::Seat,
    line::{Dialect, PluginSaid},
    log_book::LogBook,
    manifest::PluginManifest,
    process::Program,
    set::Grant,
};
use serde::Serialize;
use serde_json::{Map, Value};
use slot::Slot;
use snooze_schemas::{
    EventType, PluginName,
    plugin::{inspection::Limit, manifest::ProcessModel},
};
use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use turns::{Turns, Urgency};

/// What a process is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Being started and introduced.
    Starting,
    /// Answering.
    Running,
    /// Waiting to be started again.
    Restarting,
    /// Not started: it cannot have the configuration that it was given, and was never given another.
    Misconfigured,
    /// Switched off by the configuration.
    Disabled,
    /// Not run as things are: what it depends on is not there, its files are others than were approved, and the like.
    Held,
    /// Ended for good.
    Stopped,
}

/// What the configuration wants of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// It is to run.
    Running,
    /// It is not to run.
    Disabled,
    /// It is not to run as things are, for this reason.
    Held(String),
}

impl Wanted {
    /// How it is shown that it does not run, and why; nothing where it is to run.
    fn instead(&self) -> Option<(Stage, &str)> {
        match self {
            Self::Running => None,
            Self::Disabled => Some((Stage::Disabled, "it is disabled")),
            Self::Held(why) => Some((Stage::Held, why)),
        }
    }
}

/// A start of a process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Start {
    /// Which one it was; 0 before the first.
    pub count: u64,
    /// What was started.
    pub file: Option<FileIdentity>,
}

/// How a plugin is run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What is started.
    pub program: Program,
    /// Its name. What it calls itself does not count: by another's name it could take what was meant for that one.
    pub name: PluginName,
    /// What its author states of it.
    pub manifest: Option<Arc<PluginManifest>>,
    /// How long it may take to introduce itself and to take its configuration, each.
    pub handshake_limit: Duration,
    /// How restarts are spaced.
    pub restarts: Restarts,
}

/// A plugin that is a child process. Dropping it does not end the process; [`stop`](Self::stop) does,
/// and so does ending the task that [`supervise`](Self::supervise) returned.
#[derive(Debug)]
pub struct StdioPlugin {
    settings: Settings,
    slot: Mutex<Slot>,
    turns: Arc<Turns>,
    strays: AtomicU64,
    log: Arc<LogBook>,
    restarts: AtomicU64,
    stage: watch::Sender<Stage>,
    info: watch::Sender<Option<Map<String, Value>>>,
    events: watch::Sender<Option<Arc<[EventType]>>>,
    start: Mutex<Start>,
    configs: Arc<ConfigBook>,
    grant: Grant,
    /// Why its files are not run as they are.
    refused: watch::Sender<Option<String>>,
    process_id: watch::Sender<Option<i32>>,
    wanted: watch::Sender<Wanted>,
    fenced: watch::Sender<Fenced>,
    seat: Arc<Seat>,
    over: watch::Sender<BTreeSet<Limit>>,
    stop: CancellationToken,
}

impl StdioPlugin {
    /// A plugin that is not running yet.
    #[must_use]
    pub fn new(settings: Settings, configs: Arc<ConfigBook>) -> Arc<StdioPlugin> {
        StdioPlugin::granted(settings, configs, Grant::default(), Arc::default())
    }

    /// One whose fence is this grant's.
    #[must_use]
    pub(crate) fn granted(
        settings: Settings,
        configs: Arc<ConfigBook>,
        grant: Grant,
        seat: Arc<Seat>,
    ) -> Arc<StdioPlugin> {
        Arc::new(StdioPlugin {
            settings,
            slot: Mutex::new(Slot::Down("it has not been started yet".to_owned())),
            turns: Arc::default(),
            strays: AtomicU64::new(0),
            log: Arc::default(),
            restarts: AtomicU64::new(0),
            stage: watch::Sender::new(Stage::Starting),
            info: watch::Sender::new(None),
            events: watch::Sender::new(None),
            start: Mutex::default(),
            configs,
            grant,
            refused: watch::Sender::default(),
            process_id: watch::Sender::new(None),
            wanted: watch::Sender::new(Wanted::Running),
            fenced: watch::Sender::default(),
            seat,
            over: watch::Sender::default(),
            stop: CancellationToken::new(),
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> PluginName {
        self.settings.name.clone()
    }

    /// What it may do.
    pub(crate) fn grant(&self) -> &Grant {
        &self.grant
    }

    /// What was found of it.
    pub(crate) fn found(&self) -> Found {
        Found {
            name: self.name(),
            path: self.path().clone(),
            manifest: self.settings.manifest.clone(),
            package: self.fence().and_then(|fence| fence.package.clone()),
        }
    }

    /// Which events it says it handles, as it said when it was last introduced; nothing before the first time.
    #[must_use]
    pub fn events(&self) -> Option<Arc<[EventType]>> {
        self.events.borrow().clone()
    }

    /// What the configuration says of it, the runner's own keys among it.
    #[must_use]
    pub fn config(&self) -> Map<String, Value> {
        self.configs.of(&self.name())
    }

    /// What it is told of it.
    fn handed(&self) -> Handed {
        self.configs.handed(&self.name())
    }

    /// Why the newest configuration is not the one that it has, if it is not.
    #[must_use]
    pub fn config_refused(&self) -> Option<String> {
        self.handed().refused
    }

    /// What its author states of it.
    #[must_use]
    pub fn manifest(&self) -> Option<&Arc<PluginManifest>> {
        self.settings.manifest.as_ref()
    }

    fn dialect(&self) -> Dialect {
        match self.manifest().map(|manifest| manifest.stated().process_model) {
            Some(ProcessModel::JsonRpc) => Dialect::JsonRpc,
            Some(ProcessModel::Process | ProcessModel::Nats) | None => Dialect::Original,
        }
    }

    /// How many processes were started for it so far.
    #[must_use]
    pub fn starts(&self) -> u64 {
        self.start().count
    }

    /// Its newest start.
    pub(crate) fn start(&self) -> Start {
        *self.start.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_start(&self) {
        let file = FileIdentity::of(self.path());
        let mut start = self.start.lock().unwrap_or_else(PoisonError::into_inner);
        start.count += 1;
        start.file = file;
    }

    /// How long it may take to introduce itself.
    pub(crate) fn handshake_limit(&self) -> Duration {
        self.settings.handshake_limit
    }

    /// What the next one finds who has a turn.
    fn put(&self, slot: Slot) {
        *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = slot;
    }

    /// Takes the pipes away for this reason, once whoever has them is done.
    async fn put_down(&self, why: &str) {
        let turn = self.turns.turn(Urgency::Supervision).await;
        self.put(Slot::Down(why.to_owned()));
        drop(turn);
    }

    /// What it says of itself; nothing before it has been asked for the first time.
    #[must_use]
    pub fn info(&self) -> watch::Receiver<Option<Map<String, Value>>> {
        self.info.subscribe()
    }

    /// What the process is doing.
    #[must_use]
    pub fn stage(&self) -> watch::Receiver<Stage> {
        self.stage.subscribe()
    }

    /// The id of the process while there is one.
    #[must_use]
    pub fn process_id(&self) -> Option<i32> {
        *self.process_id.borrow()
    }

    /// The same, to be followed.
    pub(crate) fn process_ids(&self) -> watch::Receiver<Option<i32>> {
        self.process_id.subscribe()
    }

    /// What it has complained about.
    pub(crate) fn log(&self) -> &LogBook {
        &self.log
    }

    /// What of its fence is not enforced, and what was granted without effect, as of its last start.
    #[must_use]
    pub fn fenced(&self) -> Fenced {
        self.fenced.borrow().clone()
    }

    /// Says so where it is another fence than at the start before.
    fn note_fenced(&self, fenced: Fenced) {
        let is_news = self.fenced.send_if_modified(|known| {
            let is_news = *known != fenced;
            *known = fenced;
            is_news
        });
        if !is_news {
            return;
        }
        let Fenced {
            not_enforced,
            not_granted,
        } = self.fenced();
        if !not_enforced.is_empty() {
            tracing::warn!(plugin = %self.name(), not_enforced = not_enforced.join("; "), "a plugin is not fenced in every way");
        }
        if !not_granted.is_empty() {
            tracing::info!(plugin = %self.name(), not_granted = not_granted.join("; "), "a plugin was granted what has no effect");
        }
    }

    /// What keeps it from reaching further.
    pub(crate) fn fence(&self) -> Option<&Fence> {
        self.settings.program.fence.as_ref()
    }

    /// The limits of which it has used most for some time.
    pub(crate) fn over(&self) -> BTreeSet<Limit> {
        self.over.borrow().clone()
    }

    /// Says so of those that are new.
    pub(crate) fn note_over(&self, over: &BTreeSet<Limit>) {
        let known = self.over.send_replace(over.clone());
        for limit in over.difference(&known) {
            tracing::warn!(plugin = %self.name(), ?limit, "a plugin has used most of a limit for some time");
        }
    }

    /// The executable.
    #[must_use]
    pub fn path(&self) -> &PathBuf {
        &self.settings.program.path
    }

    /// How often it was started after the first time.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }

    /// How many answers to nothing were dropped.
    #[must_use]
    pub fn strays(&self) -> u64 {
        self.strays.load(Ordering::Relaxed)
    }

    /// Switches it on or off; the supervisor sees to it.
    pub fn want(&self, wanted: Wanted) {
        self.wanted.send_if_modified(|held| {
            let is_news = *held != wanted;
            *held = wanted;
            is_news
        });
    }

    /// Ends the process for good; the supervisor sees to it.
    pub fn stop(&self) {
        self.stop.cancel();
    }
}

#[derive(Serialize)]
struct ConfigureParams<'a> {
    config: &'a Map<String, Value>,
}

/// Whether a plugin did what it was asked to: it did unless it says that it did not.
fn accepted(result: &Value) -> Result<(), PluginSaid> {
    match result.get("success") {
        Some(Value::Bool(false)) => Err(PluginSaid {
            text: "success: false".to_owned(),
            unknown_method: false,
        }),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
