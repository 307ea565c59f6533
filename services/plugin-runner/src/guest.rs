//! A native plugin at work: a library in this process, asked in a thread of its own through pipes, as a child
//! process is.
//!
//! A thread cannot be killed: one that hangs costs its own answers and a thread, and no other is started for it as
//! long as it does. What else a library does to this process nobody can keep it from.

use crate::{pipes::Pipes, starts::Starts};
use rustix::pipe::PipeFlags;
use snooze_native::{Library, LoadError, serve};
use std::{
    fs::File,
    io::{self, BufReader},
    sync::{Arc, Mutex, TryLockError, Weak},
    thread,
    time::Duration,
};
use tokio::{
    sync::{OwnedMutexGuard, OwnedSemaphorePermit, watch},
    time::timeout,
};

/// What a native plugin is, to whoever asks what keeps it from anything.
pub(crate) const UNFENCED: &str = "anything: it is native, and part of the runner";

/// How long it may take to end once nobody asks it any more.
const END_LIMIT: Duration = Duration::from_secs(2);

/// A start that was given up stops at its next file, which takes longer only where a disk does not answer.
const FILES_LIMIT: Duration = Duration::from_secs(2);

/// Why a library is not at work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GuestError {
    /// It is not fit to be loaded.
    #[error("it is not loaded")]
    Load(#[from] LoadError),
    /// An earlier one of it has not ended.
    #[error(
        "it hangs in an earlier request, and no library can be ended: restart the runner to be rid of it"
    )]
    Hangs,
    /// There is no pipe or thread for it.
    #[error("make a thread and pipes for it")]
    Room(#[source] io::Error),
}

impl GuestError {
    /// Whether the same bytes may be loaded another time: nothing of them was.
    pub(crate) fn is_of_the_moment(&self) -> bool {
        matches!(self, Self::Load(LoadError::Copy(_)) | Self::Room(_) | Self::Hangs)
    }
}

/// Where one of a plugin is at work: whether the thread of an earlier start is still there, and whether an earlier start,
/// or a look at what its working folder holds, is still at its files.
#[derive(Debug, Default)]
pub(crate) struct Seat {
    thread: Mutex<Weak<()>>,
    files: Arc<tokio::sync::Mutex<()>>,
    starts: Starts,
}

impl Seat {
    /// One that waits for its turn to start with all who share these.
    pub(crate) fn among(starts: &Starts) -> Seat {
        Seat {
            starts: starts.clone(),
            ..Seat::default()
        }
    }

    /// Waits for its turn to start, a moment at most. Cancelling it loses nothing.
    pub(crate) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        self.starts.turn().await
    }

    /// Waits until nobody else is at its files, a moment at most. Cancelling it loses nothing.
    pub(crate) async fn files(&self) -> Option<OwnedMutexGuard<()>> {
        timeout(FILES_LIMIT, self.files.clone().lock_owned()).await.ok()
    }
}

/// A library at work.
#[derive(Debug)]
pub(crate) struct Guest {
    /// True once its thread has nothing of the library any more.
    ended: watch::Receiver<bool>,
}

/// Loads a library, these very bytes, and lets it be asked. It blocks while the library is loaded and opened.
///
/// # Errors
/// Why it cannot be asked.
pub(crate) fn start(name: &str, bytes: &[u8], seat: &Seat) -> Result<(Guest, Pipes), GuestError> {
    // Held until there is a thread. One that hangs while it is opened holds it for as long as it does.
    let mut seat = match seat.thread.try_lock() {
        Ok(seat) => seat,
        Err(TryLockError::Poisoned(seat)) => seat.into_inner(),
        Err(TryLockError::WouldBlock) => return Err(GuestError::Hangs),
    };
    if seat.strong_count() > 0 {
        return Err(GuestError::Hangs);
    }
    let room = |error: rustix::io::Errno| GuestError::Room(error.into());
    let (questions, ours) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(room)?;
    let (answers, theirs) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(room)?;
    let pipes = Pipes::new(ours, answers).map_err(GuestError::Room)?;
    let library = Library::open(bytes)?;
    let (end, ended) = watch::channel(false);
    let here = Arc::new(());
    *seat = Arc::downgrade(&here);
    let plugin = name.to_owned();
    let work = move || {
        let mut library = library;
        if let Err(error) = serve(
            &mut library,
            BufReader::new(File::from(questions)),
            File::from(theirs),
        ) {
            tracing::debug!(plugin, %error, "a native plugin's pipes are closed");
        }
        drop(library);
        drop(here);
        end.send_replace(true);
    };
    thread::Builder::new()
        .name(format!("native {name}").chars().take(15).collect())
        .spawn(work)
        .map_err(GuestError::Room)?;
    Ok((Guest { ended }, pipes))
}

impl Guest {
    /// Waits until it has ended by itself. Cancelling it loses nothing.
    pub(crate) async fn ended(&self) {
        let mut ended = self.ended.clone();
        // A sender that is gone without a word panicked: an end as well.
        drop(ended.wait_for(|ended| *ended).await);
    }

    /// Waits a moment for its end, after its pipes were closed, and says whether it came.
    pub(crate) async fn leave(self) -> bool {
        timeout(END_LIMIT, self.ended()).await.is_ok()
    }
}

#[cfg(test)]
mod tests;
