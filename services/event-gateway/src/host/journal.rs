//! What was noticed and is not seen to its end yet, on the disk, and which ids were told before.
//!
//! A file to which lines are appended, each synced before anybody who waits for it goes on; those that come together
//! are synced together. It is read once, at the start, and written anew without what is over. What cannot be written
//! is in memory all the same, and comes onto the disk with what is written next.

mod file;
mod memory;
mod others;

use file::File;
pub(super) use memory::Open;
use memory::{Memory, places};
pub(super) use others::set_aside;
use serde::{Deserialize, Serialize};
use snooze_schemas::{
    EventId,
    event::{Event, Severity},
};
use snooze_service_runtime::{CancellationToken, exit::one_line};
use std::{
    convert::Infallible,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{mpsc, oneshot};

/// The journal's file.
const NAME: &str = "events.jsonl";
/// So many lines wait for the disk: more than all events with a place can have.
const WAITING: usize = 4 * places(Severity::Critical);
/// So many are synced together at most.
const TOGETHER: usize = 256;
/// What is read of a journal that somebody else may have written: far more than ours ever has.
const MOST_BYTES: u64 = 1 << 30;

/// Why the journal is of no use.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Its folder cannot be made.
    #[error("make the folder of the journal of events {}", path.display())]
    Folder {
        /// The folder.
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
    /// It could not be written.
    #[error("write the journal of events {}", path.display())]
    Write {
        /// Its file.
        path: PathBuf,
        /// What the kernel says.
        source: io::Error,
    },
}

/// An event that was noticed, and until when it is handed over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// The event.
    pub event: Event,
    /// The boot under which that was counted.
    pub boot_id: String,
    /// Its deadline on that boot's clock.
    pub until_boottime_ms: u64,
    /// The trace that it was noticed in, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    /// It was noticed.
    Noticed(Box<Entry>),
    /// The runner has it, or never will.
    Handed {
        /// Which.
        id: EventId,
    },
    /// A stream has it, or never will.
    Filed {
        /// Which.
        id: EventId,
    },
    /// Nothing is to be done about it any more.
    Over {
        /// Which.
        id: EventId,
    },
}

/// What is known, and the way onto the disk.
#[derive(Debug)]
pub(super) struct Book {
    memory: Arc<Mutex<Memory>>,
    lines: mpsc::Sender<Written>,
}

/// A line, and who waits until it and all before it are synced. Without a line they are all that is waited for.
type Written = (Option<Line>, oneshot::Sender<bool>);

/// What writes.
#[derive(Debug)]
pub(super) struct Writer {
    file: File,
    memory: Arc<Mutex<Memory>>,
    lines: mpsc::Receiver<Written>,
}

/// Reads the journal of this folder and writes it anew. And which events an earlier gateway has not seen to their end.
///
/// # Errors
/// When it cannot be read or written.
pub(super) fn open(folder: &Path) -> Result<(Book, Vec<Open>, Writer), JournalError> {
    file::private_folder(folder)?;
    let path = folder.join(NAME);
    let mut memory = Memory::default();
    let unreadable = file::read(&path, MOST_BYTES, |line| memory.take(line))?;
    if unreadable > 0 {
        tracing::error!(unreadable, journal = %path.display(), "lines of the journal of events cannot be read; they are set aside in a file beside it");
    }
    let unfinished = memory.unfinished();
    if !unfinished.is_empty() {
        tracing::info!(
            events = unfinished.len(),
            "events that were not seen to their end before the restart go on"
        );
    }
    let file = File::write_anew(path, &memory.lines())?;
    let memory = Arc::new(Mutex::new(memory));
    let (lines, waiting) = mpsc::channel(WAITING);
    let book = Book {
        memory: memory.clone(),
        lines,
    };
    let writer = Writer {
        file,
        memory,
        lines: waiting,
    };
    Ok((book, unfinished, writer))
}

impl Book {
    /// Whether this id was told before.
    pub(super) fn knows(&self, id: &EventId) -> bool {
        lock(&self.memory).knows(id)
    }

    /// Whether there is a place for one more of this severity.
    pub(super) fn has_room(&self, severity: Severity) -> bool {
        lock(&self.memory).has_room(severity)
    }

    /// Knows one that there is no place for, until it is said to be over; the disk does not.
    pub(super) fn know(&self, id: EventId) {
        lock(&self.memory).know(id);
    }

    /// Notes it at once; what comes back waits until it is on the disk, or cannot be brought there, and says which.
    /// Dropping that loses nothing.
    pub(super) fn write(&self, line: Line) -> impl Future<Output = bool> + use<> {
        lock(&self.memory).take(line.clone());
        self.send(Some(line))
    }

    /// The same for all that was noted before.
    pub(super) fn synced(&self) -> impl Future<Output = bool> + use<> {
        self.send(None)
    }

    fn send(&self, line: Option<Line>) -> impl Future<Output = bool> + use<> {
        let (done, synced) = oneshot::channel();
        if let Err(error) = self.lines.try_send((line, done))
            && error.into_inner().0.is_some()
        {
            tracing::error!("a line of the journal of events waits for the next start of its file");
        }
        async {
            // Whoever would write it has ended, and with it the service.
            synced.await.unwrap_or(false)
        }
    }
}

impl Writer {
    /// Writes until shutdown, and then what still waits.
    ///
    /// # Errors
    /// Never: what cannot be written is said.
    pub(super) async fn run(mut self, shutdown: CancellationToken) -> Result<(), Infallible> {
        let (mut together, mut failed) = (Vec::new(), false);
        loop {
            // Cancelling it loses nothing: lines stay in the channel.
            let taken = tokio::select! {
                biased;
                taken = self.lines.recv_many(&mut together, TOGETHER) => taken,
                () = shutdown.cancelled() => {
                    self.lines.close();
                    self.lines.recv_many(&mut together, TOGETHER).await
                }
            };
            if taken == 0 {
                shutdown.cancelled().await;
                return Ok(());
            }
            let (lines, waiting): (Vec<_>, Vec<_>) = together.drain(..).unzip();
            let lines: Vec<Line> = lines.into_iter().flatten().collect();
            let memory = self.memory.clone();
            let mut file = self.file;
            let done = tokio::task::spawn_blocking(move || {
                // What failed before is in memory, and in no file.
                let written = if failed || file.is_long() {
                    let all = lock(&memory).lines();
                    file.replace(&all)
                } else if lines.is_empty() {
                    Ok(())
                } else {
                    file.append(&lines)
                };
                (file, written)
            });
            let Ok((file, written)) = done.await else {
                // The runtime is going down.
                return Ok(());
            };
            self.file = file;
            match &written {
                Ok(()) if failed => tracing::info!("the journal of events is written again"),
                Ok(()) => {}
                Err(error) if failed => tracing::debug!(error = one_line(error), "the journal still fails"),
                Err(error) => tracing::error!(
                    error = one_line(error),
                    "the journal of events cannot be written; what is noticed now is lost with this process"
                ),
            }
            failed = written.is_err();
            for one in waiting {
                if one.send(!failed).is_err() {
                    tracing::debug!("who wrote a line has gone on");
                }
            }
        }
    }
}

fn lock(memory: &Mutex<Memory>) -> MutexGuard<'_, Memory> {
    // A line is taken as a whole, whoever panics.
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
