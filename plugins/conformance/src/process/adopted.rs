//! A plugin's process that somebody else started, as a runner does in its fences, and that is asked all the same.
//!
//! It starts nothing. Who starts it also says how all of it is ended.

use super::{Running, Words, watch_for_end};
use futures_util::future::BoxFuture;
use rustix::process::Pid;
use std::{fmt, io, sync::Arc};
use tokio::{net::unix::pipe, process::ChildStderr};

/// A process that was started for the suite.
pub struct Adopted {
    /// Its id, which is its group's too.
    pub id: i32,
    /// Its standard input.
    pub stdin: pipe::Sender,
    /// Its standard output.
    pub stdout: pipe::Receiver,
    /// Its standard error.
    pub stderr: ChildStderr,
    /// Kills and reaps it, also where it has ended by itself. Dropping it unfinished kills it as well.
    pub kill: BoxFuture<'static, ()>,
}

/// Starts a plugin's process, as often as it is asked to.
#[derive(Clone)]
pub struct Starter(Arc<Start>);

type Start = dyn Fn() -> BoxFuture<'static, Result<Adopted, String>> + Send + Sync;

impl Starter {
    /// One that starts processes so. What it returns for an error is why there is none, for people.
    pub fn new(
        start: impl Fn() -> BoxFuture<'static, Result<Adopted, String>> + Send + Sync + 'static,
    ) -> Starter {
        Starter(Arc::new(start))
    }

    pub(crate) fn start(&self) -> BoxFuture<'static, Result<Adopted, String>> {
        (self.0)()
    }
}

impl fmt::Debug for Starter {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Starter")
    }
}

/// How a process that somebody else started is ended; nothing where it was ended, or is ours.
#[derive(Default)]
pub(super) struct Kill(Option<BoxFuture<'static, ()>>);

impl Kill {
    /// Cancelling it kills and does not wait.
    pub(super) async fn now(&mut self) {
        if let Some(kill) = self.0.take() {
            kill.await;
        }
    }
}

impl fmt::Debug for Kill {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Kill").field(&self.0.is_some()).finish()
    }
}

impl Running {
    /// Takes over what somebody else started.
    pub(crate) fn adopt(adopted: Adopted) -> io::Result<Running> {
        let group = Pid::from_raw(adopted.id)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it has no id"))?;
        let words = Words::default();
        Ok(Running {
            exit: watch_for_end(group)?,
            child: None,
            kill: Kill(Some(adopted.kill)),
            group,
            reaped: false,
            stdin: Some(adopted.stdin),
            stdout: Some(adopted.stdout),
            unread: Vec::new(),
            listening: vec![tokio::spawn(words.clone().listen(adopted.stderr))],
            words,
        })
    }
}
