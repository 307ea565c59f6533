//! `event_handlers`: by type of event, who handles it on this host, and how it goes about it.
//!
//! It is the other form in which the original's documents write what stands in
//! `plugins.plugin_configs.<plugin>.events`. What a handler's terms may be is judged by whoever asks it, as in that form;
//! everything else is judged here, and told by its path. Where both forms say something of one plugin, `plugin_configs`
//! beats this one, key by key, and a notice says so.

mod shape;

pub(super) use shape::mistakes;

use super::notice::{ConfigError, Notice, Origin};
use crate::secret::Secret;
use serde_json::{Map, Value};
use std::{collections::BTreeMap, fmt, time::Duration};

/// The keys of a plugin's configuration that say what it is to the host, and so have one place alone.
const OWN_KEYS: [&str; 4] = ["enabled", "runtime", "events", "permissions"];

/// What a type's name is where it stands for every type that begins with it and a dot.
const WIDE: &str = "custom";

/// What the host's file says by type of event.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EventHandlersConfig {
    /// By the type's name.
    pub types: BTreeMap<String, HandlingConfig>,
}

/// How events of one type are handled.
#[derive(Debug, Clone, PartialEq)]
pub struct HandlingConfig {
    /// Whether this host handles them at all.
    pub enabled: bool,
    /// How often a cloud's metadata service is asked for what becomes one, where that differs from the source's own.
    pub polling_interval: Option<Duration>,
    /// When the chain of handlers ends.
    pub dispatch: Dispatch,
    /// Who handles them; nothing where everybody does who says so elsewhere.
    pub plugins: Option<Vec<HandlerConfig>>,
}

/// When a chain of handlers ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dispatch {
    /// When all were asked.
    #[default]
    All,
    /// After the first tier in which one handled the event and succeeded.
    First,
}

/// A plugin that handles events of a type.
#[derive(Clone, PartialEq)]
pub struct HandlerConfig {
    /// The plugin, as it was written.
    pub name: String,
    /// Its priority and the like, as in `plugins.plugin_configs.<plugin>.events.<type>`.
    pub terms: Map<String, Value>,
    /// What the plugin is configured with, below what `plugins.plugin_configs.<plugin>` says.
    pub config: Map<String, Value>,
}

impl fmt::Debug for HandlerConfig {
    /// Plugins are configured with passwords.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("HandlerConfig")
            .field("name", &self.name)
            .field("terms", &self.terms)
            .field("config", &Secret::default())
            .finish()
    }
}

impl Default for HandlingConfig {
    fn default() -> Self {
        HandlingConfig {
            enabled: true,
            polling_interval: None,
            dispatch: Dispatch::default(),
            plugins: None,
        }
    }
}

impl EventHandlersConfig {
    /// Takes it out of its section; its shape was checked before.
    pub(super) fn from_section(section: &Map<String, Value>) -> EventHandlersConfig {
        let types = section.iter().filter_map(|(name, handling)| {
            let handling = HandlingConfig::from_section(handling.as_object()?);
            Some((name.clone(), handling))
        });
        EventHandlersConfig {
            types: types.collect(),
        }
    }

    /// What is said of a type: under its own name, else under `custom`, which stands for every `custom.*`.
    #[must_use]
    pub fn of(&self, event_type: &str) -> Option<&HandlingConfig> {
        let is_custom = event_type
            .strip_prefix(WIDE)
            .is_some_and(|rest| rest.starts_with('.'));
        let wide = || is_custom.then(|| self.types.get(WIDE)).flatten();
        self.types.get(event_type).or_else(wide)
    }

    /// How often a cloud is asked for what becomes events of each type, where it says so.
    pub fn polling_intervals(&self) -> impl Iterator<Item = (&str, Duration)> {
        let types = self.types.iter();
        types.filter_map(|(name, handling)| Some((name.as_str(), handling.polling_interval?)))
    }
}

