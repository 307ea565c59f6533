//! Keeps a plugin's process running: starts, introduces, awaits its end, starts again.
//!
//! It asks nothing but `Info` and `Configure`; all other questions go through `call`.

use super::{
    CallError, ConfigureParams, Stage, StdioPlugin, Wanted, accepted,
    slot::{Slot, Wire},
    turns::Urgency,
};
use crate::{
    backoff::Backoff,
    discovery,
    line::{self, Method},
    process::{self, Ending, Pipes, Process, StartError},
};
use serde_json::{Map, Value};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};

/// How long a plugin may take to end by itself after its stdin was closed.
const FAREWELL: Duration = Duration::from_secs(2);

/// How long a plugin may take to say which events it handles. The original asks this only of those that
/// handle any, and one that keeps silent instead of saying that it does not know the method is none of them.
const EVENTS_LIMIT: Duration = Duration::from_secs(2);

/// Why nobody can ask it while it is replaced.
const ANEW: &str = "it is started anew for its configuration";

/// Why a process is of no use any more; it is killed and reaped.
enum Parted {
    /// It failed, or was ended for good.
    Failed(String),
    /// Only a new one can have its configuration.
    ForAnew,
}

/// What became of a new configuration.
enum Configured {
    /// The process has it.
    Done,
    /// It is busy for so long that it could not be told.
    Later,
    /// Keys vanished, which no process can be told.
    OnlyAnew,
}

impl StdioPlugin {
    /// Keeps the process running until [`stop`](Self::stop). Dropping this future kills the process.
    pub async fn supervise(self: Arc<Self>) {
        let mut backoff = Backoff::default();
        while !self.stop.is_cancelled() {
            if *self.wanted.borrow() == Wanted::Disabled {
                self.put_down("it is disabled").await;
                self.stage.send_replace(Stage::Disabled);
                tokio::select! {
                    () = self.until_wanted(Wanted::Running) => {}
                    () = self.stop.cancelled() => {}
                }
                continue;
            }
            self.stage.send_replace(Stage::Starting);
            self.note_start();
            let born = Instant::now();
            let parted = match process::start(&self.settings.program) {
                Err(error) => Parted::Failed(start_failure(&error)),
                Ok((process, pipes, stderr)) => {
                    self.process_id.send_replace(Some(process.id()));
                    let log = tokio::spawn(crate::stderr::log(
                        self.name().to_string(),
                        stderr,
                        self.log.clone(),
                    ));
                    let parted = self.attend(process, pipes).await;
                    // Something that left the group may hold stderr open for ever.
                    log.abort();
                    self.process_id.send_replace(None);
                    parted
                }
            };
            let why = match parted {
                Parted::Failed(why) => why,
                Parted::ForAnew => {
                    tracing::info!(plugin = %self.name(), "a plugin is started anew for its configuration");
                    self.restarts.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
            };
            if self.stop.is_cancelled() || *self.wanted.borrow() == Wanted::Disabled {
                continue;
            }
            let wait = backoff.failed_after(born.elapsed(), &self.settings.restarts);
            tracing::warn!(plugin = %self.name(), why, wait_ms = wait.as_millis(), "a plugin failed; it is started again");
            self.put_down(&why).await;
            self.restarts.fetch_add(1, Ordering::Relaxed);
            self.stage.send_replace(Stage::Restarting);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.until_wanted(Wanted::Disabled) => {}
                () = self.stop.cancelled() => {}
            }
        }
        self.put_down("it was stopped").await;
        self.stage.send_replace(Stage::Stopped);
    }

    /// Cancelling it loses nothing.
    async fn until_wanted(&self, wanted: Wanted) {
        // The sender is part of `self`, so that the channel is never closed here.
        drop(self.wanted.subscribe().wait_for(|held| *held == wanted).await);
    }

