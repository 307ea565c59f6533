//! The part at the centre: files what people report under an id of its own, and hands every event to the host
//! that it concerns, the most urgent first.
//!
//! **Invariant:** no event is dropped silently. It ends with its outcome in AUDIT, or in DEAD with the
//! reason; what a full stream drops before it was dispatched is told in AUDIT. **Invariant:** nothing stays
//! unacked while a handler runs, and a flood of one severity never delays a more urgent one. It handles nothing
//! itself: that is the runner's part.
//!
//! - `custom`, `http`, `taking`: the two ways in for people's own events, and what both share.
//! - `custom_type`, `ids`: what those are filed under.
//! - `sources`, `aws_queue`: what AWS tells of the fleet's instances, where it is switched on.
//! - `rarely`: how often of what strangers do is told.
//! - `replay`: what people want to be handled again.
//! - `dispatch`: the four lanes, one a severity, and what becomes of one event.
//! - `roster`: whom an event of the fleet concerns.
//! - `offer`, `answers`, `notes`, `parked`, `whole`: what a host took, and what waits for one that is away or silent.
//! - `places`: how many events of one host may be open.
//! - `sweeper`, `outcomes`, `ending`, `dead`: how it ends.
//! - `room`: whether the streams of events fill up.
//! - `publishing`: whether what was decided is told to others.

mod answers;
#[cfg(feature = "aws")]
pub mod aws_queue;
mod custom;
mod custom_type;
mod dead;
mod dispatch;
mod ending;
pub mod http;
mod ids;
mod notes;
mod offer;
mod outcomes;
mod parked;
mod places;
mod publishing;
mod rarely;
mod replay;
mod room;
mod roster;
mod sources;
mod sweeper;
mod taking;
mod whole;

pub use publishing::LacksAws;
pub use sources::SourceError;

use crate::{GatewayError, denied::until_denied};
use snooze_bus::{Bus, GATEWAY_QUEUE, Subject, SubjectFilter, serve};
use snooze_schemas::{
    audit::AuditKind,
    event::{Scope, Severity},
};
use snooze_service_runtime::{CancellationToken, Clocks, Tasks};
use std::{convert::Infallible, time::Duration};

/// Custom events filed at once, of all sources; each is one synced write.
const CUSTOM_AT_ONCE: usize = 1_024;
/// Replays at once; people ask for them.
const REPLAYS_AT_ONCE: usize = 16;
/// Events of one host that are open at once, of each severity and of each origin. A runner handles no more than 256 at
/// once; and a host that has all eight times as many takes a quarter of the 128 MiB that there are for all.
const OPEN_AT_MOST: usize = 4_096;
/// For how long what is in flight may go on after the shutdown began.
const GRACE: Duration = Duration::from_secs(15);

/// What the gateway is told at its start.
#[derive(Debug, Clone)]
pub struct Config {
    /// Who it is, in the audit trail.
    pub name: String,
    /// For how long an event without a deadline may wait for its host, and then for its outcome.
    pub patience: Duration,
    /// For how long at least a host that is there and does not take an event is tried, whatever its deadline.
    pub busy_patience: Duration,
    /// For how long after its deadline an accepted event may go without its outcome.
    pub report_grace: Duration,
    /// How many events of one host, one severity and one origin are open at once; what comes beyond ends in DEAD.
    pub open_at_most: usize,
    /// How often a host that is away and says nothing is asked whether it takes what waits for it.
    pub away_retry: Duration,
    /// How often it looks for open events whose time is over.
    pub sweep_interval: Duration,
    /// How often it looks whether the streams of events fill up.
    pub room_interval: Duration,
    /// Where people's own events are taken over HTTP, if anywhere.
    pub http: Option<http::Front>,
    /// Where what was decided is published, if anywhere.
    #[cfg(feature = "aws")]
    pub publish: Option<crate::aws::publish::Settings>,
    /// From where AWS's events are taken, if from anywhere.
    #[cfg(feature = "aws")]
    pub aws_queue: Option<aws_queue::Settings>,
    /// The clocks.
    pub clocks: Clocks,
}

impl Config {
    /// The limits of the protocol: 300 s without a deadline, a minute after one (rule E4).
    #[must_use]
    pub fn new(name: String) -> Config {
        Config {
            name,
            patience: Duration::from_secs(300),
            busy_patience: Duration::from_secs(60),
            report_grace: Duration::from_secs(60),
            open_at_most: OPEN_AT_MOST,
            away_retry: Duration::from_secs(30),
            sweep_interval: Duration::from_secs(1),
            room_interval: Duration::from_secs(60),
            http: None,
            #[cfg(feature = "aws")]
            publish: None,
            #[cfg(feature = "aws")]
            aws_queue: None,
            clocks: Clocks::real(),
        }
    }
}

