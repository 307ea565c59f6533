//! One plugin of this host, whatever it runs in: asked for an opinion, given events, counted.
//!
//! **Invariant:** every question has a time-out, and what is not a plain answer in time is an error,
//! which its caller shows as unknown.

mod wire;

use crate::{
    line::{self, Method, PluginOpinion},
    nats_plugin::NatsPlugin,
    stdio::{CallError, Stage, StdioPlugin},
};
use serde::Serialize;
use serde_json::{Map, Value};
use snooze_bus::RequestError;
use snooze_schemas::{
    EventType, HostId, PluginName,
    event::{Event, HandlerResult},
    host::{PluginStats, PluginStatus},
    metrics::Metrics,
    plugin::PluginInfo,
};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use wire::{handler_result, on_the_wire, supported};

/// Why a plugin has not answered a question.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// A child process failed.
    #[error("{0}")]
    Process(#[from] CallError),
    /// Nobody answers for it on the bus.
    #[error("nobody answers for it on the bus")]
    Absent,
    /// The bus is away, so that it could not be asked at all.
    #[error("it could not be asked, the bus is away")]
    BusAway,
    /// It failed on the bus.
    #[error("{0}")]
    Bus(String),
    /// Its answer came in time and is not one.
    #[error("{0}")]
    Odd(String),
    /// It says that it failed.
    #[error("{0}")]
    Said(String),
    /// It does not know the method, which is its right.
    #[error("it does not know the method")]
    UnknownMethod,
}

impl AskError {
    fn of_call(error: CallError) -> AskError {
        if error.is_unknown_method() {
            AskError::UnknownMethod
        } else {
            AskError::Process(error)
        }
    }

    pub(crate) fn of_request(error: &RequestError) -> AskError {
        match error {
            RequestError::NoResponders { .. } => AskError::Absent,
            RequestError::TimedOut { within_ms, .. } => {
                AskError::Bus(format!("it did not answer within {within_ms} ms"))
            }
            RequestError::Bus(error) if error.is_unreachable() => AskError::BusAway,
            other => AskError::Bus(snooze_service_runtime::exit::one_line(other)),
        }
    }

    fn is_time_out(&self) -> bool {
        match self {
            Self::Process(CallError::TimedOut(_) | CallError::Occupied(_)) => true,
            Self::Bus(text) => text.contains("did not answer within"),
            _ => false,
        }
    }
}

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
    calls: AtomicU64,
    errors: AtomicU64,
    time_outs: AtomicU64,
    last_error: Mutex<Option<String>>,
    /// It has said, before it ever voted, that it does not know how to.
    handler_only: AtomicBool,
    has_voted: AtomicBool,
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
        Arc::new(Plugin {
            runtime,
            calls: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            time_outs: AtomicU64::new(0),
            last_error: Mutex::new(None),
            handler_only: AtomicBool::new(false),
            has_voted: AtomicBool::new(false),
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

    /// Waits until it has introduced itself or failed to, so that its name and its events are known.
    pub async fn introduced(&self, within: Duration) {
        self.until(within, |stage| stage != Stage::Starting).await;
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

    /// Whether it votes: one that has said from the start that it does not know `CheckIdle` does not.
    #[must_use]
    pub fn votes(&self) -> bool {
        !self.handler_only.load(Ordering::Relaxed)
    }

    /// Asks whether the host is idle.
    ///
    /// # Errors
    /// Why there is no opinion.
    pub async fn check_idle(
        &self,
        metrics: &Metrics,
        host: &HostId,
        within: Duration,
    ) -> Result<PluginOpinion, AskError> {
        let outcome = match &self.runtime {
            Runtime::Process(process) => process
                .call(Method::CheckIdle, &CheckIdleParams { metrics }, within)
                .await
                .map_err(AskError::of_call)
                .and_then(|result| line::opinion(&result).map_err(AskError::Odd)),
            Runtime::Nats(plugin) => plugin.check_idle(metrics, host, within).await,
        };
        match &outcome {
            Ok(_) => self.has_voted.store(true, Ordering::Relaxed),
            Err(AskError::UnknownMethod) if !self.has_voted.load(Ordering::Relaxed) => {
                self.handler_only.store(true, Ordering::Relaxed);
            }
            Err(_) => {}
        }
        self.count(outcome)
    }

    /// Gives it an event to handle.
    ///
    /// # Errors
    /// Why it is not known what became of it.
    pub async fn handle_event(&self, event: &Event, left: Duration) -> Result<HandlerResult, AskError> {
        let outcome = match &self.runtime {
            Runtime::Process(process) => {
                let params = HandleEventParams {
                    event: on_the_wire(event, left),
                };
                process
                    .call(Method::HandleEvent, &params, left)
                    .await
                    .map_err(AskError::of_call)
                    .map(|result| handler_result(&result))
            }
            Runtime::Nats(plugin) => plugin.handle_event(event, left).await,
        };
        self.count(outcome)
    }

    /// Asks which events it can handle. One that does not know the method handles none.
    ///
    /// # Errors
    /// Why it is not known.
    pub async fn supported_events(&self, within: Duration) -> Result<Vec<EventType>, AskError> {
        let outcome = match &self.runtime {
            Runtime::Process(process) => process
                .call(Method::GetSupportedEvents, &Map::new(), within)
                .await
                .map_err(AskError::of_call)
                .map(|result| supported(&result)),
            Runtime::Nats(plugin) => plugin.supported_events(within).await,
        };
        match outcome {
            Err(AskError::UnknownMethod) => Ok(Vec::new()),
            other => other,
        }
    }

    /// What it says of itself; its name alone where it has not said anything.
    pub async fn info(&self, within: Duration) -> PluginInfo {
        let said = match &self.runtime {
            Runtime::Process(process) => {
                let said = process.info().borrow().clone();
                said.and_then(|said| serde_json::from_value(Value::Object(said)).ok())
            }
            Runtime::Nats(plugin) => plugin.info(within).await.ok(),
        };
        PluginInfo {
            name: self.name().to_string(),
            ..said.unwrap_or_default()
        }
    }

    /// What a list of plugins shows of it, without its vote.
    pub async fn status(&self, within: Duration) -> PluginStatus {
        let (runtime, origin, state, restarts, strays) = match &self.runtime {
            Runtime::Process(process) => {
                let state = match *process.stage().borrow() {
                    Stage::Starting => "starting",
                    Stage::Running => "running",
                    Stage::Restarting => "restarting",
                    Stage::Disabled => "disabled",
                    Stage::Stopped => "stopped",
                };
                (
                    "process",
                    process.path().display().to_string(),
                    state,
                    process.restarts(),
                    process.strays(),
                )
            }
            Runtime::Nats(plugin) => {
                let state = if plugin.is_present() { "running" } else { "absent" };
                ("nats", plugin.origin(), state, 0, 0)
            }
        };
        PluginStatus {
            info: self.info(within).await,
            runtime: runtime.to_owned(),
            origin,
            state: state.to_owned(),
            vote: None,
            stats: PluginStats {
                calls: self.calls.load(Ordering::Relaxed),
                errors: self.errors.load(Ordering::Relaxed) + strays,
                time_outs: self.time_outs.load(Ordering::Relaxed),
                restarts,
                last_error: self.last_error().clone(),
            },
        }
    }

    fn count<T>(&self, outcome: Result<T, AskError>) -> Result<T, AskError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = &outcome {
            let counter = if error.is_time_out() {
                &self.time_outs
            } else {
                &self.errors
            };
            counter.fetch_add(1, Ordering::Relaxed);
            *self.last_error() = Some(error.to_string());
        }
        outcome
    }

    fn last_error(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
