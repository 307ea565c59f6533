//! Small files of the kernel below a root folder, so that tests point the readings at a folder of their own.
//!
//! It never waits: files are opened without blocking, so that a pipe or a device in a file's place is
//! an error and not a hang. It never returns an empty text for a file that could not be read.

use crate::Unreadable;
use rustix::{
    fd::OwnedFd,
    fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, openat, readlinkat, statat},
    io::Errno,
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// No file that is read here comes near this; whatever is longer is not what it should be.
const SIZE_LIMIT: usize = 8 << 20;

/// The folder that stands for `/`. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Root {
    path: PathBuf,
    folder: Arc<OwnedFd>,
}

/// An entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its name; names that are not UTF-8 are left out, none that is looked for has one.
    pub(crate) name: String,
    /// Its inode: for `/proc/<pid>` another one as soon as the pid is another process.
    pub(crate) inode: u64,
}

impl Root {
    /// Opens the folder.
    ///
    /// # Errors
    /// When there is no such folder.
    pub fn open(path: &Path) -> Result<Root, Unreadable> {
        let folder = rustix::fs::open(
            path,
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .map_err(|error| Unreadable::read(&path.to_string_lossy(), error))?;
        Ok(Root {
            path: path.to_owned(),
            folder: Arc::new(folder),
        })
    }

    /// The path of a file below the root, for what needs a path (a socket's address).
    pub(crate) fn join(&self, path: &str) -> PathBuf {
        self.path.join(path)
    }

    /// Reads a whole file into the buffer. The path has no leading slash.
    pub(crate) fn bytes<'b>(&self, path: &str, buffer: &'b mut Vec<u8>) -> Result<&'b [u8], Unreadable> {
        let failed = |error| Unreadable::read(path, error);
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        let file = openat(&*self.folder, path, flags, Mode::empty()).map_err(failed)?;
        buffer.clear();
        let mut filled = 0;
        loop {
            if buffer.len() - filled < 2048 {
                buffer.resize(buffer.len() + 8192, 0);
            }
            match rustix::io::read(&file, &mut buffer[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(Errno::INTR) => {}
                Err(error) => return Err(failed(error)),
            }
            if filled > SIZE_LIMIT {
                return Err(Unreadable::malformed(path, "far too long"));
            }
        }
        buffer.truncate(filled);
        Ok(buffer)
    }

    /// Reads a whole file of text.
    pub(crate) fn text<'b>(&self, path: &str, buffer: &'b mut Vec<u8>) -> Result<&'b str, Unreadable> {
        let bytes = self.bytes(path, buffer)?;
        std::str::from_utf8(bytes).map_err(|_| Unreadable::malformed(path, "not text"))
    }

    /// Where a symbolic link points, as text.
    pub(crate) fn link(&self, path: &str) -> Result<String, Unreadable> {
        readlinkat(&*self.folder, path, Vec::new())
            .map(|target| target.to_string_lossy().into_owned())
            .map_err(|error| Unreadable::read(path, error))
    }

    /// What the kernel says of a file, links followed.
    pub(crate) fn stat(&self, path: &str) -> Result<Stat, Unreadable> {
        statat(&*self.folder, path, AtFlags::empty()).map_err(|error| Unreadable::read(path, error))
    }

    /// Whether a regular file is under this path; links are not followed.
    pub(crate) fn is_file(&self, path: &str) -> Result<bool, Unreadable> {
        let stat = statat(&*self.folder, path, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|error| Unreadable::read(path, error))?;
        Ok(FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
    }

    /// Whether there is anything under this path, a dangling link included.
    pub(crate) fn exists(&self, path: &str) -> bool {
        statat(&*self.folder, path, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// The entries of a folder, without `.` and `..`.
    pub(crate) fn list(&self, path: &str) -> Result<Vec<Entry>, Unreadable> {
        let failed = |error| Unreadable::read(path, error);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = openat(&*self.folder, path, flags, Mode::empty()).map_err(failed)?;
        let mut entries = Vec::new();
        for entry in Dir::new(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            match entry.file_name().to_str() {
                Ok("." | "..") | Err(_) => {}
                Ok(name) => entries.push(Entry {
                    name: name.to_owned(),
                    inode: entry.ino(),
                }),
            }
        }
        Ok(entries)
    }

    /// The entries of a folder; none where there is no such folder.
    pub(crate) fn list_if_any(&self, path: &str) -> Result<Vec<Entry>, Unreadable> {
        match self.list(path) {
            Err(error) if error.is_absent() => Ok(Vec::new()),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> (tempfile::TempDir, Root) {
        let folder = tempfile::tempdir().expect("a folder");
        let root = Root::open(folder.path()).expect("opens");
        (folder, root)
    }

    #[test]
    fn a_pipe_in_a_files_place_is_not_waited_for() {
        let (folder, root) = root();
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            Mode::from_raw_mode(0o600),
            0,
        )
        .expect("a pipe");
        let mut buffer = Vec::new();
        // Without a writer a pipe reads as empty; with one that says nothing it would block.
        assert_eq!(root.bytes("pipe", &mut buffer).expect("reads"), b"");
        let _writer = rustix::fs::open(&pipe, OFlags::RDWR | OFlags::NONBLOCK, Mode::empty()).expect("opens");
        assert!(root.bytes("pipe", &mut buffer).is_err());
    }

    #[test]
    fn a_file_is_read_whole_whatever_its_length() {
        let (folder, root) = root();
        let mut buffer = Vec::new();
        for length in [0, 1, 2047, 8191, 8192, 8193, 100_000] {
            std::fs::write(folder.path().join("file"), vec![b'x'; length]).expect("writes");
            assert_eq!(root.bytes("file", &mut buffer).expect("reads").len(), length);
        }
    }

    #[test]
    fn what_is_not_there_is_told_from_what_cannot_be_read() {
        let (_folder, root) = root();
        let mut buffer = Vec::new();
        assert!(
            root.bytes("nothing", &mut buffer)
                .expect_err("absent")
                .is_absent()
        );
        assert!(root.list_if_any("nothing").expect("none").is_empty());
        assert!(!root.bytes(".", &mut buffer).expect_err("a folder").is_absent());
    }
}
