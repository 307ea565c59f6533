//! What the runner is told at its start; nothing here is read from the environment.

use crate::{backoff::Restarts, fence::FenceConfig, nats_plugin::Reach, plugins::OwnWord, policy};
use serde_json::{Map, Value};
use snooze_schemas::{HostId, PluginName};
use snooze_service_runtime::{
    Clocks,
    config::{EventHandlersConfig, PluginsConfig},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::PathBuf,
    time::Duration,
};

/// Where plugins find other programs. The runner's own `PATH` is none of their business.
pub const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How long a plugin may take to introduce itself: an interpreter with many imports on a loaded
/// machine takes seconds.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(15);

/// How long a look through the folders of plugins may take without a word: all that a host has is gone through in less,
/// and whoever gives an order is told before it is answered that it takes too long.
const LOOK_LIMIT: Duration = Duration::from_secs(10);

/// Every verb answers within 15 s of when it was asked: that it took too long has to be heard before as well.
const VERB_LIMIT: Duration = Duration::from_millis(policy::ANSWER_LIMIT_MS - policy::ROUND_TRIP_MS);

/// The key of a plugin's configuration that switches it off.
pub(crate) const ENABLED: &str = "enabled";

/// The key of a plugin's configuration that says what it runs in.
pub(crate) const RUNTIME: &str = "runtime";

/// The keys of a plugin's configuration that are the runner's own, and none of the plugin's.
pub(crate) const OWN_KEYS: [&str; 4] = [ENABLED, RUNTIME, crate::plugin::EVENTS, "permissions"];

/// What the runner is told at its start.
#[derive(Clone)]
pub struct Config {
    /// The host that it runs on.
    pub host: HostId,
    /// The kernel's boot id.
    pub boot_id: String,
    /// The launch generation of the instance, where there is one.
    pub launch: Option<String>,
    /// Where journals are kept; they must survive a reboot.
    pub state: PathBuf,
    /// Where runs of idleness are kept over a restart; they must not survive a reboot (T4).
    pub runtime: PathBuf,
    /// Where executables are looked for, in this order.
    pub plugin_folders: Vec<PathBuf>,
    /// What the host's own file says of each plugin.
    pub plugin_configs: BTreeMap<String, Map<String, Value>>,
    /// What it says by type of event; what it configures plugins with is in `plugin_configs` too.
    pub event_handlers: EventHandlersConfig,
    /// The `PATH` of plugins.
    pub search_path: String,
    /// How plugins are fenced.
    pub fence: FenceConfig,
    /// How long a plugin may take to introduce itself.
    pub handshake_limit: Duration,
    /// How long a look through the folders of plugins may take without a word.
    pub look_limit: Duration,
    /// How long what is asked of the runner may take before the answer is that it takes too long.
    pub verb_limit: Duration,
    /// How restarts of plugins are spaced.
    pub restarts: Restarts,
    /// The policy that holds until the bus gave one.
    pub local_policy: Map<String, Value>,
    /// Where the terminals of people are, who are told before a stop.
    pub terminals: PathBuf,
    /// The clocks.
    pub clocks: Clocks,
}

