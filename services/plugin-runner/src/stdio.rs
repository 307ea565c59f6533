//! A plugin that is a child process: kept running, asked one thing at a time.
//!
//! **Invariant:** a plugin that hangs, crashes, babbles or lies costs its own answer and nothing else.
//! Whatever goes wrong between question and answer, the process is killed and started again after a
//! back-off, because nothing is known any more of where in its pipes the next answer would begin.

mod attend;
mod borrow;
mod call;
mod handshake;
mod instance;
mod shown;
mod slot;
mod stage;
mod strays;
mod supervise;
mod turns;

pub use call::{CallError, Limits};
pub(crate) use stage::Start;
pub use stage::{Stage, Wanted};
pub(crate) use strays::WHAT as STRAY;
pub(crate) use turns::Errand;

use crate::{
    backoff::Restarts,
    config_book::{ConfigBook, Handed},
    discovery::Found,
    fence::Fenced,
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
    plugin::{approval::Installed, inspection::Limit, manifest::ProcessModel},
};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64},
    time::Duration,
};
use strays::Strays;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use turns::{Turns, Urgency};

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
    strays: Strays,
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
    /// The configuration that its newest process did not take, if there is one, and why.
    not_taken: Mutex<Option<(Map<String, Value>, String)>>,
    process_id: watch::Sender<Option<i32>>,
    wanted: watch::Sender<Wanted>,
    /// Counts how often its failures were forgiven it.
    pardons: watch::Sender<u64>,
    fenced: watch::Sender<Fenced>,
    seat: Arc<Seat>,
    over: watch::Sender<BTreeSet<Limit>>,
    disk_bytes: watch::Sender<Option<u64>>,
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
            strays: Strays::default(),
            log: Arc::default(),
            restarts: AtomicU64::new(0),
            stage: watch::Sender::new(Stage::Starting),
            info: watch::Sender::new(None),
            events: watch::Sender::new(None),
            start: Mutex::default(),
            configs,
            grant,
            refused: watch::Sender::default(),
            not_taken: Mutex::default(),
            process_id: watch::Sender::new(None),
            wanted: watch::Sender::new(Wanted::Running),
            pardons: watch::Sender::new(0),
            fenced: watch::Sender::default(),
            seat,
            over: watch::Sender::default(),
            disk_bytes: watch::Sender::default(),
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

    /// The package that it was unpacked from, where it was.
    pub(crate) fn package(&self) -> Option<&Installed> {
        let package = self.fence()?.package.as_ref()?;
        Some(&package.package)
    }

    /// What all plugins are configured with.
    pub(crate) fn configs(&self) -> &ConfigBook {
        &self.configs
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

    /// What it is told of it.
    fn handed(&self) -> Handed {
        self.configs.handed(&self.name())
    }

    fn dialect(&self) -> Dialect {
        match self.manifest().map(|manifest| manifest.stated().process_model) {
            Some(ProcessModel::JsonRpc) => Dialect::JsonRpc,
            Some(ProcessModel::Process | ProcessModel::Nats) | None => Dialect::Original,
        }
    }

    /// Its newest start.
    pub(crate) fn start(&self) -> Start {
        *self.start.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it starts is that of the start before until it was looked at, for which a disk has to answer.
    fn note_start(&self) {
        let mut start = self.start.lock().unwrap_or_else(PoisonError::into_inner);
        start.count += 1;
    }

    fn note_file(&self, file: Option<FileIdentity>) {
        let mut start = self.start.lock().unwrap_or_else(PoisonError::into_inner);
        start.file = file;
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

    /// It does not run any more: whoever waits until it can be asked waits from now on, and not only once the supervisor
    /// has seen to what is left of it.
    fn note_down(&self) {
        self.stage.send_if_modified(|stage| {
            let did_run = *stage == Stage::Running;
            if did_run {
                *stage = Stage::Restarting;
            }
            did_run
        });
    }

    /// Switches it on or off; the supervisor sees to it.
    pub fn want(&self, wanted: Wanted) {
        self.wanted.send_if_modified(|held| {
            let is_news = *held != wanted;
            *held = wanted;
            is_news
        });
    }

    /// Forgives it its failures up to now: one that waits to be started again waits no longer, and of one that runs the
    /// next failure is the first.
    pub(crate) fn pardon(&self) {
        self.pardons.send_modify(|pardons| *pardons += 1);
    }

    /// Whether it is not run because it has crashed too often.
    pub(crate) fn is_quarantined(&self) -> bool {
        *self.stage.borrow() == Stage::Quarantined
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
