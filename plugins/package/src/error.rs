//! Why a folder does not become a package, or a package no folder.

use std::{io, path::PathBuf};

/// Why there is no package of a folder.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// A file or folder cannot be read.
    #[error("read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the kernel says.
        source: io::Error,
    },
    /// Something of it cannot be in a package.
    #[error("{}: {because}", path.display())]
    Unfit {
        /// What.
        path: PathBuf,
        /// Why.
        because: &'static str,
    },
    /// There is more of it than a package may hold.
    #[error("it is larger than {} MiB, or more than {} files and folders", crate::UNPACKED_LIMIT >> 20, crate::ENTRY_LIMIT)]
    TooLarge,
    /// Packed it is longer than a package may be.
    #[error("packed it is longer than {} MiB", crate::PACKED_LIMIT >> 20)]
    TooLong,
    /// There is no manifest in it.
    #[error("there is no plugin.json in it")]
    NoManifest,
    /// The manifest cannot be read.
    #[error("read plugin.json")]
    Manifest(#[source] serde_json::Error),
    /// What was written cannot be read again.
    #[error("read again what was packed")]
    Unreadable(#[source] Box<UnpackError>),
}

/// Why nothing was unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// It is no gzipped tar, or not all of one.
    #[error("it is no package, or not all of one")]
    Broken(#[source] io::Error),
    /// Something is in it that has no place in a package.
    #[error("{entry:?}: {because}")]
    Unfit {
        /// What it calls itself.
        entry: String,
        /// Why it has none.
        because: &'static str,
    },
    /// Something follows its end.
    #[error("something follows its end")]
    Trailing,
    /// It is more than a package may hold.
    #[error("it is longer than {} MiB, larger than {} MiB unpacked, or more than {} files and folders", crate::PACKED_LIMIT >> 20, crate::UNPACKED_LIMIT >> 20, crate::ENTRY_LIMIT)]
    TooLarge,
    /// There is no manifest in it.
    #[error("there is no plugin.json in it")]
    NoManifest,
    /// The manifest cannot be read.
    #[error("read plugin.json")]
    Manifest(#[source] serde_json::Error),
    /// Something is there already where it was to go.
    #[error("{} is there already", .0.display())]
    Occupied(PathBuf),
    /// A file or folder cannot be written.
    #[error("write {}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// What the kernel says.
        source: io::Error,
    },
}

/// Why what was unpacked is not what its package holds, or why that cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// A file or folder of it is not there.
    #[error("{} is gone", .0.display())]
    Gone(PathBuf),
    /// It is something else than a file or a folder, as its package has it.
    #[error("{} is something else", .0.display())]
    OtherKind(PathBuf),
    /// Others may write it than could, or it cannot be read or run any more.
    #[error("{} has other permissions", .0.display())]
    OtherMode(PathBuf),
    /// The package has nothing of that name.
    #[error("{} was added", .0.display())]
    Added(PathBuf),
    /// It has other contents.
    #[error("{} has other contents", .0.display())]
    OtherContents(PathBuf),
    /// It cannot be read just now: nobody can tell.
    #[error("read {}", path.display())]
    Unread {
        /// Which.
        path: PathBuf,
        /// What the kernel says.
        source: io::Error,
    },
}

impl Damage {
    /// Whether nobody can tell, so that there may be none.
    #[must_use]
    pub fn is_untold(&self) -> bool {
        matches!(self, Self::Unread { .. })
    }

    /// What is known once something could not be read.
    pub(crate) fn of(path: &std::path::Path, source: io::Error) -> Damage {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => Self::Gone(path),
            io::ErrorKind::NotADirectory => Self::OtherKind(path),
            _ => Self::Unread { path, source },
        }
    }
}