    /// Introduces the process, lets it be asked, keeps its configuration up to date, and returns why it is
    /// of no use any more, once it is killed and reaped.
    async fn attend(&self, process: Process, mut pipes: Pipes) -> Parted {
        // Read before the configuration is: what changes from here on is looked at again.
        let mut version = self.configs.version();
        let introduced = tokio::select! {
            introduced = self.introduce(&mut pipes) => introduced,
            () = self.stop.cancelled() => Err("it was stopped".to_owned()),
        };
        let config = match introduced {
            Ok(config) => config,
            Err(why) => return Parted::Failed(told(&why, process.kill().await)),
        };
        let (broken, mut breaks) = mpsc::channel(1);
        let turn = self.turns.turn(Urgency::Supervision).await;
        self.put(Slot::Up(Wire {
            pipes,
            broken,
            config,
            version,
        }));
        drop(turn);
        self.stage.send_replace(Stage::Running);
        let why = loop {
            let reconfigured = async {
                self.configs.changed_since(version).await;
                let now = self.configs.version();
                (now, self.reconfigure(now).await)
            };
            // Cancelling these loses nothing: the end of the process stays readable, a break stays queued,
            // a change stays later than the version. Only while the process is being told its new
            // configuration cancelling costs it, and every branch that cancels that is its end anyway.
            tokio::select! {
                biased;
                why = breaks.recv() => break why.unwrap_or_else(|| "it is of no use any more".to_owned()),
                () = process.ended() => break "it ended".to_owned(),
                () = self.until_wanted(Wanted::Disabled) => {
                    self.bid_farewell(&process).await;
                    break "it is disabled".to_owned();
                }
                () = self.stop.cancelled() => {
                    self.bid_farewell(&process).await;
                    break "it was stopped".to_owned();
                }
                (now, configured) = reconfigured => match configured {
                    Configured::Done => version = now,
                    Configured::Later => {}
                    Configured::OnlyAnew => {
                        self.bid_farewell(&process).await;
                        self.end(process, ANEW).await;
                        return Parted::ForAnew;
                    }
                },
            }
        };
        Parted::Failed(self.end(process, &why).await)
    }

    /// Kills the process, after which no call may begin; one that waits for the slot must not find dead
    /// pipes in it. One that is under way ends by itself, because the process is killed first.
    async fn end(&self, process: Process, why: &str) -> String {
        let why = told(why, process.kill().await);
        self.put_down(&why).await;
        why
    }

    /// `Info`, then `Configure` where there is something to configure, then which events it handles.
    /// Returns its configuration.
    async fn introduce(&self, pipes: &mut Pipes) -> Result<Map<String, Value>, String> {
        let limit = self.settings.handshake_limit;
        let info = match timeout(limit, self.converse(pipes, Method::Info, &Map::new())).await {
            Ok(Ok(Value::Object(info))) => {
                self.learn_name(&info);
                info
            }
            Ok(Ok(_)) => Map::new(),
            Ok(Err(CallError::Said(said))) => {
                tracing::info!(plugin = %self.name(), %said, "a plugin does not introduce itself");
                Map::new()
            }
            Ok(Err(error)) => return Err(format!("Info: {error}")),
            Err(_) => return Err(format!("Info: {}", CallError::TimedOut(limit))),
        };
        self.info.send_replace(Some(info));
        let config = self.config();
        if !config.is_empty() {
            self.configure(pipes, &config).await?;
        }
        self.learn_events(pipes).await?;
        Ok(config)
    }

    /// Gives it its configuration.
    async fn configure(&self, pipes: &mut Pipes, config: &Map<String, Value>) -> Result<(), String> {
        let limit = self.settings.handshake_limit;
        let params = ConfigureParams { config };
        match timeout(limit, self.converse(pipes, Method::Configure, &params)).await {
            Ok(Ok(result)) => {
                accepted(&result).map_err(|said| format!("it refuses its configuration: {said}"))
            }
            Ok(Err(error)) if error.is_unknown_method() => Ok(()),
            Ok(Err(error)) => Err(format!("it did not take its configuration: {error}")),
            Err(_) => Err(format!(
                "it did not take its configuration: {}",
                CallError::TimedOut(limit)
            )),
        }
    }

