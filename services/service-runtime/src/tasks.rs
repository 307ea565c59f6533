//! Supervised, named tasks: one that ends before shutdown is a failure and takes the service down.
//!
//! It never restarts a task: a service that lost a part is not the service that was tested. The
//! process ends with an error and whoever runs it starts it again.

use std::{borrow::Cow, collections::HashMap, error::Error, future::Future, time::Duration};
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

/// What a task's own error is kept as.
pub type TaskFailure = Box<dyn Error + Send + Sync + 'static>;

/// Why the supervised tasks did not end well.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// A task returned, without an error, though nobody asked it to stop.
    #[error("the task {name} ended before shutdown")]
    EndedEarly {
        /// Its name.
        name: Cow<'static, str>,
    },
    /// A task returned an error.
    #[error("the task {name} failed")]
    Failed {
        /// Its name.
        name: Cow<'static, str>,
        /// What it returned.
        source: TaskFailure,
    },
    /// A task panicked.
    #[error("the task {name} panicked: {message}")]
    Panicked {
        /// Its name.
        name: Cow<'static, str>,
        /// What the panic said.
        message: String,
    },
    /// Tasks did not end within the grace and were aborted.
    #[error("still running {grace:?} after shutdown and aborted: {}", names.join(", "))]
    OutlivedGrace {
        /// The grace that they had.
        grace: Duration,
        /// Their names, sorted.
        names: Vec<Cow<'static, str>>,
    },
}

/// The tasks of one service.
///
/// Dropping it aborts them all.
#[derive(Debug)]
pub struct Tasks {
    set: JoinSet<Result<(), TaskFailure>>,
    names: HashMap<Id, Cow<'static, str>>,
    shutdown: CancellationToken,
}

impl Tasks {
    /// No tasks yet. Cancelling `shutdown` is what allows them to end.
    #[must_use]
    pub fn new(shutdown: CancellationToken) -> Tasks {
        Tasks {
            set: JoinSet::new(),
            names: HashMap::new(),
            shutdown,
        }
    }

    /// What a task watches in order to end.
    #[must_use]
    pub fn shutdown(&self) -> CancellationToken {
        self.shutdown.clone()
    }

    /// Starts a task that runs until shutdown.
    pub fn start<E>(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        task: impl Future<Output = Result<(), E>> + Send + 'static,
    ) where
        E: Into<TaskFailure>,
    {
        let handle = self.set.spawn(async move { task.await.map_err(Into::into) });
        self.names.insert(handle.id(), name.into());
    }

    /// Waits for shutdown, then for every task to end within the grace.
    ///
    /// A task that ends earlier cancels `shutdown`, so that the others end too, and its failure is
    /// what comes back. Cancelling this future aborts all tasks where they stand.
    ///
    /// # Errors
    /// The first thing that went wrong; what failed after it is logged.
    pub async fn run(mut self, grace: Duration) -> Result<(), TaskError> {
        let mut first = None;
        loop {
            // Cancelling `join_next` loses nothing: a finished task stays in the set.
            tokio::select! {
                biased;
                () = self.shutdown.cancelled() => break,
                Some(ended) = self.set.join_next_with_id() => {
                    let failure = self.failure_of(ended);
                    if self.shutdown.is_cancelled() {
                        keep_first(&mut first, failure);
                    } else {
                        let (name, failure) = failure;
                        keep_first(&mut first, (name.clone(), failure.or(Some(TaskError::EndedEarly { name }))));
                    }
                    self.shutdown.cancel();
                }
                else => {
                    self.shutdown.cancelled().await;
                    break;
                }
            }
        }
        let drained = tokio::time::timeout(grace, async {
            while let Some(ended) = self.set.join_next_with_id().await {
                let failure = self.failure_of(ended);
                keep_first(&mut first, failure);
            }
        })
        .await;
        if drained.is_err() {
            let mut names: Vec<_> = self.names.drain().map(|(_, name)| name).collect();
            names.sort();
            keep_first(
                &mut first,
                (
                    names.join(", ").into(),
                    Some(TaskError::OutlivedGrace { grace, names }),
                ),
            );
        }
        first.map_or(Ok(()), Err)
    }

