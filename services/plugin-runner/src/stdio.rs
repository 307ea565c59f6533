//! A plugin that is a child process: kept running, asked one thing at a time.
//!
//! **Invariant:** a plugin that hangs, crashes, babbles or lies costs its own answer and nothing else.
//! Whatever goes wrong between question and answer, the process is killed and started again after a
//! back-off, because nothing is known any more of where in its pipes the next answer would begin.

mod slot;
mod supervise;

use crate::{
    backoff::Restarts,
    config_book::ConfigBook,
    line::{self, Line, Method, PluginSaid},
    process::{PipeError, Pipes, Program},
};
use serde::Serialize;
use serde_json::{Map, Value};
use slot::{Lent, Slot};
use snooze_schemas::PluginName;
use std::{
    path::PathBuf,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Mutex, watch},
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

/// So many lines that answer something else are dropped in one call before it counts as a flood.
const STRAY_LIMIT: u32 = 64;

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The process is not running now.
    #[error("it is not running: {0}")]
    NotRunning(String),
    /// It was still busy with an earlier call when the time was up. The process is left alone.
    #[error("it was busy with an earlier request for {} ms", .0.as_millis())]
    Occupied(Duration),
    /// It did not answer in time.
    #[error("it did not answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// Its pipes failed: it crashed, closed them, or wrote a line without end.
    #[error("{0}")]
    Pipe(#[from] PipeError),
    /// It wrote something that is not of the protocol.
    #[error("it wrote something that is no JSON object of the protocol")]
    Garbage,
    /// It wrote answers to questions that were not asked.
    #[error("it floods its stdout with answers that nobody asked for")]
    Flood,
    /// It answered that it failed.
    #[error("{0}")]
    Said(#[from] PluginSaid),
    /// The question has no form in JSON.
    #[error("the question cannot be written as JSON")]
    Write(#[source] serde_json::Error),
}

impl CallError {
    /// Whether the plugin says that it does not know the method.
    #[must_use]
    pub fn is_unknown_method(&self) -> bool {
        matches!(self, Self::Said(said) if said.unknown_method)
    }

    /// Whether the process may be asked again as it is.
    fn leaves_it_usable(&self) -> bool {
        matches!(
            self,
            Self::Said(_) | Self::Occupied(_) | Self::NotRunning(_) | Self::Write(_)
        )
    }
}

/// What a process is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Being started and introduced.
    Starting,
    /// Answering.
    Running,
    /// Waiting to be started again.
    Restarting,
    /// Switched off by the configuration.
    Disabled,
    /// Ended for good.
    Stopped,
}

/// What the configuration wants of a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// It is to run.
    Running,
    /// It is not to run.
    Disabled,
}

/// How a plugin is run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What is started.
    pub program: Program,
    /// Its name until it has introduced itself, made of its file's.
    pub provisional: PluginName,
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
    next_id: AtomicU64,
    strays: AtomicU64,
    restarts: AtomicU64,
    stage: watch::Sender<Stage>,
    info: watch::Sender<Option<Map<String, Value>>>,
    configs: Arc<ConfigBook>,
    name: OnceLock<PluginName>,
    process_id: watch::Sender<Option<i32>>,
    wanted: watch::Sender<Wanted>,
    stop: CancellationToken,
}

impl StdioPlugin {
    /// A plugin that is not running yet.
    #[must_use]
    pub fn new(settings: Settings, configs: Arc<ConfigBook>) -> Arc<StdioPlugin> {
        Arc::new(StdioPlugin {
            settings,
            slot: Mutex::new(Slot::Down("it has not been started yet".to_owned())),
            next_id: AtomicU64::new(1),
            strays: AtomicU64::new(0),
            restarts: AtomicU64::new(0),
            stage: watch::Sender::new(Stage::Starting),
            info: watch::Sender::new(None),
            configs,
            name: OnceLock::new(),
            process_id: watch::Sender::new(None),
            wanted: watch::Sender::new(Wanted::Running),
            stop: CancellationToken::new(),
        })
    }

    /// Asks one question. Questions wait for one another; waiting counts towards the limit.
    ///
    /// # Errors
    /// Why there is no result. Cancelling it in the middle costs the process.
    pub async fn call(
        &self,
        method: Method,
        params: &impl Serialize,
        within: Duration,
    ) -> Result<Value, CallError> {
        let deadline = Instant::now() + within;
        let Ok(mut slot) = timeout_at(deadline, self.slot.lock()).await else {
            return Err(CallError::Occupied(within));
        };
        let line = match std::mem::replace(&mut *slot, Slot::Down("it is being asked".to_owned())) {
            Slot::Up(line) => line,
            Slot::Down(why) => {
                let error = CallError::NotRunning(why.clone());
                *slot = Slot::Down(why);
                return Err(error);
            }
        };
        let mut lent = Lent {
            slot,
            line: Some(line),
        };
        let pipes = &mut lent.line.as_mut().expect("it was just put there").pipes;
        let outcome = match timeout_at(deadline, self.converse(pipes, method, params)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(CallError::TimedOut(within)),
        };
        match &outcome {
            Err(error) if !error.leaves_it_usable() => lent.discard(&error.to_string()),
            Ok(_) | Err(_) => lent.give_back(),
        }
        outcome
    }

    async fn converse(
        &self,
        pipes: &mut Pipes,
        method: Method,
        params: &impl Serialize,
    ) -> Result<Value, CallError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let question = line::request(method, params, id).map_err(CallError::Write)?;
        pipes.write_line(&question).await?;
        let mut strays = 0;
        loop {
            match line::read(&pipes.read_line().await?, method, id) {
                Line::Result(result) => return Ok(result),
                Line::Error(said) => return Err(CallError::Said(said)),
                Line::Garbage => return Err(CallError::Garbage),
                Line::Stray => {
                    self.strays.fetch_add(1, Ordering::Relaxed);
                    strays += 1;
                    if strays > STRAY_LIMIT {
                        return Err(CallError::Flood);
                    }
                }
            }
        }
    }

    /// Gives a running process its configuration anew; one that is not running gets it when it starts.
    ///
    /// # Errors
    /// Why it did not take it; the process is started again then, and asked again.
    pub async fn reconfigure(&self) -> Result<(), CallError> {
        let config = self.configs.of(&self.name());
        let params = ConfigureParams { config: &config };
        let outcome = self
            .call(Method::Configure, &params, self.settings.handshake_limit)
            .await;
        match outcome {
            Ok(result) => {
                let outcome = accepted(&result).map_err(CallError::Said);
                if let Err(error) = &outcome {
                    self.give_up(&format!("it refuses its configuration: {error}"))
                        .await;
                }
                outcome
            }
            Err(CallError::NotRunning(_)) => Ok(()),
            Err(error) if error.is_unknown_method() => Ok(()),
            Err(error) => {
                self.give_up(&format!("it did not take its configuration: {error}"))
                    .await;
                Err(error)
            }
        }
    }

    /// Has the process killed and started again, because it cannot be relied upon as it is.
    async fn give_up(&self, why: &str) {
        let mut slot = self.slot.lock().await;
        if let Slot::Up(line) = std::mem::replace(&mut *slot, Slot::Down(why.to_owned())) {
            drop(line.broken.try_send(why.to_owned()));
        }
    }

    /// Its name: what it said at first, else what its file is called.
    #[must_use]
    pub fn name(&self) -> PluginName {
        self.name.get().unwrap_or(&self.settings.provisional).clone()
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
        self.wanted
            .send_if_modified(|held| std::mem::replace(held, wanted) != wanted);
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
