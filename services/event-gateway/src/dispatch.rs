//! Four lanes, one a severity, each with its own window of events in hand (rule E3).
//!
//! A lane takes only as many as its window holds, so that a flood below never delays what is above; and
//! because every lane has a window of its own, what is below keeps its small share.

mod offer;

use crate::{Config, GatewayError, dead, notes::Notes};
use offer::{Offer, offer};
use snooze_bus::{Bucket, Bus, EventConsumer, EventDelivery, keys};
use snooze_schemas::{
    EventId, HostId,
    event::{Event, OpenEvent, Scope, Severity},
};
use snooze_service_runtime::{CancellationToken, Clocks, exit::one_line};
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::Semaphore, task::JoinSet};
use tracing::Instrument;

/// Hosts that are asked at once about one event of the fleet.
const HOSTS_AT_ONCE: usize = 64;

/// The longest pause before an event for a host that is away is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// How often the server is told that work on an event goes on: one for the fleet may take longer than the
/// half minute after which it would be given to another gateway as well.
const STILL_WORKING: Duration = Duration::from_secs(10);

/// Events of the fleet of which is remembered which hosts are settled. More are never on their way at once,
/// save in a flood; forgetting one costs only that its hosts are asked again, who know it.
const REMEMBERED: usize = 1_024;

/// Events in hand at once, for one gateway.
fn window(severity: Severity) -> usize {
    match severity {
        Severity::Critical => 512,
        Severity::Urgent => 256,
        Severity::Warning => 64,
        Severity::Info => 32,
    }
}

/// What a lane works with.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    bus: Bus,
    notes: Notes,
    name: String,
    patience: Duration,
    report_grace: Duration,
    clocks: Clocks,
    settled: Arc<Settled>,
}

/// Which hosts an event of the fleet is settled for, while others are still away: a host that is done with it
/// is not asked again, and what it could not handle is not filed twice.
#[derive(Debug, Default)]
struct Settled(Mutex<HashMap<EventId, HashSet<HostId>>>);

impl Settled {
    fn of(&self, event: &EventId) -> HashSet<HostId> {
        self.events().get(event).cloned().unwrap_or_default()
    }

    fn add(&self, event: &EventId, host: HostId) {
        let mut events = self.events();
        if events.len() >= REMEMBERED && !events.contains_key(event) {
            events.clear();
        }
        events.entry(event.clone()).or_default().insert(host);
    }

    fn forget(&self, event: &EventId) {
        self.events().remove(event);
    }

    fn events(&self) -> MutexGuard<'_, HashMap<EventId, HashSet<HostId>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk {
    pub(crate) fn new(config: &Config, bus: Bus, notes: Notes) -> Desk {
        Desk {
            bus,
            notes,
            name: config.name.clone(),
            patience: config.patience,
            report_grace: config.report_grace,
            clocks: config.clocks.clone(),
            settled: Arc::default(),
        }
    }
}

/// Takes events of one severity and hands them on until shutdown; then lets those in hand end.
pub(crate) async fn lane(
    desk: Desk,
    mut events: EventConsumer,
    shutdown: CancellationToken,
) -> Result<(), GatewayError> {
    let severity = events.severity();
    let desk = Arc::new(desk);
    let window = window(severity);
    let mut in_hand = JoinSet::new();
    loop {
        // Cancelling any branch loses nothing: an event that was not yet given comes again by itself.
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(ended) = in_hand.join_next() => note_panic(ended),
            event = events.next(), if in_hand.len() < window => {
                let delivery = event.map_err(|source| GatewayError::Consume { severity: severity.into(), source })?;
                let span = delivery.span();
                in_hand.spawn(dispatch(Arc::clone(&desk), delivery).instrument(span));
            }
        }
    }
    while let Some(ended) = in_hand.join_next().await {
        note_panic(ended);
    }
    Ok(())
}

fn note_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a dispatch ended without finishing; its event comes again");
    }
}

