//! What each plugin is configured with: the host's own file below, the bus's layers above it.
//!
//! It keeps no secret from the plugin it belongs to and shows none to anybody else: its `Debug` names
//! plugins only. **Invariant:** a plugin whose manifest says what it can be configured with is handed nothing
//! else; a configuration that it cannot have changes nothing, nor does one in which a key of the runner's own cannot be
//! what is written. **Invariant:** once the bus's layers are known, nothing is handed that was never accepted together
//! with them.

mod by_type;
mod described;
mod named;
mod own_keys;

pub(crate) use by_type::{named, terms_in};

use crate::{
    discovery,
    manifest::{ConfigMistake, PluginManifest, listed},
};
use described::{Described, warn_of_refused, without_own};
use serde_json::{Map, Value};
use snooze_schemas::PluginName;
use snooze_service_runtime::config::EventHandlersConfig;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// The configurations of all plugins of this host.
#[derive(Default)]
pub struct ConfigBook {
    /// By the name as it was written; the original's files use the plugin's own spelling.
    file: BTreeMap<String, Map<String, Value>>,
    /// What it says by type of event.
    by_type: EventHandlersConfig,
    /// Under one lock, so that nobody is ever handed what was settled by other layers than those that hold.
    held: Mutex<Held>,
    /// Counts the changes.
    version: watch::Sender<u64>,
}

/// What changes.
#[derive(Default)]
struct Held {
    /// Nothing before the bus was heard.
    layers: Option<BTreeMap<String, Map<String, Value>>>,
    /// Of each plugin that is configured, what the layers said the last time that the runner's own keys could be so.
    accepted: BTreeMap<PluginName, Map<String, Value>>,
    /// Why it is not the newest of all.
    refused: BTreeMap<PluginName, String>,
    /// Those that have a manifest.
    described: BTreeMap<PluginName, Described>,
}

/// What a plugin is told to be configured with.
#[derive(Clone, Default)]
pub(crate) struct Handed {
    /// The newest configuration that it can have; nothing where there was none yet.
    pub config: Option<Map<String, Value>>,
    /// Why it is not the newest of all.
    pub refused: Option<String>,
}

impl fmt::Debug for ConfigBook {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_set().entries(self.file.keys()).finish()
    }
}

impl ConfigBook {
    /// With what the host's own file says by plugin.
    #[must_use]
    pub fn new(file: BTreeMap<String, Map<String, Value>>) -> ConfigBook {
        ConfigBook::of_file(file, EventHandlersConfig::default())
    }

    /// With what it says by plugin and by type of event.
    pub(crate) fn of_file(
        file: BTreeMap<String, Map<String, Value>>,
        by_type: EventHandlersConfig,
    ) -> ConfigBook {
        let book = ConfigBook {
            file,
            by_type,
            held: Mutex::default(),
            version: watch::Sender::new(0),
        };
        book.judge(&mut book.held());
        book
    }

    /// With what the manifests say of configurations.
    #[must_use]
    pub fn with_manifests(self, manifests: impl IntoIterator<Item = Arc<PluginManifest>>) -> ConfigBook {
        self.describe(manifests);
        self
    }

    /// Takes what the manifests say of configurations now. A plugin whose manifest is another one was never handed
    /// anything.
    pub(crate) fn describe(&self, manifests: impl IntoIterator<Item = Arc<PluginManifest>>) {
        let mut held = self.held();
        let mut before = std::mem::take(&mut held.described);
        let mut is_news = false;
        for manifest in manifests {
            let name = manifest.name().clone();
            let same = before
                .remove(&name)
                .filter(|plugin| plugin.manifest.sha256() == manifest.sha256());
            let plugin = same.unwrap_or_else(|| {
                is_news = true;
                let handed = Handed::default();
                let mut plugin = Described { manifest, handed };
                if let Some(config) = self.accepted(&held, &name) {
                    plugin.settle(&config);
                }
                plugin
            });
            held.described.insert(name, plugin);
        }
        drop(held);
        if is_news || !before.is_empty() {
            self.version.send_modify(|version| *version += 1);
        }
    }

    /// Takes what the bus's layers say now, and returns whether anything changed.
    ///
    /// The first ones put an end to what was handed without them: it is not what holds, also where they are refused.
    pub fn lay(&self, layers: BTreeMap<String, Map<String, Value>>) -> bool {
        let mut held = self.held();
        let is_first = held.layers.is_none();
        let changed = held.layers.as_ref() != Some(&layers);
        held.layers = Some(layers);
        if is_first {
            held.accepted.clear();
            let plugins = held.described.values_mut();
            plugins.for_each(|plugin| plugin.handed = Handed::default());
        }
        if changed {
            self.judge(&mut held);
            let mut described = std::mem::take(&mut held.described);
            for (name, plugin) in &mut described {
                if let Some(config) = self.accepted(&held, name) {
                    plugin.take(name, &config);
                }
            }
            held.described = described;
        }
        drop(held);
        if changed {
            self.version.send_modify(|version| *version += 1);
        }
        changed
    }

