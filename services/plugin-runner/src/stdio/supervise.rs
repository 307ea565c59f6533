//! Keeps a plugin's process running: starts it, awaits its end, starts it again.
//!
//! It asks nothing itself: what comes between its start and its end is `attend`'s.

use super::{Stage, StdioPlugin, Wanted, instance::Launched};
use crate::{
    backoff::{Aftermath, Backoff},
    config_book::Handed,
};
use snooze_schemas::PluginName;
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::time::Instant;

/// Why a process is of no use any more; it is killed and reaped.
pub(super) enum Parted {
    /// It failed, or was ended for good.
    Failed(String),
    /// Nothing of the plugin's own ran.
    Unstarted(String),
    /// It did nothing wrong, and a new one takes its place at once, for this.
    ForAnew(&'static str),
}

/// Why nothing was started.
pub(super) enum Unstarted {
    /// It is tried again.
    Failed(String),
    /// Its files are others than were approved, or of no use, which trying again does not change.
    Held(String),
}

impl StdioPlugin {
    /// Keeps the process running until [`stop`](Self::stop). Dropping this future kills the process.
    pub async fn supervise(self: Arc<Self>) {
        let mut backoff = Backoff::default();
        let mut pardons = self.pardons.subscribe();
        while !self.stop.is_cancelled() {
            let wanted = self.wanted.borrow().clone();
            if let Some((stage, why)) = wanted.instead() {
                self.put_down(why).await;
                self.stage.send_replace(stage);
                tokio::select! {
                    () = self.until_wanted(|now| *now != wanted) => {}
                    () = self.stop.cancelled() => {}
                }
                // Whoever switches it on again wants it to run now.
                backoff = Backoff::default();
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
                    () = self.until_handed(|handed| handed.config.is_some()), if !refused => {}
                    () = self.until_wanted(is_unwanted) => {}
                    () = self.stop.cancelled() => {}
                }
                continue;
            }
            self.stage.send_replace(Stage::Starting);
            self.note_start();
            let born = Instant::now();
            let given = self.handed().config;
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
                Err(Unstarted::Failed(why)) => Parted::Unstarted(why),
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
            let lived = born.elapsed();
            let restarts = &self.settings.restarts;
            // While it ran, too: what was forgiven then is not counted with this failure.
            if pardons.has_changed().unwrap_or(false) {
                pardons.mark_unchanged();
                backoff = Backoff::default();
            }
            let fate = match parted {
                Parted::ForAnew(what) => {
                    tracing::info!(plugin = %self.name(), "a plugin is started anew for {what}");
                    self.restarts.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                Parted::Failed(_) | Parted::Unstarted(_)
                    if self.stop.is_cancelled() || *self.wanted.borrow() != Wanted::Running =>
                {
                    continue;
                }
                Parted::Unstarted(why) => (Aftermath::Again(backoff.failed_after(lived, restarts)), why),
                Parted::Failed(why) => (backoff.crashed_after(lived, restarts), why),
            };
            let pause = self.lie_low(fate).await;
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                // What went wrong may have been the configuration: whoever mends it waits for nothing.
                () = self.until_handed(|handed| handed.config != given) => backoff = Backoff::default(),
                Ok(()) = pardons.changed() => backoff = Backoff::default(),
                () = self.until_wanted(is_unwanted) => {}
                () = self.stop.cancelled() => {}
            }
        }
        self.put_down("it was stopped").await;
        self.stage.send_replace(Stage::Stopped);
    }

    /// Says why it does not run now, and returns for how long.
    async fn lie_low(&self, (aftermath, why): (Aftermath, String)) -> Duration {
        let (stage, why, pause) = match aftermath {
            Aftermath::Again(pause) => {
                tracing::warn!(plugin = %self.name(), why, wait_ms = pause.as_millis(), "a plugin failed; it is started again");
                (Stage::Restarting, why, pause)
            }
            Aftermath::Quarantine { crashes, is_news } => {
                let pause = self.settings.restarts.quarantine;
                if is_news {
                    tracing::warn!(
                        plugin = %self.name(), why, crashes, rest_seconds = pause.as_secs(),
                        "a plugin has failed again and again and is quarantined; look at `snooze plugin logs`"
                    );
                } else {
                    tracing::info!(plugin = %self.name(), why, crashes, "a plugin was tried again and stays in quarantine");
                }
                (
                    Stage::Quarantined,
                    quarantined(&self.name(), &why, crashes, pause),
                    pause,
                )
            }
        };
        self.put_down(&why).await;
        self.restarts.fetch_add(1, Ordering::Relaxed);
        self.stage.send_replace(stage);
        pause
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

    /// Waits until what it is given is so. Cancelling it loses nothing.
    async fn until_handed(&self, so: impl Fn(&Handed) -> bool) {
        loop {
            let version = self.configs.version();
            if so(&self.handed()) {
                return;
            }
            self.configs.changed_since(version).await;
        }
    }

    /// Cancelling it loses nothing.
    pub(super) async fn until_wanted(&self, so: impl Fn(&Wanted) -> bool) {
        // The sender is part of `self`, so that the channel is never closed here.
        drop(self.wanted.subscribe().wait_for(|wanted| so(wanted)).await);
    }
}

fn quarantined(plugin: &PluginName, why: &str, crashes: u32, pause: Duration) -> String {
    format!(
        "it is quarantined, because it failed {crashes} times in a row, the last time: {why}; it is tried once every {} s, \
         and at once by `snooze plugin load {plugin}` or where its files, its grant or its configuration change",
        pause.as_secs()
    )
}

pub(super) fn is_unwanted(wanted: &Wanted) -> bool {
    *wanted != Wanted::Running
}