    fn failure_of(
        &mut self,
        ended: Result<(Id, Result<(), TaskFailure>), JoinError>,
    ) -> (Cow<'static, str>, Option<TaskError>) {
        let id = match &ended {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        let name = self.names.remove(&id).unwrap_or(Cow::Borrowed("unnamed"));
        let failure = match ended {
            Ok((_, Ok(()))) => None,
            Ok((_, Err(source))) => Some(TaskError::Failed {
                name: name.clone(),
                source,
            }),
            Err(error) => Some(TaskError::Panicked {
                name: name.clone(),
                message: panic_text(error),
            }),
        };
        (name, failure)
    }
}

fn keep_first(first: &mut Option<TaskError>, (name, failure): (Cow<'static, str>, Option<TaskError>)) {
    let Some(failure) = failure else { return };
    if first.is_none() {
        *first = Some(failure);
    } else {
        tracing::warn!(task = %name, error = %crate::exit::one_line(&failure), "a task failed while the service went down");
    }
}

fn panic_text(error: JoinError) -> String {
    match error.try_into_panic() {
        Ok(payload) => match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
            (Some(text), _) => (*text).to_owned(),
            (None, Some(text)) => text.clone(),
            (None, None) => "no text".to_owned(),
        },
        Err(_) => "it was aborted".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{convert::Infallible, future::pending};

    const GRACE: Duration = Duration::from_millis(50);

    async fn until(shutdown: CancellationToken) -> Result<(), Infallible> {
        shutdown.cancelled().await;
        Ok(())
    }

    #[tokio::test]
    async fn a_task_that_ends_before_shutdown_takes_the_service_down() {
        let shutdown = CancellationToken::new();
        let mut tasks = Tasks::new(shutdown.clone());
        tasks.start("other", until(shutdown.clone()));
        tasks.start("beat", async { Ok::<(), Infallible>(()) });
        let error = tasks.run(GRACE).await.expect_err("a failure");
        assert!(
            matches!(&error, TaskError::EndedEarly { name } if name == "beat"),
            "{error}"
        );
        assert!(shutdown.is_cancelled(), "the other task was told to end");
    }

    #[tokio::test]
    async fn a_failed_task_names_itself_and_its_cause() {
        let mut tasks = Tasks::new(CancellationToken::new());
        tasks.start("publisher", async {
            Err::<(), _>(std::io::Error::other("no route"))
        });
        let error = tasks.run(GRACE).await.expect_err("a failure");
        assert_eq!(
            crate::exit::one_line(&error),
            "the task publisher failed: no route"
        );
    }

    #[tokio::test]
    async fn a_panic_is_a_failure_and_not_a_silence() {
        let mut tasks = Tasks::new(CancellationToken::new());
        tasks.start("sampler", async {
            assert!(std::hint::black_box(false), "broken invariant");
            Ok::<(), Infallible>(())
        });
        let error = tasks.run(GRACE).await.expect_err("a failure");
        assert_eq!(error.to_string(), "the task sampler panicked: broken invariant");
    }

    #[tokio::test]
    async fn tasks_that_end_at_shutdown_end_well() {
        let shutdown = CancellationToken::new();
        let mut tasks = Tasks::new(shutdown.clone());
        tasks.start("one", until(shutdown.clone()));
        tasks.start("two", until(shutdown.clone()));
        shutdown.cancel();
        tasks.run(GRACE).await.expect("both ended when asked");
    }

    #[tokio::test]
    async fn a_task_that_ignores_shutdown_is_aborted_and_named() {
        let shutdown = CancellationToken::new();
        let mut tasks = Tasks::new(shutdown.clone());
        tasks.start("stuck", pending::<Result<(), Infallible>>());
        shutdown.cancel();
        let error = tasks.run(GRACE).await.expect_err("a failure");
        assert!(error.to_string().contains("stuck"), "{error}");
    }

    #[tokio::test]
    async fn without_tasks_a_service_runs_until_shutdown() {
        let shutdown = CancellationToken::new();
        let tasks = Tasks::new(shutdown.clone());
        let run = tokio::spawn(tasks.run(GRACE));
        tokio::task::yield_now().await;
        assert!(!run.is_finished());
        shutdown.cancel();
        run.await.expect("no panic").expect("ends well");
    }
}
