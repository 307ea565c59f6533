//! Whether one plugin handles an event, and by which terms: what the configuration and the manifest say of it, and where
//! they say nothing what it says itself. And whether one would that is not run.
//!
//! It asks nobody to handle anything.

use super::{
    Handler, Repeat,
    terms::{Said, Words, covers, said},
};
use crate::{
    config_book::terms_in,
    pattern,
    plugin::{EVENTS_LIMIT, Plugin, WHEN, told_data},
    plugins::{Absent, Plugins},
};
use serde_json::{Map, Value};
use snooze_schemas::{
    EventType, PluginName,
    event::Event,
    plugin::{manifest::EventTerms, permissions::Permissions},
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// What handlers choose an event by.
#[derive(Debug)]
pub(super) struct Told {
    event_type: EventType,
    data: Map<String, Value>,
}

impl Told {
    /// As it is told to handlers: where it has a deadline with the time that is left, now.
    pub(super) fn of(event: &Event, left: Duration) -> Told {
        Told {
            event_type: event.event_type.clone(),
            data: told_data(event, left),
        }
    }
}

/// Its place among the handlers; nothing where it is none. It is waited for no longer than `patience` until it has
/// introduced itself.
pub(super) async fn handler_of(
    plugin: Arc<Plugin>,
    plugins: &Plugins,
    told: &Told,
    patience: Duration,
) -> Option<(i64, Handler)> {
    let settings = terms_of(&plugin, plugins, told, patience).await?;
    let priority = priority_in(&settings);
    let time_out = settings.get("timeout_seconds").and_then(Value::as_f64);
    let time_out = time_out.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let idempotent = settings.get("idempotent").and_then(Value::as_bool) == Some(true);
    let repeat = if idempotent {
        Repeat::Idempotent
    } else {
        Repeat::Never
    };
    let handler = Handler {
        plugin,
        time_out,
        repeat,
    };
    Some((priority, handler))
}

/// Its place among the handlers, if it were run; nothing where it would have none. What neither the configuration nor its
/// manifest says of it nobody can be asked for: then those events are its own that it was granted by name.
pub(super) fn place_of_absent(absent: &Absent, plugins: &Plugins, told: &Told) -> Option<i64> {
    let event_type = &told.event_type;
    let of_file = Permissions {
        events: plugins.configs().events_of_file(&absent.name),
        ..Permissions::default()
    };
    if !absent.granted.give(event_type) && !of_file.give(event_type) {
        return None;
    }
    let stated = absent.manifest.as_ref().map(|manifest| &manifest.stated().events);
    let stated = stated.filter(|events| !events.is_empty());
    match said_of(&absent.name, plugins, stated, event_type) {
        Said::Gets(settings) => is_given(&settings, told).then(|| priority_in(&settings)),
        Said::GetsOthers => None,
        Said::Nothing => Some(EventTerms::DEFAULT_PRIORITY),
    }
}

/// Says of a plugin that nobody granted the event that it does not get it, if it would handle it.
pub(super) async fn is_withheld(plugin: &Plugin, plugins: &Plugins, told: &Told, patience: Duration) {
    if terms_of(plugin, plugins, told, patience).await.is_some() {
        plugin.note_withheld(&told.event_type);
    }
}

/// By which terms it handles the event; nothing where it does not.
async fn terms_of(
    plugin: &Plugin,
    plugins: &Plugins,
    told: &Told,
    patience: Duration,
) -> Option<Map<String, Value>> {
    // What the bus says of its configuration may come meanwhile.
    plugin.introduced(patience).await;
    let (event_type, name) = (&told.event_type, plugin.name());
    let settings = match said_of(&name, plugins, plugin.stated_events(), event_type) {
        Said::Gets(settings) => settings,
        Said::GetsOthers => return None,
        Said::Nothing => {
            let supported = match plugin.supported_events(EVENTS_LIMIT).await {
                Ok(supported) => supported,
                Err(error) => {
                    tracing::warn!(plugin = %name, %error, "a plugin does not say which events it handles; it gets none");
                    return None;
                }
            };
            let handles = |supported: &EventType| covers(supported.as_str(), event_type);
            return supported.iter().any(handles).then(Map::new);
        }
    };
    is_given(&settings, told).then_some(settings)
}

/// What the configuration and the manifest say of a plugin and an event.
fn said_of(
    name: &PluginName,
    plugins: &Plugins,
    stated: Option<&BTreeMap<EventType, EventTerms>>,
    event_type: &EventType,
) -> Said {
    let configs = plugins.configs();
    let config = configs.of(name);
    let handling = configs.handling(event_type);
    let words = Words {
        config: Some(&config),
        named: handling.and_then(|handling| terms_in(handling, name)),
        others_are_named: handling.is_some_and(|handling| handling.plugins.is_some()),
        stated,
    };
    said(words, event_type)
}

/// Whether the event is one of those that these terms give it. What a filter keeps from it is none of its business, and
/// no failure.
fn is_given(settings: &Map<String, Value>, told: &Told) -> bool {
    let is_off = settings.get("enabled").and_then(Value::as_bool) == Some(false);
    let is_kept = match settings.get(WHEN) {
        Some(Value::Object(when)) => !pattern::matches(when, &told.data),
        _ => false,
    };
    !is_off && !is_kept
}

fn priority_in(settings: &Map<String, Value>) -> i64 {
    let priority = settings.get("priority").and_then(Value::as_i64);
    priority.unwrap_or(EventTerms::DEFAULT_PRIORITY)
}
