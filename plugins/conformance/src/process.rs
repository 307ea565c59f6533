//! A plugin's process while it is asked: in a group of its own, with bounded output, killed with its children.
//!
//! **Invariant:** this is the only file of the suite that starts a process, and what it started is killed as a
//! group and reaped, however the code that holds it ends. A plugin sees nothing of the suite's environment.

mod adopted;
mod build;
mod program;
mod words;

pub use adopted::{Adopted, Starter};

pub use build::build;
pub(crate) use program::NoLine;
pub use program::{Ending, Program, ProgramError};

use adopted::Kill;
use program::LINE_LIMIT;
use rustix::{
    io::ioctl_fionread,
    process::{Pid, PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open},
};
use std::{
    io,
    os::{fd::OwnedFd, unix::process::ExitStatusExt},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, Interest, unix::AsyncFd},
    net::unix::pipe,
    process::{Child, Command},
    task::JoinHandle,
    time::{Instant, interval, timeout_at},
};
use words::Words;

/// Between two looks at whether a pipe is empty; a look costs a system call.
const LOOK: Duration = Duration::from_millis(1);

/// How long a killed process may take to go: SIGKILL cannot be refused, but the kernel may be busy.
const REAP_LIMIT: Duration = Duration::from_secs(5);

/// A running process.
#[derive(Debug)]
pub struct Running {
    /// Nothing where somebody else started it.
    child: Option<Child>,
    /// How who started it ends it.
    kill: Kill,
    group: Pid,
    /// Readable when the process has ended, and before anybody has reaped it.
    exit: AsyncFd<OwnedFd>,
    reaped: bool,
    stdin: Option<pipe::Sender>,
    stdout: Option<pipe::Receiver>,
    unread: Vec<u8>,
    words: Words,
    listening: Vec<JoinHandle<()>>,
}

