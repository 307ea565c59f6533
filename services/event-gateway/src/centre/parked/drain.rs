//! Giving a host what waits for it, one after the other, and ending what it can no longer take in time.

use super::{Config, book::Parked};
use crate::centre::{
    dead::DeadEvents,
    ending,
    offer::{NO_ANSWER, Offer, Offers},
    whole::whole,
};
use snooze_bus::{Bucket, Bus, BusError, Entry, WriteError, keys, trace};
use snooze_schemas::{
    EventId, HostId,
    event::{OpenEvent, OpenState, Scope},
};
use snooze_service_runtime::exit::one_line;
use std::{sync::Arc, time::Duration};
use tracing::Instrument;

const DROPPED: &str = "its stream dropped it before its host came back";

/// What is to be done with the rest of a host's events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// It is there.
    GoOn,
    /// It is away: its hello will tell.
    Away,
    /// It does not take more now, or could not be asked; it will say nothing by itself.
    Later,
    /// It did not answer, and would not to the next question either.
    Silent,
}

/// How far a host was given what waits for it.
#[derive(Debug, Default)]
pub(super) struct Drained {
    /// What does not wait any more.
    pub(super) gone: Vec<EventId>,
    /// Whether it is to be looked at again soon.
    pub(super) is_soon: bool,
}

/// Offers a host its events in this order, for as long as it takes them.
pub(super) async fn drain(
    config: &Config,
    bus: &Bus,
    offers: &Offers,
    host: &HostId,
    waiting: Vec<(EventId, Parked)>,
) -> Drained {
    let mut drained = Drained::default();
    let mut next = Next::GoOn;
    for (id, parked) in waiting {
        let now = config.clocks.boottime_ms();
        let is_over = parked.due_boottime_ms <= now;
        // What one that does not answer has had for long enough ends without a question.
        let is_due = match next {
            Next::Silent if !parked.is_ending => is_long_over(config, parked, now),
            _ => is_over,
        };
        if (next != Next::GoOn || parked.is_ending) && !is_due {
            continue;
        }
        let key = keys::open_key(&Scope::Host(host.clone()), &id);
        let entry = match bus.bucket(Bucket::Open).get::<OpenEvent>(&key).await {
            // Another gateway has begun to end it, of which the watch has yet to tell: it is ended twice by whoever does
            // not leave it alone.
            Ok(Some(entry)) if entry.value.is_ending && entry.revision != parked.revision => continue,
            Ok(Some(entry)) if entry.value.state == OpenState::Parked => entry,
            // Somebody else gave or ended it; the sweeper says of one that cannot be read what is to be done.
            Ok(_) | Err(BusError::Decode { .. }) => {
                drained.gone.push(id);
                continue;
            }
            Err(error) => {
                tracing::warn!(%error, %host, "what waits for a host was not read; tried again");
                drained.is_soon = true;
                break;
            }
        };
        next = give(config, (bus, offers), host, entry, (parked, next), now).await;
        drained.is_soon |= next == Next::Later;
    }
    drained
}

