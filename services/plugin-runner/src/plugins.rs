//! All plugins of this host: which there are, which are wanted, who of them votes.
//!
//! It asks none of them anything, and starts and ends none: who has a vote is `voters`', and what runs is the house's.

mod absent;
mod standing;
mod voters;
mod wanted;

pub(crate) use absent::Absent;
pub(crate) use voters::fingerprint;

use crate::{
    config::RUNTIME,
    config_book::ConfigBook,
    file_identity::FileIdentity,
    manifest::{ConfigMistake, PluginManifest},
    nats_plugin::{NatsPlugin, Reach},
    plugin::{Plugin, Runtime},
    policy::{PolicyInForce, PolicyOrigin},
    set::Missed,
    stdio::StdioPlugin,
    tally::{AskedVoter, interval_ms},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use snooze_bus::Bus;
use snooze_schemas::{HostId, PluginName, policy::PluginLayer};
use standing::Standing;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};
use tokio::sync::watch;

/// A voter that is a plugin, and what can be asked.
#[derive(Debug, Clone)]
pub(crate) struct PluginVoter {
    /// What the tally has to know of it.
    pub asked: AskedVoter,
    /// Whom to ask; nobody where it cannot vote.
    pub plugin: Option<Arc<Plugin>>,
}

/// What the host's own file says of plugins.
#[derive(Debug, Default)]
pub(crate) struct OwnWord {
    /// Those that run on the bus.
    pub on_bus: BTreeSet<PluginName>,
    /// Those that it configures, wherever they run.
    pub configured: BTreeSet<PluginName>,
    /// Those that it switches off, unless a layer of the policy says otherwise.
    pub disabled: BTreeSet<PluginName>,
    /// Whether it has plugins at all.
    pub has_folders: bool,
}

/// Which plugins there are, as of the last look.
#[derive(Debug, Default)]
pub(crate) struct Roll {
    /// The child processes.
    pub hosted: BTreeMap<PluginName, Hosted>,
    /// Those whose manifest says that they run on the bus.
    pub on_bus: BTreeSet<PluginName>,
    /// Those that should be there and are not run.
    pub missed: BTreeMap<PluginName, Missed>,
    /// What is stated of those that have a manifest, wherever they run.
    pub manifests: BTreeMap<PluginName, Arc<PluginManifest>>,
}

/// A plugin that is a child process here.
#[derive(Debug, Clone)]
pub(crate) struct Hosted {
    /// The process.
    pub process: Arc<StdioPlugin>,
    /// How it is asked.
    pub plugin: Arc<Plugin>,
    /// What it is run as; another text is another voter (T3).
    pub terms: String,
}

/// What is remembered of the processes over a restart: without it one that only handles events would be a voter that
/// came (T3, T4).
pub(crate) type KeptPlugins = BTreeMap<PluginName, KeptPlugin>;

/// What is remembered of one process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptPlugin {
    votes: bool,
    /// The file of which this is true.
    file: FileIdentity,
}

/// The plugins of one host.
#[derive(Debug)]
pub(crate) struct Plugins {
    bus: Bus,
    host: HostId,
    own: OwnWord,
    configs: Arc<ConfigBook>,
    /// All that changes, under one lock: who is there under which policy is one fact, and nobody ever sees one of a
    /// policy with those of another. What they are configured with changes only while it is held.
    standing: RwLock<Standing>,
    /// Counts the changes of the roll.
    changes: watch::Sender<u64>,
}

impl Plugins {
    /// Nobody is there yet.
    #[must_use]
    pub(crate) fn new(
        bus: Bus,
        host: HostId,
        configs: Arc<ConfigBook>,
        own: OwnWord,
        policy: &Arc<PolicyInForce>,
    ) -> Arc<Plugins> {
        let plugins = Plugins {
            bus,
            host,
            own,
            configs,
            standing: RwLock::new(Standing::under(policy)),
            changes: watch::Sender::new(0),
        };
        plugins.apply(policy);
        Arc::new(plugins)
    }

    /// Takes these for all that there are, and returns those that were not missed before, or for another reason. What
    /// the policy says of them holds when this returns; who votes has to be counted anew.
    pub(crate) fn enrol(&self, roll: Roll) -> BTreeMap<PluginName, Missed> {
        let news = roll.missed.clone();
        let before = {
            let mut standing = self.changing();
            self.configs.describe(roll.manifests.values().cloned());
            let before = std::mem::replace(&mut standing.roll, roll).missed;
            standing.unanswered = None;
            self.want(&mut standing);
            before
        };
        self.changes.send_modify(|changes| *changes += 1);
        let is_news = |(name, missed): &(PluginName, Missed)| before.get(name) != Some(missed);
        news.into_iter().filter(is_news).collect()
    }

    /// Counts the changes of who there is, to be followed.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// What a next runner has to know of the processes.
    #[must_use]
    pub(crate) fn remember(&self) -> KeptPlugins {
        let standing = self.standing();
        let kept = standing.roll.hosted.iter().filter_map(|(name, hosted)| {
            let kept = KeptPlugin {
                votes: !hosted.plugin.has_left(),
                file: hosted.process.start().file?,
            };
            Some((name.clone(), kept))
        });
        kept.collect()
    }

