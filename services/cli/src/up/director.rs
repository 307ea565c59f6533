//! Makes the demonstration go round: finds the threshold, says what the simulated cloud does, and starts
//! its instance again after a stop. With a real cloud it does nothing.

use super::{
    demonstration::{self, SAMPLES, STOPPED_SECONDS, Threshold},
    ground,
    plan::{Plan, Power, stopped_note},
};
use crate::view::{model::News, show::Key};
use futures_util::{Stream, StreamExt, stream};
use snooze_bus::{Bus, BusError, Subject, SubjectFilter};
use snooze_executor::provider::{InstanceState, simulated::SimulatedCloud};
use snooze_schemas::{
    HostId,
    sample::{Sample, name},
};
use snooze_service_runtime::{CancellationToken, Failure};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

/// How often the simulated instance is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// For how long the threshold is measured at most. Samples come every second; on a machine that gives
/// none, what came so far has to do.
const MEASURE_WITHIN: Duration = Duration::from_secs(30);

/// Why the demonstration cannot go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum DirectorError {
    /// No samples can be heard.
    #[error("listen for samples")]
    Subscribe(#[source] BusError),
    /// The connection ended.
    #[error("the samples have ended")]
    NoSamples,
    /// The policy cannot be written.
    #[error("{0}")]
    Policy(Failure),
}

/// What it works with.
pub(super) struct Director {
    host: HostId,
    instance: String,
    bus: Bus,
    demonstrates: bool,
    simulated: Option<Arc<SimulatedCloud>>,
    power: watch::Sender<Power>,
    news: mpsc::Sender<News>,
    keys: mpsc::Receiver<Key>,
}

impl Director {
    pub(super) fn new(
        plan: &Plan,
        administrator: Bus,
        power: watch::Sender<Power>,
        news: mpsc::Sender<News>,
        keys: mpsc::Receiver<Key>,
    ) -> Director {
        Director {
            host: plan.host.id.clone(),
            instance: plan.host.record.instance.clone(),
            bus: administrator,
            demonstrates: plan.demonstrates(),
            simulated: plan.simulated.clone(),
            power,
            news,
            keys,
        }
    }

    /// Directs until shutdown.
    pub(super) async fn run(mut self, shutdown: CancellationToken) -> Result<(), DirectorError> {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => Ok(()),
            outcome = self.direct() => outcome,
        }
    }

    async fn direct(&mut self) -> Result<(), DirectorError> {
        if self.demonstrates {
            let threshold = self.measure().await?;
            let layer = demonstration::acting(&ground::plugins(), threshold);
            ground::write_policy(&self.bus, &layer)
                .await
                .map_err(DirectorError::Policy)?;
            self.tell(News::Preface(demonstration::preface(threshold))).await;
        }
        match self.simulated.clone() {
            Some(cloud) => self.follow(&cloud).await,
            None => std::future::pending().await,
        }
    }

    /// The threshold, from the CPU readings of the first seconds.
    async fn measure(&self) -> Result<Threshold, DirectorError> {
        let subject = SubjectFilter::Exactly(Subject::Metrics(self.host.clone()));
        let samples = self
            .bus
            .subscribe(&subject, None)
            .await
            .map_err(DirectorError::Subscribe)?;
        let cpu = stream::unfold(samples, |mut samples| async move {
            let delivery = samples.next().await?;
            let sample = delivery.read::<Sample>().ok();
            let reading = sample.and_then(|sample| sample.readings.get(name::CPU_PERCENT)?.value());
            Some((reading, samples))
        });
        let readings = first_readings(cpu, MEASURE_WITHIN).await?;
        if readings.len() < SAMPLES {
            let note = format!(
                "only {} of {SAMPLES} readings of the CPU came in {} s; the threshold rests on them",
                readings.len(),
                MEASURE_WITHIN.as_secs()
            );
            self.tell(News::Note(note)).await;
        }
        Ok(Threshold::from_readings(&readings))
    }

    /// Says what the simulated cloud is asked, and starts the instance again after a while.
    async fn follow(&mut self, cloud: &SimulatedCloud) -> Result<(), DirectorError> {
        let mut calls = cloud.watch();
        let mut tick = tokio::time::interval(LOOK);
        let mut start_at: Option<Instant> = None;
        loop {
            // None of the branches loses anything when another one is taken.
            tokio::select! {
                call = calls.recv() => if let Ok(call) = call {
                    let note = format!("the simulated cloud was asked: {} {}", call.verb.as_str(), call.instance);
                    self.tell(News::Note(note)).await;
                },
                Some(Key::Wake) = self.keys.recv() => if start_at.is_some() {
                    start_at = Some(Instant::now());
                },
                _ = tick.tick() => match (cloud.state_of(&self.instance), start_at) {
                    (InstanceState::Stopped, None) => {
                        start_at = Some(Instant::now() + Duration::from_secs(STOPPED_SECONDS));
                        self.power.send_replace(Power::Off);
                        self.tell(News::Note(stopped_note(&self.instance))).await;
                    }
                    (InstanceState::Stopped, Some(at)) if at <= Instant::now() => {
                        cloud.start_by_hand(&self.instance);
                        let note = format!("{} was started again, as a person would", self.instance);
                        self.tell(News::Note(note)).await;
                    }
                    (InstanceState::Running, Some(_)) => {
                        start_at = None;
                        self.power.send_replace(Power::On);
                    }
                    _ => {}
                },
            }
        }
    }

    /// A view that is gone needs no news; it ends everything by itself.
    async fn tell(&self, news: News) {
        if self.news.send(news).await.is_err() {
            tracing::debug!("the view has ended");
        }
    }
}

/// As many readings as the threshold is taken from, or those that came in time.
async fn first_readings(
    samples: impl Stream<Item = Option<f64>>,
    within: Duration,
) -> Result<Vec<f64>, DirectorError> {
    let mut samples = std::pin::pin!(samples);
    let mut readings = Vec::new();
    let all = async {
        while readings.len() < SAMPLES {
            readings.extend(samples.next().await.ok_or(DirectorError::NoSamples)?);
        }
        Ok(())
    };
    // Cut off, the reading that was waited for is lost, which is what a limit is for.
    match tokio::time::timeout(within, all).await {
        Ok(Err(error)) => Err(error),
        Ok(Ok(())) | Err(_) => Ok(readings),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_machine_that_gives_no_readings_is_not_measured_for_ever() {
        let two = stream::iter([Some(1.0), None, Some(3.0)]).chain(stream::pending());
        let found = first_readings(two, Duration::from_millis(10)).await;
        assert_eq!(found.expect("the bus is there"), [1.0, 3.0]);
    }

    #[tokio::test]
    async fn a_sample_without_a_reading_does_not_count() {
        let every_other = stream::iter((0..20).map(|n| (n % 2 == 0).then_some(f64::from(n))));
        let found = first_readings(every_other, Duration::from_secs(60)).await;
        assert_eq!(found.expect("the bus is there"), [0.0, 2.0, 4.0, 6.0, 8.0]);
        let ended = first_readings(stream::iter([Some(1.0)]), Duration::from_secs(60)).await;
        assert!(matches!(ended, Err(DirectorError::NoSamples)), "{ended:?}");
    }
}
