//! Why the journal failed.

use std::{io, path::PathBuf};

/// Why the journal failed.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It could not be written.
    #[error("write the journal of events {}", path.display())]
    Write {
        /// Its file.
        path: PathBuf,
        /// What the kernel says.
        source: io::Error,
    },
    /// It could not be read.
    #[error("read the journal of events {}", path.display())]
    Read {
        /// Its file.
        path: PathBuf,
        /// What the kernel says.
        source: io::Error,
    },
    /// The service ends.
    #[error("the write was given up because the service ends")]
    Interrupted,
}

impl JournalError {
    /// The same once more, for another one who waited for the same.
    pub(in super::super) fn again(&self) -> JournalError {
        let again = |source: &io::Error| match source.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => source.kind().into(),
        };
        match self {
            Self::Write { path, source } => Self::Write {
                path: path.clone(),
                source: again(source),
            },
            Self::Read { path, source } => Self::Read {
                path: path.clone(),
                source: again(source),
            },
            Self::Interrupted => Self::Interrupted,
        }
    }
}
