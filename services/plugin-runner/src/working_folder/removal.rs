//! Removes a folder with all that is in it, whatever somebody made of it, and nothing of what is mounted there.
//!
//! It follows no link, and never calls itself: what a folder holds of folders is moved up beside it under a number, so
//! that it takes a handful of descriptors however deep they lie in one another. What is removed stays removed where it
//! comes to no end.

use super::mounts::folder_in;
use rustix::{
    fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, chmod, fstat, openat, renameat, statat, unlinkat},
    io::Errno,
};
use std::{
    ffi::{CStr, CString, OsStr},
    fs, io,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
};

/// So much is removed at one start: seconds where a disk is slow.
pub(super) const ENTRIES: u32 = 100_000;

/// Why it is not gone. What was removed of it is.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotRemoved {
    /// Something is mounted here.
    #[error("{} is mounted there", .0.display())]
    Mount(PathBuf),
    /// There is more in it than is removed at once.
    #[error("it held more than {0} files, and the rest is removed at the next start")]
    More(u32),
    /// Whoever wanted it removed does not any more.
    #[error("nobody waits for it any more")]
    GivenUp,
    /// The kernel does not do this.
    #[error("{what} {}", path.display())]
    Failed {
        /// What was to be done.
        what: &'static str,
        /// To what.
        path: PathBuf,
        /// What it says.
        source: io::Error,
    },
}

/// Removes a folder, and says whether there was one. At most so many files of it, and only as long as it is wanted.
///
/// # Errors
/// Why some of it is left.
pub(super) fn remove(folder: &Path, most: u32, is_wanted: &dyn Fn() -> bool) -> Result<bool, NotRemoved> {
    let (Some(above), Some(name)) = (folder.parent(), folder.file_name()) else {
        return Err(failed("remove", folder)(Errno::INVAL));
    };
    let name = CString::new(name.as_bytes()).map_err(|_| failed("remove", folder)(Errno::INVAL))?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let above = match openat(CWD, above, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(false),
        opened => opened.map_err(failed("open", above))?,
    };
    let top = match folder_in(above.as_fd(), &name) {
        Err(Errno::NOENT) => return Ok(false),
        opened => opened.map_err(beyond("open", above.as_fd(), &name))?,
    };
    make_writable(top.as_fd());
    let mut removal = Removal {
        top,
        number: rand::random(),
        moved: 0,
        left: most,
        most,
        is_wanted,
    };
    // A folder may be told without some of its names while others are taken out of it.
    while removal.go_through()? {}
    unlinkat(&above, &name, AtFlags::REMOVEDIR).map_err(beyond("remove", above.as_fd(), &name))?;
    Ok(true)
}

struct Removal<'a> {
    top: OwnedFd,
    /// Of this removal, in the names of what it moves: nobody can have taken them before.
    number: u64,
    moved: u64,
    left: u32,
    most: u32,
    is_wanted: &'a dyn Fn() -> bool,
}

