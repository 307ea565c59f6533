//! What of a plugin's configuration is a secret: what is not shown to people, and what had better not be in a layer.
//!
//! A layer is on the bus, where every administrator and many hosts read it. What looks like a secret is warned of
//! there and never refused: a plugin may have no other key for it.

use super::{
    plugin_hosts::{Said, ask_about},
    plugin_layer::Layer,
    plugin_validation::hosts,
};
use crate::{session::Session, view::text};
use serde_json::{Map, Value};
use snooze_plugin_runner::without_secrets;
use snooze_schemas::PluginName;
use std::collections::BTreeSet;

/// Schemes of addresses whose user may be a token.
const TOKENS: [&str; 6] = ["nats", "tls", "ws", "wss", "http", "https"];

/// What the hosts' manifests say of secrets.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    /// Whether a host that has the plugin said it.
    are_known: bool,
    names: BTreeSet<String>,
    /// The fields that say in which file a secret lies.
    files: BTreeSet<String>,
}

impl Secrets {
    /// Asks the hosts of the layer. Of one that does not answer it is not known.
    pub(super) async fn of(session: &Session, layer: &Layer, plugin: &PluginName) -> Secrets {
        let mut secrets = Secrets::default();
        let Ok(hosts) = hosts(session, layer.whose()).await else {
            return secrets;
        };
        for (_, said) in ask_about(session, hosts, plugin).await {
            // One that is from nowhere is missed, and so is its manifest.
            if let Said::Has(status) = said
                && !status.origin.is_empty()
            {
                secrets.are_known = true;
                secrets.names.extend(status.secrets);
                secrets.files.extend(status.secret_files);
            }
        }
        secrets
    }

    pub(super) fn are_known(&self) -> bool {
        self.are_known
    }

    /// A configuration as people see it: without its secrets, and without any value where nobody says which they are.
    pub(super) fn shown(&self, config: &Map<String, Value>) -> Map<String, Value> {
        let names: Vec<String> = match self.are_known {
            true => self.names.iter().cloned().collect(),
            false => config.keys().cloned().collect(),
        };
        match without_secrets(&Value::Object(config.clone()), names) {
            Value::Object(shown) => shown,
            _ => Map::new(),
        }
    }

    /// What should be known of the secrets that were put into a layer, if there are any.
    pub(super) fn warning(
        &self,
        sets: &Map<String, Value>,
        layer: &Layer,
        plugin: &PluginName,
    ) -> Option<String> {
        let mut found = Vec::new();
        let (value, called) = (Value::Object(sets.clone()), Value::Object(sets.clone()));
        let called = without_secrets(&without_texts(called), self.names.iter().cloned());
        look(&value, &called, "", "", &mut found);
        if found.is_empty() {
            return None;
        }
        let own: BTreeSet<&str> = found.iter().filter_map(|(_, key)| self.file_of(key)).collect();
        let files: Vec<&str> = match own.is_empty() {
            true => self.files.iter().map(String::as_str).collect(),
            false => own.into_iter().collect(),
        };
        let file = match files.as_slice() {
            [] => "in a file on the host, where the plugin has a key for one".to_owned(),
            files => format!("in a file on the host that {} names", files.join(" or ")),
        };
        let readers = match layer {
            Layer::Host(host) => format!("the host {host}"),
            Layer::Group(_) | Layer::Fleet => "every host".to_owned(),
        };
        let places: Vec<String> = found.into_iter().map(|(place, _)| place).collect();
        Some(text::printable(&format!(
            "{} may hold a secret, and is in the configuration on the bus now, which administrators, executors, gateways and {readers} \
             read. It is better {file}, or in the host's own file, below plugins.plugin_configs.{plugin}",
            places.join(", ")
        )))
    }

    fn file_of(&self, key: &str) -> Option<&str> {
        let wanted = format!("{key}_file");
        self.files.get(&wanted).map(String::as_str)
    }
}

/// With nothing in it by which a value could give itself away: what is hidden of it is hidden for its name.
fn without_texts(value: Value) -> Value {
    match value {
        Value::Object(map) => map
            .into_iter()
            .map(|(name, value)| (name, without_texts(value)))
            .collect(),
        Value::Array(list) => list.into_iter().map(without_texts).collect(),
        Value::String(_) | Value::Number(_) => Value::from(0),
        other => other,
    }
}

/// The places of secrets, each with the key that it goes by. `called` has a text where the name says so.
fn look(value: &Value, called: &Value, place: &str, key: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                let dot = if place.is_empty() { "" } else { "." };
                look(value, &called[name], &format!("{place}{dot}{name}"), name, found);
            }
        }
        Value::Array(list) => {
            for (at, value) in list.iter().enumerate() {
                look(value, &called[at], &format!("{place}[{at}]"), key, found);
            }
        }
        Value::Number(_) if called.is_string() => found.push((place.to_owned(), key.to_owned())),
        Value::String(text) if is_secret(text, called.is_string()) => {
            found.push((place.to_owned(), key.to_owned()));
        }
        _ => {}
    }
}

