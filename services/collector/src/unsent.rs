//! Samples that the bus has not taken yet, and those that it took not long ago: a bounded ring, sent in
//! order (rule T2).
//!
//! A sample counts as sent only after a flush behind it came back. So a sample may arrive twice, and
//! the receiver knows it by its number; none is lost to a blip, until the ring is full and the oldest goes.
//! The receiver may come back to the bus later than we do: for a while it can ask for what it missed.

use snooze_bus::{Bus, BusError, BusStatus, Subject};
use snooze_schemas::{HostId, sample::Sample};
use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;
use tracing::{Instrument, Span};

/// Some 260 KB at most, and at the default interval of a minute four hours.
const CAPACITY: usize = 256;

/// A sent sample is remembered until so many newer ones were taken. At an interval of a second a runner
/// that reconnects has so many seconds; its pauses between attempts are four at most.
const REMEMBERED: u64 = 16;

/// A server that is there answers within milliseconds.
const FLUSH_LIMIT: Duration = Duration::from_secs(2);

/// After a flush that failed on a living connection.
const PAUSE: Duration = Duration::from_secs(1);

/// The ring.
#[derive(Debug, Default)]
pub(crate) struct Unsent {
    ring: Mutex<VecDeque<Kept>>,
    added: Notify,
}

#[derive(Debug)]
struct Kept {
    sample: Sample,
    /// The span that its trace begins with, until it is sent.
    span: Span,
    /// The number of the newest sample when this one was sent.
    sent_at: Option<u64>,
}

impl Unsent {
    /// Adds a sample with the span that its trace begins with; drops the oldest when full.
    pub(crate) fn add(&self, sample: Sample, span: Span) {
        let mut ring = self.ring();
        let is_old = |kept: &Kept| kept.sent_at.is_some_and(|at| at + REMEMBERED < sample.seq);
        while ring.front().is_some_and(is_old) {
            ring.pop_front();
        }
        if ring.len() == CAPACITY
            && let Some(oldest) = ring.pop_front()
            && oldest.sent_at.is_none()
        {
            tracing::debug!(
                capacity = CAPACITY,
                "the bus is away for so long that the oldest sample is dropped"
            );
        }
        ring.push_back(Kept {
            sample,
            span,
            sent_at: None,
        });
        self.added.notify_one();
    }

    /// Those that are still there, of this start of the collector and after this number.
    pub(crate) fn missed(&self, agent: &str, after: u64) -> Vec<Sample> {
        let ring = self.ring();
        let samples = ring.iter().map(|kept| &kept.sample);
        samples
            .filter(|sample| sample.agent == agent && sample.seq > after)
            .cloned()
            .collect()
    }

    fn has_unsent(&self) -> bool {
        // The newest is sent last.
        self.ring().back().is_some_and(|kept| kept.sent_at.is_none())
    }

    /// Sends what there is whenever there is a bus, for ever. Cancelling it loses nothing but time.
    ///
    /// # Errors
    /// When the bus denies what the collector needs.
    pub(crate) async fn send(&self, bus: &Bus, host: &HostId) -> Result<(), Denied> {
        let subject = Subject::Metrics(host.clone());
        let mut status = bus.status();
        loop {
            let now = status.borrow_and_update().clone();
            match now {
                BusStatus::Fatal(text) => return Err(Denied(text)),
                BusStatus::Connected if self.has_unsent() => {
                    if let Err(error) = self.send_all(bus, &subject).await {
                        tracing::debug!(%error, "samples wait for the bus");
                        self.changed(&mut status, Some(PAUSE)).await;
                    }
                }
                BusStatus::Connected | BusStatus::Disconnected => self.changed(&mut status, None).await,
            }
        }
    }

    /// Waits for another state of the bus and, without a limit, for a sample.
    async fn changed(&self, status: &mut tokio::sync::watch::Receiver<BusStatus>, limit: Option<Duration>) {
        let state = async {
            if status.changed().await.is_err() {
                // The bus is gone; whoever holds it ends this task.
                std::future::pending::<()>().await;
            }
        };
        match limit {
            // An elapsed limit is what this waits for.
            Some(limit) => drop(tokio::time::timeout(limit, state).await),
            None => {
                tokio::select! {
                    () = state => {}
                    () = self.added.notified() => {}
                }
            }
        }
    }

    /// Sends everything that is not sent yet, oldest first.
    pub(crate) async fn send_all(&self, bus: &Bus, subject: &Subject) -> Result<(), BusError> {
        let batch: Vec<_> = {
            let ring = self.ring();
            let unsent = ring.iter().filter(|kept| kept.sent_at.is_none());
            unsent
                .map(|kept| (kept.sample.clone(), kept.span.clone()))
                .collect()
        };
        for (sample, span) in &batch {
            bus.publish(subject, sample).instrument(span.clone()).await?;
        }
        bus.flush(FLUSH_LIMIT).await?;
        if let Some((last, _)) = batch.last() {
            self.sent_up_to(last.seq);
        }
        Ok(())
    }

    fn sent_up_to(&self, seq: u64) {
        let mut ring = self.ring();
        let newest = ring.back().map(|kept| kept.sample.seq);
        for kept in ring.iter_mut().filter(|kept| kept.sample.seq <= seq) {
            kept.sent_at = kept.sent_at.or(newest);
            // Its span is exported when the last handle on it is gone.
            kept.span = Span::none();
        }
    }

    fn ring(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bus denied what the collector needs, in its words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Denied(pub(crate) String);

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(seq: u64) -> Sample {
        Sample {
            host: "h1".parse().expect("a host"),
            boot_id: "b".to_owned(),
            agent: "a".to_owned(),
            seq,
            taken_at: snooze_schemas::Timestamp::UNIX_EPOCH,
            covers_ms: 1,
            ends_monotonic_ms: seq,
            ends_boottime_ms: seq,
            readings: Default::default(),
            gpus: Vec::new(),
        }
    }

    #[test]
    fn t2_a_full_ring_drops_the_oldest() {
        let unsent = Unsent::default();
        for seq in 1..=300 {
            unsent.add(sample(seq), Span::none());
        }
        let ring = unsent.ring();
        assert_eq!(ring.len(), 256);
        assert_eq!(ring.front().expect("some").sample.seq, 45);
        assert_eq!(ring.back().expect("some").sample.seq, 300);
    }

    fn seqs(samples: &[Sample]) -> Vec<u64> {
        samples.iter().map(|sample| sample.seq).collect()
    }

    #[test]
    fn t2_a_sent_sample_can_be_asked_for_until_sixteen_newer_ones_were_taken() {
        let unsent = Unsent::default();
        for seq in 1..=4 {
            unsent.add(sample(seq), Span::none());
        }
        unsent.sent_up_to(3);
        assert!(unsent.has_unsent());
        assert_eq!(seqs(&unsent.missed("a", 1)), [2, 3, 4]);
        assert_eq!(unsent.missed("another", 1), []);
        unsent.sent_up_to(4);
        assert!(!unsent.has_unsent());
        for seq in 5..=20 {
            unsent.add(sample(seq), Span::none());
        }
        assert_eq!(
            unsent.missed("a", 0).len(),
            20,
            "they were sent when 4 was the newest"
        );
        unsent.add(sample(21), Span::none());
        assert_eq!(seqs(&unsent.missed("a", 0)), (5..=21).collect::<Vec<_>>());
    }
}
