//! All plugins of this host: which there are, which are wanted, who of them votes.
//!
//! It asks none of them anything: who has a vote is `voters`'.

mod voters;

use crate::{
    config_book::ConfigBook,
    file_identity::FileIdentity,
    manifest::{ConfigMistake, PluginManifest},
    nats_plugin::NatsPlugin,
    plugin::{Plugin, Runtime},
    policy::{PolicyInForce, PolicyOrigin},
    stdio::{StdioPlugin, Wanted},
    tally::{AskedVoter, interval_ms},
};
use futures_util::{FutureExt, future::BoxFuture, stream::FuturesUnordered};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use snooze_bus::Bus;
use snooze_schemas::{HostId, PluginName, policy::PluginLayer};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// A voter that is a plugin, and what can be asked.
#[derive(Debug, Clone)]
pub(crate) struct PluginVoter {
    /// What the tally has to know of it.
    pub asked: AskedVoter,
    /// Whom to ask; nobody where it cannot vote.
    pub plugin: Option<Arc<Plugin>>,
}

/// Which plugins there should be, besides the processes that were found.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    /// Those on the bus that the host's own file names.
    pub on_bus: BTreeSet<PluginName>,
    /// Those that the host's own file configures, wherever they run.
    pub configured: BTreeSet<PluginName>,
    /// Those that it switches off, unless a layer of the policy says otherwise.
    pub disabled: BTreeSet<PluginName>,
    /// Those that were passed over, and why.
    pub passed_over: BTreeMap<PluginName, String>,
    /// What is stated of those that have a manifest, wherever they run.
    pub manifests: BTreeMap<PluginName, Arc<PluginManifest>>,
}

/// What is remembered of the processes over a restart, by what their files are called: without it a plugin
/// that has not told its name yet would be one that left and another one that came (T3, T4).
pub(crate) type KeptPlugins = BTreeMap<PluginName, KeptPlugin>;

/// What is remembered of one process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptPlugin {
    name: PluginName,
    votes: bool,
    /// The file of which this is true.
    file: FileIdentity,
}

/// The plugins of one host.
#[derive(Debug)]
pub(crate) struct Plugins {
    bus: Bus,
    host: HostId,
    processes: Vec<(Arc<StdioPlugin>, Arc<Plugin>)>,
    expected: Expected,
    on_bus: Mutex<BTreeMap<PluginName, Arc<Plugin>>>,
    configs: Arc<ConfigBook>,
}

impl Plugins {
    /// The processes that were found, and what else there should be.
    #[must_use]
    pub(crate) fn new(
        bus: Bus,
        host: HostId,
        configs: Arc<ConfigBook>,
        processes: Vec<Arc<StdioPlugin>>,
        expected: Expected,
    ) -> Arc<Plugins> {
        let processes = processes
            .into_iter()
            .map(|process| (process.clone(), Plugin::new(Runtime::Process(process))))
            .collect();
        Arc::new(Plugins {
            bus,
            host,
            processes,
            expected,
            on_bus: Mutex::default(),
            configs,
        })
    }

    /// The child processes, to be supervised.
    pub(crate) fn processes(&self) -> impl Iterator<Item = &Arc<StdioPlugin>> {
        self.processes.iter().map(|(process, _)| process)
    }

