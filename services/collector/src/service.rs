//! The service: a sample every interval, and one whenever the host's runner asks for one.
//!
//! The regular series waits for nobody: sending and answering are tasks of their own. The bus stays open at
//! the end; whoever connected it drains it.

use crate::{
    Config, Settings, Unreadable, policy,
    sampler::{Identity, Readers, Sampler},
    unsent::{Denied, Unsent},
};
use snooze_bus::{Bus, BusError, Delivery, Subject, SubjectFilter, serve};
use snooze_schemas::{
    ErrorCode, Refusal,
    host::{MissedSamples, Samples, TakeSample},
    sample::Sample,
};
use snooze_service_runtime::{AgentId, CancellationToken, TaskError, Tasks};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::{sync::watch, time::Instant};
use tracing::Instrument;

/// The first sample comes sooner than an interval, so that a start is seen.
const FIRST_INTERVAL: Duration = Duration::from_secs(1);

/// The shortest window whose CPU time says anything: five ticks a core.
const SHORTEST_WINDOW_MS: u64 = 50;
/// Every verb answers within 15 s, the slowest reader's limit included.
const LONGEST_WINDOW_MS: u64 = 10_000;

/// One sample on demand at a time: whoever verifies needs no more.
const ON_DEMAND_AT_ONCE: usize = 1;

/// Only the host's own runner asks for what it missed.
const MISSED_AT_ONCE: usize = 2;

/// For how long a sample on demand may go on after the shutdown began, and then the last samples' sending.
const GRACE: Duration = Duration::from_secs(12);

