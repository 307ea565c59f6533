//! What the configuration and the manifest say of who gets which event, and by which terms.
//!
//! Pure: it asks no plugin; what neither of them says the plugin has to be asked for.

use crate::plugin::{EVENTS, WHEN};
use serde_json::{Map, Value};
use snooze_schemas::{EventType, plugin::manifest::EventTerms};
use std::collections::BTreeMap;

/// What the configuration and the manifest say of an event.
#[derive(Debug, PartialEq)]
pub(super) enum Said {
    /// The plugin gets it, by these terms.
    Gets(Map<String, Value>),
    /// It gets others, and no more.
    GetsOthers,
    /// Nothing at all: it has to be asked.
    Nothing,
}

/// What is said of one plugin, by whom.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Words<'a> {
    /// What it is configured with, by the host's file and by layers of the bus.
    pub config: Option<&'a Map<String, Value>>,
    /// By which terms the host's file names it among those who handle the type.
    pub named: Option<&'a Map<String, Value>>,
    /// Whether the host's file says at all who handles the type.
    pub others_are_named: bool,
    /// What its manifest states.
    pub stated: Option<&'a BTreeMap<EventType, EventTerms>>,
}

/// Where the configuration of a plugin says which events it gets, or else its manifest, it gets no others, but those
/// for whose types it is named. Where a type names who handles it, nobody does by his own word. What one does not say
/// of an event is as the next has it: the plugin's configuration, the type's, the manifest.
pub(super) fn said(words: Words<'_>, event_type: &EventType) -> Said {
    let configured = words.config.and_then(|config| config.get(EVENTS));
    let configured = configured.and_then(Value::as_object);
    let own = configured.and_then(|events| entry(events, event_type));
    let terms = words.stated.and_then(|events| terms(events, event_type));
    let mut settings = match (own, words.named) {
        (Some(own), named) => {
            let mut settings = own.clone();
            for (key, value) in named.into_iter().flatten() {
                settings.entry(key).or_insert_with(|| value.clone());
            }
            settings
        }
        (None, Some(named)) => named.clone(),
        (None, None) if configured.is_some() || words.others_are_named => return Said::GetsOthers,
        (None, None) => match (words.stated, terms) {
            (Some(_), Some(_)) => Map::new(),
            (Some(_), None) => return Said::GetsOthers,
            (None, _) => return Said::Nothing,
        },
    };
    if let Some(terms) = terms {
        if let Some(priority) = terms.priority {
            settings.entry("priority").or_insert(Value::from(priority));
        }
        settings.entry("enabled").or_insert(Value::from(terms.enabled));
        if let Some(seconds) = terms.timeout_seconds {
            settings.entry("timeout_seconds").or_insert(Value::from(seconds));
        }
        if terms.idempotent {
            settings.entry("idempotent").or_insert(Value::Bool(true));
        }
        if !terms.when.is_empty() {
            let when = || Value::Object(terms.when.clone());
            settings.entry(WHEN).or_insert_with(when);
        }
    }
    Said::Gets(settings)
}

