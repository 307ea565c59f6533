//! The part of the configuration that concerns only this machine.

use super::{
    event_handlers::EventHandlersConfig, event_http::EventHttpConfig, event_publish::EventPublishConfig,
    event_sources::EventSourcesConfig,
};
use crate::{secret::Secret, telemetry::TelemetryConfig};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, fmt, path::PathBuf};

/// What concerns only this machine, defaults filled in.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LocalConfig {
    /// This host's id, where the operator gave one.
    pub host_id: Option<String>,
    /// Plugins.
    pub plugins: PluginsConfig,
    /// Logs.
    pub logging: LoggingConfig,
    /// Where traces go; none where they are not exported. A URL may hold a password.
    pub otlp_endpoint: Option<Secret>,
    /// How people's own events are taken over HTTP.
    pub event_http: EventHttpConfig,
    /// Where what was decided is published.
    pub event_publish: EventPublishConfig,
    /// Where events come from.
    pub event_sources: EventSourcesConfig,
    /// How they are handled, by type.
    pub event_handlers: EventHandlersConfig,
}

impl LocalConfig {
    /// Takes what is local out of everything that holds; each value was checked before.
    pub(super) fn from_merged(merged: &Map<String, Value>) -> LocalConfig {
        let section = |name: &str| {
            merged
                .get(name)
                .and_then(Value::as_object)
                .cloned()
                .unwrap_or_default()
        };
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let (plugins, logging, telemetry) = (section("plugins"), section("logging"), section("telemetry"));
        let default = LocalConfig::default();
        LocalConfig {
            host_id: text(merged.get("host_id")),
            plugins: PluginsConfig {
                enabled: plugins
                    .get("enabled")
                    .and_then(Value::as_bool)
                    .unwrap_or(default.plugins.enabled),
                directories: match plugins.get("directories").and_then(Value::as_array) {
                    Some(list) => list.iter().filter_map(Value::as_str).map(PathBuf::from).collect(),
                    None => default.plugins.directories,
                },
                require_isolation: plugins
                    .get("require_isolation")
                    .and_then(Value::as_bool)
                    .unwrap_or(default.plugins.require_isolation),
                configs: plugins
                    .get("plugin_configs")
                    .and_then(Value::as_object)
                    .into_iter()
                    .flatten()
                    .filter_map(|(name, config)| Some((name.clone(), config.as_object()?.clone())))
                    .collect(),
            },
            logging: LoggingConfig {
                log_level: text(logging.get("log_level")).unwrap_or(default.logging.log_level),
            },
            otlp_endpoint: text(telemetry.get("otlp_endpoint")).map(Secret::new),
            event_http: EventHttpConfig::from_section(&section("event_http")),
            event_publish: EventPublishConfig::from_section(&section("event_publish")),
            event_sources: EventSourcesConfig::from_section(&section("event_sources")),
            event_handlers: EventHandlersConfig::from_section(&section("event_handlers")),
        }
    }

    /// What telemetry needs of it.
    #[must_use]
    pub fn telemetry(&self) -> TelemetryConfig {
        TelemetryConfig {
            log_level: Some(self.logging.log_level.clone()),
            otlp_endpoint: self.otlp_endpoint.clone(),
            log_file: None,
        }
    }
}

/// Which plugins run on this host, and with what.
#[derive(Clone, PartialEq)]
pub struct PluginsConfig {
    /// Whether any runs.
    pub enabled: bool,
    /// Where executables are looked for, in this order.
    pub directories: Vec<PathBuf>,
    /// Whether a plugin that cannot be fenced in every way is not run.
    pub require_isolation: bool,
    /// `plugins.plugin_configs.<name>`, as written: keys keep their case, values their type.
    pub configs: BTreeMap<String, Map<String, Value>>,
}

impl Default for PluginsConfig {
    fn default() -> Self {
        PluginsConfig {
            enabled: true,
            // The original's place.
            directories: vec![PathBuf::from("/etc/cloudsnooze/plugins")],
            // A kernel without some fence is no reason to keep a machine up that nobody uses.
            require_isolation: false,
            configs: BTreeMap::new(),
        }
    }
}

impl fmt::Debug for PluginsConfig {
    /// Plugins are configured with passwords: only their names are shown.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("PluginsConfig")
            .field("enabled", &self.enabled)
            .field("directories", &self.directories)
            .field("require_isolation", &self.require_isolation)
            .field(
                "configs",
                &self
                    .configs
                    .keys()
                    .map(|name| (name, Secret::default()))
                    .collect::<BTreeMap<_, _>>(),
            )
            .finish()
    }
}

/// What is logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggingConfig {
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub log_level: String,
}

impl Default for LoggingConfig {
    fn default() -> Self {
        LoggingConfig {
            log_level: "info".to_owned(),
        }
    }
}
