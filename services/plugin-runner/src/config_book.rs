//! What each plugin is configured with: the host's own file below, the bus's layers above it.
//!
//! It keeps no secret from the plugin it belongs to and shows none to anybody else: its `Debug` names
//! plugins only. **Invariant:** a plugin whose manifest says what it can be configured with is handed nothing
//! else; a configuration that it cannot have changes nothing. **Invariant:** once the bus's layers are known, nothing
//! is handed that was never accepted together with them.

use crate::{
    config::{ENABLED, OWN_KEYS},
    manifest::{ConfigMistake, PluginManifest, listed},
    plugin::EVENTS,
};
use serde_json::{Map, Value};
use snooze_schemas::{EventType, PluginName};
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
    /// Those that have a manifest.
    described: BTreeMap<PluginName, Described>,
}

/// A plugin that has a manifest, and what it is handed.
struct Described {
    manifest: Arc<PluginManifest>,
    handed: Handed,
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
    /// With what the host's own file says.
    #[must_use]
    pub fn new(file: BTreeMap<String, Map<String, Value>>) -> ConfigBook {
        ConfigBook {
            file,
            held: Mutex::default(),
            version: watch::Sender::new(0),
        }
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
        let Held { layers, described } = &mut *held;
        let mut before = std::mem::take(described);
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
                plugin.settle(&self.under(layers.as_ref(), &name));
                plugin
            });
            described.insert(name, plugin);
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
        let Held { layers, described } = &mut *held;
        if is_first {
            let plugins = described.values_mut();
            plugins.for_each(|plugin| plugin.handed = Handed::default());
        }
        if changed {
            for (name, plugin) in described {
                plugin.take(name, &self.under(layers.as_ref(), name));
            }
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
        if let Some(described) = held.described.get(plugin) {
            return described.handed.clone();
        }
        Handed {
            config: Some(self.under(held.layers.as_ref(), plugin)),
            refused: None,
        }
    }

    /// Whether a plugin could be configured so by all layers together, over the host's own file; nothing where no
    /// manifest says what it can have.
    pub(crate) fn check(
        &self,
        plugin: &PluginName,
        layers: &Map<String, Value>,
    ) -> Option<Result<(), Vec<ConfigMistake>>> {
        let mut config = self.in_file(plugin);
        config.extend(layers.clone());
        let manifest = self.held().described.get(plugin)?.manifest.clone();
        let schema = manifest.schema()?;
        Some(schema.settle(&without_own(&config)).map(drop))
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

    /// What this plugin is configured with: the file's keys, each replaced where a layer has it too.
    ///
    /// `redis_monitor` in a file means the plugin `redis-monitor`: a plugin's name has no underscore.
    #[must_use]
    pub fn of(&self, plugin: &PluginName) -> Map<String, Value> {
        self.under(self.held().layers.as_ref(), plugin)
    }

    /// What it is configured with under these layers.
    fn under(
        &self,
        layers: Option<&BTreeMap<String, Map<String, Value>>>,
        plugin: &PluginName,
    ) -> Map<String, Value> {
        let mut config = self.in_file(plugin);
        if let Some(layer) = layers.and_then(|layers| layers.get(plugin.as_str())) {
            config.extend(layer.clone());
        }
        config
    }

    /// The events that the host's own file says it gets, by name.
    #[must_use]
    pub(crate) fn events_of_file(&self, plugin: &PluginName) -> BTreeSet<EventType> {
        events_of(&self.in_file(plugin))
    }

    /// The events that the bus's layers say it gets, by name.
    #[must_use]
    pub(crate) fn events_of_layers(&self, plugin: &PluginName) -> BTreeSet<EventType> {
        let held = self.held();
        let layer = held
            .layers
            .as_ref()
            .and_then(|layers| layers.get(plugin.as_str()));
        layer.map(events_of).unwrap_or_default()
    }

    fn in_file(&self, plugin: &PluginName) -> Map<String, Value> {
        let mut written = self.file.iter();
        let own = written.find(|(name, _)| crate::discovery::sanitised(name).as_ref() == Some(plugin));
        own.map(|(_, config)| config.clone()).unwrap_or_default()
    }
}

impl Described {
    /// Takes a new configuration as [`Described::settle`] does, and says where it is refused.
    fn take(&mut self, name: &PluginName, config: &Map<String, Value>) {
        let before = self.handed.refused.clone();
        self.settle(config);
        if let Some(why) = &self.handed.refused
            && self.handed.config.is_some()
            && before.as_ref() != Some(why)
        {
            tracing::warn!(plugin = %name, why, "a plugin's new configuration is refused; it keeps the one that it has");
        }
    }

    /// Takes a new configuration, where the plugin can have it.
    fn settle(&mut self, config: &Map<String, Value>) {
        let config = without_own(config);
        let settled = match self.manifest.schema() {
            Some(schema) => schema.settle(&config),
            None => Ok(config),
        };
        match settled {
            Ok(config) => {
                self.handed = Handed {
                    config: Some(config),
                    refused: None,
                }
            }
            Err(mistakes) => self.handed.refused = Some(listed(&mistakes)),
        }
    }
}

/// The events that a configuration says a plugin gets.
fn events_of(config: &Map<String, Value>) -> BTreeSet<EventType> {
    let events = config
        .get(EVENTS)
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    let on = events.filter(|(_, settings)| {
        let settings = settings.as_object();
        settings.is_some_and(|settings| settings.get(ENABLED) != Some(&Value::Bool(false)))
    });
    on.filter_map(|(name, _)| name.parse().ok()).collect()
}

/// A configuration without the keys that are the runner's.
fn without_own(config: &Map<String, Value>) -> Map<String, Value> {
    let mut config = config.clone();
    config.retain(|key, _| !OWN_KEYS.contains(&key.as_str()));
    config
}

#[cfg(test)]
mod tests;
