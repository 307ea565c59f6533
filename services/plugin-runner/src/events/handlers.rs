//! Who handles an event, in which order: by the configuration, else by what plugins say themselves.

use super::Known;
use crate::{
    plugin::Plugin,
    plugins::{Plugins, is_enabled},
    policy::PolicyInForce,
};
use futures_util::future::join_all;
use serde_json::{Map, Value};
use snooze_schemas::{EventType, PluginName};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// The priority of a handler that nobody gave one: between the original's two examples, 100 and none.
const DEFAULT_PRIORITY: i64 = 50;

/// How long a plugin may take to say which events it handles.
const SUPPORTED_LIMIT: Duration = Duration::from_secs(2);

/// The key of a plugin's configuration that says which events it gets.
const EVENTS: &str = "events";

/// A plugin that is asked to handle an event.
#[derive(Debug, Clone)]
pub(crate) struct Handler {
    /// Whom to ask.
    pub plugin: Arc<Plugin>,
    /// How long it may take at most, where that was configured.
    pub time_out: Option<Duration>,
    /// Whether it may be asked again when it is not known how it ended (E6).
    pub repeat: Repeat,
}

/// Whether a handler may be asked twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Asking twice does the same as asking once.
    Idempotent,
    /// Nobody said so: never twice.
    Never,
}

/// Handlers of the same priority; they are asked at once.
pub(crate) type Tier = Vec<Handler>;

impl Handler {
    /// Whether it has not been asked yet, or may be asked again.
    pub(super) fn is_due(&self, known: &Known) -> bool {
        match known.handlers.get(&self.plugin.name()) {
            None => true,
            Some(Some(_)) => false,
            Some(None) => self.repeat == Repeat::Idempotent,
        }
    }

    pub(super) fn may_be_asked_again(&self, plugin: &PluginName) -> bool {
        self.plugin.name() == *plugin && self.repeat == Repeat::Idempotent
    }
}

/// The handlers of an event, the highest priority first.
pub(crate) async fn tiers_of(plugins: &Plugins, policy: &PolicyInForce, event_type: &EventType) -> Vec<Tier> {
    let asked = plugins
        .all()
        .into_iter()
        .filter(|plugin| is_enabled(policy, &plugin.name()));
    let asked = asked.map(|plugin| async move {
        let config = plugins.config_of(&plugin.name());
        handler_of(plugin, &config, event_type).await
    });
    let mut tiers: BTreeMap<i64, Tier> = BTreeMap::new();
    for (priority, handler) in join_all(asked).await.into_iter().flatten() {
        tiers.entry(priority).or_default().push(handler);
    }
    tiers.into_values().rev().collect()
}

async fn handler_of(
    plugin: Arc<Plugin>,
    config: &Map<String, Value>,
    event_type: &EventType,
) -> Option<(i64, Handler)> {
    let settings = match config.get(EVENTS) {
        // Where the configuration says which events a plugin gets, it gets no others.
        Some(Value::Object(events)) => entry(events, event_type)?.clone(),
        Some(_) | None => {
            let supported = match plugin.supported_events(SUPPORTED_LIMIT).await {
                Ok(supported) => supported,
                Err(error) => {
                    tracing::warn!(plugin = %plugin.name(), %error, "a plugin does not say which events it handles; it gets none");
                    return None;
                }
            };
            if !supported
                .iter()
                .any(|supported| covers(supported.as_str(), event_type))
            {
                return None;
            }
            Map::new()
        }
    };
    if settings.get("enabled").and_then(Value::as_bool) == Some(false) {
        return None;
    }
    let priority = settings
        .get("priority")
        .and_then(Value::as_i64)
        .unwrap_or(DEFAULT_PRIORITY);
    let time_out = settings.get("timeout_seconds").and_then(Value::as_f64);
    let time_out = time_out.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let idempotent = settings.get("idempotent").and_then(Value::as_bool) == Some(true);
    let repeat = if idempotent {
        Repeat::Idempotent
    } else {
        Repeat::Never
    };
    Some((
        priority,
        Handler {
            plugin,
            time_out,
            repeat,
        },
    ))
}

/// What is configured for this type: under its own name, else under a name that stands for it.
fn entry<'a>(events: &'a Map<String, Value>, event_type: &EventType) -> Option<&'a Map<String, Value>> {
    let exact = events.get(event_type.as_str());
    let wide = || {
        events
            .iter()
            .find(|(name, _)| covers(name, event_type))
            .map(|(_, settings)| settings)
    };
    exact.or_else(wide)?.as_object()
}

/// `custom` stands for every `custom.*` too.
fn covers(name: &str, event_type: &EventType) -> bool {
    let wanted = event_type.as_str();
    name == wanted || (name == "custom" && wanted.starts_with("custom."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn custom_stands_for_every_custom_type_and_nothing_else_does() {
        let backup: EventType = "custom.backup".parse().expect("a type");
        assert!(covers("custom", &backup));
        assert!(covers("custom.backup", &backup));
        assert!(!covers("custom.other", &backup));
        assert!(!covers("cloud", &"cloud.spot.interrupt".parse().expect("a type")));
    }

    #[test]
    fn the_exact_type_beats_the_wide_one() {
        let events = json!({"custom": {"priority": 1}, "custom.backup": {"priority": 2}});
        let events = events.as_object().expect("a map");
        let settings = entry(events, &"custom.backup".parse().expect("a type")).expect("it is there");
        assert_eq!(settings["priority"], 2);
    }
}
