//! The frame of a service's `main`: a runtime, telemetry, signals, a bounded end and an exit code.
//!
//! It never calls `exit`: a second signal drops everything that still runs and returns from `main`. The
//! terminal that closes (SIGHUP) ends a service in the same order, unless it was started to outlive it
//! (`nohup`).

use crate::{
    exit::{Exit, Failure},
    telemetry::{self, TelemetryConfig},
};
use std::{
    future::{Future, pending},
    process::ExitCode,
    time::Duration,
};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// For how long a service may finish what is in flight; systemd's own limit is 90 s.
pub const GRACE: Duration = Duration::from_secs(20);
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
/// The first SIGTERM, SIGINT or SIGHUP cancels the token; the body then has 20 s. A second one ends the
/// process at once, with exit code 1, and without the last spans.
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
        let flush = guard.shutdown(FLUSH);
        match Signals::install() {
            Ok(mut signals) => {
                let next_signal = async || signals.next().await;
                until_ended(body(shutdown.clone()), shutdown, next_signal, GRACE, flush).await
            }
            Err(error) => {
                flush.await;
                Err(Failure::new(Exit::Failed, format!("listen for signals: {error}")))
            }
        }
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
    /// None where the process was started to outlive its terminal.
    hangup: Option<Signal>,
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
            hangup: hangup()?,
        })
    }

    /// Waits for the next one and gives its name. Cancelling it loses no signal.
    pub async fn next(&mut self) -> &'static str {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            _ = hangup => "SIGHUP",
        }
    }
}

/// The terminal that closes; none where the process was started to outlive it.
fn hangup() -> std::io::Result<Option<Signal>> {
    // Where it cannot be read nobody has asked for anything.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if ignores_hangup(&status) {
        Ok(None)
    } else {
        signal(SignalKind::hangup()).map(Some)
    }
}

/// Whether a process ignores SIGHUP, by `/proc/<pid>/status`: bit 0 of the signals that it ignores.
fn ignores_hangup(status: &str) -> bool {
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
}

/// Runs the body to its end, and then the flush; a second signal waits for neither.
async fn until_ended(
    body: impl Future<Output = Result<(), Failure>>,
    shutdown: CancellationToken,
    mut next_signal: impl AsyncFnMut() -> &'static str,
    grace: Duration,
    flush: impl Future<Output = ()>,
) -> Result<(), Failure> {
    let outcome = match until_done_or_told(body, shutdown, &mut next_signal, grace).await {
        Ending::InOrder(outcome) => outcome,
        Ending::AtOnce(failure) => return Err(failure),
    };
    // What the body did stays done, however much of the last spans is lost.
    tokio::select! {
        () = flush => {}
        _ = next_signal() => {}
    }
    outcome
}

/// How a body ended.
#[derive(Debug, PartialEq, Eq)]
enum Ending {
    /// By itself, when it was told to, or because its time was over.
    InOrder(Result<(), Failure>),
    /// Because somebody would not wait any more.
    AtOnce(Failure),
}

async fn until_done_or_told(
    body: impl Future<Output = Result<(), Failure>>,
    shutdown: CancellationToken,
    next_signal: &mut impl AsyncFnMut() -> &'static str,
    grace: Duration,
) -> Ending {
    tokio::pin!(body);
    // The body is pinned outside: no branch loses its progress.
    let name = tokio::select! {
        outcome = &mut body => return Ending::InOrder(outcome),
        name = next_signal() => name,
    };
    tracing::info!(signal = name, "shutting down");
    shutdown.cancel();
    let gave_up = |why: String| Failure::new(Exit::Failed, why);
    tokio::select! {
        outcome = &mut body => Ending::InOrder(outcome),
        name = next_signal() => Ending::AtOnce(gave_up(format!("a second signal ({name}): ended at once"))),
        () = tokio::time::sleep(grace) => {
            Ending::InOrder(Err(gave_up(format!("still running {grace:?} after the signal: ended"))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        let outcome = until_ended(
            async { Ok(()) },
            CancellationToken::new(),
            signals,
            GRACE,
            async {},
        )
        .await;
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
        assert_eq!(
            until_ended(body, shutdown, signals, GRACE, async {}).await,
            Ok(())
        );
    }

    #[tokio::test]
    async fn a_second_signal_ends_at_once_a_body_that_does_not_finish() {
        let (sender, signals) = signals();
        sender.send(()).await.expect("there is room");
        sender.send(()).await.expect("there is room");
        // Nor does it wait for a receiver of spans that never answers.
        let outcome = until_ended(pending(), CancellationToken::new(), signals, GRACE, pending()).await;
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
        let outcome = until_ended(pending(), CancellationToken::new(), signals, grace, async {}).await;
        assert_eq!(
            outcome.expect_err("not done").line,
            "still running 20ms after the signal: ended"
        );
    }

    #[tokio::test]
    async fn a_signal_ends_the_wait_for_the_last_spans() {
        let (sender, signals) = signals();
        let failed = Err(Failure::new(Exit::Failed, "no"));
        let body = async { failed.clone() };
        // The signal comes while the receiver of the spans does not answer.
        let flush = async {
            sender.send(()).await.expect("there is room");
            pending::<()>().await;
        };
        let outcome = until_ended(body, CancellationToken::new(), signals, GRACE, flush).await;
        assert_eq!(outcome, failed, "what the body did stays as it is");
    }

    #[tokio::test]
    async fn a_terminal_that_closes_ends_a_service_in_order() {
        // A test has to end at a SIGTERM, so it listens to others in its place.
        let other = |kind| signal(kind).expect("installs");
        let mut signals = Signals {
            terminate: other(SignalKind::user_defined1()),
            interrupt: other(SignalKind::user_defined2()),
            hangup: hangup().expect("installs"),
        };
        if signals.hangup.is_none() {
            // The test itself was started to outlive its terminal.
            return;
        }
        // Without a handler this would kill the test.
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::HUP)
            .expect("it is our own process");
        let name = tokio::time::timeout(GRACE, signals.next()).await;
        assert_eq!(name, Ok("SIGHUP"));
    }

    #[test]
    fn a_service_that_was_started_to_outlive_its_terminal_does() {
        assert!(ignores_hangup(
            "Name:\tx\nSigIgn:\t0000000000001001\nSigCgt:\t0\n"
        ));
        assert!(!ignores_hangup("SigBlk:\t1\nSigIgn:\t0000000000001000\n"));
        assert!(!ignores_hangup(""));
    }
}
