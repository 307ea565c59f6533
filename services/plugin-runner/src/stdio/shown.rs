//! What is shown of a plugin that is a child process: its configuration, its process, its fence, what was counted.
//!
//! It asks it nothing.

use super::{STRAY, Stage, StdioPlugin};
use crate::{
    fence::{Fence, Fenced},
    log_book::LogBook,
    manifest::PluginManifest,
};
use serde_json::{Map, Value};
use snooze_schemas::{EventType, plugin::inspection::Limit};
use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{Arc, PoisonError, atomic::Ordering},
    time::Duration,
};
use tokio::sync::watch;

impl StdioPlugin {
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

    /// Why the newest configuration is not the one that it has, if it is not.
    #[must_use]
    pub fn config_refused(&self) -> Option<String> {
        let handed = self.handed();
        let not_taken = self.not_taken.lock().unwrap_or_else(PoisonError::into_inner);
        // What was refused before is not said of what it is given now.
        let of_now = not_taken
            .as_ref()
            .filter(|(config, _)| handed.config.as_ref() == Some(config));
        handed.refused.or_else(|| of_now.map(|(_, why)| why.clone()))
    }

    /// What its author states of it.
    #[must_use]
    pub fn manifest(&self) -> Option<&Arc<PluginManifest>> {
        self.settings.manifest.as_ref()
    }

    /// How many processes were started for it so far.
    #[must_use]
    pub fn starts(&self) -> u64 {
        self.start().count
    }

    /// How long it may take to introduce itself.
    pub(crate) fn handshake_limit(&self) -> Duration {
        self.settings.handshake_limit
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
    pub(super) fn note_fenced(&self, fenced: Fenced) {
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

    /// What its working folder held when it was looked at last; nothing before the first look.
    pub(crate) fn disk_bytes(&self) -> Option<u64> {
        *self.disk_bytes.borrow()
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
        self.strays.count()
    }

    /// How long ago the last of them came.
    pub(crate) fn stray_age(&self) -> Option<Duration> {
        self.strays.age()
    }

    /// Counts one. Only the first is logged, as some plugins answer everything twice.
    pub(super) fn note_stray(&self) {
        if self.strays.note() {
            tracing::warn!(plugin = %self.name(), "{STRAY}; `snooze plugin stats` counts these as errors");
        }
    }
}
