//! Four lanes, one a severity, each with its own window of events in hand (rule E3).
//!
//! A lane begins only as many as its window holds, so that a flood below never delays what is above; and
//! because every lane has a window of its own, what is below keeps its small share. A few more it has in hand, so that
//! of those the one with the nearest deadline is begun next.

mod lane;
mod lanes;
mod settle;
mod settled;
mod turns;
mod unreadable;
mod waiting;

use super::{
    Config, dead::DeadEvents, notes::Notes, offer::Offers, parked::There, places::Places, roster::Roster,
};
pub(crate) use lane::lane;
pub(crate) use lanes::Lanes;
use settle::{pause_of, settle};
use settled::Settled;
use snooze_bus::{Bus, EventDelivery};
use snooze_schemas::{
    HostId,
    event::{Event, Scope, severity_of},
};
use snooze_service_runtime::exit::one_line;
use std::{sync::Arc, time::Duration};
use tokio::task::JoinSet;
use tracing::Instrument;
use waiting::Waiting;

/// Hosts that are asked at once about one event of the fleet.
const HOSTS_AT_ONCE: usize = 64;

/// How often the server is told that work on an event goes on: one for the fleet may take longer than the
/// half minute after which it would be given to another gateway as well.
const STILL_WORKING: Duration = Duration::from_secs(10);

/// What a lane works with.
#[derive(Debug)]
pub(crate) struct Desk {
    dead: DeadEvents,
    places: Places,
    notes: Notes,
    roster: Roster,
    offers: Offers,
    there: There,
    patience: Duration,
    busy_patience: Duration,
    report_grace: Duration,
    settled: Settled,
    waiting: Waiting,
}

impl Desk {
    pub(crate) fn new(
        config: &Config,
        bus: Bus,
        (places, notes): (Places, Notes),
        roster: Roster,
        (offers, there): (Offers, There),
    ) -> Desk {
        Desk {
            dead: DeadEvents {
                bus,
                clocks: config.clocks.clone(),
                name: config.name.clone(),
            },
            places,
            notes,
            roster,
            offers,
            there,
            patience: config.patience,
            busy_patience: config.busy_patience,
            report_grace: config.report_grace,
            settled: Settled::default(),
            waiting: Waiting::default(),
        }
    }
}

/// What one event needs before it can be acked: every host accepted it, refused it, or has it parked.
async fn dispatch(desk: Arc<Desk>, delivery: EventDelivery) {
    let (deliveries, sequence) = (delivery.deliveries(), delivery.sequence());
    let outcome = match while_working(&delivery, try_once(&desk, delivery.event(), sequence)).await {
        Ok(()) => {
            desk.waiting.end(sequence);
            delivery.ack().await
        }
        Err(why) => {
            let event = delivery.event();
            tracing::warn!(why, event = %event.id, "an event could not be settled and comes again");
            let left = desk.waiting.time_of(sequence, event, &desk.dead.clocks).left;
            let pause = pause_of(event.severity, left, deliveries);
            delivery.retry_after(pause).await
        }
    };
    if let Err(error) = outcome {
        tracing::warn!(%error, "an event's ack was not sent; it comes again");
    }
}

/// Waits for the work on an event, and tells the server now and then that it goes on.
async fn while_working<T>(delivery: &EventDelivery, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        // Cancelling the pause loses nothing.
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(STILL_WORKING) => {
                if let Err(error) = delivery.working().await {
                    tracing::debug!(%error, "the server was not told that work goes on");
                }
            }
        }
    }
}

async fn try_once(desk: &Arc<Desk>, event: &Arc<Event>, sequence: u64) -> Result<(), String> {
    if let Some(reason) = contradiction(event) {
        let filed = desk.dead.file(event.host.clone(), event, &reason).await;
        return filed.map_err(|error| one_line(&error));
    }
    let mut waiting = hosts_of(desk, event).await?.into_iter();
    let mut asked = JoinSet::new();
    let mut failed = None;
    loop {
        while asked.len() < HOSTS_AT_ONCE
            && let Some(host) = waiting.next()
        {
            asked.spawn(try_host(Arc::clone(desk), Arc::clone(event), host, sequence).in_current_span());
        }
        match asked.join_next().await {
            None => break,
            Some(Ok(Ok(()))) => {}
            Some(Ok(Err(why))) => failed = Some(why),
            Some(Err(error)) => failed = Some(error.to_string()),
        }
    }
    if let Some(why) = failed {
        return Err(why);
    }
    desk.settled.forget(&event.id);
    Ok(())
}

async fn try_host(desk: Arc<Desk>, event: Arc<Event>, host: HostId, sequence: u64) -> Result<(), String> {
    // Looked at for each host: asking all of a fleet takes a while.
    let time = desk.waiting.time_of(sequence, &event, &desk.dead.clocks);
    settle(&desk, &event, host.clone(), time).await?;
    if event.host == Scope::Fleet {
        desk.settled.add(&event.id, host);
    }
    Ok(())
}

/// Why an event cannot be what it says: its type has one severity, whoever noticed it (rule E1).
fn contradiction(event: &Event) -> Option<String> {
    let severity = severity_of(&event.event_type).filter(|severity| *severity != event.severity)?;
    Some(format!(
        "an event of the type {} has the severity {}, this one was filed with {}",
        event.event_type,
        u8::from(severity),
        u8::from(event.severity)
    ))
}

/// The hosts that an event concerns and that are not done with it: for the fleet, of all that are enrolled.
async fn hosts_of(desk: &Desk, event: &Event) -> Result<Vec<HostId>, String> {
    match &event.host {
        Scope::Host(host) => Ok(vec![host.clone()]),
        Scope::Fleet => {
            let settled = desk.settled.of(&event.id);
            let enrolled = desk.roster.hosts().await?;
            Ok(enrolled
                .iter()
                .filter(|host| !settled.contains(*host))
                .cloned()
                .collect())
        }
    }
}
