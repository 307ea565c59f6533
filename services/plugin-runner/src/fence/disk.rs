//! What a plugin's working folder holds. The kernel has no quota for a folder, so it is counted: before each start,
//! and now and then while the plugin runs.
//!
//! It follows no link and removes nothing. What cannot be counted is too much: a plugin could hide it so.

use super::home::{self, DEPTH, ENTRIES};
use rustix::{
    fs::{AtFlags, CWD, Dir, FileType, statat},
    io::Errno,
};
use std::{
    os::fd::{AsFd, BorrowedFd},
    path::Path,
    time::Duration,
};
use tokio::sync::Semaphore;

/// stat(2): what a file takes is told in blocks of this, whatever the file system's own are.
const BLOCK: u64 = 512;

/// Says what is to be told of a folder that holds more than this.
pub(super) fn check(folder: &Path, limit_mb: u32) -> Result<(), String> {
    let shown = folder.display();
    let mut count = Count {
        left: ENTRIES,
        bytes: 0,
        limit: u64::from(limit_mb) << 20,
    };
    let counted = home::open(CWD, folder).and_then(|open| count.add(open.as_fd(), DEPTH));
    match counted {
        Ok(()) => Ok(()),
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

/// Waits until it holds more, and returns what is to be told. Of all plugins one is looked at at a time: each look
/// takes a thread.
pub(super) async fn until_full(folder: &Path, limit_mb: u32, look: Duration, turns: &Semaphore) -> String {
    loop {
        tokio::time::sleep(look).await;
        let _turn = turns.acquire().await.expect("it is never closed");
        let folder = folder.to_owned();
        match tokio::task::spawn_blocking(move || check(&folder, limit_mb)).await {
            Ok(Ok(())) => {}
            Ok(Err(why)) => return why,
            Err(_) => return "its working folder could not be counted".to_owned(),
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
        assert_eq!(check(&folder, 1), Ok(()));
        fs::write(folder.join("a/file"), vec![1; 600 << 10]).expect("writes");
        let why = check(&folder, 1).expect_err("both together are more");
        assert!(why.contains("holds more than 1 MiB (disk_mb)"), "{why}");
        assert_eq!(check(&folder, 2), Ok(()));
        // A file full of holes takes no room.
        fs::File::create(folder.join("holes"))
            .and_then(|file| file.set_len(1 << 30))
            .expect("makes");
        assert_eq!(check(&folder, 2), Ok(()));
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
}
