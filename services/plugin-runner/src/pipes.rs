//! A plugin's stdin and stdout: lines of bounded length.
//!
//! It starts and ends nothing, and knows nothing of what the lines say.

use std::{io::ErrorKind, os::fd::OwnedFd};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::unix::pipe,
};

/// The longest line that a plugin may write. The original knows no limit; this is room for any
/// sensible answer, and 50 plugins that all abuse it cost 50 MiB and no more.
const LINE_LIMIT: usize = 1024 * 1024;

/// How much room is made before a read: an ordinary answer fits in, a long line makes it grow.
const READ_SIZE: usize = 4 * 1024;

/// Why a line could not be exchanged.
#[derive(Debug, thiserror::Error)]
pub enum PipeError {
    /// It closed its stdin, as at its end.
    #[error("it does not read its stdin any more")]
    StdinClosed,
    /// It closed its stdout, as at its end.
    #[error("it closed its stdout")]
    StdoutClosed,
    /// It wrote more than a line may hold.
    #[error("it wrote a line of more than {} KiB", LINE_LIMIT / 1024)]
    LineTooLong,
    /// The pipe itself failed.
    #[error("its pipe failed")]
    Pipe(#[source] std::io::Error),
}

/// A process's stdin and stdout.
#[derive(Debug)]
pub(crate) struct Pipes {
    stdin: pipe::Sender,
    stdout: pipe::Receiver,
    unread: Vec<u8>,
    /// Up to where `unread` was searched for the end of a line, so that no byte is looked at twice.
    searched: usize,
}

impl Pipes {
    /// Of these ends.
    ///
    /// # Errors
    /// When they cannot be waited for.
    pub(crate) fn new(stdin: OwnedFd, stdout: OwnedFd) -> std::io::Result<Pipes> {
        Ok(Pipes {
            stdin: pipe::Sender::from_owned_fd(stdin)?,
            stdout: pipe::Receiver::from_owned_fd(stdout)?,
            unread: Vec::new(),
            searched: 0,
        })
    }

    /// The ends themselves, for who asks in another way. Only where nothing was read yet: what was would be lost.
    pub(crate) fn into_ends(self) -> (pipe::Sender, pipe::Receiver) {
        (self.stdin, self.stdout)
    }

    /// Writes one line. Waits for as long as the process does not read; the caller has the deadline.
    ///
    /// # Errors
    /// When the pipe is closed or broken. Cancelling it may leave half a line written: the pipes are
    /// of no use then.
    pub(crate) async fn write_line(&mut self, line: &[u8]) -> Result<(), PipeError> {
        self.stdin
            .write_all(line)
            .await
            .map_err(|source| match source.kind() {
                ErrorKind::BrokenPipe => PipeError::StdinClosed,
                _ => PipeError::Pipe(source),
            })
    }

    /// Reads the next line, without its end. Empty lines count as lines.
    ///
    /// # Errors
    /// When stdout is closed, broken, or holds more than a line may. Cancelling it loses nothing.
    pub(crate) async fn read_line(&mut self) -> Result<Vec<u8>, PipeError> {
        loop {
            if let Some(at) = self.unread[self.searched..].iter().position(|b| *b == b'\n') {
                let end = self.searched + at;
                let rest = self.unread.split_off(end + 1);
                let mut line = std::mem::replace(&mut self.unread, rest);
                self.searched = 0;
                line.truncate(end);
                return Ok(line);
            }
            self.searched = self.unread.len();
            if self.unread.len() > LINE_LIMIT {
                return Err(PipeError::LineTooLong);
            }
            self.unread.reserve(READ_SIZE);
            match self.stdout.read_buf(&mut self.unread).await {
                Ok(0) => return Err(PipeError::StdoutClosed),
                Ok(_) => {}
                Err(source) => return Err(PipeError::Pipe(source)),
            }
        }
    }
}
