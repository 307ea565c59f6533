//! How a process ended, and why one did not begin.
//!
//! It starts and ends none.

use std::{fmt, io, path::PathBuf};

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It returned this code by itself.
    Exited {
        /// 0 is success.
        code: i32,
    },
    /// A signal ended it, ours or another.
    Signalled {
        /// Its number.
        signal: i32,
    },
    /// It was killed and did not go within the limit: it hangs in the kernel.
    Unkillable,
    /// The kernel would not say.
    Untold,
}

impl fmt::Display for Ending {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited { code } => write!(out, "it ended with exit code {code}"),
            Self::Signalled { signal } => write!(out, "it was ended by signal {signal}"),
            Self::Unkillable => out.write_str("it was killed and hangs in the kernel"),
            Self::Untold => out.write_str("it ended, and the kernel does not say how"),
        }
    }
}

/// Why a process could not be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// The executable could not be run.
    #[error("run {}", path.display())]
    Run {
        /// The executable.
        path: PathBuf,
        /// What the kernel says.
        source: io::Error,
    },
    /// The end of the process cannot be watched.
    #[error("watch for the end of {}", path.display())]
    Watch {
        /// The executable.
        path: PathBuf,
        /// What the kernel says.
        source: io::Error,
    },
}
