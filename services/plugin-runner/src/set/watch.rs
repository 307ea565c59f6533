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
    time::Duration,
};
use tokio::{
    io::{Interest, unix::AsyncFd},
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
    kernel: Option<AsyncFd<OwnedFd>>,
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
            kernel: made.ok(),
            watched: BTreeMap::new(),
            unwatched,
            look_by: Instant::now() + UNWATCHED,
            restless: None,
        }
    }

    /// Watches these folders, and no others: as many as may be, from the first on. What changed in one before it was watched cannot be seen, so that a new
    /// one counts as changed.
    pub(crate) fn these(&mut self, places: &Places) {
        self.look_by = Instant::now() + UNWATCHED;
        let Some(kernel) = &self.kernel else {
            return;
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
                inotify::remove_watch(kernel, watch).unwrap_or_default();
            }
        }
        let (mut failed, mut is_new) = (None, false);
        if !rest.is_empty() {
            failed = Some(format!("more than {LIMIT} folders"));
        } else if places.is_cut() {
            failed = Some(format!("more than {OF_ONE} folders of one plugin"));
        }
        for folder in folders {
            // Also those that are watched: another folder may have taken the place.
            match watch(kernel, folder) {
                Ok(watch) => is_new |= self.watched.insert((*folder).to_owned(), watch) != Some(watch),
                Err(why) => {
                    self.watched.remove(*folder);
                    failed.get_or_insert(why);
                }
            }
        }
        self.note(failed);
        if is_new {
            let now = Instant::now();
            self.restless = Some((now, now));
        }
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
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use std::fs;

    const SOON: Duration = Duration::from_secs(20);

    fn places(all: impl IntoIterator<Item = PathBuf>) -> Places {
        let mut places = Places::default();
        all.into_iter().for_each(|folder| places.add(folder));
        places
    }

    fn watching(folder: &Path) -> Watch {
        let mut watch = Watch::new();
        watch.these(&places([folder.to_owned()]));
        watch
    }

    async fn is_told(watch: &mut Watch, what: &str) {
        let told = tokio::time::timeout(SOON, watch.changed()).await;
        told.unwrap_or_else(|_| panic!("{what} is told"));
    }

    #[tokio::test]
    async fn what_changes_in_a_folder_is_told_and_what_is_read_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut watch = watching(folder.path());
        assert_eq!(watch.unwatched, None);
        let file = folder.path().join("run");
        fs::write(&file, "one").expect("writes");
        is_told(&mut watch, "a new file").await;
        fs::read(&file).expect("reads");
        fs::read_dir(folder.path()).expect("reads");
        assert!(watch.changed().now_or_never().is_none(), "nothing has changed");
        fs::remove_file(&file).expect("removes");
        is_told(&mut watch, "that it is gone").await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_folder_that_cannot_be_watched_is_looked_through_from_time_to_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut watch = watching(&folder.path().join("absent"));
        assert!(watch.unwatched.is_some());
        let begun = Instant::now();
        watch.changed().await;
        assert_eq!(begun.elapsed(), UNWATCHED);
        watch.these(&places([folder.path().to_owned()]));
        assert_eq!(watch.unwatched, None, "it can be watched now");
    }

    #[tokio::test]
    async fn t3_an_operators_folder_is_watched_however_many_others_were_before() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut many = Places::default();
        for plugin in 0..=LIMIT / OF_ONE {
            let of_one = (0..OF_ONE).map(|number| folder.path().join(format!("{plugin}-{number}")));
            let of_one: Vec<PathBuf> = of_one.collect();
            of_one
                .iter()
                .for_each(|place| fs::create_dir(place).expect("makes"));
            many.add_of_one(of_one);
        }
        let mut watch = Watch::new();
        watch.these(&many);
        assert_eq!(watch.watched.len(), LIMIT);
        assert!(watch.unwatched.is_some());
        many.add(folder.path().to_owned());
        watch.these(&many);
        assert!(watch.watched.contains_key(folder.path()));
        assert_eq!(watch.watched.len(), LIMIT);
    }
}