/// Whether a text holds a secret. An address or a connection without a password is none, whatever it is called.
fn is_secret(text: &str, is_called_so: bool) -> bool {
    let gives_itself_away = |text: &str| without_secrets(&Value::from(text), []) != *text;
    if let Some((scheme, rest)) = text.split_once("://") {
        let scheme = scheme.to_ascii_lowercase();
        let (user, place) = rest.rsplit_once('@').unwrap_or(("", rest));
        let is_on_the_web = scheme.starts_with("http");
        let path = place.split_once('/').map_or("", |(_, path)| path);
        let is_token = !user.is_empty() && TOKENS.contains(&scheme.as_str());
        return user.contains(':')
            || is_token
            || gives_itself_away(place)
            // The address of a webhook is a secret by its path.
            || (is_called_so && is_on_the_web && !path.is_empty());
    }
    let (user, place) = text.rsplit_once('@').unwrap_or(("", text));
    if ["tcp(", "unix("].iter().any(|form| place.starts_with(form)) {
        return user.contains(':');
    }
    const CONNECTION: [&str; 6] = ["host=", "hostaddr=", "port=", "user=", "dbname=", "service="];
    let mut words = text.split_whitespace();
    if words.any(|word| CONNECTION.iter().any(|form| word.starts_with(form))) {
        return gives_itself_away(text);
    }
    !text.is_empty()
        && (is_called_so || user.contains(':') || (text.contains('=') && gives_itself_away(text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_password_is_a_secret_and_an_address_without_one_is_not() {
        for (text, is_called_so, secret) in [
            ("redis://:hunter2@h", true, true),
            ("redis://:hunter2@h", false, true),
            ("redis://localhost:6379/0", true, false),
            ("redis://alice@h", true, false),
            ("unix:///run/redis.sock", true, false),
            ("nats://token@h:4222", false, true),
            ("http://h:15672", true, false),
            ("https://h/hooks/T0/x1", true, true),
            ("https://h/status", false, false),
            ("https://h/?token=hunter2", false, true),
            ("snooze:hunter2@tcp(h:3306)/db", true, true),
            ("snooze@unix(/run/mysqld.sock)/", true, false),
            ("tcp(h:3306)/db", true, false),
            ("host=/run dbname=a", true, false),
            ("host=h password=hunter2", true, true),
            ("host=h password=hunter2", false, true),
            ("p@ssw0rd", true, true),
            ("hunter2", true, true),
            ("", true, false),
            ("hunter2", false, false),
            ("ops@example.com", false, false),
            ("user:hunter2@h", false, true),
        ] {
            assert_eq!(is_secret(text, is_called_so), secret, "{text:?} {is_called_so}");
        }
    }

    fn map(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(map) => map,
            other => panic!("{other} is no object"),
        }
    }

    #[test]
    fn a_warning_names_the_places_and_the_key_of_a_file_and_no_secret() {
        let secrets = Secrets {
            are_known: true,
            names: BTreeSet::from(["pin".to_owned()]),
            files: BTreeSet::from(["pin_file".to_owned(), "url_file".to_owned()]),
        };
        let plugin = "door".parse().expect("a name");
        let warn = |config: Value, layer: &Layer| secrets.warning(&map(config), layer, &plugin);
        assert_eq!(
            warn(
                json!({"floor": 3, "url": "redis://h", "pin_file": "/a"}),
                &Layer::Fleet
            ),
            None
        );
        let all = json!({"pin": 4711, "queues": [{"url": "redis://h"}, {"url": "redis://:hunter2@h"}]});
        let told = warn(all, &Layer::Fleet).expect("two secrets");
        assert!(told.starts_with("pin, queues[1].url may hold"), "{told}");
        assert!(
            told.contains("that pin_file or url_file names") && told.contains("every host"),
            "{told}"
        );
        assert!(!told.contains("hunter2") && !told.contains("4711"), "{told}");
        let host = Layer::Host("web".parse().expect("a host id"));
        let told = warn(json!({"url": "redis://:hunter2@h"}), &host).expect("a secret");
        assert!(
            told.contains("that url_file names") && told.contains("the host web"),
            "{told}"
        );
    }

    #[test]
    fn where_nobody_says_what_is_secret_no_value_is_shown() {
        let config = map(json!({"pin": 4711, "on": true, "deep": {"list": ["a", 1]}, "none": null}));
        let hidden = "(not shown)";
        let wanted = json!({"pin": hidden, "on": hidden, "deep": {"list": [hidden, hidden]}, "none": null});
        assert_eq!(Secrets::default().shown(&config), map(wanted));
        let known = Secrets {
            are_known: true,
            ..Secrets::default()
        };
        assert_eq!(known.shown(&config), config);
    }
}