impl Removal<'_> {
    /// Removes what lies in the folder, and says whether there was anything.
    fn go_through(&mut self) -> Result<bool, NotRemoved> {
        let mut any = false;
        let entries = entries(self.top.as_fd())?;
        for entry in entries {
            let (name, kind) = entry.map_err(unread(self.top.as_fd()))?;
            any = true;
            self.count()?;
            if is_folder(self.top.as_fd(), &name, kind)? {
                let mut next = self.moved;
                self.empty(&name)?;
                while next < self.moved {
                    self.empty(&self.name_of(next))?;
                    next += 1;
                }
            } else {
                unlink(self.top.as_fd(), &name)?;
            }
        }
        Ok(any)
    }

    /// Removes a folder of the top one. The folders in it are in the top one then.
    fn empty(&mut self, name: &CStr) -> Result<(), NotRemoved> {
        let folder = match folder_in(self.top.as_fd(), name) {
            Err(Errno::NOENT) => return Ok(()),
            opened => opened.map_err(beyond("open", self.top.as_fd(), name))?,
        };
        make_writable(folder.as_fd());
        for entry in entries(folder.as_fd())? {
            let (inner, kind) = entry.map_err(unread(folder.as_fd()))?;
            self.count()?;
            if is_folder(folder.as_fd(), &inner, kind)? {
                self.move_up(folder.as_fd(), &inner)?;
            } else {
                unlink(folder.as_fd(), &inner)?;
            }
        }
        match unlinkat(&self.top, name, AtFlags::REMOVEDIR) {
            // What it was not told with is found when the top one is gone through again.
            Ok(()) | Err(Errno::NOENT | Errno::NOTEMPTY | Errno::EXIST) => Ok(()),
            Err(error) => Err(beyond("remove", self.top.as_fd(), name)(error)),
        }
    }

    fn move_up(&mut self, from: BorrowedFd<'_>, name: &CStr) -> Result<(), NotRemoved> {
        let folder = match folder_in(from, name) {
            Err(Errno::NOENT) => return Ok(()),
            opened => opened.map_err(beyond("open", from, name))?,
        };
        // A folder that is moved is written to: it knows which one is above it.
        make_writable(folder.as_fd());
        let to = self.name_of(self.moved);
        renameat(from, name, &self.top, &to).map_err(beyond("move", from, name))?;
        self.moved += 1;
        Ok(())
    }

    fn name_of(&self, moved: u64) -> CString {
        let name = format!(".removed-{:016x}-{moved}", self.number);
        CString::new(name).expect("digits and letters are no zero bytes")
    }

    fn count(&mut self) -> Result<(), NotRemoved> {
        if !(self.is_wanted)() {
            return Err(NotRemoved::GivenUp);
        }
        self.left = self.left.checked_sub(1).ok_or(NotRemoved::More(self.most))?;
        Ok(())
    }
}

type Entry = Result<(CString, FileType), Errno>;

fn entries(folder: BorrowedFd<'_>) -> Result<impl Iterator<Item = Entry> + use<>, NotRemoved> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let open = openat(folder, c".", flags, Mode::empty()).map_err(unread(folder))?;
    let all = Dir::new(open).map_err(unread(folder))?;
    Ok(all.filter_map(|entry| match entry {
        Ok(entry) if entry.file_name() == c"." || entry.file_name() == c".." => None,
        Ok(entry) => Some(Ok((entry.file_name().to_owned(), entry.file_type()))),
        Err(error) => Some(Err(error)),
    }))
}

fn is_folder(above: BorrowedFd<'_>, name: &CStr, told: FileType) -> Result<bool, NotRemoved> {
    if told != FileType::Unknown {
        return Ok(told == FileType::Directory);
    }
    // Not every file system tells it with the name.
    match statat(above, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(beyond("look at", above, name)(error)),
        Ok(found) => Ok(FileType::from_raw_mode(found.st_mode) == FileType::Directory),
    }
}

fn unlink(above: BorrowedFd<'_>, name: &CStr) -> Result<(), NotRemoved> {
    match unlinkat(above, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(beyond("remove", above, name)(error)),
    }
}

/// Opens a folder of this user's to it, whatever its mode is. Where that fails, what comes next says why.
fn make_writable(folder: BorrowedFd<'_>) {
    let is_open = fstat(folder).is_ok_and(|found| found.st_mode & 0o700 == 0o700);
    if !is_open {
        // What is open for nothing but to name it is changed by that name alone.
        let name = format!("/proc/self/fd/{}", folder.as_raw_fd());
        chmod(name, Mode::RWXU).unwrap_or_default();
    }
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(Errno) -> NotRemoved {
    move |error| NotRemoved::Failed {
        what,
        path: path.to_owned(),
        source: error.into(),
    }
}

fn unread(folder: BorrowedFd<'_>) -> impl FnOnce(Errno) -> NotRemoved {
    move |error| failed("read", &shown(folder, c""))(error)
}

/// What is mounted is told as that: a folder by `EXDEV`, a file, or what cannot be looked at, by `EBUSY`.
fn beyond(what: &'static str, above: BorrowedFd<'_>, name: &CStr) -> impl FnOnce(Errno) -> NotRemoved {
    move |error| match error {
        Errno::XDEV | Errno::BUSY => NotRemoved::Mount(shown(above, name)),
        error => failed(what, &shown(above, name))(error),
    }
}

fn shown(above: BorrowedFd<'_>, name: &CStr) -> PathBuf {
    let above = fs::read_link(format!("/proc/self/fd/{}", above.as_raw_fd())).unwrap_or_default();
    let name = OsStr::from_bytes(name.to_bytes());
    if name.is_empty() { above } else { above.join(name) }
}

#[cfg(test)]
mod tests;
