//! A plugin's process: started in a group of its own, read in bounded lines, killed with its children.
//!
//! **Invariant:** this is the only file that starts a plugin process. A started process is always
//! killed as a group and reaped, however the code that holds it ends: by a call, by an error, or by
//! being dropped. Nothing of the runner's own environment reaches it.
//!
//! What left its group and its parent is ended by the control group, where there is one, and else by `orphans`, once
//! its leader is.

mod endings;

pub(crate) use endings::{Ending, StartError};

use crate::{
    fence::{self, ControlGroup, Entering, Entry, Fence, Fenced, Others, Outcome},
    file_identity::FileIdentity,
    kin, orphans,
    pipes::Pipes,
};
use rustix::{
    io::Errno,
    pipe::PipeFlags,
    process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open},
};
use std::{
    os::{
        fd::OwnedFd,
        unix::process::{CommandExt, ExitStatusExt},
    },
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    process::{ChildStderr, Command},
};

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
    /// What keeps it from reaching further. A plugin always has one; a program of ours may do without.
    pub fence: Option<Fence>,
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
    /// While it is not the plugin yet.
    entering: Option<Entering>,
    /// Where all that it starts is found, whatever sessions it makes.
    control_group: Option<ControlGroup>,
}

/// Starts a program in a process group of its own, fenced where it has a fence. A fenced one has begun only when
/// [`Process::begun`] says so.
///
/// # Errors
/// When it cannot be run, or its end cannot be watched; then it has been killed again.
pub(crate) fn start(program: &Program) -> Result<(Process, Pipes, ChildStderr), StartError> {
    let others = program.fence.as_ref().map(|fence| fence.others(&program.home));
    start_as(program, None, others.unwrap_or_default())
}

/// The same, where what is run is this file, if one was looked at: another is not run in its fences. Where others write
/// was looked at as well.
pub(crate) fn start_as(
    program: &Program,
    seen: Option<FileIdentity>,
    others: Others,
) -> Result<(Process, Pipes, ChildStderr), StartError> {
    let run = |source| StartError::Run {
        path: program.path.clone(),
        source,
    };
    let (theirs, ours) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(|error| run(error.into()))?;
    let fence = program.fence.as_ref();
    let entry = fence
        .map(|fence| Entry::of(program, fence, seen, others))
        .transpose()
        .map_err(run)?;
    let ends_all = entry.as_ref().is_some_and(Entry::ends_all);
    let first = fence.map_or(&program.path, |fence| &fence.config.program);
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that starts plugin processes"
    )]
    let mut command = Command::new(first);
    let (stdin, entry) = match entry {
        None => (Stdio::from(theirs), None),
        Some(entry) => {
            command.arg(fence::ASKED);
            let (socket, entry) = entry.with_stdin(theirs);
            (Stdio::from(socket), Some(entry))
        }
    };
    let mut child = command
        .env_clear()
        .envs(fence.into_iter().flat_map(Fence::environment))
        .env("PATH", &program.search_path)
        .env("LANG", "C.UTF-8")
        .env("HOME", &program.home)
        // Its working folder is its home: what it wrote there is no part of its program.
        .env("PYTHONNOUSERSITE", "1")
        .current_dir(&program.home)
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(run)?;
    // It holds the other end of the socket, or of the plugin's stdin.
    drop(command);
    let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let (Some(group), Some(stdout), Some(stderr)) = (pid, child.stdout.take(), child.stderr.take()) else {
        unreachable!("a child that was just started has an id and the pipes that were asked for");
    };
    orphans::begin(group.as_raw_nonzero().get(), &program.home, ends_all);
    let watch = |source| StartError::Watch {
        path: program.path.clone(),
        source,
    };
    let killed = |error| {
        orphans::part(group.as_raw_nonzero().get());
        kill_group(group);
        error
    };
    let (entering, control_group) = match entry {
        None => (None, None),
        Some(entry) => {
            let (entering, control_group) = entry.begin().map_err(run).map_err(killed)?;
            (Some(entering), control_group)
        }
    };
    let process = Process {
        exit: watch_for_end(group).map_err(watch).map_err(killed)?,
        child,
        group,
        reaped: false,
        entering,
        control_group,
    };
    let stdout = stdout.into_owned_fd().map_err(watch)?;
    let pipes = Pipes::new(ours, stdout).map_err(watch)?;
    Ok((process, pipes, stderr))
}

/// Becomes another program, in this very process. Returns only where that fails.
pub(crate) fn replace_this_by(path: &Path) -> std::io::Error {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one file that starts plugin processes"
    )]
    let mut command = std::process::Command::new(path);
    command.exec()
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

    /// Waits until the plugin's own code has begun, and returns what its fence says; at once where there is none.
    /// Cancelling it loses the answer.
    ///
    /// # Errors
    /// Why it does not begin.
    pub(crate) async fn begun(&mut self) -> Result<Fenced, String> {
        let Some(entering) = self.entering.take() else {
            return Ok(Fenced::default());
        };
        match entering.outcome().await? {
            Outcome::Fenced(fenced) => Ok(fenced),
            Outcome::Failed { why } => Err(why),
        }
    }

    /// Waits until the process has ended by itself. Cancelling it loses nothing.
    pub(crate) async fn ended(&self) {
        // An error here means that the descriptor is gone from the reactor: treat it as an end, so
        // that the process is killed and reaped rather than forgotten.
        if let Err(error) = self.exit.readable().await {
            tracing::warn!(%error, "the end of a plugin process cannot be awaited");
        }
    }

    /// Kills all of it and reaps the process.
    ///
    /// It is killed while the leader is not reaped yet, because afterwards its number may belong to strangers.
    /// Cancelling it leaves the rest to `drop`.
    pub(crate) async fn kill(mut self) -> Ending {
        self.kill_all();
        let control_group = self.control_group.take();
        let ending = self.reap().await;
        if let Some(control_group) = control_group {
            control_group.end().await;
        }
        orphans::end().await;
        ending
    }

    /// Its control group, its group, and the leader with all that descend from it: a leader may have left its
    /// group, and would be waited for in vain.
    fn kill_all(&self) {
        orphans::part(self.id());
        if let Some(control_group) = &self.control_group {
            control_group.end_now();
        }
        if let Some(leader) = kin::shown(self.id()) {
            kin::end_tree(leader);
        }
        kill_group(self.group);
    }

    async fn reap(&mut self) -> Ending {
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
            self.kill_all();
            orphans::end_now();
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

#[cfg(test)]
/// A process that does nothing, for long.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that starts plugin processes"
)]
pub(crate) fn sleeper() -> std::process::Child {
    let mut command = std::process::Command::new("/bin/sleep");
    command.arg("3600").spawn().expect("it starts")
}

#[cfg(test)]
pub(crate) mod tests;
