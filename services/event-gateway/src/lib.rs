//! Files what people report under an id of its own, and hands every event to the host that it concerns,
//! the most urgent first.
//!
//! **Invariant:** no event is dropped silently. It ends with its outcome in AUDIT, or in DEAD with the
//! reason; what a full stream drops before it was dispatched is told in AUDIT. **Invariant:** nothing stays unacked while a handler runs, and a flood of one severity never
//! delays a more urgent one. It handles nothing itself: that is the runner's part.
//!
//! - `custom`, `ids`: the source of people's own events, and what they are filed under.
//! - `dispatch`: the four lanes, one a severity, and what becomes of one event.
//! - `roster`: whom an event of the fleet concerns.
//! - `notes`, `sweeper`, `outcomes`, `dead`: what was accepted, and how it ends.
//! - `room`: whether the streams of events fill up.

mod custom;
mod dead;
mod dispatch;
mod happening;
mod ids;
mod notes;
mod outcomes;
mod room;
mod roster;
mod sweeper;

pub use happening::{NotCustom, custom_type};

use snooze_bus::{Bus, BusError, BusErrorKind, GATEWAY_QUEUE, Subject, SubjectFilter, serve};
use snooze_schemas::{
    audit::AuditKind,
    event::{Scope, Severity},
};
use snooze_service_runtime::{CancellationToken, Clocks, TaskError, Tasks};
use std::{convert::Infallible, time::Duration};

/// Custom events filed at once; each is one synced write.
const CUSTOM_AT_ONCE: usize = 256;
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
    /// How often it looks for accepted events whose time is over.
    pub sweep_interval: Duration,
    /// How often it looks whether the streams of events fill up.
    pub room_interval: Duration,
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
            sweep_interval: Duration::from_secs(1),
            room_interval: Duration::from_secs(60),
            clocks: Clocks::real(),
        }
    }
}

/// Why the gateway ended.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The bus did not take a subscription.
    #[error("listen on {what}")]
    Subscribe {
        /// To what.
        what: &'static str,
        /// Why.
        source: BusError,
    },
    /// The events of a severity cannot be taken.
    #[error("take the events of severity {severity}")]
    Consume {
        /// Which.
        severity: u8,
        /// Why.
        source: BusError,
    },
    /// The bus denied what the gateway needs.
    #[error("the bus denied what the gateway needs: {why}")]
    Denied {
        /// What the server said.
        why: String,
    },
    /// A part of it failed or ended.
    #[error("run the gateway")]
    Run(#[source] TaskError),
}

impl GatewayError {
    /// What a program does about it: whether trying again helps.
    #[must_use]
    pub fn kind(&self) -> BusErrorKind {
        match self {
            Self::Subscribe { source, .. } | Self::Consume { source, .. } => source.kind(),
            Self::Denied { .. } => BusErrorKind::Denied,
            Self::Run(TaskError::Failed { source, .. }) => source
                .downcast_ref()
                .map_or(BusErrorKind::Failed, GatewayError::kind),
            Self::Run(_) => BusErrorKind::Failed,
        }
    }
}

/// Files and dispatches until shutdown. Any number of gateways share the work.
///
/// # Errors
/// When it cannot start, and when a part of it ends before shutdown or the bus denies what it needs.
pub async fn run(config: Config, bus: Bus, shutdown: CancellationToken) -> Result<(), GatewayError> {
    let custom = subscribe(&bus, &SubjectFilter::AllCustom).await?;
    let outcomes = subscribe(&bus, &SubjectFilter::AuditOfKind(AuditKind::Event)).await?;
    let (notes, note_writer) = notes::channel(bus.clone());
    let (roster, roster_follower) = roster::follow(bus.clone(), shutdown.clone());

    let mut tasks = Tasks::new(shutdown.clone());
    for severity in Severity::DESCENDING {
        let events = bus
            .events(severity)
            .await
            .map_err(|source| GatewayError::Consume {
                severity: severity.into(),
                source,
            })?;
        let desk = dispatch::Desk::new(&config, bus.clone(), notes.clone(), roster.clone());
        tasks.start(
            format!("dispatch-{}", u8::from(severity)),
            dispatch::lane(desk, events, shutdown.clone()),
        );
    }
    drop(notes);
    tasks.start("notes", note_writer);
    tasks.start("roster", roster_follower);
    tasks.start("custom", {
        let (bus, clocks, stop) = (bus.clone(), config.clocks.clone(), shutdown.clone());
        async move {
            let handler = move |delivery| custom::file(delivery, bus.clone(), clocks.clone());
            serve(custom, CUSTOM_AT_ONCE, GRACE, stop.cancelled_owned(), handler).await;
            Ok::<_, Infallible>(())
        }
    });
    tasks.start(
        "outcomes",
        outcomes::clear(outcomes, bus.clone(), shutdown.clone()),
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

/// Watches the connection: a denied permission would otherwise never be heard of.
async fn until_denied(bus: Bus, shutdown: CancellationToken) -> Result<(), GatewayError> {
    let mut status = bus.status();
    let denied = status.wait_for(|status| matches!(status, snooze_bus::BusStatus::Fatal(_)));
    tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        status = denied => match status.as_deref() {
            Ok(snooze_bus::BusStatus::Fatal(why)) => Err(GatewayError::Denied { why: why.clone() }),
            _ => Err(GatewayError::Denied { why: "the connection is closed".to_owned() }),
        },
    }
}

/// The subject of an entry in the audit trail about an event.
fn audit_subject(scope: Scope) -> Subject {
    Subject::Audit {
        scope,
        kind: AuditKind::Event,
    }
}
