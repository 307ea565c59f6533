//! What a plugin's working folder holds. The kernel has no quota for a folder, so it is counted: before each start,
//! and now and then while the plugin runs.
//!
//! It follows no link and removes nothing. What cannot be counted, or not in time, is too much: a plugin could hide it so.

use super::home::{self, DEPTH, ENTRIES};
use crate::guest::Seat;
use rustix::{
    fs::{AtFlags, CWD, Dir, FileType, statat},
    io::Errno,
};
use snooze_schemas::PluginName;
use std::{
    os::fd::{AsFd, BorrowedFd},
    path::Path,
    time::Duration,
};
use tokio::{
    sync::{Semaphore, watch},
    task::spawn_blocking,
    time::{sleep, timeout},
};

/// stat(2): what a file takes is told in blocks of this, whatever the file system's own are.
const BLOCK: u64 = 512;

/// How long one look may take, and may wait for those at others': a slow disk lists as many files as are counted at most
/// in this time, and one that takes longer does not answer.
const LIMIT: Duration = Duration::from_secs(30);

/// How many bytes a folder holds, or what is to be told of one that holds more than this.
pub(super) fn check(folder: &Path, limit_mb: u32) -> Result<u64, String> {
    let shown = folder.display();
    let mut count = Count {
        left: ENTRIES,
        bytes: 0,
        limit: u64::from(limit_mb) << 20,
    };
    let counted = home::open(CWD, folder).and_then(|open| count.add(open.as_fd(), DEPTH));
    match counted {
        Ok(()) => Ok(count.bytes),
        Err(Errno::DQUOT) => Err(format!(
            "its working folder {shown} holds more than {limit_mb} MiB (disk_mb): remove what is not needed, or grant more"
        )),
        Err(Errno::TOOBIG) => Err(format!(
            "its working folder {shown} holds more than {ENTRIES} files: remove what is not needed"
        )),
        Err(Errno::NAMETOOLONG) => Err(format!(
            "its working folder {shown} has folders more than {DEPTH} deep in one another: remove these"
        )),
        Err(error) => Err(format!("its working folder {shown} cannot be counted: {error}")),
    }
}

/// How running plugins' working folders are looked at.
#[derive(Debug)]
pub(super) struct Rounds<'a> {
    /// Whose folder it is.
    pub plugin: &'a PluginName,
    /// So long after the look before.
    pub every: Duration,
    /// Whose turn it is, of all plugins.
    pub turns: &'a Semaphore,
    /// Where only one thread at a time is at the plugin's files.
    pub seat: &'a Seat,
    /// Where it is kept what the last look has counted.
    pub counted: &'a watch::Sender<Option<u64>>,
}

/// Waits until it holds more, or nobody can tell, and returns what is to be told. Of all plugins one is looked at at a
/// time: each look takes a thread. One that does not end keeps its thread, and no turn.
pub(super) async fn until_full(folder: &Path, limit_mb: u32, rounds: Rounds<'_>) -> String {
    until_full_by(folder, rounds, move |folder| check(folder, limit_mb)).await
}

async fn until_full_by(
    folder: &Path,
    rounds: Rounds<'_>,
    check: impl Fn(&Path) -> Result<u64, String> + Clone + Send + 'static,
) -> String {
    let shown = folder.display();
    loop {
        sleep(rounds.every).await;
        // Others' disks are others' trouble: whoever has waited for so long is looked at beside them.
        let turn = timeout(LIMIT, rounds.turns.acquire()).await;
        if turn.is_err() {
            tracing::warn!(
                plugin = %rounds.plugin, folder = %shown, waited_seconds = LIMIT.as_secs(),
                "looks at the working folders of other plugins do not end; this one's is looked at beside them"
            );
        }
        let Some(files) = rounds.seat.files().await else {
            return format!(
                "its working folder {shown} cannot be counted: an earlier look at its files has not ended; look whether \
                 the disk with them answers"
            );
        };
        let (folder, check) = (folder.to_owned(), check.clone());
        let counting = spawn_blocking(move || {
            let counted = check(&folder);
            drop(files);
            counted
        });
        match timeout(LIMIT, counting).await {
            Ok(Ok(Ok(bytes))) => drop(rounds.counted.send_replace(Some(bytes))),
            Ok(Ok(Err(why))) => return why,
            Ok(Err(_)) => return format!("its working folder {shown} could not be counted"),
            Err(_) => {
                let seconds = LIMIT.as_secs();
                return format!(
                    "its working folder {shown} could not be counted within {seconds} s: look whether the disk with it \
                     answers"
                );
            }
        }
    }
}

struct Count {
    left: u32,
    bytes: u64,
    limit: u64,
}

