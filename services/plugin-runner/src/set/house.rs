//! Has the plugins run that are to run: each in tasks of its own, which end with it.
//!
//! **Invariant:** of one plugin there is never more than one process; a new one is started when the one before has
//! ended. It decides nothing: what is to run is `look`'s word, and whether it is switched on that of `plugins`.

mod attending;
mod error;
mod looking;
mod settling;

pub use error::HouseError;

use super::{
    Departed, Digests, Known, Stirs,
    orders::{Desk, Given},
    tenant::Tenant,
    watch::Watch,
};
use crate::{
    Config,
    backoff::Backoff,
    directory::Directory,
    fence::{self, ControlGroups},
    guest::Seat,
    packages::Shelf,
    plugins::Plugins,
    policy::PolicyInForce,
    starts::Starts,
    stdio::StdioPlugin,
    trail::Trail,
};
use snooze_bus::Bus;
use snooze_schemas::PluginName;
use snooze_service_runtime::CancellationToken;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tokio::{
    sync::{mpsc, watch},
    task::{JoinError, JoinSet},
    time::{Instant, sleep_until},
};

/// What the house works with.
#[derive(Debug)]
pub(crate) struct Parts {
    /// What the runner was told.
    pub config: Config,
    /// The bus.
    pub bus: Bus,
    /// Who is told which plugins there are.
    pub plugins: Arc<Plugins>,
    /// Where people see those that are served.
    pub directory: Arc<Directory>,
    /// The policy that holds.
    pub policy: watch::Receiver<Arc<PolicyInForce>>,
    /// Those that were here before.
    pub known: Known,
    /// Those that are gone.
    pub departed: Departed,
    /// Digests of files.
    pub digests: Arc<Digests>,
    /// Where packages lie.
    pub shelf: Arc<Shelf>,
    /// Where it is noted what was done.
    pub trail: Trail,
    /// When all of them end.
    pub shutdown: CancellationToken,
}

/// The plugins that run.
pub(crate) struct House {
    parts: Parts,
    orders: mpsc::Receiver<Given>,
    /// The order that is being carried out; nothing once whoever gave it has been told.
    attending: Option<Given>,
    packages: watch::Receiver<u64>,
    watch: Watch,
    /// When it is looked again although nothing is seen to change, where that may be of use.
    again: Option<Instant>,
    backoff: Backoff,
    stirs: Stirs,
    control_groups: Arc<Result<ControlGroups, String>>,
    running: BTreeMap<PluginName, Tenant>,
    /// Those that are ending, and what says when they have: whoever takes the place of one waits for it.
    ending: BTreeMap<PluginName, CancellationToken>,
    unloaded: BTreeSet<PluginName>,
    /// The manifests of which it was said what is odd in them, by their SHA-256.
    told: BTreeMap<PluginName, String>,
    /// How often each was started as something else.
    generations: BTreeMap<PluginName, u64>,
    /// Where libraries are at work, also those that hang.
    seats: BTreeMap<PluginName, Arc<Seat>>,
    starts: Starts,
    tasks: JoinSet<(Arc<StdioPlugin>, Result<(), HouseError>)>,
    /// All that have not ended, those that are ending among them.
    alive: Alive,
    /// Whether a look was made, or is known not to end.
    begun: watch::Sender<bool>,
}

impl House {
    /// Nobody runs yet.
    pub(crate) fn new(parts: Parts) -> (House, Desk) {
        let (desk, orders) = Desk::new();
        let config = &parts.config;
        let groups = ControlGroups::prepare(&config.fence.control_groups, fence::scope_of(&config.state));
        if let Err(why) = &groups {
            tracing::info!(why, "plugins run without control groups");
        }
        let house = House {
            packages: parts.shelf.news(),
            parts,
            orders,
            attending: None,
            watch: Watch::new(),
            again: None,
            backoff: Backoff::default(),
            stirs: Stirs::default(),
            control_groups: Arc::new(groups),
            running: BTreeMap::new(),
            ending: BTreeMap::new(),
            unloaded: BTreeSet::new(),
            told: BTreeMap::new(),
            generations: BTreeMap::new(),
            seats: BTreeMap::new(),
            starts: Starts::default(),
            tasks: JoinSet::new(),
            alive: watch::Sender::default(),
            begun: watch::Sender::default(),
        };
        (house, desk)
    }

    /// Who is told which plugins there are, where people see those that are served, and the digests of their files.
    pub(crate) fn shared(&self) -> (Arc<Plugins>, Arc<Directory>, Arc<Digests>) {
        let parts = &self.parts;
        (
            parts.plugins.clone(),
            parts.directory.clone(),
            parts.digests.clone(),
        )
    }

    /// Where packages lie.
    pub(crate) fn shelf(&self) -> Arc<Shelf> {
        self.parts.shelf.clone()
    }

    /// All processes that have not ended, to be followed.
    pub(crate) fn alive(&self) -> watch::Receiver<Vec<Arc<StdioPlugin>>> {
        self.alive.subscribe()
    }

    /// True once it is known which plugins there are, or that a disk does not tell; closed where neither comes.
    pub(crate) fn begun(&self) -> watch::Receiver<bool> {
        self.begun.subscribe()
    }

    /// Runs until shutdown, and returns when all plugins have ended.
    ///
    /// # Errors
    /// When a plugin is left without its tasks, or the folders could not be looked through.
    pub(crate) async fn run(mut self) -> Result<(), HouseError> {
        let shutdown = self.parts.shutdown.clone();
        self.look(BTreeSet::new()).await?;
        loop {
            // Cancelling these loses nothing: an order, an end, a policy and what was seen to change stay where they
            // are.
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                Some(ended) = self.tasks.join_next() => note_end(&self.alive, ended)?,
                Some(given) = self.orders.recv() => self.attend(given).await?,
                changed = self.parts.policy.changed() => {
                    if changed.is_err() { break }
                    self.look(BTreeSet::new()).await?;
                }
                Ok(()) = self.packages.changed() => self.look(BTreeSet::new()).await?,
                () = self.watch.changed() => self.look(BTreeSet::new()).await?,
                () = at(self.again) => self.look(BTreeSet::new()).await?,
            }
        }
        while let Some(ended) = self.tasks.join_next().await {
            note_end(&self.alive, ended)?;
        }
        Ok(())
    }
}

/// Never where there is no such time. Cancelling it loses nothing.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

type Alive = watch::Sender<Vec<Arc<StdioPlugin>>>;

/// Takes note that one has ended.
fn note_end(
    alive: &Alive,
    ended: Result<(Arc<StdioPlugin>, Result<(), HouseError>), JoinError>,
) -> Result<(), HouseError> {
    let (process, outcome) = ended.map_err(HouseError::Panicked)?;
    alive.send_modify(|alive| alive.retain(|one| !Arc::ptr_eq(one, &process)));
    outcome
}