impl fmt::Debug for Config {
    /// Plugins are configured with passwords: only their names are shown.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Config")
            .field("host", &self.host)
            .field("boot_id", &self.boot_id)
            .field("state", &self.state)
            .field("runtime", &self.runtime)
            .field("plugin_folders", &self.plugin_folders)
            .field("plugin_configs", &self.plugin_configs.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl Config {
    /// A runner without plugins, with the defaults of everything else.
    #[must_use]
    pub fn new(host: HostId, boot_id: String, state: PathBuf, runtime: PathBuf) -> Config {
        Config {
            host,
            boot_id,
            launch: None,
            state,
            runtime,
            plugin_folders: Vec::new(),
            plugin_configs: BTreeMap::new(),
            event_handlers: EventHandlersConfig::default(),
            search_path: SEARCH_PATH.to_owned(),
            fence: FenceConfig::default(),
            handshake_limit: HANDSHAKE_LIMIT,
            look_limit: LOOK_LIMIT,
            verb_limit: VERB_LIMIT,
            restarts: Restarts::default(),
            local_policy: Map::new(),
            terminals: PathBuf::from("/dev"),
            clocks: Clocks::real(),
        }
    }

    /// With the plugins that the host's own file asks for.
    #[must_use]
    pub fn with_plugins(mut self, plugins: &PluginsConfig) -> Config {
        if plugins.enabled {
            self.plugin_folders.clone_from(&plugins.directories);
            self.plugin_configs.clone_from(&plugins.configs);
        }
        self.fence.require_isolation = plugins.require_isolation;
        self
    }

    /// With what the host's own file says by type of event, below what it says by plugin: to be added after that.
    #[must_use]
    pub fn with_event_handlers(mut self, by_type: &EventHandlersConfig) -> Config {
        if !self.has_plugins() {
            return self;
        }
        self.event_handlers.clone_from(by_type);
        let handlers = by_type
            .types
            .values()
            .flat_map(|handling| handling.plugins.iter().flatten());
        for handler in handlers.filter(|handler| !handler.config.is_empty()) {
            let name = crate::discovery::sanitised(&handler.name);
            let mut written = self.plugin_configs.keys();
            let own = written.find(|written| crate::discovery::sanitised(written) == name);
            let own = own.unwrap_or(&handler.name).clone();
            let config = self.plugin_configs.entry(own).or_default();
            for (key, value) in &handler.config {
                config.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
        self
    }

    /// Where plugins are at home: not beside the journals.
    pub(crate) fn plugin_home(&self) -> PathBuf {
        self.state.join("plugins")
    }

    /// Whether any are run at all; without a folder for them they are switched off as a whole.
    pub(crate) fn has_plugins(&self) -> bool {
        !self.plugin_folders.is_empty()
    }

    /// What the file says of plugins.
    pub(crate) fn own_word(&self) -> OwnWord {
        OwnWord {
            on_bus: self.named_on_bus(),
            configured: self.configured(),
            disabled: self.disabled(),
            has_folders: self.has_plugins(),
        }
    }

    /// Where packages of plugins are unpacked.
    pub(crate) fn packages(&self) -> PathBuf {
        self.state.join("packages")
    }

    /// The plugins that the file configures or names as handlers, wherever they run.
    pub(crate) fn configured(&self) -> BTreeSet<PluginName> {
        // Permissions go by the name of the file, which need not be what the plugin calls itself.
        let is_more = |key: &String| key != crate::fence::PERMISSIONS;
        let configs = self.plugin_configs.iter();
        configs
            .filter(|(_, config)| config.is_empty() || config.keys().any(is_more))
            .filter_map(|(name, _)| crate::discovery::sanitised(name))
            .chain(crate::config_book::named(&self.event_handlers))
            .collect()
    }

    /// The plugins that the file says to run on the bus: `plugin_configs.<name>.runtime` is `nats`, or `fleet` for
    /// one that serves every host.
    pub(crate) fn named_on_bus(&self) -> BTreeSet<PluginName> {
        let of = |reach: Reach| self.whose(RUNTIME, &Value::from(reach.as_str()));
        of(Reach::Host).into_iter().chain(of(Reach::Fleet)).collect()
    }

    /// The plugins that the file switches off: `plugin_configs.<name>.enabled` is `false`.
    pub(crate) fn disabled(&self) -> BTreeSet<PluginName> {
        self.whose(ENABLED, &Value::Bool(false))
    }

    fn whose(&self, key: &str, value: &Value) -> BTreeSet<PluginName> {
        let configs = self.plugin_configs.iter();
        configs
            .filter(|(_, config)| config.get(key) == Some(value))
            .filter_map(|(name, _)| crate::discovery::sanitised(name))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_plugin_on_the_bus_is_named_by_its_runtime() {
        let mut config = Config::new(
            "h1".parse().expect("a host id"),
            String::new(),
            "/s".into(),
            "/r".into(),
        );
        for (name, runtime) in [
            ("notebook_monitor", "nats"),
            ("llm", "fleet"),
            ("redis", "process"),
        ] {
            let own = json!({"runtime": runtime}).as_object().expect("a map").clone();
            config.plugin_configs.insert(name.to_owned(), own);
        }
        let named: Vec<String> = config.named_on_bus().iter().map(ToString::to_string).collect();
        assert_eq!(named, ["llm", "notebook-monitor"]);
    }

    #[test]
    fn secrets_are_not_shown() {
        let mut config = Config::new(
            "h1".parse().expect("a host id"),
            String::new(),
            "/s".into(),
            "/r".into(),
        );
        let own = json!({"password": "hunter2"}).as_object().expect("a map").clone();
        config.plugin_configs.insert("db".to_owned(), own);
        let shown = format!("{config:?}");
        assert!(shown.contains("db") && !shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn plugins_that_are_switched_off_are_not_looked_for() {
        let config = Config::new(
            "h1".parse().expect("a host id"),
            String::new(),
            "/s".into(),
            "/r".into(),
        );
        let off = PluginsConfig {
            enabled: false,
            ..PluginsConfig::default()
        };
        assert!(config.clone().with_plugins(&off).plugin_folders.is_empty());
        assert!(
            !config
                .with_plugins(&PluginsConfig::default())
                .plugin_folders
                .is_empty()
        );
    }
}