impl HandlingConfig {
    fn from_section(section: &Map<String, Value>) -> HandlingConfig {
        let default = HandlingConfig::default();
        let seconds = section.get("polling_interval_seconds").and_then(Value::as_f64);
        let plugins = section.get("plugins").and_then(Value::as_array);
        HandlingConfig {
            enabled: section
                .get("enabled")
                .and_then(Value::as_bool)
                .unwrap_or(default.enabled),
            polling_interval: seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            dispatch: match section.get("dispatch").and_then(Value::as_str) {
                Some(word) if word.eq_ignore_ascii_case("first") => Dispatch::First,
                _ => Dispatch::All,
            },
            plugins: plugins.map(|list| list.iter().filter_map(HandlerConfig::from_entry).collect()),
        }
    }
}

impl HandlerConfig {
    fn from_entry(entry: &Value) -> Option<HandlerConfig> {
        let mut terms = entry.as_object()?.clone();
        let name = terms.remove("name")?.as_str()?.to_owned();
        let config = match terms.remove("config") {
            Some(Value::Object(config)) => config,
            Some(_) | None => Map::new(),
        };
        Some(HandlerConfig { name, terms, config })
    }

    fn is(&self, plugin: &str) -> bool {
        plain(&self.name) == plain(plugin)
    }
}

/// What both forms say together: where they contradict each other, which wins, and where this form contradicts itself.
pub(super) fn together(merged: &Map<String, Value>, origin: &Origin) -> (Vec<ConfigError>, Vec<Notice>) {
    let section = |of: &Map<String, Value>, name: &str| of.get(name).and_then(Value::as_object).cloned();
    let Some(written) = section(merged, "event_handlers") else {
        return Default::default();
    };
    let plugins = section(merged, "plugins").and_then(|plugins| section(&plugins, "plugin_configs"));
    let plugins = plugins.unwrap_or_default();
    let handlers = EventHandlersConfig::from_section(&written);
    let (mut errors, mut notices) = (Vec::new(), Vec::new());
    let mut configured: BTreeMap<(String, String), (Value, String)> = BTreeMap::new();
    for (event_type, handling) in &handlers.types {
        if handling.polling_interval.is_some() && !event_type.starts_with("cloud.") {
            notices.push(Notice::NoEffect {
                key: format!("event_handlers.{event_type}.polling_interval_seconds"),
                origin: origin.clone(),
                instead: "nothing but a cloud's metadata service is asked for a type of event",
            });
        }
        for handler in handling.plugins.iter().flatten() {
            let here = format!("event_handlers.{event_type}.plugins.{}", handler.name);
            let there = plugins.iter().find(|(name, _)| handler.is(name));
            let mut beaten = |key: String, by: String| {
                let origin = origin.clone();
                notices.push(Notice::Overruled { key, origin, by });
            };
            if let Some((name, config)) = there {
                let path = format!("plugins.plugin_configs.{name}");
                let events = config.get("events").and_then(|events| events.get(event_type));
                for key in differing(&handler.terms, events) {
                    beaten(
                        format!("{here}.{key}"),
                        format!("{path}.events.{event_type}.{key}"),
                    );
                }
                for key in differing(&handler.config, Some(config)) {
                    beaten(format!("{here}.config.{key}"), format!("{path}.{key}"));
                }
            }
            for (key, value) in &handler.config {
                let place = format!("{here}.config.{key}");
                let said = configured.entry((plain(&handler.name), key.clone()));
                let (first, at) = said.or_insert_with(|| (value.clone(), place.clone()));
                if first != value {
                    let problem = format!(
                        "a plugin has one configuration for all its events, and {at} says something else"
                    );
                    errors.push(ConfigError {
                        key: place,
                        origin: origin.clone(),
                        problem,
                    });
                }
            }
        }
    }
    (errors, notices)
}

/// The keys of the one that the other has too, with another value.
fn differing<'a>(one: &'a Map<String, Value>, other: Option<&'a Value>) -> impl Iterator<Item = &'a str> {
    let other = other.and_then(Value::as_object);
    let differ = move |(key, value): &(&String, &Value)| {
        let there = other.and_then(|other| other.get(*key));
        there.is_some_and(|there| there != *value)
    };
    one.iter().filter(differ).map(|(key, _)| key.as_str())
}

/// A plugin's name in the one form that it has on a host: `redis_monitor` is `redis-monitor`.
fn plain(name: &str) -> String {
    let clean: String = name
        .trim()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .flat_map(char::to_lowercase)
        .collect();
    clean.trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests;
