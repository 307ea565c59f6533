//! Whether `event_handlers` can be what is written. It knows no plugin, and shows no value that may be a password.

use super::{OWN_KEYS, plain};
use crate::config::{kind::Kind, spelling};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// What can be said of a type.
const KEYS: [&str; 4] = ["enabled", "polling_interval_seconds", "dispatch", "plugins"];

/// As often as `event_sources.aws_metadata.poll_interval_seconds`.
const POLL: Kind = Kind::Number { min: 0.1, max: 60.0 };

/// Below this likeness a suggestion confuses more than it helps, as for keys at the top.
const LIKELY: f64 = 0.75;

/// Every mistake, by its path below `event_handlers`.
pub(in crate::config) fn mistakes(types: &Map<String, Value>) -> Vec<(String, String)> {
    let mut found = Found::default();
    for (event_type, handling) in types {
        if !is_type(event_type) {
            let text = "expected a type of event, as cloud.spot.interrupt or custom.backup";
            found.tell(event_type, text);
        }
        match handling {
            Value::Object(handling) => found.handling(event_type, handling),
            _ => found.tell(event_type, format!("expected an object of {}", KEYS.join(", "))),
        }
    }
    found.0
}

#[derive(Default)]
struct Found(Vec<(String, String)>);

impl Found {
    fn tell(&mut self, path: &str, text: impl Into<String>) {
        self.0.push((path.to_owned(), text.into()));
    }

    fn handling(&mut self, event_type: &str, handling: &Map<String, Value>) {
        for (key, value) in handling {
            let path = spelling::join(event_type, key);
            let kind = match key.as_str() {
                "enabled" => Kind::Bool,
                "polling_interval_seconds" => POLL,
                "dispatch" => Kind::Choice(&["all", "first"]),
                "plugins" => {
                    self.plugins(&path, value);
                    continue;
                }
                other => {
                    self.tell(&path, unknown(other));
                    continue;
                }
            };
            if let Err(misfit) = kind.check(value) {
                self.tell(&path, misfit.to_string());
            }
        }
    }

    fn plugins(&mut self, path: &str, plugins: &Value) {
        let Value::Array(list) = plugins else {
            return self.tell(path, "expected a list, as [{\"name\": \"database-flusher\"}]");
        };
        let mut names = BTreeSet::new();
        for (at, entry) in list.iter().enumerate() {
            let path = format!("{path}[{at}]");
            let name = entry.get("name").and_then(Value::as_str).map(plain);
            let Some(name) = name.filter(|name| !name.is_empty()) else {
                self.tell(&path, "expected an object with the name of a plugin as `name`");
                continue;
            };
            if !names.insert(name) {
                self.tell(&path, "this plugin stands in the list twice");
            }
            match entry.get("config") {
                None => {}
                Some(Value::Object(config)) => self.config(&format!("{path}.config"), config),
                Some(_) => self.tell(&format!("{path}.config"), "expected an object"),
            }
        }
    }

    fn config(&mut self, path: &str, config: &Map<String, Value>) {
        for key in config.keys().filter(|key| OWN_KEYS.contains(&key.as_str())) {
            let text = format!("it has no effect here; it stands in plugins.plugin_configs.<plugin>.{key}");
            self.tell(&spelling::join(path, key), text);
        }
    }
}

fn unknown(key: &str) -> String {
    let wanted = spelling::squash(key);
    let alike =
        |name: &&&str| strsim::normalized_damerau_levenshtein(&wanted, &spelling::squash(name)) >= LIKELY;
    match KEYS.iter().find(alike) {
        Some(meant) => format!("unknown key; did you mean {meant}?"),
        None => format!("unknown key; there are {}", KEYS.join(", ")),
    }
}

/// The form of a type's name; which there are is nothing that a file has to wait for.
fn is_type(name: &str) -> bool {
    let is_part = |part: &str| {
        let mut bytes = part.bytes();
        !part.is_empty()
            && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    name.split('.').all(is_part)
}
