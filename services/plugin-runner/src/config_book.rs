//! What each plugin is configured with: the host's own file below, the bus's layers above it.
//!
//! It keeps no secret from the plugin it belongs to and shows none to anybody else: its `Debug` names
//! plugins only. **Invariant:** a plugin whose manifest says what it can be configured with is handed nothing
//! else; a configuration that it cannot have changes nothing. **Invariant:** once the bus's layers are known, nothing
//! is handed that was never accepted together with them.

use crate::{
    config::OWN_KEYS,
    manifest::{ConfigMistake, PluginManifest, listed},
};
use serde_json::{Map, Value};
use snooze_schemas::PluginName;
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};
use tokio::sync::watch;

/// The configurations of all plugins of this host.
#[derive(Default)]
pub struct ConfigBook {
    /// By the name as it was written; the original's files use the plugin's own spelling.
    file: BTreeMap<String, Map<String, Value>>,
    /// Nothing before the bus was heard.
    layers: RwLock<Option<BTreeMap<String, Map<String, Value>>>>,
    /// Those that have a manifest.
    described: Mutex<BTreeMap<PluginName, Described>>,
    /// Counts the changes.
    version: watch::Sender<u64>,
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
            layers: RwLock::default(),
            described: Mutex::default(),
            version: watch::Sender::new(0),
        }
    }

    /// With what the manifests say of configurations.
    #[must_use]
    pub fn with_manifests(self, manifests: impl IntoIterator<Item = Arc<PluginManifest>>) -> ConfigBook {
        for manifest in manifests {
            let name = manifest.name().clone();
            let mut described = Described {
                manifest,
                handed: Handed::default(),
            };
            described.settle(&self.of(&name));
            self.described().insert(name, described);
        }
        self
    }

    /// Takes what the bus's layers say now, and returns whether anything changed.
    ///
    /// The first ones put an end to what was handed without them: it is not what holds, also where they are refused.
    pub fn lay(&self, layers: BTreeMap<String, Map<String, Value>>) -> bool {
        let mut held = self.layers.write().unwrap_or_else(PoisonError::into_inner);
        let is_first = held.is_none();
        let changed = held.as_ref() != Some(&layers);
        *held = Some(layers);
        drop(held);
        if is_first {
            let mut described = self.described();
            described
                .values_mut()
                .for_each(|plugin| plugin.handed = Handed::default());
        }
        if changed {
            self.settle();
            self.version.send_modify(|version| *version += 1);
        }
        changed
    }

    fn settle(&self) {
        for (name, plugin) in self.described().iter_mut() {
            let before = plugin.handed.refused.clone();
            plugin.settle(&self.of(name));
            if let Some(why) = &plugin.handed.refused
                && plugin.handed.config.is_some()
                && before.as_ref() != Some(why)
            {
                tracing::warn!(plugin = %name, why, "a plugin's new configuration is refused; it keeps the one that it has");
            }
        }
    }

    /// What a plugin is told: where it has no manifest, all that is said.
    #[must_use]
    pub(crate) fn handed(&self, plugin: &PluginName) -> Handed {
        if let Some(described) = self.described().get(plugin) {
            return described.handed.clone();
        }
        Handed {
            config: Some(self.of(plugin)),
            refused: None,
        }
    }

    /// Whether a plugin could have this configuration over the one that holds, without the keys that are unset, for
    /// which the file speaks again; nothing where no manifest says what it can have.
    pub(crate) fn check(
        &self,
        plugin: &PluginName,
        over: &Map<String, Value>,
        unset: &[String],
    ) -> Option<Result<(), Vec<ConfigMistake>>> {
        let (mut config, mut own) = (self.of(plugin), self.in_file(plugin));
        for key in unset {
            match own.remove(key) {
                Some(value) => config.insert(key.clone(), value),
                None => config.remove(key),
            };
        }
        config.extend(over.clone());
        let manifest = self.described().get(plugin)?.manifest.clone();
        let schema = manifest.schema()?;
        Some(schema.settle(&without_own(&config)).map(drop))
    }

    fn described(&self) -> MutexGuard<'_, BTreeMap<PluginName, Described>> {
        self.described.lock().unwrap_or_else(PoisonError::into_inner)
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
        let mut config = self.in_file(plugin);
        let layers = self.layers.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(layer) = layers.as_ref().and_then(|layers| layers.get(plugin.as_str())) {
            for (key, value) in layer {
                config.insert(key.clone(), value.clone());
            }
        }
        config
    }

    fn in_file(&self, plugin: &PluginName) -> Map<String, Value> {
        let mut written = self.file.iter();
        let own = written.find(|(name, _)| crate::discovery::sanitised(name).as_ref() == Some(plugin));
        own.map(|(_, config)| config.clone()).unwrap_or_default()
    }
}

