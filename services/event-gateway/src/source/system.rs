//! The system itself as a source: disks that fill up, CPU, memory and pressure, clock jumps, the network lost.
//!
//! It looks every few seconds and tells of edges: raised when a value has stayed beyond its threshold for a time,
//! cleared when it has stayed back behind a second one, never once a look. What cannot be read is unknown: said
//! once, no edge, and no reason to clear one. It asks nobody outside the host and starts nothing.

mod clock;
mod cpu;
mod disk;
mod edge;
mod kept;
mod lane;
mod look;
mod memory;
mod network;
mod pressure;
mod root;
mod thing;
mod unreadable;
mod watched;

#[cfg(test)]
mod tests;

use crate::{
    happening::Happening,
    source::{Notices, kept::UnderWay},
};
use disk::Space;
use kept::Kept;
use look::{AskSpace, Looker};
use root::Root;
use snooze_service_runtime::{CancellationToken, ClockWatch, Clocks, config::SystemSourceConfig};
use std::{convert::Infallible, path::PathBuf, sync::Arc};
use tokio::time::MissedTickBehavior;
use watched::{Change, Watched};

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
const KEPT: &str = "the file of what is raised";

/// When something is raised, and how often is looked.
pub type Thresholds = SystemSourceConfig;

/// What is watched, and where.
#[derive(Debug, Clone)]
pub struct Settings {
    /// When something is raised.
    pub thresholds: Thresholds,
    /// The folder that stands for `/`.
    pub root: PathBuf,
    /// The file that keeps what is raised; its folder is made, and need not survive a reboot.
    pub kept: PathBuf,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            thresholds: Thresholds::default(),
            root: PathBuf::from("/"),
            kept: PathBuf::from("/run/snooze/event-gateway/system.json"),
        }
    }
}

/// Watches until shutdown.
///
/// # Errors
/// None: what cannot be read is unknown.
pub async fn watch(
    settings: Settings,
    clocks: Clocks,
    notices: Notices,
    shutdown: CancellationToken,
) -> Result<(), Infallible> {
    let watching = async {
        if let Some(mut watch) = Watch::begin(&settings, &clocks, Arc::new(Space::of)).await {
            watch.tell(&notices).await;
            let mut looks = tokio::time::interval(settings.thresholds.interval);
            looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            // The desk has a whole interval for what it was told above.
            looks.reset();
            loop {
                looks.tick().await;
                watch.look().await;
                watch.tell(&notices).await;
            }
        }
    };
    // Cut off while it looks, nothing was noticed yet; cut off while it tells, what was noticed is in the file
    // and is told after the next start.
    shutdown.run_until_cancelled(watching).await;
    shutdown.cancelled().await;
    Ok(())
}

/// Everything between two looks.
#[derive(Debug)]
struct Watch {
    clocks: Clocks,
    clock: ClockWatch,
    looker: Looker,
    watched: Watched,
    kept: Kept,
    under_way: UnderWay,
    /// What the file holds, if it could be written.
    written: Option<Kept>,
    path: PathBuf,
    /// Whether it was said that it cannot be written.
    is_said: bool,
}

impl Watch {
    /// Takes up what was raised before. Nothing where the boot has no id: its happenings could not be told from
    /// those of another.
    async fn begin(settings: &Settings, clocks: &Clocks, space: AskSpace) -> Option<Watch> {
        let root = Root::new(&settings.root);
        let mut looker = Looker::new(root.clone(), space);
        let boot_id = looker.beside("the boot id", move || root.text(BOOT_ID)).await?;
        let boot_id = match boot_id {
            Ok(text) => text.trim().to_owned(),
            Err(error) => {
                let error = snooze_service_runtime::exit::one_line(&error);
                tracing::warn!(
                    error,
                    "the system is not watched: this boot cannot be told from another"
                );
                return None;
            }
        };
        let (path, boot) = (settings.kept.clone(), boot_id.clone());
        let read = looker.beside(KEPT, move || Kept::read(&path, &boot)).await;
        let known = match read {
            Some(Ok(kept)) => kept,
            Some(Err(error)) => {
                tracing::warn!(
                    file = %settings.kept.display(), %error,
                    "what was raised before is not known any more; what still is, is raised anew"
                );
                None
            }
            None => None,
        };
        let kept = known.unwrap_or_else(|| Kept::anew(&boot_id, clocks.boottime_ms()));
        Some(Watch {
            clocks: clocks.clone(),
            clock: ClockWatch::new(clocks),
            watched: Watched::begin(settings.thresholds.clone(), &kept.standing(), kept.had_network),
            looker,
            written: None,
            under_way: UnderWay::default(),
            kept,
            path: settings.kept.clone(),
            is_said: false,
        })
    }

    /// Looks once: what is to be told of it, already noted in the file. What the desk has on its disk by now is in it no
    /// more.
    async fn look(&mut self) -> Vec<Happening> {
        self.kept.told(&self.under_way.kept());
        let now_ms = self.clocks.monotonic_ms();
        let looked = self.looker.look().await;
        let jump = self.clock.look();
        let mut changes: Vec<Change> = jump.map(clock::change).into_iter().collect();
        changes.extend(self.watched.step(&looked, now_ms));
        self.kept.had_network = self.watched.had_network;
        let happenings = self.kept.note(changes, &self.watched.standing());
        self.write().await;
        happenings
    }

    /// Tells what the desk may not have yet, this look's or an earlier one's.
    async fn tell(&mut self, notices: &Notices) {
        self.under_way.tell(self.kept.untold(), notices).await;
    }

    async fn write(&mut self) {
        if self.written.as_ref() == Some(&self.kept) {
            return;
        }
        let (path, kept) = (self.path.clone(), self.kept.clone());
        let wrote = self.looker.beside(KEPT, move || kept.write(&path)).await;
        self.written = None;
        match wrote {
            Some(Ok(())) => {
                self.written = Some(self.kept.clone());
                if std::mem::take(&mut self.is_said) {
                    tracing::info!(file = %self.path.display(), "what is raised is kept again");
                }
            }
            Some(Err(error)) if !std::mem::replace(&mut self.is_said, true) => tracing::warn!(
                file = %self.path.display(), %error,
                "what is raised could not be kept; after a restart it is raised anew"
            ),
            // It hangs, which was said, or was said before.
            Some(Err(_)) | None => {}
        }
    }
}
