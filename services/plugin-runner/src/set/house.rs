//! Has the plugins run that are to run: each in tasks of its own, which end with it.
//!
//! **Invariant:** of one plugin there is never more than one process; a new one is started when the one before has
//! ended. It decides nothing: what is to run is `look`'s word, and whether it is switched on that of `plugins`.

mod settling;

use super::{
    Digests, Known, Orders, Stirs, look,
    orders::{Desk, Given, Order},
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
    stdio::StdioPlugin,
    trail::Trail,
};
use snooze_bus::{Bus, BusError};
use snooze_schemas::{ErrorCode, PluginName, Refusal};
use snooze_service_runtime::CancellationToken;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    task::{JoinError, JoinSet},
    time::{Instant, sleep_until},
};

/// How long a look through the folders may take without a word.
const LONG_LOOK: Duration = Duration::from_secs(30);

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
    /// Digests of files.
    pub digests: Arc<Digests>,
    /// Where packages lie.
    pub shelf: Arc<Shelf>,
    /// Where it is noted what was done.
    pub trail: Trail,
    /// When all of them end.
    pub shutdown: CancellationToken,
}

/// Why the house cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum HouseError {
    /// The bus is closed for good.
    #[error("serve the plugin {plugin} on the bus")]
    Serve {
        /// The plugin.
        plugin: PluginName,
        /// What the bus says.
        source: BusError,
    },
    /// A plugin's supervisor ended, and nobody had asked it to.
    #[error("the plugin {0} is not supervised any more")]
    Unsupervised(PluginName),
    /// A task panicked.
    #[error("a task of a plugin failed")]
    Panicked(#[source] JoinError),
    /// The folders could not be looked through to the end.
    #[error("look through the folders of plugins")]
    Look(#[source] JoinError),
}

/// The plugins that run.
pub(crate) struct House {
    parts: Parts,
    orders: mpsc::Receiver<Given>,
    packages: watch::Receiver<u64>,
    watch: Watch,
    /// When it is looked again although nothing is seen to change, where that may be of use.
    again: Option<Instant>,
    backoff: Backoff,
    stirs: Stirs,
    control_groups: Arc<Result<ControlGroups, String>>,
    running: BTreeMap<PluginName, Tenant>,
    unloaded: BTreeSet<PluginName>,
    /// The manifests of which it was said what is odd in them, by their SHA-256.
    told: BTreeMap<PluginName, String>,
    /// How often each was started as something else.
    generations: BTreeMap<PluginName, u64>,
    /// Where libraries are at work, also those that hang.
    seats: BTreeMap<PluginName, Arc<Seat>>,
    tasks: JoinSet<(Arc<StdioPlugin>, Result<(), HouseError>)>,
    /// All that have not ended, those that are ending among them.
    alive: watch::Sender<Vec<Arc<StdioPlugin>>>,
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
            watch: Watch::new(),
            again: None,
            backoff: Backoff::default(),
            stirs: Stirs::default(),
            control_groups: Arc::new(groups),
            running: BTreeMap::new(),
            unloaded: BTreeSet::new(),
            told: BTreeMap::new(),
            generations: BTreeMap::new(),
            seats: BTreeMap::new(),
            tasks: JoinSet::new(),
            alive: watch::Sender::default(),
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

    /// Looks through the folders, and has those run that are to.
    ///
    /// # Errors
    /// When it could not look.
    pub(crate) async fn look(&mut self, anew: BTreeSet<PluginName>) -> Result<(), HouseError> {
        let config = &self.parts.config;
        let orders = Orders {
            folders: config.plugin_folders.clone(),
            configs: config.plugin_configs.clone(),
            disabled: config.disabled(),
            policy: self.parts.policy.borrow_and_update().clone(),
            unloaded: self.unloaded.clone(),
            anew: anew.clone(),
            rest: config.restarts.forgiven_after,
            digests: self.parts.digests.clone(),
            shelf: self.parts.shelf.clone(),
            writers: config.fence.writers.clone(),
        };
        let mut known = std::mem::take(&mut self.parts.known);
        let mut stirs = std::mem::take(&mut self.stirs);
        // A folder may lie on a disk that does not answer.
        let looked = tokio::task::spawn_blocking(move || {
            let looked = look(&orders, &mut known, &mut stirs);
            (looked, known, stirs)
        });
        let watch = &mut self.watch;
        let mut looked = Box::pin(async move {
            let looked = looked.await?;
            watch.these(&looked.0.places).await?;
            Ok(looked)
        });
        let done = loop {
            // Cancelling these loses nothing: what it knew is on the disk already.
            tokio::select! {
                done = &mut looked => break done,
                () = self.parts.shutdown.cancelled() => return Ok(()),
                () = tokio::time::sleep(LONG_LOOK) => tracing::error!(
                    seconds = LONG_LOOK.as_secs(),
                    "the folders of plugins do not answer; no plugin is started, ended or changed until they do"
                ),
            }
        };
        drop(looked);
        let (looked, known, stirs) = done.map_err(HouseError::Look)?;
        (self.parts.known, self.stirs) = (known, stirs);
        let restarts = &self.parts.config.restarts;
        self.again = if looked.may_pass() {
            Some(Instant::now() + self.backoff.failed_after(Duration::ZERO, restarts))
        } else {
            self.backoff = Backoff::default();
            None
        };
        let rested = self.stirs.next(restarts.forgiven_after);
        self.again = self.again.into_iter().chain(rested).min();
        self.settle(looked, &anew);
        Ok(())
    }

    /// Runs until shutdown, and returns when all plugins have ended.
    ///
    /// # Errors
    /// When a plugin is left without its tasks.
    pub(crate) async fn run(mut self) -> Result<(), HouseError> {
        let shutdown = self.parts.shutdown.clone();
        loop {
            // Cancelling these loses nothing: an order, an end, a policy and what was seen to change stay where they
            // are.
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                Some(ended) = self.tasks.join_next() => self.ended(ended)?,
                Some((order, reply)) = self.orders.recv() => {
                    let done = self.attend(order).await?;
                    // Whoever gave it may have given up.
                    drop(reply.send(done));
                }
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
            self.ended(ended)?;
        }
        Ok(())
    }

    fn ended(
        &mut self,
        ended: Result<(Arc<StdioPlugin>, Result<(), HouseError>), JoinError>,
    ) -> Result<(), HouseError> {
        let (process, outcome) = ended.map_err(HouseError::Panicked)?;
        self.alive
            .send_modify(|alive| alive.retain(|one| !Arc::ptr_eq(one, &process)));
        outcome
    }

    async fn attend(&mut self, order: Order) -> Result<Result<(), Refusal>, HouseError> {
        let mut anew = BTreeSet::new();
        match &order {
            Order::Load(name) => {
                self.unloaded.remove(name);
                let running = self.running.get(name);
                // One in quarantine is loaded and does not run all the same.
                let is_quarantined = |tenant: &&Tenant| tenant.hosted.process.is_quarantined();
                anew.extend(running.filter(is_quarantined).map(|_| name.clone()));
            }
            Order::Unload(name) if !self.parts.plugins.knows(name) => return Ok(Err(absent(name))),
            Order::Unload(name) => drop(self.unloaded.insert(name.clone())),
            Order::Reload(name) => anew.extend(name.clone()),
        }
        self.look(anew).await?;
        let Some(name) = order.plugin() else {
            return Ok(Ok(()));
        };
        if !self.parts.plugins.knows(name) {
            return Ok(Err(absent(name)));
        }
        self.parts.trail.note(name, order.done());
        Ok(Ok(()))
    }
}

/// Never where there is no such time. Cancelling it loses nothing.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

fn absent(name: &PluginName) -> Refusal {
    let text = format!("there is no plugin {name} on this host");
    Refusal::new(ErrorCode::NotFound, text)
}
