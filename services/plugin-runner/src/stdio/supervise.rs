//! Keeps a plugin's process running: starts, introduces, awaits its end, starts again.
//!
//! It asks nothing but `Info` and `Configure`; all other questions go through `call`.

use super::{
    CallError, ConfigureParams, Stage, StdioPlugin, Wanted, accepted,
    slot::{Slot, Wire},
};
use crate::{
    backoff::Backoff,
    discovery,
    line::Method,
    process::{self, Ending, Pipes, Process, StartError},
};
use serde_json::{Map, Value};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::{sync::mpsc, time::Instant};

/// How long a plugin may take to end by itself after its stdin was closed.
const FAREWELL: Duration = Duration::from_secs(2);

impl StdioPlugin {
    /// Keeps the process running until [`stop`](Self::stop). Dropping this future kills the process.
    pub async fn supervise(self: Arc<Self>) {
        let mut backoff = Backoff::default();
        while !self.stop.is_cancelled() {
            if *self.wanted.borrow() == Wanted::Disabled {
                *self.slot.lock().await = Slot::Down("it is disabled".to_owned());
                self.stage.send_replace(Stage::Disabled);
                tokio::select! {
                    () = self.until_wanted(Wanted::Running) => {}
                    () = self.stop.cancelled() => {}
                }
                continue;
            }
            self.stage.send_replace(Stage::Starting);
            let born = Instant::now();
            let why = match process::start(&self.settings.program) {
                Err(error) => start_failure(&error),
                Ok((process, pipes, stderr)) => {
                    self.process_id.send_replace(Some(process.id()));
                    let log = tokio::spawn(crate::stderr::log(self.name().to_string(), stderr));
                    let why = self.attend(process, pipes).await;
                    // Something that left the group may hold stderr open for ever.
                    log.abort();
                    self.process_id.send_replace(None);
                    why
                }
            };
            if self.stop.is_cancelled() || *self.wanted.borrow() == Wanted::Disabled {
                continue;
            }
            let wait = backoff.failed_after(born.elapsed(), &self.settings.restarts);
            tracing::warn!(plugin = %self.name(), why, wait_ms = wait.as_millis(), "a plugin failed; it is started again");
            *self.slot.lock().await = Slot::Down(why);
            self.restarts.fetch_add(1, Ordering::Relaxed);
            self.stage.send_replace(Stage::Restarting);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.until_wanted(Wanted::Disabled) => {}
                () = self.stop.cancelled() => {}
            }
        }
        *self.slot.lock().await = Slot::Down("it was stopped".to_owned());
        self.stage.send_replace(Stage::Stopped);
    }

    /// Cancelling it loses nothing.
    async fn until_wanted(&self, wanted: Wanted) {
        // The sender is part of `self`, so that the channel is never closed here.
        drop(self.wanted.subscribe().wait_for(|held| *held == wanted).await);
    }

    /// Introduces the process, lets it be asked, and returns why it is of no use any more, once it is
    /// killed and reaped.
    async fn attend(&self, process: Process, mut pipes: Pipes) -> String {
        let introduced = tokio::select! {
            introduced = self.introduce(&mut pipes) => introduced,
            () = self.stop.cancelled() => Err("it was stopped".to_owned()),
        };
        if let Err(why) = introduced {
            return told(&why, process.kill().await);
        }
        let (broken, mut breaks) = mpsc::channel(1);
        *self.slot.lock().await = Slot::Up(Wire { pipes, broken });
        self.stage.send_replace(Stage::Running);
        // Cancelling these loses nothing: the end of the process stays readable, a break stays queued.
        let why = tokio::select! {
            biased;
            why = breaks.recv() => why.unwrap_or_else(|| "it is of no use any more".to_owned()),
            () = process.ended() => "it ended".to_owned(),
            () = self.until_wanted(Wanted::Disabled) => {
                self.bid_farewell(&process).await;
                "it is disabled".to_owned()
            }
            () = self.stop.cancelled() => {
                self.bid_farewell(&process).await;
                "it was stopped".to_owned()
            }
        };
        // No call may begin from here on; one that waits for the slot must not find dead pipes in it.
        // One that is under way ends by itself, because the process is killed first.
        let ending = process.kill().await;
        let why = told(&why, ending);
        *self.slot.lock().await = Slot::Down(why.clone());
        why
    }

    /// `Info`, then `Configure` where there is something to configure.
    async fn introduce(&self, pipes: &mut Pipes) -> Result<(), String> {
        let limit = self.settings.handshake_limit;
        let ask = tokio::time::timeout(limit, self.converse(pipes, Method::Info, &Map::new())).await;
        match ask {
            Ok(Ok(Value::Object(info))) => {
                self.learn_name(&info);
                self.info.send_replace(Some(info));
            }
            Ok(Ok(_)) => {
                self.info.send_replace(Some(Map::new()));
            }
            Ok(Err(CallError::Said(said))) => {
                tracing::info!(plugin = %self.name(), %said, "a plugin does not introduce itself");
                self.info.send_replace(Some(Map::new()));
            }
            Ok(Err(error)) => return Err(format!("Info: {error}")),
            Err(_) => return Err(format!("Info: {}", CallError::TimedOut(limit))),
        }
        let config = self.configs.of(&self.name());
        if config.is_empty() {
            return Ok(());
        }
        let params = ConfigureParams { config: &config };
        match tokio::time::timeout(limit, self.converse(pipes, Method::Configure, &params)).await {
            Ok(Ok(result)) => {
                accepted(&result).map_err(|said| format!("it refuses its configuration: {said}"))
            }
            Ok(Err(error)) if error.is_unknown_method() => Ok(()),
            Ok(Err(error)) => Err(format!("Configure: {error}")),
            Err(_) => Err(format!("Configure: {}", CallError::TimedOut(limit))),
        }
    }

    /// Closes its stdin, which tells a plugin that reads lines to end, and waits a moment.
    async fn bid_farewell(&self, process: &Process) {
        let farewell = async {
            *self.slot.lock().await = Slot::Down("it was stopped".to_owned());
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