/// Files and dispatches until shutdown. Any number of gateways share the work.
///
/// # Errors
/// When it cannot start, and when a part of it ends before shutdown or the bus denies what it needs.
pub async fn run(mut config: Config, bus: Bus, shutdown: CancellationToken) -> Result<(), GatewayError> {
    let custom = subscribe(&bus, &SubjectFilter::AllCustom).await?;
    let asked = subscribe(&bus, &SubjectFilter::AllGateway).await?;
    let outcomes = subscribe(&bus, &SubjectFilter::AuditOfKind(AuditKind::Event)).await?;
    let hellos = subscribe(&bus, &SubjectFilter::AllHello).await?;
    let (notes, note_writer) = notes::channel(bus.clone());
    let (roster, roster_follower) = roster::follow(bus.clone(), shutdown.clone());

    let offers = offer::Offers::new(bus.clone(), config.clocks.clone());
    let (there, told) = parked::There::channel();
    let places = places::Places::new(config.clocks.clone(), config.open_at_most);

    let mut tasks = Tasks::new(shutdown.clone());
    let lanes = dispatch::Lanes::default();
    for severity in Severity::DESCENDING {
        let events = bus
            .events(severity)
            .await
            .map_err(|source| GatewayError::Consume {
                severity: severity.into(),
                source,
            })?;
        let handing = (offers.clone(), there.clone());
        let noting = (places.clone(), notes.clone());
        let desk = dispatch::Desk::new(&config, bus.clone(), noting, roster.clone(), handing);
        tasks.start(
            format!("dispatch-{}", u8::from(severity)),
            dispatch::lane(desk, events, lanes.clone(), shutdown.clone()),
        );
    }
    drop((notes, there));
    tasks.start("notes", note_writer);
    tasks.start("roster", roster_follower);
    tasks.start("custom", {
        let (bus, clocks, stop) = (bus.clone(), config.clocks.clone(), shutdown.clone());
        async move {
            let places = custom::Places::default();
            let handler = move |delivery| custom::file(delivery, places.clone(), bus.clone(), clocks.clone());
            serve(custom, CUSTOM_AT_ONCE, GRACE, stop.cancelled_owned(), handler).await;
            Ok::<_, Infallible>(())
        }
    });
    // Taken out: who kept a copy would keep the socket open after it has ended.
    if let Some(front) = config.http.take() {
        let (bus, clocks, stop) = (bus.clone(), config.clocks.clone(), shutdown.clone());
        tasks.start("http", http::serve(front, bus, clocks, stop));
    }
    #[cfg(feature = "aws")]
    if let Some(settings) = config.publish.take() {
        let (bus, clocks, stop) = (bus.clone(), config.clocks.clone(), shutdown.clone());
        tasks.start(
            "publish",
            crate::aws::publish::publish(settings, bus, clocks, stop),
        );
    }
    #[cfg(feature = "aws")]
    if let Some(settings) = config.aws_queue.take() {
        let taking = aws_queue::take(settings, config.clone(), bus.clone(), shutdown.clone());
        tasks.start("aws-queue", taking);
    }
    tasks.start("replay", {
        let (bus, clocks, stop) = (bus.clone(), config.clocks.clone(), shutdown.clone());
        async move {
            let handler = move |delivery| replay::file_again(delivery, bus.clone(), clocks.clone());
            serve(asked, REPLAYS_AT_ONCE, GRACE, stop.cancelled_owned(), handler).await;
            Ok::<_, Infallible>(())
        }
    });
    tasks.start(
        "outcomes",
        outcomes::clear(outcomes, bus.clone(), shutdown.clone()),
    );
    tasks.start(
        "parked",
        parked::give(
            config.clone(),
            bus.clone(),
            (offers, places),
            (hellos, told),
            shutdown.clone(),
        ),
    );
    tasks.start("room", room::watch(config.clone(), bus.clone(), shutdown.clone()));
    tasks.start("sweeper", sweeper::sweep(config, bus.clone(), shutdown.clone()));
    tasks.start("bus", until_denied(bus, shutdown));
    tasks.run(GRACE).await.map_err(GatewayError::Run)
}

async fn subscribe(bus: &Bus, filter: &SubjectFilter) -> Result<snooze_bus::Subscription, GatewayError> {
    bus.subscribe(filter, Some(GATEWAY_QUEUE))
        .await
        .map_err(|source| GatewayError::Subscribe {
            what: filter.template(),
            source,
        })
}

/// The subject of an entry in the audit trail about an event.
fn audit_subject(scope: Scope) -> Subject {
    Subject::Audit {
        scope,
        kind: AuditKind::Event,
    }
}