    /// What a plugin is told: where it has no manifest, all that is said.
    #[must_use]
    pub(crate) fn handed(&self, plugin: &PluginName) -> Handed {
        let held = self.held();
        let mut handed = match held.described.get(plugin) {
            Some(described) => described.handed.clone(),
            None => Handed {
                config: self.accepted(&held, plugin),
                refused: None,
            },
        };
        let why = held.refused.get(plugin).cloned();
        let all: Vec<String> = why.into_iter().chain(handed.refused.take()).collect();
        handed.refused = (!all.is_empty()).then(|| listed(&all));
        handed
    }

    /// Whether a plugin could be configured so by all layers together, over the host's own file; nothing where no
    /// manifest says what it can have, and nothing is wrong with the runner's own keys.
    pub(crate) fn check(
        &self,
        plugin: &PluginName,
        layers: &Map<String, Value>,
    ) -> Option<Result<(), Vec<ConfigMistake>>> {
        let mut config = self.in_file(plugin);
        config.extend(layers.clone());
        let mut mistakes = own_keys::mistakes(&config);
        mistakes.extend(self.mistakes_by_type(plugin));
        let manifest = self
            .held()
            .described
            .get(plugin)
            .map(|described| described.manifest.clone());
        match manifest.as_ref().and_then(|manifest| manifest.schema()) {
            Some(schema) => mistakes.extend(schema.settle(&without_own(&config)).err().into_iter().flatten()),
            None if mistakes.is_empty() => return None,
            None => {}
        }
        Some(if mistakes.is_empty() {
            Ok(())
        } else {
            Err(mistakes)
        })
    }

    /// Takes of each plugin's newest configuration what the runner's own keys can be, and says where they cannot.
    fn judge(&self, held: &mut Held) {
        let in_layers = held.layers.iter().flat_map(BTreeMap::keys);
        let in_layers = in_layers.filter_map(|name| name.parse().ok());
        let in_file = self.file.keys().filter_map(|name| discovery::sanitised(name));
        let named: BTreeSet<PluginName> = in_layers.chain(in_file).chain(self.named_by_type()).collect();
        held.accepted.retain(|name, _| named.contains(name));
        let before = std::mem::take(&mut held.refused);
        for name in named {
            let layers = held.layers.as_ref();
            let layer = layers.and_then(|layers| layers.get(name.as_str())).cloned();
            let layer = layer.unwrap_or_default();
            let mut config = self.in_file(&name);
            config.extend(layer.clone());
            let mut mistakes = own_keys::mistakes(&config);
            mistakes.extend(self.mistakes_by_type(&name));
            if mistakes.is_empty() {
                held.accepted.insert(name, layer);
                continue;
            }
            let why = listed(&mistakes);
            if held.accepted.contains_key(&name) && before.get(&name) != Some(&why) {
                warn_of_refused(&name, &why);
            }
            held.refused.insert(name, why);
        }
    }

    /// What a plugin is configured with by what was accepted; nothing where nothing of it was.
    fn accepted(&self, held: &Held, plugin: &PluginName) -> Option<Map<String, Value>> {
        let mut config = self.in_file(plugin);
        match held.accepted.get(plugin) {
            Some(layer) => config.extend(layer.clone()),
            None if held.refused.contains_key(plugin) => return None,
            None => {}
        }
        Some(config)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which change was the last one.
    #[must_use]
    pub(crate) fn version(&self) -> u64 {
        *self.version.borrow()
    }

    /// Waits until there is a later change than this. Cancelling it loses nothing.
    pub(crate) async fn changed_since(&self, version: u64) {
        // The sender is part of `self`, so that the channel is never closed here.
        drop(self.version.subscribe().wait_for(|now| *now != version).await);
    }

    /// What this plugin is configured with: the file's keys, each replaced where a layer has it too, as of when the
    /// runner's own among them were right.
    ///
    /// `redis_monitor` in a file means the plugin `redis-monitor`: a plugin's name has no underscore.
    #[must_use]
    pub fn of(&self, plugin: &PluginName) -> Map<String, Value> {
        let held = self.held();
        self.accepted(&held, plugin).unwrap_or_default()
    }

    fn in_file(&self, plugin: &PluginName) -> Map<String, Value> {
        let mut written = self.file.iter();
        let own = written.find(|(name, _)| discovery::sanitised(name).as_ref() == Some(plugin));
        own.map(|(_, config)| config.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