    /// One item for each process that has not told its name yet, once it has. What the policy says of it has
    /// to be applied then.
    pub(crate) fn introductions(&self) -> FuturesUnordered<BoxFuture<'static, ()>> {
        let waiting = self.processes().map(|process| {
            let mut info = process.info();
            // A process that is never introduced goes with the loop that waits for it.
            async move { drop(info.wait_for(Option::is_some).await) }.boxed()
        });
        waiting.collect()
    }

    /// What a next runner has to know of the processes.
    #[must_use]
    pub(crate) fn remember(&self) -> KeptPlugins {
        let kept = self.processes.iter().filter_map(|(process, plugin)| {
            let kept = KeptPlugin {
                name: process.name(),
                votes: !plugin.has_left(),
                file: process.start().file?,
            };
            Some((process.provisional().clone(), kept))
        });
        kept.collect()
    }

    /// Takes the processes for what an earlier runner knew them as, until they say it themselves. Of a file
    /// that has taken the place of the one that was known nothing is known.
    pub(crate) fn recall(&self, kept: &KeptPlugins) {
        for (process, plugin) in &self.processes {
            let kept = kept.get(process.provisional());
            let kept = kept.filter(|kept| FileIdentity::of(process.path()) == Some(kept.file));
            if let Some(kept) = kept {
                process.recall(&kept.name);
                if !kept.votes {
                    plugin.recall_as_handler(kept.file);
                }
            }
        }
    }

    /// Whether it is switched on: by the narrowest layer of the policy that says so, else by the host's own
    /// file, else it is.
    #[must_use]
    pub(crate) fn is_enabled(&self, policy: &PolicyInForce, name: &PluginName) -> bool {
        let layer: Option<&PluginLayer> = policy.plugins.get(name);
        let said = layer.and_then(|layer| layer.enabled);
        said.unwrap_or_else(|| !self.expected.disabled.contains(name))
    }

    /// What it depends on and is switched off, itself or by what that depends on in turn. What this host does not
    /// have at all was seen at the start. Each is looked at once: the manifests of those that were passed over are
    /// known too, and may depend on one another.
    fn lacks(&self, policy: &PolicyInForce, name: &PluginName) -> Option<&PluginName> {
        let needs = |name: &PluginName| {
            let manifest = self.expected.manifests.get(name);
            let needed = manifest
                .into_iter()
                .flat_map(|manifest| &manifest.stated().dependencies);
            needed.map(|dependency| &dependency.name)
        };
        let mut seen = BTreeSet::new();
        let mut ahead: Vec<&PluginName> = needs(name).collect();
        while let Some(needed) = ahead.pop() {
            if !self.is_enabled(policy, needed) {
                return Some(needed);
            }
            if seen.insert(needed) {
                ahead.extend(needs(needed));
            }
        }
        None
    }

    /// Configures, switches on and off as the policy's layers say.
    pub(crate) fn apply(&self, policy: &PolicyInForce) {
        if policy.origin == PolicyOrigin::Bus {
            let said = policy.plugins.iter();
            let layers = said.filter_map(|(name, layer)| Some((name.to_string(), layer.config.clone()?)));
            self.configs.lay(layers.collect());
        }
        for process in self.processes() {
            let name = process.name();
            process.want(self.wanted(policy, &name));
        }
        let mut on_bus = self.on_bus();
        let wanted = self.wanted_on_bus(policy);
        on_bus.retain(|name, _| wanted.contains(name));
        for name in wanted {
            on_bus.entry(name.clone()).or_insert_with(|| {
                let manifest = self.expected.manifests.get(&name).cloned();
                let plugin = NatsPlugin::new(self.bus.clone(), self.host.clone(), name);
                Plugin::described(Runtime::Nats(plugin), manifest)
            });
        }
    }

    fn wanted(&self, policy: &PolicyInForce, name: &PluginName) -> Wanted {
        if !self.is_enabled(policy, name) {
            return Wanted::Disabled;
        }
        if let Some(why) = policy.lost() {
            return Wanted::Held(without_policy(why));
        }
        match self.lacks(policy, name) {
            None => Wanted::Running,
            Some(needed) => Wanted::Held(format!("it depends on {needed}, which is switched off")),
        }
    }

    /// Those on the bus: named in the host's own file, or enabled by a layer and no process here.
    fn wanted_on_bus(&self, policy: &PolicyInForce) -> BTreeSet<PluginName> {
        let by_layer = policy
            .plugins
            .iter()
            .filter(|(_, layer)| layer.enabled == Some(true));
        let by_layer = by_layer.map(|(name, _)| name.clone());
        let here: BTreeSet<PluginName> = self.processes().map(|process| process.name()).collect();
        let named = self.expected.on_bus.iter();
        let named = named.filter(|name| self.is_enabled(policy, name)).cloned();
        named
            .chain(by_layer)
            .filter(|name| !here.contains(name))
            .collect()
    }

    /// Every plugin that is wanted, the processes first.
    #[must_use]
    pub(crate) fn all(&self) -> Vec<Arc<Plugin>> {
        let processes = self.processes.iter().map(|(_, plugin)| plugin.clone());
        processes.chain(self.on_bus().values().cloned()).collect()
    }

    /// Those that do not vote, and whose process was started anew since they were asked whether they do.
    #[must_use]
    pub(crate) fn reborn(&self, policy: &PolicyInForce) -> Vec<Arc<Plugin>> {
        let mut reborn = self.all();
        reborn.retain(|plugin| plugin.is_to_be_judged() && self.is_enabled(policy, &plugin.name()));
        reborn
    }

    /// The plugin of this name.
    #[must_use]
    pub(crate) fn find(&self, name: &PluginName) -> Option<Arc<Plugin>> {
        self.all().into_iter().find(|plugin| plugin.name() == *name)
    }

    /// What a plugin is configured with.
    #[must_use]
    pub(crate) fn config_of(&self, name: &PluginName) -> Map<String, Value> {
        self.configs.of(name)
    }

    /// Whether a plugin could have this configuration over the one that holds, without the keys that are unset;
    /// nothing where no manifest says what it can have.
    pub(crate) fn check_config(
        &self,
        name: &PluginName,
        over: &Map<String, Value>,
        unset: &[String],
    ) -> Option<Result<(), Vec<ConfigMistake>>> {
        self.configs.check(name, over, unset)
    }

    fn on_bus(&self) -> std::sync::MutexGuard<'_, BTreeMap<PluginName, Arc<Plugin>>> {
        self.on_bus.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why nobody votes where the policy is lost: what it said of plugins is not known.
fn without_policy(why: &str) -> String {
    format!("it is not known which policy holds until the bus gives one: {why}")
}

/// The longest time between two questions to a plugin: half an interval later than a sample should have come,
/// it is asked without.
#[must_use]
pub(crate) fn round(policy: &PolicyInForce) -> Duration {
    Duration::from_millis(interval_ms(&policy.policy).saturating_mul(3) / 2)
}