/// Why the collector ended.
#[derive(Debug, thiserror::Error)]
pub enum CollectorError {
    /// The root folder cannot be opened.
    #[error("open the root folder")]
    OpenRoot(#[source] Unreadable),
    /// The bus did not take the subscription.
    #[error("listen for requests for a sample")]
    Subscribe(#[source] BusError),
    /// The bus does not let it do what it needs; the text is what the bus said.
    #[error("the bus denies what the collector needs: {0}")]
    Denied(String),
    /// A part of it failed or ended.
    #[error("run the collector")]
    Run(#[source] TaskError),
}

/// Measures the host and publishes samples until shutdown.
///
/// # Errors
/// When it cannot start, and when a part of it ends before shutdown or the bus denies what it needs.
pub async fn run(config: Config, bus: Bus, shutdown: CancellationToken) -> Result<(), CollectorError> {
    let root = crate::Root::open(&config.root).map_err(CollectorError::OpenRoot)?;
    let identity = Identity {
        host: config.host.clone(),
        boot_id: config.boot_id,
        agent: AgentId::fresh().as_str().to_owned(),
    };
    let (changes, settings) = watch::channel(config.settings);
    let readers = Readers::start(
        identity,
        &root,
        &config.clocks,
        settings.clone(),
        config.nvml_library,
    );
    let (watched, first) = (readers.clone(), readers.series().await);
    let unsent = Arc::new(Unsent::default());
    let listen = async |subject| {
        let requests = bus.subscribe(&SubjectFilter::Exactly(subject), None).await;
        requests.map_err(CollectorError::Subscribe)
    };
    let requests = listen(Subject::CollectorSample(config.host.clone())).await?;
    let questions = listen(Subject::CollectorMissed(config.host.clone())).await?;

    let mut tasks = Tasks::new(shutdown.clone());
    let series_ended = CancellationToken::new();
    tasks.start("series", {
        let (unsent, ends) = (Arc::clone(&unsent), series_ended.clone().drop_guard());
        let series = series(first, settings, unsent, shutdown.clone());
        async move {
            let _ends = ends;
            series.await
        }
    });
    tasks.start("readers", {
        let shutdown = shutdown.clone();
        async move {
            tokio::select! {
                reader = watched.ended() => Err(Unreadable::NoThread { reader }),
                () = shutdown.cancelled() => Ok(()),
            }
        }
    });
    tasks.start("on-demand", {
        let stop = shutdown.clone();
        async move {
            let handler = move |delivery| on_demand(delivery, readers.clone());
            serve(
                requests,
                ON_DEMAND_AT_ONCE,
                GRACE,
                stop.cancelled_owned(),
                handler,
            )
            .await;
            Ok::<_, Infallible>(())
        }
    });
    tasks.start("missed", {
        let (stop, unsent) = (shutdown.clone(), Arc::clone(&unsent));
        async move {
            let handler = move |delivery| missed(delivery, Arc::clone(&unsent));
            serve(questions, MISSED_AT_ONCE, GRACE, stop.cancelled_owned(), handler).await;
            Ok::<_, Infallible>(())
        }
    });
    tasks.start(
        "policy",
        policy::follow(bus.clone(), config.host.clone(), changes, shutdown.clone()),
    );
    tasks.start("sender", {
        let (bus, host) = (bus, config.host);
        async move {
            // Cancelled once the last sample is in the ring: what is there then gets one last chance below.
            tokio::select! {
                denied = unsent.send(&bus, &host) => denied,
                () = series_ended.cancelled() => {
                    if let Err(error) = unsent.send_all(&bus, &Subject::Metrics(host)).await {
                        tracing::debug!(%error, "the last samples were not sent");
                    }
                    Ok(())
                }
            }
        }
    });
    tasks.run(GRACE).await.map_err(why_it_ended)
}

fn why_it_ended(error: TaskError) -> CollectorError {
    let TaskError::Failed { name, source } = error else {
        return CollectorError::Run(error);
    };
    match source.downcast::<Denied>() {
        Ok(denied) => CollectorError::Denied(denied.0),
        Err(source) => CollectorError::Run(TaskError::Failed { name, source }),
    }
}

async fn series(
    mut sampler: Sampler,
    mut settings: watch::Receiver<Settings>,
    unsent: Arc<Unsent>,
    shutdown: CancellationToken,
) -> Result<(), Infallible> {
    let mut last = Instant::now();
    let mut longest = FIRST_INTERVAL;
    let mut next = last + longest.min(settings.borrow().check_interval);
    loop {
        // Cancelling any of these waits loses nothing: the interval runs on until it is sampled.
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return Ok(()),
            Ok(()) = settings.changed() => {
                next = last + longest.min(settings.borrow().check_interval);
                continue;
            }
            () = tokio::time::sleep_until(next) => {}
        }
        (last, longest) = (Instant::now(), Duration::MAX);
        let span = tracing::info_span!("sample", seq = tracing::field::Empty);
        let sample = sampler.sample().instrument(span.clone()).await;
        span.record("seq", sample.seq);
        unsent.add(sample, span);
        let interval = settings.borrow().check_interval;
        // After a sleep of the machine the ticks that were missed are not made up for.
        next = (next + interval).max(last + interval / 2);
    }
}

async fn on_demand(delivery: Delivery, readers: Readers) {
    let result = match delivery.read::<TakeSample>() {
        Ok(request) => take(&request, &readers).await,
        Err(refusal) => Err(refusal),
    };
    if let Err(error) = delivery.answer(result).await {
        tracing::warn!(%error, "a sample on demand was not answered");
    }
}

async fn missed(delivery: Delivery, unsent: Arc<Unsent>) {
    let result = delivery.read::<MissedSamples>().map(|question| Samples {
        samples: unsent.missed(&question.agent, question.after),
    });
    if let Err(error) = delivery.answer(result).await {
        tracing::warn!(%error, "nobody was told which samples were missed");
    }
}

/// A sample of an interval that begins now. Its number is 0: it is not of the series.
async fn take(request: &TakeSample, readers: &Readers) -> Result<Sample, Refusal> {
    if !(SHORTEST_WINDOW_MS..=LONGEST_WINDOW_MS).contains(&request.window_ms) {
        let text = format!(
            "window_ms is {}; it must be {SHORTEST_WINDOW_MS} to {LONGEST_WINDOW_MS}",
            request.window_ms
        );
        return Err(Refusal::new(ErrorCode::BadRequest, text));
    }
    let mut series = readers.series().await;
    tokio::time::sleep(Duration::from_millis(request.window_ms)).await;
    let mut sample = series.sample().await;
    sample.seq = 0;
    Ok(sample)
}