/// What one event needs before it can be acked: every host accepted it, refused it, or ran out of time.
async fn dispatch(desk: Arc<Desk>, delivery: EventDelivery) {
    let deliveries = delivery.deliveries();
    let outcome = match while_working(&delivery, try_once(&desk, delivery.event())).await {
        Ok(Round::Settled) => delivery.ack().await,
        Ok(Round::Again) => delivery.retry_after(pause(deliveries)).await,
        Err(why) => {
            tracing::warn!(why, event = %delivery.event().id, "an event could not be settled and comes again");
            delivery.retry_after(pause(deliveries)).await
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

enum Round {
    /// Accounted for, everywhere.
    Settled,
    /// A host is away and there is time left.
    Again,
}

async fn try_once(desk: &Arc<Desk>, event: &Event) -> Result<Round, String> {
    let mut hosts = hosts_of(desk, &event.host).await?;
    let settled = desk.settled.of(&event.id);
    hosts.retain(|host| !settled.contains(host));
    let places = Arc::new(Semaphore::new(HOSTS_AT_ONCE));
    let mut asked = JoinSet::new();
    for host in hosts {
        let (desk, event, places) = (Arc::clone(desk), event.clone(), Arc::clone(&places));
        let one = async move {
            let _place = places.acquire().await;
            let round = settle(&desk, &event, host.clone()).await;
            if event.host == Scope::Fleet && matches!(round, Ok(Round::Settled)) {
                desk.settled.add(&event.id, host);
            }
            round
        };
        asked.spawn(one.in_current_span());
    }
    let mut round = Round::Settled;
    let mut failed = None;
    while let Some(one) = asked.join_next().await {
        match one {
            Ok(Ok(Round::Settled)) => {}
            Ok(Ok(Round::Again)) => round = Round::Again,
            Ok(Err(why)) => failed = Some(why),
            Err(error) => failed = Some(error.to_string()),
        }
    }
    if let Some(why) = failed {
        return Err(why);
    }
    if matches!(round, Round::Settled) {
        desk.settled.forget(&event.id);
    }
    Ok(round)
}

/// The hosts that an event concerns: for the fleet, all that are enrolled.
async fn hosts_of(desk: &Desk, scope: &Scope) -> Result<Vec<HostId>, String> {
    match scope {
        Scope::Host(host) => Ok(vec![host.clone()]),
        Scope::Fleet => {
            let keys = desk.bus.bucket(Bucket::Config).keys(keys::ALL_ROSTER).await;
            let keys = keys.map_err(|error| one_line(&error))?;
            Ok(keys.iter().filter_map(|key| keys::host_of(key)).collect())
        }
    }
}

async fn settle(desk: &Desk, event: &Event, host: HostId) -> Result<Round, String> {
    let left = left(desk, event);
    let offer = match left.for_host {
        Some(Duration::ZERO) => {
            Offer::Away("its deadline passed before the host could be reached".to_owned())
        }
        for_host => offer(&desk.bus, event, &host, for_host).await,
    };
    let buried = |reason: String| async move {
        let scope = Scope::Host(host.clone());
        dead::bury(&desk.bus, &desk.clocks, &desk.name, scope, event, &reason)
            .await
            .map(|()| Round::Settled)
            .map_err(|error| one_line(&error))
    };
    match offer {
        Offer::Accepted(host) => {
            let until_report = left.for_host.unwrap_or(desk.patience) + desk.report_grace;
            let open = OpenEvent {
                event: event.clone(),
                host,
                sweep_after_ms: u64::try_from(until_report.as_millis()).unwrap_or(u64::MAX),
                is_ending: false,
            };
            let noted = desk.notes.note(open).await;
            noted.map(|()| Round::Settled).map_err(|error| one_line(&error))
        }
        Offer::Refused(why) => buried(format!("the runner refused it: {why}")).await,
        Offer::Away(why) if left.to_wait.is_zero() => buried(why).await,
        Offer::Away(_) => Ok(Round::Again),
    }
}

/// What is left of an event's time.
struct Left {
    /// What the host is told; none where the event has no deadline.
    for_host: Option<Duration>,
    /// For how long a host that is away is waited for.
    to_wait: Duration,
}

fn left(desk: &Desk, event: &Event) -> Left {
    let now = desk.clocks.wall();
    let until = |then: snooze_schemas::Timestamp| {
        Duration::try_from(then.duration_since(now)).unwrap_or(Duration::ZERO)
    };
    let for_host = event.deadline.map(until);
    let waited = Duration::try_from(now.duration_since(event.noticed_at)).unwrap_or(Duration::ZERO);
    Left {
        for_host,
        to_wait: for_host.unwrap_or(desk.patience.saturating_sub(waited)),
    }
}

/// The pause before the next try: short at first, since most absences are a restart.
fn pause(deliveries: u64) -> Duration {
    let doublings = u32::try_from(deliveries.min(8)).expect("at most 8");
    (Duration::from_millis(125) * 2u32.pow(doublings)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e3_a_more_urgent_lane_has_the_wider_window_and_every_lane_has_one() {
        let windows = Severity::DESCENDING.map(window);
        assert!(windows.is_sorted_by(|above, below| above > below));
        assert!(windows.iter().all(|window| *window > 0));
    }

    #[test]
    fn the_pause_grows_and_is_bounded() {
        assert_eq!(pause(1), Duration::from_millis(250));
        assert_eq!(pause(u64::MAX), LONGEST_PAUSE);
    }
}
