//! The events that the host's own file names for a plugin: by that it is granted them.

use super::ConfigBook;
use crate::{config::ENABLED, plugin::EVENTS};
use serde_json::{Map, Value};
use snooze_schemas::{EventType, PluginName};
use std::collections::BTreeSet;

impl ConfigBook {
    /// The events that the host's own file says it gets, by name.
    #[must_use]
    pub(crate) fn events_of_file(&self, plugin: &PluginName) -> BTreeSet<EventType> {
        let mut events = events_of(&self.in_file(plugin));
        events.extend(self.events_by_type(plugin));
        events
    }
}

/// The events that a configuration says a plugin gets.
fn events_of(config: &Map<String, Value>) -> BTreeSet<EventType> {
    let events = config
        .get(EVENTS)
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    let on = events.filter(|(_, settings)| {
        let settings = settings.as_object();
        settings.is_some_and(|settings| settings.get(ENABLED) != Some(&Value::Bool(false)))
    });
    on.filter_map(|(name, _)| name.parse().ok()).collect()
}
