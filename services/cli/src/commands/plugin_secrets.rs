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
use snooze_plugin_runner::{holds_credential, without_secrets};
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
        let files: BTreeSet<&str> = found.iter().flat_map(|one| self.files_for(one)).collect();
        let files: Vec<&str> = files.into_iter().collect();
        let own = format!("in the host's own file, below plugins.plugin_configs.{plugin}");
        let better = match files.as_slice() {
            [] if self.are_known => format!("{own}; {plugin} has no key for a file on the host with it"),
            [] => format!("in a file on the host, where the plugin has a key for one, or {own}"),
            files => format!(
                "in a file on the host that {} names, or {own}",
                files.join(" or ")
            ),
        };
        let readers = match layer {
            Layer::Host(host) => format!("the host {host}"),
            Layer::Group(_) | Layer::Fleet => "every host".to_owned(),
        };
        let places: Vec<String> = found.into_iter().map(|one| one.place).collect();
        Some(text::printable(&format!(
            "{} may hold a secret, and is in the configuration on the bus now, which administrators, executors, gateways and {readers} \
             read. It is better {better}",
            places.join(", ")
        )))
    }

    /// The fields of the schema by which this one can be given as a file: its own, and for one that stands in an address
    /// any of a password or an address, as that is given apart from the address.
    fn files_for(&self, found: &Found) -> Vec<&str> {
        let own = self.files.get(&format!("{}_file", found.key));
        match own {
            Some(own) => vec![own.as_str()],
            None if found.is_in_address => self.files.iter().map(String::as_str).collect(),
            None => Vec::new(),
        }
    }
}

/// What may be a secret.
#[derive(Debug)]
struct Found {
    place: String,
    /// The key that it goes by.
    key: String,
    /// Whether it is a part of an address or a connection.
    is_in_address: bool,
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

/// What may be secrets. `called` has a text where the name says so.
fn look(value: &Value, called: &Value, place: &str, key: &str, found: &mut Vec<Found>) {
    let one = |is_in_address: bool| Found {
        place: place.to_owned(),
        key: key.to_owned(),
        is_in_address,
    };
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
        Value::Number(_) if called.is_string() => found.push(one(false)),
        Value::String(text) if is_secret(text, called.is_string()) => {
            // What ends so is in base64.
            let is_connection = text.trim_end_matches('=').contains('=');
            found.push(one(text.contains('@') || text.contains("://") || is_connection));
        }
        _ => {}
    }
}

/// Whether a text holds a secret. An address or a connection without a password is none, whatever it is called.
fn is_secret(text: &str, is_called_so: bool) -> bool {
    let gives_itself_away = |text: &str| without_secrets(&Value::from(text), []) != *text;
    if holds_credential(text) {
        return true;
    }
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
mod tests;
