//! The frame of a service's `main`: a runtime, telemetry, signals, a bounded end and an exit code.
//!
//! It never calls `exit`: a second signal drops everything that still runs and returns from `main`.

use crate::{
    exit::{Exit, Failure},
    telemetry::{self, TelemetryConfig},
};
use std::{future::Future, process::ExitCode, time::Duration};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// For how long a service may finish what is in flight; systemd's own limit is 90 s.
const GRACE: Duration = Duration::from_secs(20);
/// For how long the last spans may take on their way out.
const FLUSH: Duration = Duration::from_secs(3);

/// How many threads a service gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// One: for what runs on every host, where each further thread's stack and arena is memory.
    One,
    /// One a core: for what runs at the centre.
    PerCore,
}

/// Runs a service's body until it ends or a signal asks it to, and says what `main` returns.
///
/// The first SIGTERM or SIGINT cancels the token; the body then has 20 s. A second one ends the
/// process at once, with exit code 1.
pub fn run_service<F, Fut>(
    service: &'static str,
    threads: Threads,
    telemetry: &TelemetryConfig,
    body: F,
) -> ExitCode
where
    F: FnOnce(CancellationToken) -> Fut,
    Fut: Future<Output = Result<(), Failure>>,
{
    let mut builder = match threads {
        Threads::One => tokio::runtime::Builder::new_current_thread(),
        Threads::PerCore => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = match builder.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return Failure::new(Exit::Failed, format!("start the runtime: {error}")).report(service);
        }
    };
    let outcome = runtime.block_on(async {
        let guard =
            telemetry::init(service, telemetry).map_err(|error| Failure::from_error(Exit::Usage, &error))?;
        let shutdown = CancellationToken::new();
        let outcome = match Signals::install() {
            Ok(mut signals) => {
                let next_signal = async || signals.next().await;
                until_done_or_told(body(shutdown.clone()), shutdown, next_signal, GRACE).await
            }
            Err(error) => Err(Failure::new(Exit::Failed, format!("listen for signals: {error}"))),
        };
        guard.shutdown(FLUSH).await;
        outcome
    });
    // Blocking work that still runs (a hung read of a device) must not hold the process.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => Exit::Done.into(),
        Err(failure) => failure.report(service),
    }
}

/// The signals that ask a process to end.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Begins to listen; from here on they do not kill the process by themselves.
    ///
    /// # Errors
    /// When the kernel refuses the handler.
    pub fn install() -> std::io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next one and gives its name. Cancelling it loses no signal.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

async fn until_done_or_told(
    body: impl Future<Output = Result<(), Failure>>,
    shutdown: CancellationToken,
    mut next_signal: impl AsyncFnMut() -> &'static str,
    grace: Duration,
) -> Result<(), Failure> {
    tokio::pin!(body);
    // The body is pinned outside: no branch loses its progress.
    let name = tokio::select! {
        outcome = &mut body => return outcome,
        name = next_signal() => name,
    };
    tracing::info!(signal = name, "shutting down");
    shutdown.cancel();
    let gave_up = |why: String| Err(Failure::new(Exit::Failed, why));
    tokio::select! {
        outcome = &mut body => outcome,
        name = next_signal() => gave_up(format!("a second signal ({name}): ended at once")),
        () = tokio::time::sleep(grace) => gave_up(format!("still running {grace:?} after the signal: ended")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;
    use tokio::sync::mpsc;

    /// Signals that a test sends.
    fn signals() -> (mpsc::Sender<()>, impl AsyncFnMut() -> &'static str) {
        let (sender, mut receiver) = mpsc::channel(2);
        (sender, async move || match receiver.recv().await {
            Some(()) => "SIGTERM",
            None => pending().await,
        })
    }

    #[tokio::test]
    async fn a_body_that_ends_by_itself_needs_no_signal() {
        let (_sender, signals) = signals();
        let outcome = until_done_or_told(async { Ok(()) }, CancellationToken::new(), signals, GRACE).await;
        assert_eq!(outcome, Ok(()));
    }

    #[tokio::test]
    async fn the_first_signal_cancels_and_the_body_may_finish() {
        let (sender, signals) = signals();
        let shutdown = CancellationToken::new();
        let told = shutdown.clone();
        sender.send(()).await.expect("there is room");
        let body = async move {
            told.cancelled().await;
            Ok(())
        };
        assert_eq!(until_done_or_told(body, shutdown, signals, GRACE).await, Ok(()));
    }

    #[tokio::test]
    async fn a_second_signal_ends_a_body_that_does_not_finish() {
        let (sender, signals) = signals();
        sender.send(()).await.expect("there is room");
        sender.send(()).await.expect("there is room");
        let outcome = until_done_or_told(pending(), CancellationToken::new(), signals, GRACE).await;
        assert_eq!(
            outcome.expect_err("not done").line,
            "a second signal (SIGTERM): ended at once"
        );
    }

    #[tokio::test]
    async fn a_body_that_outlives_the_grace_is_ended() {
        let (sender, signals) = signals();
        sender.send(()).await.expect("there is room");
        let grace = Duration::from_millis(20);
        let outcome = until_done_or_told(pending(), CancellationToken::new(), signals, grace).await;
        assert_eq!(
            outcome.expect_err("not done").line,
            "still running 20ms after the signal: ended"
        );
    }
}