    /// Gives a running process its configuration anew, where it is another one. One that refuses it cannot
    /// be relied upon as it is, and is started again.
    async fn reconfigure(&self, version: u64) -> Configured {
        let config = self.config();
        let mut lent = match self
            .borrow(
                Method::Configure,
                Urgency::Supervision,
                self.settings.handshake_limit,
            )
            .await
        {
            Ok(lent) => lent,
            Err(CallError::Occupied(_)) => return Configured::Later,
            // Why it is down is told on another way.
            Err(_) => return Configured::Done,
        };
        let wire = lent.wire();
        wire.version = version;
        if wire.config == config {
            lent.give_back();
            return Configured::Done;
        }
        if wire.config.keys().any(|key| !config.contains_key(key)) {
            // What it would do under its old configuration is nobody's wish any more.
            lent.close(ANEW);
            return Configured::OnlyAnew;
        }
        match self.configure(&mut wire.pipes, &config).await {
            Ok(()) => {
                wire.config = config;
                lent.give_back();
            }
            Err(why) => lent.discard(&why),
        }
        Configured::Done
    }

    /// Asks which events it handles; it is not asked at an event, which has no time for that.
    async fn learn_events(&self, pipes: &mut Pipes) -> Result<(), String> {
        let method = Method::GetSupportedEvents;
        let failed = |error: CallError| format!("GetSupportedEvents: {error}");
        let posed = timeout(EVENTS_LIMIT, self.pose(pipes, method, &Map::new())).await;
        let id = match posed {
            Ok(posed) => posed.map_err(failed)?,
            Err(_) => return Err(failed(CallError::TimedOut(EVENTS_LIMIT))),
        };
        let events = match timeout(EVENTS_LIMIT, self.answer_to(pipes, method, id)).await {
            Ok(Ok(result)) => Some(line::supported_events(&result)),
            Ok(Err(CallError::Said(said))) if said.unknown_method => Some(Vec::new()),
            Ok(Err(CallError::Said(said))) => {
                tracing::warn!(plugin = %self.name(), %said, "a plugin does not say which events it handles");
                None
            }
            Ok(Err(error)) => return Err(failed(error)),
            Err(_) => None,
        };
        // One that does not say keeps what it said before.
        self.events.send_modify(|known| match events {
            Some(events) => *known = Some(events.into()),
            None => *known = Some(known.take().unwrap_or_default()),
        });
        Ok(())
    }

    /// Closes its stdin, which tells a plugin that reads lines to end, and waits a moment.
    async fn bid_farewell(&self, process: &Process) {
        let farewell = async {
            self.put_down("it is being ended").await;
            process.ended().await;
        };
        if tokio::time::timeout(FAREWELL, farewell).await.is_err() {
            tracing::info!(
                plugin = %self.name(),
                "a plugin does not end by itself and is killed"
            );
        }
    }

    /// The first name that it gives is its name for good: a voter that changes its name at will could
    /// leave the vote at will.
    fn learn_name(&self, info: &Map<String, Value>) {
        let Some(said) = info.get("name").and_then(Value::as_str) else {
            return;
        };
        match discovery::sanitised(said) {
            Some(name) if *self.name.get_or_init(|| name.clone()) == name => {}
            Some(_) | None => {
                tracing::warn!(plugin = %self.name(), said, "a plugin gives a name that it cannot have");
            }
        }
    }
}

fn start_failure(error: &StartError) -> String {
    snooze_service_runtime::exit::one_line(error)
}

/// The reason with how the process ended, where that says more than that it was killed.
fn told(why: &str, ending: Ending) -> String {
    match ending {
        // SIGKILL is how we end it.
        Ending::Signalled { signal: 9 } => why.to_owned(),
        other => format!("{why}; {other}"),
    }
}
