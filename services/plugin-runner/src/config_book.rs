//! What each plugin is configured with: the host's own file below, the bus's layers above it.
//!
//! It keeps no secret from the plugin it belongs to and shows none to anybody else: its `Debug` names
//! plugins only.

use serde_json::{Map, Value};
use snooze_schemas::PluginName;
use std::{
    collections::BTreeMap,
    fmt,
    sync::{PoisonError, RwLock},
};
use tokio::sync::watch;

/// The configurations of all plugins of this host.
#[derive(Default)]
pub struct ConfigBook {
    /// By the name as it was written; the original's files use the plugin's own spelling.
    file: BTreeMap<String, Map<String, Value>>,
    layers: RwLock<BTreeMap<String, Map<String, Value>>>,
    /// Counts the changes.
    version: watch::Sender<u64>,
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
            layers: RwLock::default(),
            version: watch::Sender::new(0),
        }
    }

    /// Takes what the bus's layers say now, and returns whether anything changed.
    pub fn lay(&self, layers: BTreeMap<String, Map<String, Value>>) -> bool {
        let mut held = self.layers.write().unwrap_or_else(PoisonError::into_inner);
        let changed = *held != layers;
        *held = layers;
        drop(held);
        if changed {
            self.version.send_modify(|version| *version += 1);
        }
        changed
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
        let mut config = self
            .file
            .iter()
            .find(|(name, _)| crate::discovery::sanitised(name).as_ref() == Some(plugin))
            .map(|(_, config)| config.clone())
            .unwrap_or_default();
        let layers = self.layers.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(layer) = layers.get(plugin.as_str()) {
            for (key, value) in layer {
                config.insert(key.clone(), value.clone());
            }
        }
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(value: Value) -> Map<String, Value> {
        serde_json::from_value(value).expect("an object")
    }

    #[test]
    fn a_layer_replaces_single_keys_of_the_file() {
        let file = [("redis_monitor".to_owned(), map(json!({"a": 1, "b": 2})))].into();
        let book = ConfigBook::new(file);
        let name: PluginName = "redis-monitor".parse().expect("a name");
        assert_eq!(book.of(&name), map(json!({"a": 1, "b": 2})));
        let layers: BTreeMap<_, _> = [("redis-monitor".to_owned(), map(json!({"b": 3})))].into();
        assert!(book.lay(layers.clone()));
        assert!(!book.lay(layers));
        assert_eq!(book.of(&name), map(json!({"a": 1, "b": 3})));
    }

    #[test]
    fn secrets_are_not_shown() {
        let book = ConfigBook::new([("db".to_owned(), map(json!({"password": "hunter2"})))].into());
        assert!(!format!("{book:?}").contains("hunter2"));
    }
}