impl Count {
    fn add(&mut self, folder: BorrowedFd<'_>, depth: u32) -> Result<(), Errno> {
        let depth = depth.checked_sub(1).ok_or(Errno::NAMETOOLONG)?;
        for entry in Dir::read_from(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            self.left = self.left.checked_sub(1).ok_or(Errno::TOOBIG)?;
            let found = match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
                // It was removed meanwhile.
                Err(Errno::NOENT) => continue,
                found => found?,
            };
            let blocks = u64::try_from(found.st_blocks).unwrap_or_default();
            self.bytes = self.bytes.saturating_add(blocks.saturating_mul(BLOCK));
            if self.bytes > self.limit {
                return Err(Errno::DQUOT);
            }
            if FileType::from_raw_mode(found.st_mode) == FileType::Directory {
                match home::open(folder, name) {
                    Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                    inner => self.add(inner?.as_fd(), depth)?,
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn all_that_lies_in_it_counts_and_what_a_link_leads_to_does_not() {
        let above = tempfile::tempdir().expect("a folder");
        let folder = above.path().join("home");
        fs::create_dir_all(folder.join("a/b")).expect("makes");
        fs::write(above.path().join("other"), vec![1; 3 << 20]).expect("writes");
        std::os::unix::fs::symlink(above.path(), folder.join("link")).expect("links");
        fs::write(folder.join("a/b/file"), vec![1; 600 << 10]).expect("writes");
        let counted = check(&folder, 1).expect("it is less");
        assert!((600 << 10..800 << 10).contains(&counted), "{counted}");
        fs::write(folder.join("a/file"), vec![1; 600 << 10]).expect("writes");
        let why = check(&folder, 1).expect_err("both together are more");
        assert!(why.contains("holds more than 1 MiB (disk_mb)"), "{why}");
        check(&folder, 2).expect("it is less");
        // A file full of holes takes no room.
        fs::File::create(folder.join("holes"))
            .and_then(|file| file.set_len(1 << 30))
            .expect("makes");
        check(&folder, 2).expect("it is less");
    }

    #[test]
    fn what_cannot_be_counted_is_too_much() {
        let above = tempfile::tempdir().expect("a folder");
        let deep = (0..DEPTH).fold(above.path().to_owned(), |path, _| path.join("d"));
        fs::create_dir_all(&deep).expect("makes");
        let why = check(above.path(), 256).expect_err("too deep");
        assert!(why.contains("deep in one another: remove these"), "{why}");
        let why = check(&above.path().join("missing"), 256).expect_err("it is not there");
        assert!(why.contains("cannot be counted"), "{why}");
    }

    /// A plugin, its seat, and how its folder is looked at every second.
    struct Stand {
        plugin: PluginName,
        seat: Seat,
        counted: watch::Sender<Option<u64>>,
    }

    impl Stand {
        fn new(plugin: &str) -> Stand {
            Stand {
                plugin: plugin.parse().expect("a name"),
                seat: Seat::default(),
                counted: watch::Sender::default(),
            }
        }

        fn rounds<'a>(&'a self, turns: &'a Semaphore) -> Rounds<'a> {
            Rounds {
                plugin: &self.plugin,
                every: Duration::from_secs(1),
                turns,
                seat: &self.seat,
                counted: &self.counted,
            }
        }
    }

    /// Runs the clock ahead of whoever waits for it, ten minutes; it does not run by itself while a thread is at work.
    async fn run_ahead<T>(of: impl Future<Output = T>) -> T {
        tokio::pin!(of);
        for _ in 0..600 {
            tokio::select! {
                biased;
                done = &mut of => return done,
                () = tokio::task::yield_now() => tokio::time::advance(Duration::from_secs(1)).await,
            }
        }
        panic!("it still waits");
    }

    #[tokio::test(start_paused = true)]
    async fn s2_a_folder_that_is_not_counted_in_time_is_too_much_and_its_plugin_has_one_thread_at_it() {
        let (stand, turns) = (Stand::new("stuck"), Semaphore::new(1));
        let (answer, asked) = std::sync::mpsc::channel::<()>();
        let asked = std::sync::Arc::new(std::sync::Mutex::new(asked));
        let hangs = move |_: &Path| {
            let asked = asked.lock().expect("nobody panics");
            asked
                .recv()
                .map(|()| 0)
                .map_err(|_| "the disk is gone".to_owned())
        };
        let folder = Path::new("/state/plugins/stuck");
        let why = run_ahead(until_full_by(folder, stand.rounds(&turns), hangs.clone())).await;
        let told = "its working folder /state/plugins/stuck could not be counted within 30 s";
        assert!(why.contains(told), "{why}");
        assert_eq!(turns.available_permits(), 1, "it keeps nobody waiting");
        let why = run_ahead(until_full_by(folder, stand.rounds(&turns), hangs)).await;
        let told = "/state/plugins/stuck cannot be counted: an earlier look at its files has not ended";
        assert!(why.contains(told), "{why}");
        drop(answer);
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_does_not_end_keeps_no_other_folder_from_being_counted() {
        let (stand, turns) = (Stand::new("well"), Semaphore::new(1));
        let _hangs = turns.acquire().await.expect("it is never closed");
        let looks = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(7));
        let full = move |_: &Path| match looks.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            8.. => Err("it holds more than it may".to_owned()),
            counted => Ok(counted),
        };
        let looking = until_full_by(Path::new("/state/plugins/well"), stand.rounds(&turns), full);
        // The clock runs by itself while nobody is at work.
        assert_eq!(looking.await, "it holds more than it may");
        assert_eq!(*stand.counted.borrow(), Some(7), "what was counted last is known");
    }
}
