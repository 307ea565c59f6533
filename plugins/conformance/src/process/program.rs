//! What is started, how it ends, and what goes wrong with it, as values.
//!
//! It starts nothing.

use std::{collections::BTreeMap, fmt, io, path::PathBuf, time::Duration};

/// The longest line that a plugin may write, as the runner has it.
pub(super) const LINE_LIMIT: usize = 1024 * 1024;

/// What is started.
#[derive(Debug, Clone, Default)]
pub struct Program {
    /// The program and its arguments. A program with a `/` lies below the folder, any other in the search path.
    pub command: Vec<String>,
    /// Its working folder.
    pub folder: PathBuf,
    /// Where it finds other programs: its `PATH`.
    pub search_path: String,
    /// Its `HOME`.
    pub home: PathBuf,
    /// What its environment holds beside these two and `LANG`.
    pub environment: BTreeMap<String, String>,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// By itself, with this code.
    Exited(i32),
    /// By this signal.
    Signalled(i32),
    /// The kernel does not say.
    Untold,
}

impl fmt::Display for Ending {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(out, "it ended with exit code {code}"),
            Self::Signalled(signal) => write!(out, "it was ended by signal {signal}"),
            Self::Untold => out.write_str("it ended, and the kernel does not say how"),
        }
    }
}

/// Why a program could not be run.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// It could not be started.
    #[error("start {command:?}")]
    Start {
        /// The command.
        command: Vec<String>,
        /// What the kernel says.
        source: io::Error,
    },
    /// It did not end in time.
    #[error("{command:?} did not end within {} s", .limit.as_secs())]
    TimedOut {
        /// The command.
        command: Vec<String>,
        /// The limit.
        limit: Duration,
    },
    /// It failed.
    #[error("{command:?}: {ending}, and said:\n{log}")]
    Failed {
        /// The command.
        command: Vec<String>,
        /// How it ended.
        ending: Ending,
        /// The last of what it said.
        log: String,
    },
}

/// Why there is no line.
#[derive(Debug)]
pub(crate) enum NoLine {
    Closed,
    TooLong,
    Broken(io::Error),
}

impl fmt::Display for NoLine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => out.write_str("the end of its standard output"),
            Self::TooLong => write!(out, "a line of more than {} KiB", LINE_LIMIT / 1024),
            Self::Broken(cause) => write!(out, "a broken pipe ({cause})"),
        }
    }
}
