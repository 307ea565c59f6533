//! What each level of the configuration says that plugins are configured with, and what would come of a change to one
//! of them. Pure.

use super::Layers;
use serde_json::{Map, Value};
use snooze_schemas::{PluginName, host::Validate, plugin::management::ConfigLevel};
use std::collections::BTreeMap;

/// By plugin, what fleet, group and host say, the narrower after the wider.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Levels([BTreeMap<PluginName, Map<String, Value>>; 3]);

impl Levels {
    /// As the layers say it. What names a plugin that cannot be says nothing.
    pub(super) fn of(layers: &Layers) -> Levels {
        Levels(layers.layers.each_ref().map(|layer| {
            let plugins = layer.iter().flat_map(|(layer, _)| &layer.plugins);
            plugins
                .filter_map(|(name, said)| Some((name.parse().ok()?, said.config.clone()?)))
                .collect()
        }))
    }

    /// What all of them together would say of a plugin after a change.
    pub(crate) fn after(&self, change: &Validate) -> Map<String, Value> {
        let mut levels = self
            .0
            .each_ref()
            .map(|level| level.get(&change.plugin).cloned().unwrap_or_default());
        let edit = |config: &mut Map<String, Value>| {
            config.retain(|key, _| !change.unset.contains(key));
            config.extend(change.config.clone());
        };
        match change.level {
            Some(level) => {
                edit(&mut levels[position(level)]);
                merged(levels)
            }
            None => {
                let mut config = merged(levels);
                edit(&mut config);
                config
            }
        }
    }
}

fn merged(levels: [Map<String, Value>; 3]) -> Map<String, Value> {
    levels.into_iter().flatten().collect()
}

const fn position(level: ConfigLevel) -> usize {
    match level {
        ConfigLevel::Fleet => 0,
        ConfigLevel::Group => 1,
        ConfigLevel::Host => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn levels() -> Levels {
        let layer =
            |config: Value, revision: u64| json!([{"plugins": {"redis": {"config": config}}}, revision]);
        let layers = json!({"layers": [
            layer(json!({"a": 1, "b": 1, "c": 1}), 1),
            layer(json!({"b": 2, "c": 2}), 2),
            layer(json!({"c": 3}), 3),
        ]});
        Levels::of(&serde_json::from_value(layers).expect("layers"))
    }

    fn after(level: Option<&str>, config: &Value, unset: &[&str]) -> Value {
        let mut change = json!({"plugin": "redis", "config": config, "unset": unset});
        if let Some(level) = level {
            change["level"] = level.into();
        }
        levels()
            .after(&serde_json::from_value(change).expect("a change"))
            .into()
    }

    #[test]
    fn the_narrower_level_wins_over_a_change_of_a_wider_one() {
        let nothing: &[&str] = &[];
        let all = json!({"a": 9, "b": 9, "c": 9});
        for (level, expected) in [
            (Some("fleet"), json!({"a": 9, "b": 2, "c": 3})),
            (Some("group"), json!({"a": 9, "b": 9, "c": 3})),
            (Some("host"), all.clone()),
            (None, all.clone()),
        ] {
            assert_eq!(after(level, &all, nothing), expected, "{level:?}");
        }
    }

    #[test]
    fn what_a_level_unsets_a_wider_one_still_says() {
        let keys: &[&str] = &["a", "b", "c"];
        for (level, expected) in [
            (Some("host"), json!({"a": 1, "b": 2, "c": 2})),
            (Some("group"), json!({"a": 1, "b": 1, "c": 3})),
            (Some("fleet"), json!({"b": 2, "c": 3})),
            (None, json!({})),
        ] {
            assert_eq!(after(level, &json!({}), keys), expected, "{level:?}");
        }
    }

    #[test]
    fn a_plugin_that_no_level_names_would_have_what_the_change_says() {
        let change = json!({"plugin": "other", "config": {"n": 1}, "unset": ["m"], "level": "group"});
        let change = serde_json::from_value(change).expect("a change");
        assert_eq!(Value::Object(levels().after(&change)), json!({"n": 1}));
    }
}
