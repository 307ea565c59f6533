//! A plugin whose manifest says what it can be configured with, and the newest configuration of it that fits.
//!
//! It asks nobody and starts nothing.

use super::Handed;
use crate::{
    config::OWN_KEYS,
    manifest::{PluginManifest, listed},
};
use serde_json::{Map, Value};
use snooze_schemas::PluginName;
use std::sync::Arc;

/// A plugin that has a manifest, and what it is handed.
pub(super) struct Described {
    pub manifest: Arc<PluginManifest>,
    pub handed: Handed,
}

impl Described {
    /// Takes a new configuration as [`Described::settle`] does, and says where it is refused.
    pub(super) fn take(&mut self, name: &PluginName, config: &Map<String, Value>) {
        let before = self.handed.refused.clone();
        self.settle(config);
        if let Some(why) = &self.handed.refused
            && self.handed.config.is_some()
            && before.as_ref() != Some(why)
        {
            warn_of_refused(name, why);
        }
    }

    /// Takes a new configuration, where the plugin can have it.
    pub(super) fn settle(&mut self, config: &Map<String, Value>) {
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

/// Says that what a plugin has stays.
pub(super) fn warn_of_refused(name: &PluginName, why: &str) {
    tracing::warn!(plugin = %name, why, "a plugin's new configuration is refused; it keeps the one that it has");
}

/// A configuration without the keys that are the runner's.
pub(super) fn without_own(config: &Map<String, Value>) -> Map<String, Value> {
    let mut config = config.clone();
    config.retain(|key, _| !OWN_KEYS.contains(&key.as_str()));
    config
}
