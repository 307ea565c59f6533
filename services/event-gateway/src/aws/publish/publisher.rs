//! From the audit trail into calls of EventBridge, and what becomes of each entry.
//!
//! It holds few entries at a time, and none for longer than a pause: what would wait here comes to another gateway.

use super::{
    Settings,
    batch::Batch,
    entry::Entry,
    event_bus::{EventBus, Outcome},
    pace::Pace,
};
use snooze_bus::{Bucket, Bus, DecisionConsumer, DecisionDelivery, keys};
use snooze_schemas::{ErrorCode, audit::AuditRecord, roster::RosterRecord};
use snooze_service_runtime::{CancellationToken, Clocks};
use std::time::Duration;

/// How long the first of a batch waits for more to go with it. People do not see it, and a stop files several
/// entries within it.
const LINGER: Duration = Duration::from_millis(200);
/// Between two tries to take what was decided, where there is no consumer to take it from.
const NOT_THERE: Duration = Duration::from_secs(5);
/// Before an entry of a later version is looked at again, perhaps by a gateway that knows it.
const LATER_VERSION: Duration = Duration::from_secs(300);
/// How long the broker may take to hear what was settled, at the end.
const FLUSH_WITHIN: Duration = Duration::from_secs(2);

/// One of those who share the position in the trail.
pub(super) struct Publisher {
    pub(super) settings: Settings,
    pub(super) event_bus: EventBus,
    pub(super) bus: Bus,
    pub(super) clocks: Clocks,
    pub(super) pace: Pace,
    pub(super) shutdown: CancellationToken,
    pub(super) consumer: Option<DecisionConsumer>,
    /// What did not fit into the batch before.
    pub(super) held: Option<Waiting>,
}

/// An entry that was taken and is to be told.
pub(super) struct Waiting {
    delivery: DecisionDelivery,
    entry: Entry,
}

impl Publisher {
    /// The next entries that are to be told, one at least; none any more after the shutdown began.
    pub(super) async fn next_batch(&mut self) -> Option<Batch<Waiting>> {
        let first = loop {
            match self.held.take() {
                Some(held) if !self.shutdown.is_cancelled() => break held,
                Some(held) => {
                    self.held = Some(held);
                    return None;
                }
                None => {
                    let taken = self.take().await?;
                    self.held = self.worth_telling(taken).await;
                }
            }
        };
        let mut batch = Batch::of(first.entry.bytes(), first);
        let linger = tokio::time::sleep(LINGER);
        tokio::pin!(linger);
        while !batch.is_full() {
            // Cancelling loses nothing: an entry that was not handed out is taken next time.
            let taken = tokio::select! {
                taken = self.take() => taken,
                () = &mut linger => None,
            };
            let Some(taken) = taken else { break };
            if let Some(next) = self.worth_telling(taken).await {
                self.held = batch.add(next.entry.bytes(), next);
                if self.held.is_some() {
                    break;
                }
            }
        }
        Some(batch)
    }

    /// The next entry of the trail; none any more after the shutdown began.
    async fn take(&mut self) -> Option<DecisionDelivery> {
        let shutdown = self.shutdown.clone();
        shutdown.run_until_cancelled(self.take_on()).await
    }

    async fn take_on(&mut self) -> DecisionDelivery {
        loop {
            let error = match &mut self.consumer {
                Some(consumer) => match consumer.next().await {
                    Ok(delivery) => {
                        self.pace.taken();
                        return delivery;
                    }
                    Err(error) => error,
                },
                None => match self.bus.decisions().await {
                    Ok(consumer) => {
                        self.consumer = Some(consumer);
                        continue;
                    }
                    Err(error) => error,
                },
            };
            self.pace.not_taken(&error);
            tokio::time::sleep(NOT_THERE).await;
        }
    }

    /// What was taken and is not told goes to another gateway at once.
    pub(super) async fn give_back(self) {
        if let Some(held) = self.held {
            put_off(held.delivery, Duration::ZERO).await;
        }
        if let Some(consumer) = self.consumer
            && let Err(error) = consumer.give_back().await
        {
            tracing::debug!(%error, "what was taken of decisions comes again when the broker has waited long enough");
        }
        if let Err(error) = self.bus.flush(FLUSH_WITHIN).await {
            tracing::debug!(%error, "a decision that was published may be published once more");
        }
    }

    /// What is to be told of it; where nothing is, it is settled.
    async fn worth_telling(&mut self, delivery: DecisionDelivery) -> Option<Waiting> {
        let age = self.clocks.wall().duration_since(delivery.filed_at());
        if Duration::try_from(age).is_ok_and(|age| age > self.settings.max_age) {
            self.pace.too_old(self.clocks.boottime_ms());
            settled(delivery).await;
            return None;
        }
        let record = match &delivery.record {
            Ok(record) => record,
            Err(refusal) if refusal.code == ErrorCode::UnknownVersion => {
                put_off(delivery, LATER_VERSION).await;
                return None;
            }
            Err(refusal) => {
                let filed_under = &delivery.filed_under;
                tracing::warn!(%refusal, filed_under, "an entry of the audit trail is not published");
                settled(delivery).await;
                return None;
            }
        };
        if !self.settings.kinds.contains(&record.kind) {
            settled(delivery).await;
            return None;
        }
        let instance = self.instance_of(record).await;
        let entry = Entry::of(
            record,
            delivery.sequence(),
            delivery.filed_at(),
            instance.as_ref(),
        );
        Some(Waiting { delivery, entry })
    }

    /// What the roster says of the host. Without it the entry is told all the same.
    async fn instance_of(&self, record: &AuditRecord) -> Option<RosterRecord> {
        let key = keys::roster_key(record.host.host()?);
        match self.bus.bucket(Bucket::Config).get::<RosterRecord>(&key).await {
            Ok(entry) => entry.map(|entry| entry.value),
            Err(error) => {
                tracing::debug!(%error, "a decision is published without its instance");
                None
            }
        }
    }

    /// Tells of all of them, and says for how long to wait before the next.
    pub(super) async fn tell(&mut self, batch: Batch<Waiting>) -> Duration {
        let batch = batch.into_items();
        let entries = batch.iter().map(|waiting| &waiting.entry);
        let outcomes = match self.event_bus.put(entries).await {
            Ok(outcomes) => outcomes,
            Err(why) => {
                let pause = self.pace.failed(&why);
                for Waiting { delivery, .. } in batch {
                    put_off(delivery, pause).await;
                }
                return pause;
            }
        };
        let mut refused = None;
        for (Waiting { delivery, entry }, outcome) in batch.into_iter().zip(outcomes) {
            match outcome {
                Outcome::Taken => settled(delivery).await,
                Outcome::NotNow(why) => {
                    let tries = u32::try_from(delivery.deliveries()).unwrap_or(u32::MAX);
                    put_off(delivery, self.pace.pause_after(tries)).await;
                    refused = Some(why);
                }
                Outcome::Never(why) => {
                    let id = entry.id();
                    tracing::error!(id, why, "EventBridge takes a decision never; it is not published");
                    settled(delivery).await;
                }
            }
        }
        match refused {
            Some(why) => self.pace.failed(&why),
            None => self.pace.went_well(),
        }
    }
}

async fn settled(delivery: DecisionDelivery) {
    if let Err(error) = delivery.ack().await {
        tracing::debug!(%error, "a decision that was published may be published once more");
    }
}

async fn put_off(delivery: DecisionDelivery, by: Duration) {
    if let Err(error) = delivery.retry_after(by).await {
        tracing::debug!(%error, "a decision comes again when the broker has waited long enough");
    }
}
