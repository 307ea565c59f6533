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

    /// Whether the file that lies there now is this very one, unchanged.
    #[must_use]
    pub(crate) fn is_still_at(self, path: &Path) -> bool {
        FileIdentity::of(path) == Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_written_replaced_or_removed_is_another_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("run");
        let write = |text: &str| {
            fs::write(&path, text).expect("written");
            FileIdentity::of(&path).expect("it is there")
        };
        let first = write("one");
        assert!(first.is_still_at(&path));
        let second = write("longer");
        assert!(!first.is_still_at(&path) && second.is_still_at(&path));
        let beside = folder.path().join("beside");
        fs::write(&beside, "longer").expect("written");
        fs::rename(&beside, &path).expect("replaced");
        assert!(!second.is_still_at(&path), "the same contents, and another file");
        fs::remove_file(&path).expect("removed");
        assert!(!second.is_still_at(&path));
    }
}