async fn give(
    config: &Config,
    (bus, offers): (&Bus, &Offers),
    host: &HostId,
    entry: Entry<OpenEvent>,
    (parked, so_far): (Parked, Next),
    now: u64,
) -> Next {
    if parked.is_ending {
        end(
            config,
            bus,
            entry,
            "its time was over, and the gateway that ended it did not finish",
        )
        .await;
        return so_far;
    }
    let left = Duration::from_millis(parked.due_boottime_ms.saturating_sub(now));
    let until_deadline = parked.is_deadline.then_some(left);
    let filed = match whole(bus, &entry.value.event).await {
        Ok(Some(filed)) => filed,
        // There is nothing left to give. A host that did not answer may have taken it all the same, and reports that
        // by when one that was accepted is reported.
        Ok(None) if now < after_report(config, parked) => return so_far,
        Ok(None) => {
            end(config, bus, entry, DROPPED).await;
            return so_far;
        }
        Err(error) => {
            tracing::warn!(%error, %host, "what waits for a host was not read in its stream; tried again");
            return Next::Later;
        }
    };
    // The note was written for many at once and has no trace of its own.
    let span = tracing::info_span!("give a parked event", event = %filed.message.id);
    if let Some(parent) = &filed.traceparent {
        trace::set_parent(&span, parent);
    }
    let event = Arc::new(filed.message);
    let offered = match so_far {
        Next::Silent => Offer::Silent,
        _ => {
            offers
                .patiently(&event, host, until_deadline)
                .instrument(span)
                .await
        }
    };
    match offered {
        Offer::Accepted => {
            accepted(config, bus, entry, until_deadline).await;
            Next::GoOn
        }
        Offer::Refused(why) => {
            end(config, bus, entry, &format!("the runner refused it: {why}")).await;
            Next::GoOn
        }
        Offer::TooLate => {
            end(config, bus, entry, "its deadline passed before the host took it").await;
            Next::GoOn
        }
        Offer::Away if left.is_zero() => {
            let reason = if parked.is_deadline {
                "its deadline passed before the host could be reached"
            } else {
                "its host is not on the bus"
            };
            end(config, bus, entry, reason).await;
            Next::Away
        }
        Offer::Busy(why) if is_long_over(config, parked, now) => {
            let reason = format!("the runner did not take it in time: {why}");
            end(config, bus, entry, &reason).await;
            Next::GoOn
        }
        Offer::Silent if is_long_over(config, parked, now) => {
            end(config, bus, entry, NO_ANSWER).await;
            Next::Silent
        }
        Offer::Away => Next::Away,
        Offer::Silent => Next::Silent,
        // Less urgent ones would not be taken either.
        Offer::Busy(_) => Next::Later,
        Offer::NotAsked(why) => {
            tracing::warn!(why, %host, "a parked event was not offered; tried again");
            Next::Later
        }
    }
}

/// By when a host that took an event in time has reported how it ended.
fn after_report(config: &Config, parked: Parked) -> u64 {
    let grace = u64::try_from(config.report_grace.as_millis()).unwrap_or(u64::MAX);
    parked.due_boottime_ms.saturating_add(grace)
}

/// One that answers is there, and is given a while of its own.
fn is_long_over(config: &Config, parked: Parked, now: u64) -> bool {
    let patience = u64::try_from(config.busy_patience.as_millis()).unwrap_or(u64::MAX);
    parked.due_boottime_ms.saturating_add(patience) <= now
}

/// Turns the note into one of an accepted event. Whoever wrote it in between has given it too, or its outcome
/// is here already.
async fn accepted(config: &Config, bus: &Bus, entry: Entry<OpenEvent>, left: Option<Duration>) {
    let until_report = left.unwrap_or(config.patience) + config.report_grace;
    let open = OpenEvent {
        state: OpenState::Accepted,
        sweep_after_ms: u64::try_from(until_report.as_millis()).unwrap_or(u64::MAX),
        is_ending: false,
        ..entry.value
    };
    let bucket = bus.bucket(Bucket::Open);
    match bucket.update(&entry.key, &open, entry.revision).await {
        Ok(_) | Err(WriteError::Conflict { .. }) => {}
        Err(error) => {
            tracing::warn!(%error, key = entry.key, "a note was not changed; its host is asked again, who knows it");
        }
    }
}

async fn end(config: &Config, bus: &Bus, entry: Entry<OpenEvent>, reason: &str) {
    let dead = DeadEvents {
        bus: bus.clone(),
        clocks: config.clocks.clone(),
        name: config.name.clone(),
    };
    let key = entry.key.clone();
    if let Err(error) = ending::end(&dead, entry, config.report_grace, reason).await {
        tracing::warn!(
            error = one_line(&error),
            key,
            "a parked event was not ended; tried again"
        );
    }
}
