//! Whether a file is still the one that it was.
//!
//! It reads no contents: a plugin may be large, and what is not surely the same counts as another one.

use serde::{Deserialize, Serialize};
use std::{fs, io, os::unix::fs::MetadataExt, path::Path};

/// What tells one state of a file from another: where it lies on the disk, how long it is, and when it was
/// changed. The time of the change of its inode cannot be set back by whoever writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct FileIdentity {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileIdentity {
    /// That of the file that lies there now, at the end of all links; nothing where none can be seen.
    #[must_use]
    pub(crate) fn of(path: &Path) -> Option<FileIdentity> {
        FileIdentity::read(path).ok()
    }

    /// The same.
    ///
    /// # Errors
    /// Why none can be seen.
    pub(crate) fn read(path: &Path) -> io::Result<FileIdentity> {
        let file = fs::metadata(path)?;
        Ok(FileIdentity {
            device: file.dev(),
            inode: file.ino(),
            size: file.size(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        })
    }
}