impl Described {
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

/// A configuration without the keys that are the runner's.
fn without_own(config: &Map<String, Value>) -> Map<String, Value> {
    let mut config = config.clone();
    config.retain(|key, _| !OWN_KEYS.contains(&key.as_str()));
    config
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

    fn described(file: &Value) -> (ConfigBook, PluginName, tempfile::TempDir) {
        let folder = tempfile::tempdir().expect("a folder");
        let manifest = json!({
            "name": "redis", "version": "1.0.0", "entry_point": "run", "process_model": "nats",
            "config_schema": {
                "limit": {"type": "int", "default": 5, "constraints": "min=1"},
                "url": {"type": "string", "required": true},
            },
        });
        std::fs::write(folder.path().join("plugin.json"), manifest.to_string()).expect("writes");
        let manifest = PluginManifest::read(folder.path()).expect("it is right");
        let name = manifest.name().clone();
        let file = [("redis".to_owned(), map(file.clone()))].into();
        let book = ConfigBook::new(file).with_manifests([Arc::new(manifest)]);
        (book, name, folder)
    }

    fn layer(config: Value) -> BTreeMap<String, Map<String, Value>> {
        [("redis".to_owned(), map(config))].into()
    }

    #[test]
    fn a_plugin_is_handed_the_defaults_and_none_of_the_runners_keys() {
        let file =
            json!({"url": "a", "enabled": true, "runtime": "process", "events": {}, "permissions": {}});
        let (book, name, _folder) = described(&file);
        let handed = book.handed(&name);
        assert_eq!(handed.config, Some(map(json!({"url": "a", "limit": 5}))));
        assert_eq!(handed.refused, None);
    }

    #[test]
    fn a_configuration_that_cannot_be_is_refused_and_the_one_before_stays() {
        let (book, name, _folder) = described(&json!({"url": "a"}));
        assert!(book.lay(BTreeMap::new()));
        assert!(book.lay(layer(json!({"limit": 0}))));
        let handed = book.handed(&name);
        assert_eq!(handed.config, Some(map(json!({"url": "a", "limit": 5}))));
        assert_eq!(
            handed.refused.as_deref(),
            Some("limit: expected at least 1, found 0")
        );
        assert!(book.lay(layer(json!({"limit": 2}))));
        let handed = book.handed(&name);
        assert_eq!(handed.config, Some(map(json!({"url": "a", "limit": 2}))));
        assert_eq!(handed.refused, None);
    }

    #[test]
    fn t3_what_was_handed_before_the_layers_were_known_does_not_outlive_them() {
        let (book, name, _folder) = described(&json!({"url": "a"}));
        assert!(
            book.handed(&name).config.is_some(),
            "the file's, while the bus was never heard"
        );
        assert!(book.lay(layer(json!({"limit": 0}))));
        let handed = book.handed(&name);
        assert_eq!(handed.config, None);
        assert!(handed.refused.is_some());
        assert!(book.lay(layer(json!({"limit": 2}))));
        assert_eq!(
            book.handed(&name).config,
            Some(map(json!({"url": "a", "limit": 2})))
        );
    }

    #[test]
    fn without_an_earlier_one_nothing_is_handed() {
        let (book, name, _folder) = described(&json!({}));
        assert!(book.handed(&name).config.is_none());
        assert!(book.lay(layer(json!({"url": "b"}))));
        assert_eq!(
            book.handed(&name).config,
            Some(map(json!({"url": "b", "limit": 5})))
        );
    }

    #[test]
    fn a_configuration_is_checked_over_the_one_that_holds() {
        let (book, name, _folder) = described(&json!({"url": "a"}));
        let check = |over| book.check(&name, &map(over), &[]).expect("there is a schema");
        assert!(check(json!({"limit": 7})).is_ok());
        let mistakes = check(json!({"limit": "x", "lmit": 1, "url": 3})).expect_err("it is wrong");
        assert_eq!(mistakes.len(), 3, "{mistakes:?}");
        assert_eq!(
            book.handed(&name).config,
            Some(map(json!({"url": "a", "limit": 5}))),
            "nothing has changed"
        );
        assert!(
            book.check(&"other".parse().expect("a name"), &Map::new(), &[])
                .is_none()
        );
    }

    #[test]
    fn what_is_unset_is_checked_as_the_file_has_it_or_not_at_all() {
        let (book, name, _folder) = described(&json!({"limit": 3}));
        book.lay(layer(json!({"limit": 9, "url": "b"})));
        let check = |unset: &str| {
            book.check(&name, &Map::new(), &[unset.to_owned()])
                .expect("there is a schema")
        };
        assert!(check("limit").is_ok(), "the file has one");
        let mistakes = check("url").expect_err("it is needed");
        assert!(listed(&mistakes).contains("url"), "{mistakes:?}");
    }

    #[test]
    fn secrets_are_not_shown() {
        let book = ConfigBook::new([("db".to_owned(), map(json!({"password": "hunter2"})))].into());
        assert!(!format!("{book:?}").contains("hunter2"));
    }
}
