//! The thread in which the plugin lives, so that it may block and the connection does not.

use crate::{
    dispatch::{Method, Session},
    failure::{BROKEN, Failure},
    plugin::{Plugin, Result},
};
use serde_json::Value;
use std::thread;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout_at},
};

struct Question {
    method: Method,
    params: Value,
    answer: oneshot::Sender<std::result::Result<Value, Failure>>,
}

/// The plugin's thread.
pub(super) struct Worker {
    questions: mpsc::Sender<Question>,
    ended: oneshot::Receiver<std::result::Result<(), Failure>>,
}

impl Worker {
    /// Starts the thread, which ends the plugin once nobody can ask it any more.
    ///
    /// # Errors
    /// When the system has no more threads.
    pub(super) fn start<P: Plugin>(mut session: Session<P>) -> Result<Worker> {
        // The next one waits with whoever asks.
        let (questions, mut asked) = mpsc::channel::<Question>(1);
        let (end, ended) = oneshot::channel();
        let body = move || {
            while let Some(question) = asked.blocking_recv() {
                let answer = session.ask(question.method, question.params);
                // Whoever no longer waits is no failure: the end did not wait for this answer.
                drop(question.answer.send(answer));
            }
            drop(end.send(session.end()));
        };
        thread::Builder::new()
            .name("plugin".to_owned())
            .spawn(body)
            .map_err(|error| format!("start the plugin's thread: {error}"))?;
        Ok(Worker { questions, ended })
    }

    /// Asks the plugin. Who stops waiting loses the answer, and the plugin goes on with it.
    ///
    /// # Errors
    /// Whatever the plugin fails with.
    pub(super) async fn ask(&self, method: Method, params: Value) -> std::result::Result<Value, Failure> {
        let gone = || Failure::new(BROKEN, "the plugin's thread has ended");
        let (answer, answered) = oneshot::channel();
        let question = Question {
            method,
            params,
            answer,
        };
        self.questions.send(question).await.map_err(|_| gone())?;
        answered.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Ends the plugin after what it is at.
    ///
    /// # Errors
    /// When it cannot be shut down, or is at something until the deadline.
    pub(super) async fn end(self, deadline: Instant) -> Result<()> {
        drop(self.questions);
        match timeout_at(deadline, self.ended).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(failure))) => Err(format!("shut down: {}", failure.text).into()),
            Ok(Err(_)) => Err("the plugin's thread ended by itself".into()),
            Err(_) => Err("the plugin is at something for too long".into()),
        }
    }
}
