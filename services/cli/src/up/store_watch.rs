//! Whether the broker's store still takes what is written, so that `snooze up` ends where it does not.
//!
//! A nats-server that could not write to a stream once, as on a full disk, takes nothing into it any more, though
//! there be room again: no freeze is kept (S22), no step of a claim is filed. Only a start anew mends it, and
//! nothing tells of it but the silence. Each stream refuses by itself: the trail may, while a freeze is kept. So the
//! bucket of the kill switch is written to now and then, and the others are judged by the writes that the services
//! make anyway, for an entry of the audit trail cannot be taken back. It mends nothing by itself: whoever starts
//! `snooze up` starts it again.

mod verdicts;

pub(super) use verdicts::VerdictWatch;

use serde::de::IgnoredAny;
use snooze_bus::{Bucket, Bus, BusError, Stream, WriteError, keys};
use snooze_schemas::reply::Empty;
use snooze_service_runtime::{CancellationToken, exit::one_line};
use std::{collections::BTreeMap, path::PathBuf, time::Duration};
use tokio::time::{MissedTickBehavior, interval};

/// Between two looks. Each costs one synced write, where one claim's beat costs ten in that time.
const EVERY: Duration = Duration::from_secs(20);
/// So many looks in a row have to find nothing taken: a minute, over which a disk that is only slow or busy gets
/// something written, and a broker that only hangs comes back or ends.
const LOOKS: u32 = 4;

/// The store refuses.
#[derive(Debug, thiserror::Error)]
#[error(
    "the broker has stored nothing in {stream} for a minute, as after a full disk, and stores nothing there until it \
     is started again: make room where {} is (nats-server.log there says more), and start `snooze up` again where \
     no service manager does",
    folder.display()
)]
pub(super) struct StoreRefuses {
    stream: &'static str,
    folder: PathBuf,
}

/// What it looks with.
pub(super) struct StoreWatch {
    /// Writes to the bucket of state, as an executor may.
    executor: Bus,
    /// The connections whose writes are counted.
    services: Vec<Bus>,
    verdicts: VerdictWatch,
    /// Where the store is, for whoever has to make room.
    folder: PathBuf,
    every: Duration,
}

impl StoreWatch {
    pub(super) fn new(
        executor: Bus,
        services: Vec<Bus>,
        verdicts: VerdictWatch,
        folder: PathBuf,
    ) -> StoreWatch {
        StoreWatch {
            executor,
            services,
            verdicts,
            folder,
            every: EVERY,
        }
    }

    /// Looks until shutdown.
    ///
    /// # Errors
    /// When the store refuses.
    pub(super) async fn run(mut self, shutdown: CancellationToken) -> Result<(), StoreRefuses> {
        // What is cut off is a write that says nothing, and a count that nobody wants any more.
        match shutdown.run_until_cancelled(self.look_on()).await {
            Some(stream) => Err(StoreRefuses {
                stream,
                folder: self.folder,
            }),
            None => Ok(()),
        }
    }

    /// Looks on until a stream refuses, and says which.
    async fn look_on(&mut self) -> &'static str {
        let mut record = Record::default();
        let mut looks = interval(self.every);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            let probe = self.probe().await;
            if probe != Probe::Taken {
                tracing::warn!(?probe, "the broker did not take a write as it should");
            }
            let mut counted = self.counted();
            counted.insert(Stream::Verdicts.name(), self.verdicts.look().await);
            if let Some(stream) = record.refusing(probe, &counted) {
                return stream;
            }
        }
    }

    /// Writes to the bucket of state once, and finds out what became of it.
    async fn probe(&self) -> Probe {
        let state = self.executor.bucket(Bucket::State);
        let look = async || match state.look::<IgnoredAny>(keys::PROBE).await {
            Ok(look) => Ok(look.revision),
            // The server has switched all streams off, which it does where it may not write.
            Err(error) if error.is_missing() => Err(Probe::Refused),
            Err(error) => Err(unclear(&error)),
        };
        let before = match look().await {
            Ok(revision) => revision,
            Err(probe) => return probe,
        };
        match state.update(keys::PROBE, &Empty {}, before).await {
            Ok(_) => Probe::Taken,
            Err(WriteError::Refused { .. }) => Probe::Refused,
            Err(WriteError::Conflict { .. }) => Probe::Slow,
            Err(WriteError::NotSent(error)) => unclear(&error),
            // The server reads a stream only between two writes to it: this look waits for one that is slow.
            Err(WriteError::Ambiguous { .. }) => match look().await {
                Ok(revision) if revision == before => Probe::Refused,
                Ok(_) => Probe::Slow,
                Err(probe) => probe,
            },
        }
    }

    /// What all connections together have written to each stream.
    fn counted(&self) -> BTreeMap<&'static str, Counted> {
        let mut all = BTreeMap::<_, Counted>::new();
        for (stream, writes) in self.services.iter().flat_map(Bus::writes) {
            let counted = all.entry(stream).or_default();
            counted.taken += writes.taken;
            counted.not_taken += writes.not_taken;
        }
        all
    }
}

fn unclear(error: &BusError) -> Probe {
    tracing::debug!(
        error = one_line(error),
        "whether the broker takes writes cannot be seen"
    );
    Probe::Unclear
}

/// What became of one write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Probe {
    Taken,
    /// Taken after its time.
    Slow,
    Refused,
    /// The broker did not answer at all.
    Unclear,
}

/// Writes to one stream, by whatever connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Counted {
    taken: u64,
    not_taken: u64,
}

/// What the looks so far have found.
#[derive(Debug, Default)]
struct Record {
    before: BTreeMap<&'static str, Counted>,
    /// For how many looks in a row a stream has taken nothing of what was written to it.
    refusals: BTreeMap<&'static str, u32>,
}

impl Record {
    /// Takes one look, and says which stream has refused for long enough. One that nobody wrote to since the last
    /// look is where it was.
    fn refusing(&mut self, probe: Probe, now: &BTreeMap<&'static str, Counted>) -> Option<&'static str> {
        let state = Bucket::State.stream();
        for (&stream, counted) in now.iter().filter(|(stream, _)| **stream != state) {
            let before = self.before.insert(stream, *counted).unwrap_or_default();
            if counted.taken > before.taken {
                self.refusals.remove(stream);
            } else if counted.not_taken > before.not_taken && matches!(probe, Probe::Taken | Probe::Refused) {
                // Beside a disk that is slow, silence says nothing.
                *self.refusals.entry(stream).or_default() += 1;
            }
        }
        match probe {
            Probe::Taken | Probe::Slow => drop(self.refusals.remove(state)),
            Probe::Refused => *self.refusals.entry(state).or_default() += 1,
            Probe::Unclear => {}
        }
        let enough = self.refusals.iter().find(|(_, looks)| **looks >= LOOKS);
        enough.map(|(stream, _)| *stream)
    }
}

#[cfg(test)]
mod tests;