impl Running {
    /// Starts a program with an environment of its own.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(program: &Program) -> Result<Running, ProgramError> {
        let mut command = command(&program.command, &program.folder);
        command
            .env_clear()
            .env("PATH", &program.search_path)
            .env("LANG", "C.UTF-8")
            .env("HOME", &program.home)
            .envs(&program.environment);
        Running::spawn(command).map_err(|source| ProgramError::Start {
            command: program.command.clone(),
            source,
        })
    }

    fn spawn(mut command: Command) -> io::Result<Running> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(group), (Some(stdin), Some(stdout), Some(stderr))) = (pid, pipes) else {
            unreachable!("a child that was just started has an id and the pipes that were asked for");
        };
        let made = stdin
            .into_owned_fd()
            .and_then(pipe::Sender::from_owned_fd)
            .and_then(|stdin| {
                let stdout = pipe::Receiver::from_owned_fd(stdout.into_owned_fd()?)?;
                Ok((stdin, stdout, watch_for_end(group)?))
            });
        let (stdin, stdout, exit) = match made {
            Ok(made) => made,
            Err(cause) => {
                kill_group(group);
                return Err(cause);
            }
        };
        let words = Words::default();
        Ok(Running {
            stdin: Some(stdin),
            stdout: Some(stdout),
            listening: vec![tokio::spawn(words.clone().listen(stderr))],
            child: Some(child),
            kill: Kill::default(),
            group,
            exit,
            reaped: false,
            unread: Vec::new(),
            words,
        })
    }

    /// Writes to its standard input. Waits for as long as it does not read; the caller has the deadline.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.stdin {
            Some(stdin) => stdin.write_all(bytes).await,
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Waits until it has read all that was written. The caller has the deadline.
    pub(crate) async fn has_read(&self) -> io::Result<()> {
        let mut looks = interval(LOOK);
        while let Some(stdin) = &self.stdin {
            if ioctl_fionread(stdin)? == 0 {
                break;
            }
            tokio::select! {
                // Cancelling either loses nothing. Who has ended reads no more.
                _ = self.exit.readable() => break,
                _ = looks.tick() => {}
            }
        }
        Ok(())
    }

    /// Reads the next line, without its end. Cancelling it loses nothing.
    pub(crate) async fn line(&mut self) -> Result<Vec<u8>, NoLine> {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let rest = self.unread.split_off(end + 1);
                let mut line = std::mem::replace(&mut self.unread, rest);
                line.truncate(end);
                return Ok(line);
            }
            if self.unread.len() > LINE_LIMIT {
                return Err(NoLine::TooLong);
            }
            let Some(stdout) = &mut self.stdout else {
                return Err(NoLine::Closed);
            };
            match stdout.read_buf(&mut self.unread).await {
                Ok(0) => return Err(NoLine::Closed),
                Ok(_) => {}
                Err(cause) => return Err(NoLine::Broken(cause)),
            }
        }
    }

    /// Writes a line and reads the next one, whatever both are.
    ///
    /// # Errors
    /// Why there is none within the limit, for people.
    pub async fn exchange(&mut self, line: &str, limit: Duration) -> Result<String, String> {
        let exchanged = async {
            self.write(line.as_bytes())
                .await
                .map_err(|cause| cause.to_string())?;
            self.line().await.map_err(|why| why.to_string())
        };
        match tokio::time::timeout(limit, exchanged).await {
            Ok(line) => line.map(|line| String::from_utf8_lossy(&line).into_owned()),
            Err(_) => Err(format!("nothing within {} ms", limit.as_millis())),
        }
    }

    /// Closes its standard input.
    pub fn close(&mut self) {
        self.stdin = None;
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        if !self.reaped
            && let Err(cause) = kill_process(self.group, Signal::TERM)
        {
            tracing::debug!(%cause, "a plugin could not be asked to end");
        }
    }

    /// Waits until it has ended by itself, and kills whoever of its group is left. Cancelling it loses nothing.
    pub async fn ended(&mut self) -> Ending {
        if let Err(cause) = self.exit.readable().await {
            tracing::warn!(%cause, "the end of a plugin cannot be awaited");
        }
        // Before the leader is reaped its group's number is nobody else's.
        kill_group(self.group);
        let Some(child) = &mut self.child else {
            // Who started it knows how it ended, and says it to nobody.
            self.kill.now().await;
            self.reaped = true;
            return Ending::Untold;
        };
        let ended = tokio::time::timeout(REAP_LIMIT, child.wait()).await;
        let Ok(Ok(status)) = ended else {
            return Ending::Untold;
        };
        self.reaped = true;
        match (status.code(), status.signal()) {
            (Some(code), _) => Ending::Exited(code),
            (None, Some(signal)) => Ending::Signalled(signal),
            (None, None) => Ending::Untold,
        }
    }

    /// Kills it, hears it out, and returns the last of what it wrote to its standard error.
    pub async fn last_words(&mut self) -> String {
        if !self.reaped {
            kill_group(self.group);
        }
        let deadline = Instant::now() + REAP_LIMIT;
        // Each stays until it is over: who gives up waiting here may come again.
        while let Some(task) = self.listening.last_mut() {
            if timeout_at(deadline, &mut *task).await.is_err() {
                task.abort();
            }
            self.listening.pop();
        }
        self.log()
    }

    /// Kills it where it still runs. One that somebody else started is gone afterwards, with all that they made for it.
    pub(crate) async fn finish(&mut self) {
        if !self.reaped && self.child.is_none() {
            kill_group(self.group);
            self.kill.now().await;
            self.reaped = true;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.reaped {
            // Reaping is left to the runtime, which keeps an eye on children that were dropped.
            kill_group(self.group);
        }
        for task in &self.listening {
            task.abort();
        }
    }
}

fn command(words: &[String], folder: &Path) -> Command {
    let (program, arguments) = words
        .split_first()
        .map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    let program = if program.contains('/') {
        folder.join(program)
    } else {
        PathBuf::from(program)
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place of the suite that starts processes"
    )]
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder);
    command
}

fn watch_for_end(process: Pid) -> io::Result<AsyncFd<OwnedFd>> {
    let fd = pidfd_open(process, PidfdFlags::NONBLOCK)?;
    #[expect(
        deprecated,
        reason = "its successor is unsafe for types that may change their descriptor; an OwnedFd cannot"
    )]
    AsyncFd::with_interest(fd, Interest::READABLE)
}

/// Kills a group. That there is none any more is as good.
fn kill_group(group: Pid) {
    if let Err(cause) = kill_process_group(group, Signal::KILL) {
        tracing::debug!(%cause, "a plugin's group is gone");
    }
}
