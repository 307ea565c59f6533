//! A command that is run to its end before what it makes is asked.
//!
//! Unlike a plugin it sees the environment of whoever calls: compilers keep their caches there.

use super::{Ending, ProgramError, Running, command};
use std::{path::Path, time::Duration};
use tokio::time::{Instant, timeout_at};

/// Runs a command to its end, as a build of what will be asked: with the environment of whoever calls.
///
/// # Errors
/// When it cannot be started, fails, or does not end in time; then it is killed with its children.
pub async fn build(words: &[String], folder: &Path, limit: Duration) -> Result<(), ProgramError> {
    let deadline = Instant::now() + limit;
    let own = || words.to_vec();
    let mut running = Running::spawn(command(words, folder)).map_err(|source| ProgramError::Start {
        command: own(),
        source,
    })?;
    running.close();
    running.listen_to_output();
    let ending = timeout_at(deadline, running.ended())
        .await
        .map_err(|_| ProgramError::TimedOut {
            command: own(),
            limit,
        })?;
    let log = running.last_words().await;
    match ending {
        Ending::Exited(0) => Ok(()),
        ending => Err(ProgramError::Failed {
            command: own(),
            ending,
            log,
        }),
    }
}
