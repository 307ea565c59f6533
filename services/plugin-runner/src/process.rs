//! A plugin's process: started in a group of its own, read in bounded lines, killed with its children.
//!
//! **Invariant:** this is the only file that starts a plugin process. A started process is always
//! killed as a group and reaped, however the code that holds it ends: by a call, by an error, or by
//! being dropped. Nothing of the runner's own environment reaches it.
//!
//! What it does not reach is a grandchild that made a session of its own: that needs a control group.

use rustix::{
    io::Errno,
    process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open},
};
use std::{
    fmt,
    io::ErrorKind,
    os::{fd::OwnedFd, unix::process::ExitStatusExt},
    path::PathBuf,
    process::Stdio,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, Interest, unix::AsyncFd},
    process::{ChildStderr, ChildStdin, ChildStdout, Command},
};

/// The longest line that a plugin may write. The original knows no limit; this is room for any
/// sensible answer, and 50 plugins that all abuse it cost 50 MiB and no more.
const LINE_LIMIT: usize = 1024 * 1024;

/// How much room is made before a read: an ordinary answer fits in, a long line makes it grow.
const READ_SIZE: usize = 4 * 1024;

/// SIGKILL cannot be refused, but a process in an uninterruptible wait dies only after it.
const REAP_LIMIT: Duration = Duration::from_secs(5);

/// What is started.
#[derive(Debug, Clone)]
pub struct Program {
    /// The executable.
    pub path: PathBuf,
    /// Where it finds other programs: its `PATH`.
    pub search_path: String,
    /// Its `HOME` and working directory.
    pub home: PathBuf,
}

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
        source: std::io::Error,
    },
    /// The end of the process cannot be watched.
    #[error("watch for the end of {}", path.display())]
    Watch {
        /// The executable.
        path: PathBuf,
        /// What the kernel says.
        source: std::io::Error,
    },
}

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

/// A running process, and the group that it leads.
#[derive(Debug)]
pub(crate) struct Process {
    child: tokio::process::Child,
    group: Pid,
    /// Readable when the process has ended, and before anybody has reaped it.
    exit: AsyncFd<OwnedFd>,
    /// Once reaped, the group's number may belong to somebody else.
    reaped: bool,
}

/// A process's stdin and stdout.
#[derive(Debug)]
pub(crate) struct Pipes {
    stdin: ChildStdin,
    stdout: ChildStdout,
    unread: Vec<u8>,
    /// Up to where `unread` was searched for the end of a line, so that no byte is looked at twice.
    searched: usize,
}

/// Starts a program in a process group of its own.
///
/// # Errors
/// When it cannot be run, or its end cannot be watched; then it has been killed again.
pub(crate) fn start(program: &Program) -> Result<(Process, Pipes, ChildStderr), StartError> {
    let run = |source| StartError::Run {
        path: program.path.clone(),
        source,
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that starts plugin processes"
    )]
    let mut command = Command::new(&program.path);
    let mut child = command
        .env_clear()
        .env("PATH", &program.search_path)
        .env("LANG", "C.UTF-8")
        .env("HOME", &program.home)
        .current_dir(&program.home)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(run)?;
    let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let (Some(group), Some(stdin), Some(stdout), Some(stderr)) =
        (pid, child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        unreachable!("a child that was just started has an id and the pipes that were asked for");
    };
    let exit = match watch_for_end(group) {
        Ok(exit) => exit,
        Err(source) => {
            kill_group(group);
            let path = program.path.clone();
            return Err(StartError::Watch { path, source });
        }
    };
    let process = Process {
        child,
        group,
        exit,
        reaped: false,
    };
    let pipes = Pipes {
        stdin,
        stdout,
        unread: Vec::new(),
        searched: 0,
    };
    Ok((process, pipes, stderr))
}

fn watch_for_end(process: Pid) -> std::io::Result<AsyncFd<OwnedFd>> {
    let fd = pidfd_open(process, PidfdFlags::NONBLOCK)?;
    #[expect(
        deprecated,
        reason = "its successor is unsafe for types that may change their descriptor; an OwnedFd cannot"
    )]
    AsyncFd::with_interest(fd, Interest::READABLE)
}

impl Process {
    /// The id of the process and of its group.
    #[must_use]
    pub(crate) fn id(&self) -> i32 {
        self.group.as_raw_nonzero().get()
    }

    /// Waits until the process has ended by itself. Cancelling it loses nothing.
    pub(crate) async fn ended(&self) {
        // An error here means that the descriptor is gone from the reactor: treat it as an end, so
        // that the process is killed and reaped rather than forgotten.
        if let Err(error) = self.exit.readable().await {
            tracing::warn!(%error, "the end of a plugin process cannot be awaited");
        }
    }

    /// Kills the whole group and reaps the process.
    ///
    /// The group is killed while its leader is not reaped yet, because afterwards its number may
    /// belong to strangers. Cancelling it leaves the rest to `drop`.
    pub(crate) async fn kill(mut self) -> Ending {
        kill_group(self.group);
        match tokio::time::timeout(REAP_LIMIT, self.child.wait()).await {
            Err(_) => Ending::Unkillable,
            Ok(Err(_)) => Ending::Untold,
            Ok(Ok(status)) => {
                self.reaped = true;
                match (status.code(), status.signal()) {
                    (Some(code), _) => Ending::Exited { code },
                    (None, Some(signal)) => Ending::Signalled { signal },
                    (None, None) => Ending::Untold,
                }
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.reaped {
            // Reaping is left to the runtime, which keeps an eye on children that were dropped.
            kill_group(self.group);
        }
    }
}

/// Kills the group of a process that an earlier runner started.
pub(crate) fn kill_group_of(leader: i32) {
    if let Some(group) = Pid::from_raw(leader) {
        kill_group(group);
    }
}

fn kill_group(group: Pid) {
    match kill_process_group(group, Signal::KILL) {
        // No such group: everybody in it is gone.
        Ok(()) | Err(Errno::SRCH) => {}
        Err(error) => {
            tracing::error!(group = group.as_raw_nonzero().get(), %error, "a plugin's processes cannot be killed");
        }
    }
}

impl Pipes {
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
