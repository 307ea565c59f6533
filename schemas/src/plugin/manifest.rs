//! `plugin.json`: what a plugin's author states about it, before anything of it runs.
//!
//! The original's `PluginInfo` in snake case, with what it left open: what each value may be, what the
//! plugin needs, which events it handles. Nothing in it grants anything: the
//! host's own file does, or a person who has seen what it asks for.

use super::permissions::Permissions;
use crate::{EventType, PluginName};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A plugin's manifest. `name`, `version` and `entry_point` are needed, and whatever else is absent is empty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Manifest {
    /// The plugin's identifier; what `Info` answers has to agree.
    pub name: PluginName,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub display_name: String,
    /// A semantic version (semver.org, 2.0.0).
    pub version: String,
    /// Who made it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub author: String,
    /// What it does.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What kind of workload it watches, as `database`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub category: String,
    /// To be found by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Where its source is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub repository: String,
    /// Where its documentation is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub homepage: String,
    /// What it says of itself; it is never believed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub official: bool,
    /// What it can be configured with: a JSON Schema (draft 2020-12) of an object, or the original's shorthand,
    /// a map of [`ConfigField`]s.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub config_schema: Map<String, Value>,
    /// Other plugins that have to be there too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<Dependency>,
    /// The oldest CloudSnooze that it works with: a semantic version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_host_version: Option<String>,
    /// How it is loaded.
    #[serde(default, rename = "type", skip_serializing_if = "is_default")]
    pub kind: PluginKind,
    /// What it is written in, as `python`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub language: String,
    /// How it is asked.
    #[serde(default, skip_serializing_if = "is_default")]
    pub process_model: ProcessModel,
    /// What is started or loaded: a path below the manifest's own folder.
    pub entry_point: String,
    /// What it needs.
    #[serde(default, skip_serializing_if = "is_default")]
    pub permissions: Permissions,
    /// The events that it handles, and how; an operator's configuration goes before it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub events: BTreeMap<EventType, EventTerms>,
    /// SHA-256 of files below the manifest's folder, in lower-case hexadecimal, by path. A file that differs
    /// is not run.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub checksums: BTreeMap<String, String>,
}

/// How a plugin is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum PluginKind {
    /// Outside of the runner.
    #[default]
    External,
    /// Into the runner: a dynamic library, for code that is trusted as the runner itself is.
    Native,
}

/// How a plugin that is outside of the runner is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ProcessModel {
    /// A child of the runner: one JSON object a line on its standard input and output.
    #[default]
    Process,
    /// The same, as JSON-RPC 2.0.
    JsonRpc,
    /// It runs by itself and answers on its own subjects.
    Nats,
}

/// One field of the original's shorthand for `config_schema`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct ConfigField {
    /// `string`, `int`, `float`, `bool`, `array`, `object`, or JSON Schema's own names.
    #[serde(rename = "type")]
    pub kind: String,
    /// For people.
    pub description: String,
    /// What holds where nothing is configured.
    pub default: Value,
    /// Whether it has to be configured.
    pub required: bool,
    /// Comma-separated: `min=1`, `max=10`, `min_length=1`, `max_length=10`, `pattern=…` (last), `enum=a|b`,
    /// `format=uri`.
    pub constraints: String,
}

/// Another plugin that has to be there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Dependency {
    /// Its name.
    pub name: PluginName,
    /// Which versions will do, as Cargo writes them: `>=1.2, <2`; `*` for any.
    pub version: String,
}

/// How an event is handed to a plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct EventTerms {
    /// Larger goes first; 50 where nobody says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<i64>,
    /// Whether it gets them at all.
    pub enabled: bool,
    /// So many seconds it may take at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<f64>,
    /// Whether asking it twice does the same as asking it once, so that it may be asked again where it is not known how
    /// it ended.
    #[serde(skip_serializing_if = "is_default")]
    pub idempotent: bool,
    /// What the event's data has to be for it to get it: an event pattern, as Amazon EventBridge has them.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub when: Map<String, Value>,
}

impl Default for EventTerms {
    fn default() -> Self {
        EventTerms {
            priority: None,
            enabled: true,
            timeout_seconds: None,
            idempotent: false,
            when: Map::new(),
        }
    }
}

impl EventTerms {
    /// The priority of a handler that nobody gave one: between the original's two examples, 100 and none.
    pub const DEFAULT_PRIORITY: i64 = 50;
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
