//! Plugins that are gone, and how long: their working folders are kept for a while, and taken away then.
//!
//! **Invariant:** only the time between two looks counts that both saw everything and not this plugin, while the runner
//! ran and the machine did not sleep. So no jump of a clock, no folder that is away for a moment and no long night makes
//! a plugin gone; and one that is there again, wanted again or alive begins anew.

use crate::{
    fence,
    files::{self, Durability},
    orphans,
    working_folder::departure,
};
use snooze_schemas::PluginName;
use snooze_service_runtime::{CancellationToken, exit::one_line};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};

/// So long a working folder is kept: whoever uninstalls a plugin by mistake, or has its folder of plugins away, sees it
/// within a week.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// So often it is looked while one is gone. A look counts for no more than two of these.
const ROUND: Duration = Duration::from_secs(3600);

/// Those that are gone.
#[derive(Debug, Default)]
pub(crate) struct Departed {
    file: PathBuf,
    homes: PathBuf,
    /// For how many milliseconds each was seen to be gone.
    gone: BTreeMap<PluginName, u64>,
    /// When it was looked last, where that look saw everything.
    last: Option<Instant>,
    /// What of it is not in the file yet.
    uncounted: Duration,
    /// Why some cannot be taken away, so that it is said once.
    told: BTreeMap<PluginName, String>,
    taken: Arc<Notify>,
}

impl Departed {
    /// Those of an earlier runner, whose plugins had their working folders here. Where that is of no use all of them
    /// begin anew.
    pub(crate) fn open(file: PathBuf, homes: PathBuf) -> Departed {
        let read = files::read(&file).unwrap_or_else(|error| {
            let error = one_line(&error);
            tracing::warn!(
                error,
                "how long plugins are gone is lost; their working folders are kept anew"
            );
            None
        });
        Departed {
            file,
            homes,
            gone: read.unwrap_or_default(),
            ..Departed::default()
        }
    }

    /// Looks who is gone of those that have a working folder, and takes those folders away whose time is over. `there` is
    /// who is there, is wanted or lives; nothing where nobody can tell. Nobody may be starting meanwhile who is not there.
    pub(crate) fn look(&mut self, now: Instant, there: Option<&BTreeSet<PluginName>>) {
        let since = there
            .and(self.last)
            .map(|last| now.saturating_duration_since(last));
        self.last = there.map(|_| now);
        let Some(there) = there else { return };
        let owners = match departure::owners(&self.homes) {
            Ok(owners) => owners,
            // Nobody has begun yet, or the disk with them is away: it says so where somebody is to start.
            Err(_) => return,
        };
        let passed = since.unwrap_or_default().min(2 * ROUND);
        let before: Vec<PluginName> = self.gone.keys().cloned().collect();
        let gone: Vec<_> = owners.into_iter().filter(|name| !there.contains(name)).collect();
        self.gone = gone
            .into_iter()
            .map(|name| {
                // Whoever was there until now is gone from now on.
                let counted = self.gone.get(&name).map(|gone| gone + ms(passed));
                (name, counted.unwrap_or_default())
            })
            .collect();
        self.told.retain(|name, _| self.gone.contains_key(name));
        let due = self.gone.iter().filter(|(_, gone)| **gone >= ms(KEPT));
        for name in due.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            self.take_away(&name);
        }
        self.uncounted += passed;
        if self.uncounted >= ROUND || !self.gone.keys().eq(&before) {
            self.keep();
        }
    }

    fn take_away(&mut self, name: &PluginName) {
        let home = self.homes.join(name.as_str());
        let taken = if orphans::lives(fence::user_of(name.as_str()), &home) {
            Err("a process of it lives".to_owned())
        } else {
            departure::take_away(&home)
        };
        match taken {
            Ok(()) => {
                tracing::info!(plugin = %name, folder = %home.display(), "a plugin is gone: its working folder is removed");
                self.gone.remove(name);
                self.taken.notify_one();
            }
            Err(why) if self.told.insert(name.clone(), why.clone()) != Some(why.clone()) => tracing::warn!(
                plugin = %name, folder = %home.display(), why, "a plugin is gone, and its working folder is left"
            ),
            Err(_) => {}
        }
    }

    fn keep(&mut self) {
        match files::replace(&self.file, &self.gone, Durability::Synced) {
            Ok(()) => self.uncounted = Duration::ZERO,
            // What is not kept is counted again after a restart: folders stay longer.
            Err(error) => tracing::warn!(
                error = one_line(&error),
                "it cannot be kept how long plugins are gone; their working folders stay longer"
            ),
        }
    }

    /// When it is to be looked again for this alone.
    pub(crate) fn next(&self, now: Instant) -> Option<Instant> {
        (!self.gone.is_empty()).then(|| now + ROUND)
    }

    /// Removes what was taken away, now and by an earlier runner, until shutdown.
    pub(crate) fn remove(&self, shutdown: CancellationToken) -> impl Future<Output = ()> + Send + 'static {
        let (homes, taken) = (self.homes.clone(), self.taken.clone());
        let mut told: Vec<(PathBuf, String)> = Vec::new();
        async move {
            loop {
                let (from, stop) = (homes.clone(), shutdown.clone());
                let removed = tokio::task::spawn_blocking(move || {
                    departure::remove_taken(&from, &|| !stop.is_cancelled())
                });
                // Cancelling these loses nothing: what is left is seen at the next round.
                let left = tokio::select! {
                    () = shutdown.cancelled() => return,
                    left = removed => left.unwrap_or_default(),
                };
                for (folder, why) in left.iter().filter(|one| !told.contains(one)) {
                    tracing::warn!(folder = %folder.display(), why, "what a plugin that is gone left is not removed yet");
                }
                told = left;
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    () = taken.notified() => {}
                    () = tokio::time::sleep(ROUND) => {}
                }
            }
        }
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