    /// Takes the processes for what an earlier runner knew them as, until they say it themselves. Of a file
    /// that has taken the place of the one that was known nothing is known.
    pub(crate) fn recall(&self, kept: &KeptPlugins) {
        for (name, hosted) in &self.standing().roll.hosted {
            let kept = kept.get(name).filter(|kept| !kept.votes);
            let kept = kept.filter(|kept| FileIdentity::of(hosted.process.path()) == Some(kept.file));
            if let Some(kept) = kept {
                hosted.plugin.recall_as_handler(kept.file);
            }
        }
    }

    /// Whether it is switched on: by the narrowest layer of the policy that says so, else by the host's own
    /// file, else it is.
    #[must_use]
    pub(crate) fn is_enabled(&self, policy: &PolicyInForce, name: &PluginName) -> bool {
        let layer: Option<&PluginLayer> = policy.plugins.get(name);
        let said = layer.and_then(|layer| layer.enabled);
        said.unwrap_or_else(|| !self.own.disabled.contains(name))
    }

    /// Whether there is anything to say of it: it is here, on the bus, or missed.
    pub(crate) fn knows(&self, name: &PluginName) -> bool {
        let standing = self.standing();
        let roll = &standing.roll;
        roll.hosted.contains_key(name) || roll.missed.contains_key(name) || standing.on_bus.contains_key(name)
    }

    /// Configures, switches on and off as the policy's layers say.
    pub(crate) fn apply(&self, policy: &Arc<PolicyInForce>) {
        let mut standing = self.changing();
        if policy.origin == PolicyOrigin::Bus {
            let said = policy.plugins.iter();
            let layers = said.filter_map(|(name, layer)| Some((name.to_string(), layer.config.clone()?)));
            self.configs.lay(layers.collect());
        }
        let before = std::mem::replace(&mut standing.applied, policy.clone());
        self.want(&mut standing);
        // Whoever says something else of a plugin, as that it is enabled, has it tried again.
        for (name, hosted) in &standing.roll.hosted {
            if before.plugins.get(name) != policy.plugins.get(name) {
                hosted.process.pardon();
            }
        }
    }

    /// Has those wanted that are to be, by who is there and the policy that they are under.
    fn want(&self, standing: &mut Standing) {
        let policy = standing.applied.clone();
        let wanted = self.wanted_on_bus(&policy, &standing.roll);
        let Standing { roll, on_bus, .. } = &mut *standing;
        on_bus.retain(|name, plugin| {
            // Of one that has another manifest, or none any more, nothing is known yet.
            let stated = plugin.manifest().map(PluginManifest::sha256);
            let states = roll.manifests.get(name).map(|manifest| manifest.sha256());
            let reach = match plugin.runtime() {
                Runtime::Nats(plugin) => Some(plugin.reach()),
                Runtime::Process(_) => None,
            };
            wanted.contains(name) && stated == states && reach == Some(self.reach(name))
        });
        for name in wanted {
            on_bus.entry(name.clone()).or_insert_with(|| {
                let manifest = roll.manifests.get(&name).cloned();
                let (reach, configs) = (self.reach(&name), self.configs.clone());
                let plugin = NatsPlugin::reaching(reach, self.bus.clone(), self.host.clone(), name, configs);
                Plugin::described(Runtime::Nats(plugin), manifest)
            });
        }
        for (name, hosted) in &standing.roll.hosted {
            hosted.process.want(self.wanted(&policy, standing, name));
        }
    }

    /// Whom one on the bus serves, as it is configured.
    fn reach(&self, name: &PluginName) -> Reach {
        match self.configs.of(name).get(RUNTIME) {
            Some(Value::String(runtime)) if runtime == Reach::Fleet.as_str() => Reach::Fleet,
            _ => Reach::Host,
        }
    }

    /// Every plugin that is wanted, the processes first.
    #[must_use]
    pub(crate) fn all(&self) -> Vec<Arc<Plugin>> {
        self.standing().all()
    }

    /// Those that do not vote, and whose process was started anew since they were asked whether they do.
    #[must_use]
    pub(crate) fn reborn(&self, policy: &PolicyInForce) -> Vec<Arc<Plugin>> {
        let mut reborn = self.all();
        reborn.retain(|plugin| plugin.is_to_be_judged() && self.is_enabled(policy, &plugin.name()));
        reborn
    }

    /// What all of them are configured with.
    pub(crate) fn configs(&self) -> Arc<ConfigBook> {
        self.configs.clone()
    }

    /// Whether a plugin could be configured so by the layers of the policy together; nothing where no manifest says
    /// what it can have.
    pub(crate) fn check_config(
        &self,
        name: &PluginName,
        layers: &Map<String, Value>,
    ) -> Option<Result<(), Vec<ConfigMistake>>> {
        self.configs.check(name, layers)
    }

    fn standing(&self) -> RwLockReadGuard<'_, Standing> {
        self.standing.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn changing(&self) -> RwLockWriteGuard<'_, Standing> {
        self.standing.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The longest time between two questions to a plugin: half an interval later than a sample should have come,
/// it is asked without.
#[must_use]
pub(crate) fn round(policy: &PolicyInForce) -> Duration {
    Duration::from_millis(interval_ms(&policy.policy).saturating_mul(3) / 2)
}
