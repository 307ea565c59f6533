//! Why the runner could not start, or ended: which of its parts it was, and what that says.

use crate::{events::JournalError, files::FileError, policy::PolicyError};
use snooze_bus::BusError;
use snooze_service_runtime::TaskError;

/// Why the runner could not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// The folder of its journals is of no use.
    #[error("make the runner's state folder")]
    StateFolder(#[source] FileError),
    /// The journal of events is of no use, and without it events could be handled twice.
    #[error("open the journal of events")]
    EventJournal(#[source] JournalError),
    /// The journal of preparations is of no use, and without it an old claim could not be refused.
    #[error("open the journal of preparations")]
    PrepareJournal(#[source] FileError),
    /// The list of the plugins that were here is of no use, and without it none could be missed.
    #[error("open the list of the plugins that were here")]
    KnownPlugins(#[source] FileError),
    /// The list of where plugins could write is of no use, and without it their links would pass for an operator's.
    #[error("open the list of where plugins could write")]
    Writers(#[source] FileError),
    /// The policy of the host's own file cannot hold.
    #[error("read the host's own policy")]
    LocalPolicy(#[source] PolicyError),
    /// The bus denies what the runner needs.
    #[error("listen on the bus")]
    Listen(#[source] BusError),
    /// The bus was lost for good.
    #[error("the bus denies what the runner needs: {0}")]
    Denied(String),
    /// A part of it ended.
    #[error(transparent)]
    Part(#[from] TaskError),
}
