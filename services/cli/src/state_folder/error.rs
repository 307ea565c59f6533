//! Why a state folder cannot be used, for people.

use std::{io, path::PathBuf};

/// Why the state folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Nothing says where it is.
    #[error("neither HOME nor XDG_STATE_HOME is set; say where the state folder is with --state")]
    Locate,
    /// Its name could not be written into files that others read.
    #[error("the state folder {} has a name that is no UTF-8; give another one with --state", path.display())]
    Name {
        /// The folder.
        path: PathBuf,
    },
    /// There is something else where it should be, which is left as it is.
    #[error("{} cannot be the state folder: {why}; make it yours alone (chown, chmod 700) or give another one with --state", path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// What it is instead.
        why: &'static str,
    },
    /// It cannot be made.
    #[error("the folder {} cannot be made", path.display())]
    Create {
        /// The folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file in it cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file in it cannot be written.
    #[error("{} cannot be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// `nats.json` is not what it should be.
    #[error("{} is not the address of a bus", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: serde_json::Error,
    },
    /// Another `snooze up` uses it.
    #[error("another `snooze up` uses the state folder {}; end it, or give another one with --state", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
}
