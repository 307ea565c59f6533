//! Whether the runner's own keys of a plugin's configuration can be what is written: whether it is enabled, what it
//! runs in, and which events it gets by which terms.
//!
//! No manifest describes them, so that they are judged the same with one and without, in the host's own file and in a
//! layer of the bus. It changes nothing. `permissions` are judged where they are granted, and an event's name only by its
//! form: a newer gateway may know more of them.

use crate::{
    config::{ENABLED, RUNTIME},
    manifest::{ConfigMistake, below, found, shown, unknown_key},
    nats_plugin::Reach,
    pattern,
    plugin::{EVENTS, WHEN},
};
use serde_json::{Map, Value};
use snooze_schemas::EventType;
use std::time::Duration;

/// What can be said of an event.
const TERMS: [&str; 5] = ["priority", ENABLED, "timeout_seconds", "idempotent", WHEN];

/// What it can run in.
const RUNTIMES: [&str; 3] = ["process", Reach::Host.as_str(), Reach::Fleet.as_str()];

/// The other form in which the original's documents write the same; a plugin's own key has no such name.
const HANDLERS: &str = "event_handlers";

/// More are not told: whoever has so many begins anew.
const LIMIT: usize = 64;

const TRUTH: &str = "true or false";

/// Every mistake in them.
pub(super) fn mistakes(config: &Map<String, Value>) -> Vec<ConfigMistake> {
    let mut judged = Judged::default();
    if let Some(enabled) = config.get(ENABLED) {
        judged.demand(enabled.is_boolean(), "/enabled", TRUTH, enabled);
    }
    if let Some(runtime) = config.get(RUNTIME) {
        let is_known = runtime.as_str().is_some_and(|name| RUNTIMES.contains(&name));
        let expected = format!("one of {}", RUNTIMES.join(", "));
        judged.demand(is_known, "/runtime", &expected, runtime);
    }
    if config.contains_key(HANDLERS) {
        let text = r#"it stands at the top of the host's file and nowhere else; here `events` says which a plugin gets, as {"cloud.spot.interrupt":{"priority":100}}"#;
        judged.tell(&below("", HANDLERS), text.to_owned());
    }
    match config.get(EVENTS) {
        // As where it is not there: what a wider level says of events is taken back by it.
        None | Some(Value::Null) => {}
        Some(Value::Object(events)) => events.iter().for_each(|(name, terms)| judged.event(name, terms)),
        Some(other) => {
            let expected = r#"a map by type of event, as {"custom":{"priority":50}}"#;
            judged.demand(false, "/events", expected, other);
        }
    }
    judged.0.truncate(LIMIT);
    judged.0
}

/// Every mistake in the terms by which a plugin gets one type of event, wherever they stand.
pub(super) fn of_terms(pointer: &str, terms: &Map<String, Value>) -> Vec<ConfigMistake> {
    let mut judged = Judged::default();
    judged.terms(pointer, terms);
    judged.0
}

#[derive(Default)]
struct Judged(Vec<ConfigMistake>);

impl Judged {
    fn event(&mut self, name: &str, terms: &Value) {
        let pointer = below("/events", name);
        if let Err(error) = name.parse::<EventType>() {
            self.tell(&pointer, error.to_string());
        }
        let Value::Object(terms) = terms else {
            let expected = format!("a map of {}", TERMS.join(", "));
            return self.demand(false, &pointer, &expected, terms);
        };
        self.terms(&pointer, terms);
    }

    fn terms(&mut self, pointer: &str, terms: &Map<String, Value>) {
        for (key, value) in terms {
            let pointer = below(pointer, key);
            let mut demand = |holds, expected| self.demand(holds, &pointer, expected, value);
            match key.as_str() {
                "priority" => demand(value.as_i64().is_some(), "a whole number"),
                ENABLED | "idempotent" => demand(value.is_boolean(), TRUTH),
                WHEN => {
                    for flaw in pattern::flaws(&pointer, value) {
                        self.tell(&flaw.pointer, flaw.text);
                    }
                }
                "timeout_seconds" => demand(is_time(value), "a number of seconds, more than 0"),
                other => self.tell(&pointer, unknown_key(other, &TERMS)),
            }
        }
    }

