//! Says when something changed in the folders of plugins, once it has come to rest.
//!
//! It looks at nothing itself, and does not say what has changed. Where the kernel cannot watch a folder it says so,
//! and the folders are looked through from time to time instead.

use super::places::{OF_ONE, Places};
use rustix::{
    fs::inotify::{self, CreateFlags, WatchFlags},
    io::Errno,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    task::{JoinError, spawn_blocking},
    time::{Instant, sleep_until, timeout_at},
};

/// Whoever copies a plugin writes many files, and a manifest half written is a mistake: so long nothing may have
/// changed.
const SETTLED: Duration = Duration::from_millis(500);

/// A folder in which something changes all the time is looked through all the same.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often the folders are looked through where one of them cannot be watched.
const UNWATCHED: Duration = Duration::from_secs(60);

const FROM_TIME_TO_TIME: &str =
    "folders of plugins cannot all be watched; they are looked through from time to time";

/// So many folders are watched at most; a machine has some thousands of watches for all its programs.
const LIMIT: usize = 1024;

/// What makes another plugin of a file, and no reading.
const CHANGES: WatchFlags = WatchFlags::CLOSE_WRITE
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF);

/// The folders that are watched.
#[derive(Debug)]
pub(crate) struct Watch {
    kernel: Option<Arc<AsyncFd<OwnedFd>>>,
    watched: BTreeMap<PathBuf, i32>,
    /// Why some are not.
    unwatched: Option<String>,
    /// When the folders are to be looked through in any case, where some are not.
    look_by: Instant,
    /// When something was seen to change, for the first and for the last time, that has not been told.
    restless: Option<(Instant, Instant)>,
}

impl Watch {
    /// Nothing is watched yet.
    #[must_use]
    pub(crate) fn new() -> Watch {
        let made = begin();
        let unwatched = made.as_ref().err().map(ToString::to_string);
        if let Some(why) = &unwatched {
            tracing::info!(why, every_seconds = UNWATCHED.as_secs(), "{FROM_TIME_TO_TIME}");
        }
        Watch {
            kernel: made.ok().map(Arc::new),
            watched: BTreeMap::new(),
            unwatched,
            look_by: Instant::now() + UNWATCHED,
            restless: None,
        }
    }

    /// Watches these folders, and no others: as many as may be, from the first on. What changed in one before it was watched
    /// cannot be seen, so that a new one counts as changed. Cancelling it leaves some watched that are not known of.
    ///
    /// # Errors
    /// They could not be gone through.
    pub(crate) async fn these(&mut self, places: &Places) -> Result<(), JoinError> {
        self.look_by = Instant::now() + UNWATCHED;
        let Some(kernel) = &self.kernel else {
            return Ok(());
        };
        let folders = places.in_order();
        let (folders, rest) = folders.split_at(folders.len().min(LIMIT));
        let wanted: BTreeSet<&Path> = folders.iter().copied().collect();
        let gone = self.watched.keys();
        let gone = gone.filter(|folder| !wanted.contains(folder.as_path()));
        for folder in gone.cloned().collect::<Vec<_>>() {
            if let Some(watch) = self.watched.remove(&folder)
                && !self.watched.values().any(|other| *other == watch)
            {
                // One that was removed as a folder is watched no more by itself.
                inotify::remove_watch(&**kernel, watch).unwrap_or_default();
            }
        }
        let (mut failed, mut is_new) = (None, false);
        if !rest.is_empty() {
            failed = Some(format!("more than {LIMIT} folders"));
        } else if places.is_cut() {
            failed = Some(format!("more than {OF_ONE} folders of one plugin"));
        }
        // Also those that are watched: another folder may have taken the place.
        let folders: Vec<PathBuf> = folders.iter().map(|folder| (*folder).to_owned()).collect();
        let kernel = kernel.clone();
        // Each is looked up, and the disk of one may not answer.
        let watched = spawn_blocking(move || {
            let watched = folders
                .into_iter()
                .map(|folder| (watch(&kernel, &folder), folder));
            watched.collect::<Vec<_>>()
        });
        for (watch, folder) in watched.await? {
            match watch {
                Ok(watch) => is_new |= self.watched.insert(folder, watch) != Some(watch),
                Err(why) => {
                    self.watched.remove(&folder);
                    failed.get_or_insert(why);
                }
            }
        }
        self.note(failed);
        if is_new {
            let now = Instant::now();
            self.restless = Some((now, now));
        }
        Ok(())
    }

    fn note(&mut self, unwatched: Option<String>) {
        if let Some(why) = &unwatched
            && self.unwatched.as_ref() != Some(why)
        {
            tracing::info!(why, every_seconds = UNWATCHED.as_secs(), "{FROM_TIME_TO_TIME}");
        }
        self.unwatched = unwatched;
    }

    /// Waits until something has changed and come to rest, or until it is time to look where that cannot be seen.
    /// Cancelling it loses nothing.
    pub(crate) async fn changed(&mut self) {
        let latest = self.unwatched.as_ref().map(|_| self.look_by);
        let Some(kernel) = &self.kernel else {
            return sleep_until(self.look_by).await;
        };
        loop {
            let rested = self
                .restless
                .map(|(first, last)| (last + SETTLED).min(first + PATIENCE));
            let next = next(kernel);
            let seen = match (rested, latest) {
                (Some(rested), _) => timeout_at(rested, next).await.is_ok(),
                (None, Some(latest)) => timeout_at(latest, next).await.is_ok(),
                (None, None) => {
                    next.await;
                    true
                }
            };
            if !seen {
                self.restless = None;
                return;
            }
            let now = Instant::now();
            let first = self.restless.map_or(now, |(first, _)| first);
            self.restless = Some((first, now));
        }
    }
}

fn begin() -> io::Result<AsyncFd<OwnedFd>> {
    let kernel = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
    #[expect(
        deprecated,
        reason = "its successor is unsafe for types that may change their descriptor; an OwnedFd cannot"
    )]
    AsyncFd::with_interest(kernel, Interest::READABLE)
}

fn watch(kernel: &AsyncFd<OwnedFd>, folder: &Path) -> Result<i32, String> {
    inotify::add_watch(kernel, folder, CHANGES | WatchFlags::ONLYDIR)
        .map_err(|error| format!("watch {}: {}", folder.display(), io::Error::from(error)))
}

/// Waits for the kernel to tell something, and takes all that it tells.
async fn next(kernel: &AsyncFd<OwnedFd>) {
    // An event with the longest name has 272 bytes.
    let mut told = [0u8; 4096];
    loop {
        let Ok(mut ready) = kernel.readable().await else {
            return std::future::pending().await;
        };
        let mut any = false;
        let emptied = ready.try_io(|kernel| {
            loop {
                match rustix::io::read(kernel.get_ref(), &mut told) {
                    Ok(_) => any = true,
                    Err(Errno::INTR) => {}
                    Err(error) => return Err::<(), _>(error.into()),
                }
            }
        });
        drop(emptied);
        if any {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
