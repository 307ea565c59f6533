//! The service: its settings, its parts, and how they begin and end together.

use crate::{
    claims,
    context::{Context, OwnHost},
    follow, hello,
    intake::Intake,
    looks::{self, Looks},
    mirror::{Area, Mirror},
    notes::{self, Notes},
    observer,
    ops::Requests,
    own,
    provider::Clouds,
    reach::Reach,
    store::Store,
};
use snooze_bus::{Bus, BusError, BusStatus};
use snooze_schemas::HostId;
use snooze_service_runtime::{
    CancellationToken, Clocks, TaskError, Tasks,
    identity::{self, IdentityError},
};
use std::time::Duration;

/// Claims that one process holds at once. Each costs a beat every two seconds; the broker takes some 570
/// synced writes a second.
const CONCURRENT_CLAIMS: usize = 256;
/// For how long claims may take to be given up after shutdown: the longest call, and the writes after it.
const GRACE: Duration = Duration::from_secs(15);
/// Within such a time every enrolled host is looked at once, whether it says hello or not, where there are
/// no more than three thousand: all looks of a replica together keep a pace of five a second.
const SWEEP_EVERY: Duration = Duration::from_secs(600);
/// How long the last messages may take to be sent.
const DRAIN: Duration = Duration::from_secs(2);
/// How long an executor takes to end at most, for whoever ends one together with others.
pub const ENDS_WITHIN: Duration = GRACE.saturating_add(DRAIN);

/// The settings of one executor.
#[derive(Debug, Clone)]
pub struct Config {
    /// The clouds that it can reach.
    pub clouds: Clouds,
    /// The host that it runs on itself, where that is a watched one (P10, S25).
    pub host: Option<HostId>,
    /// How many claims it holds at once, takeovers included.
    pub concurrent_claims: usize,
    /// Within which time every enrolled host is looked at once, so that tags are right in the end (P4); as much
    /// later as their number needs at five looks a second.
    pub sweep_every: Duration,
    /// The clocks that everything is counted on.
    pub clocks: Clocks,
}

impl Config {
    /// With these clouds, on a machine that is no watched host.
    #[must_use]
    pub fn new(clouds: Clouds) -> Self {
        Self {
            clouds,
            host: None,
            concurrent_claims: CONCURRENT_CLAIMS,
            sweep_every: SWEEP_EVERY,
            clocks: Clocks::real(),
        }
    }

    /// On a machine that is itself this host.
    #[must_use]
    pub fn on_host(mut self, host: HostId) -> Self {
        self.host = Some(host);
        self
    }
}

/// Why an executor ended before it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum ExecutorError {
    /// This machine's boot cannot be told apart from another one.
    #[error("read this machine's identity")]
    Identity(#[from] IdentityError),
    /// It cannot hear what it must hear.
    #[error("subscribe")]
    Subscribe(#[source] BusError),
    /// The server denied something that it needs.
    #[error("the bus denied what an executor needs: {0}")]
    Denied(String),
    /// A part of it failed.
    #[error(transparent)]
    Task(#[from] TaskError),
}

/// Runs an executor until `shutdown` is cancelled; then gives up what it can and leaves the rest to others.
///
/// Cancelling the future is a crash: another executor takes its claims over after T.
///
/// # Errors
/// When a part fails, or the bus denies what an executor needs.
pub async fn run(config: Config, bus: Bus, shutdown: CancellationToken) -> Result<(), ExecutorError> {
    let own = match config.host {
        Some(host) => Some(OwnHost {
            host,
            boot_id: identity::boot_id()?,
        }),
        None => None,
    };
    let context = Context {
        store: Store::new(&bus),
        mirror: Mirror::new(),
        reach: Reach::new(&config.clouds),
        clouds: config.clouds,
        clocks: config.clocks,
        actor: format!("executor {:08x}", rand::random::<u32>()),
        own,
        bus: bus.clone(),
    };
    let (claims, claim_tasks) = claims::claims(&context, config.concurrent_claims);
    let requests = Requests::subscribe(&context)
        .await
        .map_err(ExecutorError::Subscribe)?;
    let hellos = hello::subscribe(&context)
        .await
        .map_err(ExecutorError::Subscribe)?;
    let (notes, looks) = (Notes::default(), Looks::default());

    let mut tasks = Tasks::new(shutdown.clone());
    for (name, area) in [
        ("follow configuration", Area::Configuration),
        ("follow state", Area::State),
    ] {
        tasks.start(
            name,
            follow::follow(bus.clone(), context.mirror.clone(), area, shutdown.clone()),
        );
    }
    tasks.start("claims", claim_tasks.run(shutdown.clone()));
    tasks.start(
        "intake",
        Intake::new(context.clone(), claims.clone(), notes.clone()).run(shutdown.clone()),
    );
    tasks.start("notes", notes::file(notes, context.clone(), shutdown.clone()));
    tasks.start("own host", own::keep_marked(context.clone(), shutdown.clone()));
    tasks.start("requests", requests.serve(context.clone(), shutdown.clone()));
    tasks.start(
        "hellos",
        hello::hear(hellos, context.clone(), looks.clone(), shutdown.clone()),
    );
    tasks.start(
        "sweep",
        looks::sweep(
            context.clone(),
            looks.clone(),
            config.sweep_every,
            shutdown.clone(),
        ),
    );
    tasks.start("looks", looks::run(looks, context.clone(), shutdown.clone()));
    tasks.start(
        "observer",
        observer::run(context.clone(), claims, shutdown.clone()),
    );
    tasks.start("bus", watch_bus(bus.clone(), shutdown.clone()));
    tracing::info!(actor = context.actor, "the executor runs");
    let ended = tasks.run(GRACE).await;
    if let Err(error) = bus.drain(DRAIN).await {
        tracing::debug!(error = %crate::perform::chain(&error), "the last messages may not have been sent");
    }
    ended.map_err(why_it_ended)
}

fn why_it_ended(error: TaskError) -> ExecutorError {
    let TaskError::Failed { name, source } = error else {
        return ExecutorError::Task(error);
    };
    match source.downcast::<ExecutorError>() {
        Ok(own) => *own,
        Err(source) => ExecutorError::Task(TaskError::Failed { name, source }),
    }
}

/// Ends with an error when the server denies what this service needs: it would never hear what it misses.
async fn watch_bus(bus: Bus, shutdown: CancellationToken) -> Result<(), ExecutorError> {
    let mut status = bus.status();
    loop {
        if let BusStatus::Fatal(reason) = &*status.borrow_and_update() {
            return Err(ExecutorError::Denied(reason.clone()));
        }
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            changed = status.changed() => if changed.is_err() {
                return Err(ExecutorError::Denied("the connection is closed".to_owned()));
            }
        }
    }
}
