//! Keeps a plugin's process running: starts, introduces, awaits its end, starts again.
//!
//! It asks nothing itself: what belongs to the beginning and the end of a process is `handshake`'s, all else
//! is `call`'s.

use super::{
    CallError, Stage, StdioPlugin, Wanted,
    handshake::FAREWELL,
    instance::{Instance, Launched},
    slot::{Lent, Slot, Wire},
    turns::Urgency,
};
use crate::{backoff::Backoff, line::Method, pipes::Pipes};
use serde_json::{Map, Value};
use std::sync::{Arc, atomic::Ordering};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};

/// Why nobody can ask it while it is replaced.
const ANEW: &str = "it is started anew for its configuration";

/// Why a process is of no use any more; it is killed and reaped.
enum Parted {
    /// It failed, or was ended for good.
    Failed(String),
    /// Only a new one can have its configuration.
    ForAnew,
}

/// Why nothing was started.
pub(super) enum Unstarted {
    /// It is tried again.
    Failed(String),
    /// Its files are others than were approved, or of no use, which trying again does not change.
    Held(String),
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
            let wanted = self.wanted.borrow().clone();
            if let Some((stage, why)) = wanted.instead() {
                self.put_down(why).await;
                self.stage.send_replace(stage);
                tokio::select! {
                    () = self.until_wanted(|now| *now != wanted) => {}
                    () = self.stop.cancelled() => {}
                }
                continue;
            }
            if let Some(why) = self.unfit() {
                tracing::warn!(plugin = %self.name(), why, "a plugin is not started as it is");
                self.put_down(&why).await;
                let refused = self.refused.borrow().is_some();
                self.stage.send_replace(if refused {
                    Stage::Held
                } else {
                    Stage::Misconfigured
                });
                tokio::select! {
                    // Other files are another plugin, which is started in its place.
                    () = self.until_configured(), if !refused => {}
                    () = self.until_wanted(is_unwanted) => {}
                    () = self.stop.cancelled() => {}
                }
                continue;
            }
            self.stage.send_replace(Stage::Starting);
            self.note_start();
            let born = Instant::now();
            let limit = self.settings.handshake_limit;
            // What is cancelled here ends by itself: a library that is opened too late has nobody who asks it.
            let launched = tokio::select! {
                launched = self.launch() => launched,
                () = tokio::time::sleep(limit) => {
                    Err(Unstarted::Failed(format!("it could not be started within {} s", limit.as_secs())))
                }
                () = self.until_wanted(is_unwanted) => continue,
                () = self.stop.cancelled() => continue,
            };
            let parted = match launched {
                Err(Unstarted::Failed(why)) => Parted::Failed(why),
                Err(Unstarted::Held(why)) => {
                    self.refused.send_replace(Some(why));
                    continue;
                }
                Ok(Launched {
                    instance,
                    pipes,
                    stderr,
                }) => {
                    self.process_id.send_replace(instance.id());
                    let logged =
                        |stderr| crate::stderr::log(self.name().to_string(), stderr, self.log.clone());
                    let log = stderr.map(|stderr| tokio::spawn(logged(stderr)));
                    let parted = self.attend(instance, pipes).await;
                    // Something that left the group may hold stderr open for ever.
                    if let Some(log) = log {
                        log.abort();
                    }
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
            if self.stop.is_cancelled() || *self.wanted.borrow() != Wanted::Running {
                continue;
            }
            let wait = backoff.failed_after(born.elapsed(), &self.settings.restarts);
            tracing::warn!(plugin = %self.name(), why, wait_ms = wait.as_millis(), "a plugin failed; it is started again");
            self.put_down(&why).await;
            self.restarts.fetch_add(1, Ordering::Relaxed);
            self.stage.send_replace(Stage::Restarting);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.until_wanted(is_unwanted) => {}
                () = self.stop.cancelled() => {}
            }
        }
        self.put_down("it was stopped").await;
        self.stage.send_replace(Stage::Stopped);
    }

    /// Why it is not to be started as things are, if it is not.
    pub(crate) fn unfit(&self) -> Option<String> {
        if let Some(why) = &*self.refused.borrow() {
            return Some(why.clone());
        }
        let handed = self.handed();
        if handed.config.is_some() {
            None
        } else {
            handed
                .refused
                .map(|why| format!("its configuration is refused: {why}"))
        }
    }

    /// Waits until there is a configuration that it can have. Cancelling it loses nothing.
    async fn until_configured(&self) {
        loop {
            let version = self.configs.version();
            if self.handed().config.is_some() {
                return;
            }
            self.configs.changed_since(version).await;
        }
    }

    /// Cancelling it loses nothing.
    async fn until_wanted(&self, so: impl Fn(&Wanted) -> bool) {
        // The sender is part of `self`, so that the channel is never closed here.
        drop(self.wanted.subscribe().wait_for(|wanted| so(wanted)).await);
    }

    /// Introduces the process, lets it be asked, keeps its configuration up to date, and returns why it is
    /// of no use any more, once it is killed and reaped.
    async fn attend(&self, mut instance: Instance, mut pipes: Pipes) -> Parted {
        // Read before the configuration is: what changes from here on is looked at again.
        let mut version = self.configs.version();
        let introduced = tokio::select! {
            introduced = self.begin(&mut instance, &mut pipes) => introduced,
            () = self.stop.cancelled() => Err("it was stopped".to_owned()),
        };
        let config = match introduced {
            Ok(config) => config,
            Err(why) => {
                drop(pipes);
                return Parted::Failed(instance.end(&why).await);
            }
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
        let full = async {
            match self.fence() {
                Some(fence) => fence.until_disk_is_full(&self.settings.program.home).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(full);
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
                () = instance.ended() => break "it ended".to_owned(),
                why = &mut full => break why,
                () = self.until_wanted(is_unwanted) => {
                    self.bid_farewell(&instance).await;
                    break self.hindered();
                }
                () = self.stop.cancelled() => {
                    self.bid_farewell(&instance).await;
                    break "it was stopped".to_owned();
                }
                (now, configured) = reconfigured => match configured {
                    Configured::Done => version = now,
                    Configured::Later => {}
                    Configured::OnlyAnew => {
                        self.bid_farewell(&instance).await;
                        self.end(instance, ANEW).await;
                        return Parted::ForAnew;
                    }
                },
            }
        };
        Parted::Failed(self.end(instance, &why).await)
    }

    /// Why it is not wanted any more.
    fn hindered(&self) -> String {
        let wanted = self.wanted.borrow();
        wanted
            .instead()
            .map_or("it was not wanted for a moment", |(_, why)| why)
            .to_owned()
    }

    /// Kills the process, after which no call may begin; one that waits for the slot must not find dead
    /// pipes in it. One that is under way ends by itself, because the process is killed first.
    async fn end(&self, instance: Instance, why: &str) -> String {
        let why = instance.end(why).await;
        self.put_down(&why).await;
        why
    }

    /// Waits until it is fenced and its own code begins, and introduces it then.
    async fn begin(&self, instance: &mut Instance, pipes: &mut Pipes) -> Result<Map<String, Value>, String> {
        let limit = self.settings.handshake_limit;
        let begun = timeout(limit, instance.begun()).await;
        let fenced = begun.map_err(|_| format!("it was not fenced within {} s", limit.as_secs()))??;
        self.note_fenced(fenced);
        self.introduce(pipes).await
    }

    /// Gives a running process its configuration anew, where it is another one. One that refuses it cannot
    /// be relied upon as it is, and is started again.
    async fn reconfigure(&self, version: u64) -> Configured {
        let config = self.handed().config;
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
        // What it was started with holds no more, and nothing else does.
        let Some(config) = config else {
            self.dismiss(&mut wire.pipes).await;
            lent.close(ANEW);
            return Configured::OnlyAnew;
        };
        if wire.config == config {
            lent.give_back();
            return Configured::Done;
        }
        if wire.config.keys().any(|key| !config.contains_key(key)) {
            // What it would do under its old configuration is nobody's wish any more.
            self.dismiss(&mut wire.pipes).await;
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

    /// Tells it to tidy up, closes its stdin, which tells a plugin that reads lines to end, and waits a moment.
    async fn bid_farewell(&self, instance: &Instance) {
        let last_turn = timeout(FAREWELL, self.turns.turn(Urgency::Supervision)).await;
        let Ok(turn) = last_turn else {
            tracing::info!(plugin = %self.name(), "a plugin is at work and is killed");
            return;
        };
        // It has no pipes where they were closed already.
        if let Ok(mut lent) = Lent::out_of(&self.slot, turn) {
            self.dismiss(&mut lent.wire().pipes).await;
            lent.close("it is being ended");
        }
        if timeout(FAREWELL, instance.ended()).await.is_err() {
            tracing::info!(
                plugin = %self.name(),
                "a plugin does not end by itself and is killed"
            );
        }
    }
}

fn is_unwanted(wanted: &Wanted) -> bool {
    *wanted != Wanted::Running
}