/// What a manifest states of this type: under its own name, else under a name that stands for it.
fn terms<'a>(events: &'a BTreeMap<EventType, EventTerms>, event_type: &EventType) -> Option<&'a EventTerms> {
    let wide = || {
        events
            .iter()
            .find(|(name, _)| covers(name.as_str(), event_type))
            .map(|(_, terms)| terms)
    };
    events.get(event_type).or_else(wide)
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
pub(crate) fn covers(name: &str, event_type: &EventType) -> bool {
    let wanted = event_type.as_str();
    name == wanted || (name == "custom" && wanted.starts_with("custom."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn e3_the_priorities_of_the_manifest_count_where_the_configuration_does_not_say() {
        let event_type: EventType = "custom.backup".parse().expect("a type");
        let stated: BTreeMap<EventType, EventTerms> = serde_json::from_value(json!({
            "custom": {"priority": 70},
            "cloud.spot.interrupt": {"priority": 100, "enabled": false, "idempotent": true, "timeout_seconds": 9,
                "when": {"action": ["stop"]}},
            "system.cpu.high": {},
        }))
        .expect("they are terms");
        let said = |config: Value, event_type: &EventType| {
            let config = config.as_object().expect("a map").clone();
            let words = Words {
                config: Some(&config),
                stated: Some(&stated),
                ..Words::default()
            };
            match super::said(words, event_type) {
                Said::Gets(settings) => Value::Object(settings),
                other => Value::from(format!("{other:?}")),
            }
        };
        let backup = |over: Value| said(json!({"events": {"custom.backup": over}}), &event_type);
        assert_eq!(
            said(json!({}), &event_type),
            json!({"priority": 70, "enabled": true})
        );
        assert_eq!(
            backup(json!({"priority": 5})),
            json!({"priority": 5, "enabled": true})
        );
        assert_eq!(
            backup(json!({"enabled": false})),
            json!({"priority": 70, "enabled": false})
        );
        let spot: EventType = "cloud.spot.interrupt".parse().expect("a type");
        let all = json!({"priority": 100, "enabled": false, "idempotent": true, "timeout_seconds": 9.0,
            "when": {"action": ["stop"]}});
        assert_eq!(said(json!({}), &spot), all);
        let over =
            json!({"idempotent": false, "when": {}, "timeout_seconds": 1, "priority": 1, "enabled": true});
        let mine = said(json!({"events": {"cloud.spot.interrupt": over}}), &spot);
        assert_eq!(mine, over, "an operator takes back whatever the manifest says");
        let high: EventType = "system.cpu.high".parse().expect("a type");
        assert_eq!(
            said(json!({}), &high),
            json!({"enabled": true}),
            "it has the priority of everybody who says none"
        );
        let others = json!("GetsOthers");
        assert_eq!(said(json!({"events": {"custom": {}}}), &spot), others);
        assert_eq!(
            said(json!({}), &"system.disk.low".parse().expect("a type")),
            others
        );
        assert_eq!(super::said(Words::default(), &spot), Said::Nothing);
    }

    #[test]
    fn e3_the_plugins_own_terms_beat_those_of_the_type_and_these_the_manifest() {
        let spot: EventType = "cloud.spot.interrupt".parse().expect("a type");
        let of = |value: Value| value.as_object().expect("a map").clone();
        let stated: BTreeMap<EventType, EventTerms> =
            serde_json::from_value(json!({"cloud.spot.interrupt": {"priority": 1}})).expect("they are terms");
        let named = of(json!({"priority": 2, "timeout_seconds": 20}));
        let own = of(json!({"events": {"cloud.spot.interrupt": {"priority": 3}}}));
        let elsewhere = of(json!({"events": {"custom": {}}}));
        let all = Words {
            config: Some(&own),
            named: Some(&named),
            others_are_named: true,
            stated: Some(&stated),
        };
        let settings = |words: Words<'_>| match super::said(words, &spot) {
            Said::Gets(settings) => Value::Object(settings),
            other => Value::from(format!("{other:?}")),
        };
        let both = json!({"priority": 3, "timeout_seconds": 20, "enabled": true});
        assert_eq!(settings(all), both);
        let config = Some(&elsewhere);
        let by_type = json!({"priority": 2, "timeout_seconds": 20, "enabled": true});
        assert_eq!(
            settings(Words { config, ..all }),
            by_type,
            "it is named for this one"
        );
        let named = None;
        let own = json!({"priority": 3, "enabled": true});
        assert_eq!(settings(Words { named, ..all }), own, "an operator says so");
        let config = None;
        let others = json!("GetsOthers");
        assert_eq!(
            settings(Words { config, named, ..all }),
            others,
            "it says so itself, and others are named"
        );
        let others_are_named = false;
        let words = Words {
            config,
            named,
            others_are_named,
            ..all
        };
        assert_eq!(settings(words), json!({"priority": 1, "enabled": true}));
    }

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
