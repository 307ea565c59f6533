//! What an administrator tells a host's runner about its plugins. None of it lasts over a restart of the
//! runner: what is to last is a key of the configuration.

use crate::{Message, PluginName};
use serde::{Deserialize, Serialize};

/// "Look for this plugin again, and start it." Answered with a [`PluginList`](crate::host::PluginList) of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct LoadPlugin {
    /// Its name.
    pub plugin: PluginName,
}

impl Message for LoadPlugin {
    const KIND: &'static str = "load";
}

/// "End this plugin, and do not start it again until it is loaded." It is missed all the while: its vote is
/// unknown. Answered with a [`PluginList`](crate::host::PluginList) of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct UnloadPlugin {
    /// Its name.
    pub plugin: PluginName,
}

impl Message for UnloadPlugin {
    const KIND: &'static str = "unload";
}

/// "Look through the folders again": what is new is started, what has changed is started anew, what is gone is
/// ended. Answered with a [`PluginList`](crate::host::PluginList).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "json-schema", schemars(extend("required" = ["plugin"])))]
pub struct ReloadPlugins {
    /// Start this one anew, whether it has changed or not; null to start none. Never left out: an empty body is no
    /// command (rule M5).
    #[serde(deserialize_with = "Option::deserialize")]
    pub plugin: Option<PluginName>,
}

impl Message for ReloadPlugins {
    const KIND: &'static str = "reload";
}

/// For whom a layer of the configuration is; the later ones win.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ConfigLevel {
    /// Every host.
    Fleet,
    /// The hosts of a group.
    Group,
    /// One host.
    Host,
}