    fn demand(&mut self, holds: bool, pointer: &str, expected: &str, value: &Value) {
        if !holds {
            self.tell(pointer, format!("expected {expected}, found {}", found(value)));
        }
    }

    fn tell(&mut self, pointer: &str, text: String) {
        let field = shown(pointer);
        self.0.push(ConfigMistake { field, text });
    }
}

fn is_time(value: &Value) -> bool {
    let time = value
        .as_f64()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.is_some_and(|time| !time.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(config: &Value) -> Vec<String> {
        let mistakes = mistakes(config.as_object().expect("a map"));
        mistakes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_can_be_is_no_mistake_and_the_plugins_own_keys_are_not_judged() {
        for config in [
            json!({}),
            json!({"events": {}, "limit": "x", "runtime": "process", "enabled": false}),
            json!({"events": null, "runtime": "fleet"}),
            json!({"events": {
                "cloud.spot.interrupt": {"priority": -100, "enabled": true, "timeout_seconds": 0.5, "idempotent": false,
                    "when": {"timeRemaining": [{"numeric": [">=", 30]}]}},
                "custom.of-tomorrow": {},
            }}),
        ] {
            assert_eq!(told(&config), Vec::<String>::new(), "{config}");
        }
    }

    #[test]
    fn a_shape_that_would_do_nothing_is_told_with_its_path_and_what_was_expected() {
        for (config, expected) in [
            (
                json!({"events": ["custom"]}),
                r#"events: expected a map by type of event, as {"custom":{"priority":50}}, found a list of 1"#,
            ),
            (
                json!({"events": "custom"}),
                r#"events: expected a map by type of event, as {"custom":{"priority":50}}, found "custom""#,
            ),
            (
                json!({"events": {"custom": 7}}),
                "events.custom: expected a map of priority, enabled, timeout_seconds, idempotent, when, found 7",
            ),
            (
                json!({"events": {"custom": {"priority": 1.5}}}),
                "events.custom.priority: expected a whole number, found 1.5",
            ),
            (
                json!({"events": {"custom": {"enabled": "no"}}}),
                r#"events.custom.enabled: expected true or false, found "no""#,
            ),
            (
                json!({"events": {"custom": {"idempotent": 1}}}),
                "events.custom.idempotent: expected true or false, found 1",
            ),
            (
                json!({"events": {"custom": {"timeout_seconds": 0}}}),
                "events.custom.timeout_seconds: expected a number of seconds, more than 0, found 0",
            ),
            (
                json!({"events": {"custom": {"timeout_seconds": -1}}}),
                "events.custom.timeout_seconds: expected a number of seconds, more than 0, found -1",
            ),
            (
                json!({"events": {"custom": {"when": {"left": {"numeric": [">=", 30]}}}}}),
                r#"events.custom.when.left: a test stands in a list, as [{"numeric":…}]"#,
            ),
            (
                json!({"events": {"custom": {"when": {"left": [{"numeric": ["at_least", 30]}]}}}}),
                r#"events.custom.when.left[0].numeric: expected one or two comparisons (< <= = >= >), as [">=",30,"<",60], found a list of 2"#,
            ),
            (
                json!({"events": {"custom": {"Priority": 5}}}),
                "events.custom.Priority: unknown key; it is written priority here",
            ),
            (
                json!({"enabled": "false"}),
                r#"enabled: expected true or false, found "false""#,
            ),
            (
                json!({"runtime": "bus"}),
                r#"runtime: expected one of process, nats, fleet, found "bus""#,
            ),
        ] {
            assert_eq!(told(&config), [expected], "{config}");
        }
        let name = told(&json!({"events": {"Backup": {}}}));
        assert!(
            name[0].starts_with("events.Backup: ") && name[0].contains("event type"),
            "{name:?}"
        );
        let other = told(&json!({"event_handlers": {"custom": {"plugins": []}}}));
        assert!(
            other[0].starts_with("event_handlers: ") && other[0].contains("`events`"),
            "{other:?}"
        );
    }

    #[test]
    fn every_mistake_is_told_at_once() {
        let config = json!({"runtime": 1, "events": {"custom": {"priority": "high", "enabled": 1}, "B": []}});
        assert_eq!(told(&config).len(), 5, "{config}");
    }
}
