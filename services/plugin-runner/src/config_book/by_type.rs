//! What the host's own file says by type of event: who handles it by which terms, and how the host goes about it.
//!
//! It is the host's own word as `events` in the plugin's configuration is, and stands below it. It says nothing of
//! plugins that it does not name, but that they are not asked where it names others.

use super::{ConfigBook, own_keys};
use crate::{
    discovery::sanitised,
    events::covers,
    manifest::{ConfigMistake, below},
};
use serde_json::{Map, Value};
use snooze_schemas::{EventType, PluginName};
use snooze_service_runtime::config::{EventHandlersConfig, HandlerConfig, HandlingConfig};
use std::collections::BTreeSet;

impl ConfigBook {
    /// How events of a type are handled here, where the file says so by type.
    pub(crate) fn handling(&self, event_type: &EventType) -> Option<&HandlingConfig> {
        self.by_type.of(event_type.as_str())
    }

    /// The events that a plugin is named for, and that are not switched off for it or for everybody.
    pub(crate) fn events_by_type(&self, plugin: &PluginName) -> BTreeSet<EventType> {
        let types = self.by_type.types.iter().filter(|(_, handling)| handling.enabled);
        let on = types.filter(|(_, handling)| {
            terms_in(handling, plugin).is_some_and(|terms| terms.get("enabled") != Some(&Value::Bool(false)))
        });
        on.filter_map(|(name, _)| name.parse().ok()).collect()
    }

    /// The types of events that the host handles not at all, and that a plugin would get which handles these, or is
    /// named for them.
    pub(crate) fn switched_off(
        &self,
        plugin: &PluginName,
        handled: &BTreeSet<EventType>,
    ) -> BTreeSet<EventType> {
        let off = self
            .by_type
            .types
            .iter()
            .filter(|(_, handling)| !handling.enabled);
        let off = off.filter_map(|(name, handling)| {
            let off: EventType = name.parse().ok()?;
            let mut handled = handled.iter();
            let would_get = terms_in(handling, plugin).is_some()
                || handled.any(|name| covers(name.as_str(), &off) || covers(off.as_str(), name));
            would_get.then_some(off)
        });
        off.collect()
    }

    /// The plugins that are named for whatever type.
    pub(super) fn named_by_type(&self) -> impl Iterator<Item = PluginName> {
        named(&self.by_type)
    }

    /// Every mistake in what is said of a plugin by type.
    pub(super) fn mistakes_by_type(&self, plugin: &PluginName) -> Vec<ConfigMistake> {
        let types = self.by_type.types.iter();
        let said = types.filter_map(|(name, handling)| {
            let pointer = below(&below("/event_handlers", name), "plugins");
            Some((below(&pointer, plugin.as_str()), terms_in(handling, plugin)?))
        });
        said.flat_map(|(pointer, terms)| own_keys::of_terms(&pointer, terms))
            .collect()
    }
}

/// By which terms a plugin is named among those who handle a type.
pub(crate) fn terms_in<'a>(
    handling: &'a HandlingConfig,
    plugin: &PluginName,
) -> Option<&'a Map<String, Value>> {
    let mut named = handling.plugins.iter().flatten();
    let own = named.find(|handler| is_of(handler, plugin));
    own.map(|handler| &handler.terms)
}

/// The plugins that are named in it.
pub(crate) fn named(by_type: &EventHandlersConfig) -> impl Iterator<Item = PluginName> {
    let handlers = by_type
        .types
        .values()
        .flat_map(|handling| handling.plugins.iter().flatten());
    handlers.filter_map(|handler| sanitised(&handler.name))
}

fn is_of(handler: &HandlerConfig, plugin: &PluginName) -> bool {
    sanitised(&handler.name).as_ref() == Some(plugin)
}
