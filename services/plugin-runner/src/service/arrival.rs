//! Coming onto the bus: what is heard there is heard from when there is one, and nothing else waits for it.
//!
//! Plugins run and this host's own events are handled without a broker (E7); only votes and verbs need one.

use super::RunnerError;
use crate::{engine::Engine, listening, samples::SampleFeed};
use snooze_bus::{Bus, Delivery, Subject, SubjectFilter, Subscription, serve};
use snooze_schemas::HostId;
use snooze_service_runtime::CancellationToken;
use std::time::Duration;
use tokio::{sync::oneshot, task::JoinHandle};

/// So many requests are looked at at once; each kind has far fewer places, and those beyond them are turned
/// away at once.
const VERBS: usize = 1024;

/// How long answers that are under way may take after shutdown.
const VERBS_GRACE: Duration = Duration::from_secs(2);

/// The subscription to the samples of a host, once there is one; nothing at shutdown.
pub(super) type Samples = JoinHandle<Result<Option<Subscription>, snooze_bus::BusError>>;

/// Begins to hear samples, before all else that takes its time: they wait for whoever takes them.
pub(super) fn hear_samples(bus: &Bus, host: &HostId, shutdown: &CancellationToken) -> Samples {
    let filter = SubjectFilter::Exactly(Subject::Metrics(host.clone()));
    let (bus, shutdown) = (bus.clone(), shutdown.clone());
    tokio::spawn(async move { listening::subscribe(&bus, &filter, &shutdown).await })
}

/// Answers what is asked on the bus until shutdown, and says from when on it is heard.
///
/// # Errors
/// When the connection is closed for good.
pub(super) async fn answer<F>(
    bus: Bus,
    asked: SubjectFilter,
    heard: oneshot::Sender<()>,
    handler: impl Fn(Delivery) -> F,
    shutdown: CancellationToken,
) -> Result<(), RunnerError>
where
    F: Future<Output = ()> + Send + 'static,
{
    let subscribed = listening::subscribe(&bus, &asked, &shutdown).await;
    let Some(asked) = subscribed.map_err(RunnerError::Listen)? else {
        return Ok(());
    };
    if heard.send(()).is_err() {
        tracing::debug!("nobody votes any more");
    }
    serve(asked, VERBS, VERBS_GRACE, shutdown.cancelled_owned(), handler).await;
    Ok(())
}

/// Votes until shutdown, from when samples and questions are heard: whoever is greeted may ask at once.
///
/// # Errors
/// When the connection is closed for good.
pub(super) async fn vote(
    engine: impl FnOnce(SampleFeed) -> Engine,
    (bus, host): (Bus, HostId),
    samples: Samples,
    heard: oneshot::Receiver<()>,
    shutdown: CancellationToken,
) -> Result<(), RunnerError> {
    let Ok(subscribed) = samples.await else {
        return Ok(());
    };
    let Some(samples) = subscribed.map_err(RunnerError::Listen)? else {
        return Ok(());
    };
    let feed = SampleFeed::new(bus, host, samples);
    // Cancelling it loses nothing; who would have said it has ended where nobody does.
    let Some(Ok(())) = shutdown.run_until_cancelled(heard).await else {
        return Ok(());
    };
    engine(feed).run(shutdown).await.map_err(RunnerError::Listen)
}
