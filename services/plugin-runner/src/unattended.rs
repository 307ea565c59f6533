//! A plugin's process that nobody supervises: started in its fences as every plugin is, and then left to whoever asks
//! for it, who may write to it what no runner would.
//!
//! **Invariant:** it is killed with its group and its control group, at the latest when it is dropped.

use crate::{
    fence::Fenced,
    plugin::{AskError, Plugin, Work},
    process::{self, Process, Program},
    stdio::StdioPlugin,
};
use snooze_schemas::{
    Timestamp,
    event::{Event, HandlerResult},
};
use snooze_service_runtime::exit::one_line;
use std::time::Duration;
use tokio::{net::unix::pipe, process::ChildStderr, time::timeout};

/// A process whose own code has begun.
#[derive(Debug)]
pub struct Unattended {
    process: Process,
    /// What of its fence is not enforced.
    pub fenced: Fenced,
    /// Its standard input.
    pub stdin: pipe::Sender,
    /// Its standard output.
    pub stdout: pipe::Receiver,
    /// Its standard error.
    pub stderr: ChildStderr,
}

/// What is left of one whose pipes somebody took.
#[derive(Debug)]
pub struct Killable(Process);

impl Unattended {
    /// Starts a program and waits until it is fenced.
    ///
    /// # Errors
    /// Why it does not begin. Nothing of it is left then.
    pub async fn start(program: &Program, within: Duration) -> Result<Unattended, String> {
        let (mut process, pipes, stderr) = process::start(program).map_err(|error| one_line(&error))?;
        let begun = match timeout(within, process.begun()).await {
            Ok(begun) => begun,
            Err(_) => Err(format!("it was not fenced within {} s", within.as_secs())),
        };
        let fenced = match begun {
            Ok(fenced) => fenced,
            Err(why) => {
                process.kill().await;
                return Err(why);
            }
        };
        let (stdin, stdout) = pipes.into_ends();
        Ok(Unattended {
            process,
            fenced,
            stdin,
            stdout,
            stderr,
        })
    }

    /// The id of the process, which is its group's too.
    #[must_use]
    pub fn id(&self) -> i32 {
        self.process.id()
    }

    /// Its pipes, and what it is killed by.
    #[must_use]
    pub fn into_parts(self) -> (pipe::Sender, pipe::Receiver, ChildStderr, Killable) {
        (self.stdin, self.stdout, self.stderr, Killable(self.process))
    }
}

impl Killable {
    /// Kills it and reaps it, also where it has ended by itself.
    pub async fn kill(self) {
        self.0.kill().await;
    }
}

impl Plugin {
    /// Gives it an event that nobody filed, whatever it was granted.
    ///
    /// # Errors
    /// Why it is not known what became of it.
    pub async fn try_event(&self, event: &Event, left: Duration) -> Result<HandlerResult, AskError> {
        self.give_event(event, Work::Event, left, std::future::ready(Ok(())))
            .await
    }
}

impl StdioPlugin {
    /// The last lines of what it has complained about, the oldest first.
    #[must_use]
    pub fn complaints(&self, lines: usize) -> Vec<String> {
        let log = self.log().newest(lines, Timestamp::UNIX_EPOCH);
        log.lines.into_iter().map(|line| line.text).collect()
    }
}
