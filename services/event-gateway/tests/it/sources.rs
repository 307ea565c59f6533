//! The sources that ask a metadata service: what they tell of what it says, and of what goes wrong with it.

mod azure;
mod gcp;

use snooze_event_gateway::{
    happening::Happening,
    source::{Notices, Told},
};
use std::{convert::Infallible, time::Duration};
use tokio::{sync::mpsc::error::TryRecvError, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// Far more than anything here takes; a failing test waits so long.
const LIMIT: Duration = Duration::from_secs(10);

/// A source at work, and what it told.
struct Running {
    told: Told,
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), Infallible>>,
}

impl Running {
    fn start<F>(watch: impl FnOnce(Notices, CancellationToken) -> F) -> Running
    where
        F: Future<Output = Result<(), Infallible>> + Send + 'static,
    {
        let (notices, told) = Notices::channel();
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(watch(notices, shutdown.clone()));
        Running { told, shutdown, task }
    }

    async fn next(&mut self) -> Happening {
        let told = tokio::time::timeout(LIMIT, self.told.recv()).await;
        told.expect("something is told in time").expect("the source runs")
    }

    fn has_told_nothing(&mut self) -> bool {
        matches!(self.told.try_recv(), Err(TryRecvError::Empty))
    }

    async fn stop(self) {
        self.shutdown.cancel();
        let ended = tokio::time::timeout(LIMIT, self.task).await;
        let Ok(()) = ended.expect("it ends in time").expect("it does not panic");
    }
}
