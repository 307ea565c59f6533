//! What a plugin's process is doing, and what it is wanted to do.
//!
//! Only words: whoever starts and ends it is `supervise`.

use crate::file_identity::FileIdentity;

/// What a process is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Being started and introduced.
    Starting,
    /// Answering.
    Running,
    /// Waiting to be started again.
    Restarting,
    /// Not started: it cannot have the configuration that it was given, and was never given another.
    Misconfigured,
    /// Switched off by the configuration.
    Disabled,
    /// Not run as things are: what it depends on is not there, its files are others than were approved, and the like.
    Held,
    /// It crashed again and again, and is not started for long.
    Quarantined,
    /// Ended for good.
    Stopped,
}

/// What the configuration wants of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// It is to run.
    Running,
    /// It is not to run.
    Disabled,
    /// It is not to run as things are, for this reason.
    Held(String),
}

impl Wanted {
    /// How it is shown that it does not run, and why; nothing where it is to run.
    pub(super) fn instead(&self) -> Option<(Stage, &str)> {
        match self {
            Self::Running => None,
            Self::Disabled => Some((Stage::Disabled, "it is disabled")),
            Self::Held(why) => Some((Stage::Held, why)),
        }
    }
}

/// A start of a process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Start {
    /// Which one it was; 0 before the first.
    pub count: u64,
    /// What was started; that of the start before until it was looked at.
    pub file: Option<FileIdentity>,
}
