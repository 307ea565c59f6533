//! All plugins of this host: which there are, which are wanted, who of them votes.
//!
//! **Invariant:** a plugin that the policy requires by name always has a vote, if only *unknown*
//! because it is missing or disabled; leaving is no way to be outvoted (T3).

use crate::{
    config_book::ConfigBook,
    nats_plugin::NatsPlugin,
    plugin::{Plugin, Runtime},
    policy::PolicyInForce,
    stdio::{StdioPlugin, Wanted},
    tally::AskedVoter,
};
use serde_json::{Map, Value};
use snooze_bus::Bus;
use snooze_schemas::{HostId, PluginName, VoterName, policy::PluginLayer, verdict::Role};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

/// A voter that is a plugin, and what can be asked.
#[derive(Debug, Clone)]
pub(crate) struct PluginVoter {
    /// What the tally has to know of it.
    pub asked: AskedVoter,
    /// Whom to ask; nobody where it cannot vote.
    pub plugin: Option<Arc<Plugin>>,
}

/// The plugins of one host.
#[derive(Debug)]
pub(crate) struct Plugins {
    bus: Bus,
    host: HostId,
    processes: Vec<(Arc<StdioPlugin>, Arc<Plugin>)>,
    /// Those that the host's own file names.
    named: BTreeSet<PluginName>,
    on_bus: Mutex<BTreeMap<PluginName, Arc<Plugin>>>,
    configs: Arc<ConfigBook>,
}

impl Plugins {
    /// The processes that were found, and the plugins on the bus that the host's own file names.
    #[must_use]
    pub(crate) fn new(
        bus: Bus,
        host: HostId,
        configs: Arc<ConfigBook>,
        processes: Vec<Arc<StdioPlugin>>,
        named: BTreeSet<PluginName>,
    ) -> Arc<Plugins> {
        let processes = processes
            .into_iter()
            .map(|process| (process.clone(), Plugin::new(Runtime::Process(process))))
            .collect();
        Arc::new(Plugins {
            bus,
            host,
            processes,
            named,
            on_bus: Mutex::default(),
            configs,
        })
    }

    /// The child processes, to be supervised.
    pub(crate) fn processes(&self) -> impl Iterator<Item = &Arc<StdioPlugin>> {
        self.processes.iter().map(|(process, _)| process)
    }

    /// Everything that is configured with what the policy's layers say. Returns those processes that
    /// have to be told of a new configuration.
    #[must_use]
    pub(crate) fn apply(&self, policy: &PolicyInForce) -> Vec<Arc<StdioPlugin>> {
        let before: Vec<_> = self
            .processes()
            .map(|process| self.configs.of(&process.name()))
            .collect();
        let layers = policy
            .plugins
            .iter()
            .filter_map(|(name, layer)| Some((name.to_string(), layer.config.clone()?)))
            .collect();
        self.configs.lay(layers);
        let mut changed = Vec::new();
        for (process, before) in self.processes().zip(before) {
            let name = process.name();
            process.want(if is_enabled(policy, &name) {
                Wanted::Running
            } else {
                Wanted::Disabled
            });
            if self.configs.of(&name) != before {
                changed.push(process.clone());
            }
        }
        let mut on_bus = self.on_bus();
        let wanted = self.wanted_on_bus(policy);
        on_bus.retain(|name, _| wanted.contains(name));
        for name in wanted {
            on_bus.entry(name.clone()).or_insert_with(|| {
                Plugin::new(Runtime::Nats(NatsPlugin::new(
                    self.bus.clone(),
                    self.host.clone(),
                    name,
                )))
            });
        }
        changed
    }

    /// Those on the bus: named in the host's own file, or enabled by a layer and no process here.
    fn wanted_on_bus(&self, policy: &PolicyInForce) -> BTreeSet<PluginName> {
        let by_layer = policy
            .plugins
            .iter()
            .filter(|(_, layer)| layer.enabled == Some(true));
        let by_layer = by_layer.map(|(name, _)| name.clone());
        let here: BTreeSet<PluginName> = self.processes().map(|process| process.name()).collect();
        let named = self.named.iter().filter(|name| is_enabled(policy, name)).cloned();
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

    /// Who of the plugins votes, by which terms, and whom to ask.
    #[must_use]
    pub(crate) fn voters(&self, policy: &PolicyInForce) -> BTreeMap<VoterName, PluginVoter> {
        let mut voters: BTreeMap<VoterName, PluginVoter> = BTreeMap::new();
        for plugin in self.all() {
            let name = plugin.name();
            if !is_enabled(policy, &name) || !plugin.votes() {
                continue;
            }
            let voter = VoterName::from(&name);
            if voters.contains_key(&voter) {
                if let Some(other) = other_name(&voter) {
                    voters.insert(other, barred(format!("another plugin is called {name} too")));
                }
                continue;
            }
            let runtime = match plugin.runtime() {
                Runtime::Process(_) => "process",
                Runtime::Nats(_) => "nats",
            };
            // A `Map` of serde_json keeps its keys in order, so that equal configurations are equal texts.
            let terms = format!("{runtime} {}", Value::Object(self.configs.of(&name)));
            let asked = AskedVoter {
                terms: fingerprint(&terms),
                barred: None,
            };
            voters.insert(
                voter,
                PluginVoter {
                    asked,
                    plugin: Some(plugin),
                },
            );
        }
        for voter in policy.policy.voters.keys() {
            let required = policy.policy.role_of(voter) == Role::Required;
            if required && !voter.is_built_in() && !voters.contains_key(voter) {
                voters.insert(
                    voter.clone(),
                    barred("the policy requires it, and it is missing or disabled".to_owned()),
                );
            }
        }
        voters
    }

    fn on_bus(&self) -> std::sync::MutexGuard<'_, BTreeMap<PluginName, Arc<Plugin>>> {
        self.on_bus.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a layer has not switched it off.
#[must_use]
pub(crate) fn is_enabled(policy: &PolicyInForce, name: &PluginName) -> bool {
    let layer: Option<&PluginLayer> = policy.plugins.get(name);
    layer.and_then(|layer| layer.enabled).unwrap_or(true)
}

fn barred(why: String) -> PluginVoter {
    PluginVoter {
        asked: AskedVoter {
            terms: "barred".to_owned(),
            barred: Some(why),
        },
        plugin: None,
    }
}

fn other_name(voter: &VoterName) -> Option<VoterName> {
    format!("{voter}-2").parse().ok()
}

/// Terms without their text: configurations hold secrets, and the runs are written to a file.
fn fingerprint(text: &str) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
