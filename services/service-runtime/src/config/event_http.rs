//! Whether and how the gateway at the centre takes people's own events over HTTP.
//!
//! It holds no secret: only the folder where the secrets are.

use serde_json::{Map, Value};
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

/// How events are taken over HTTP.
#[derive(Debug, Clone, PartialEq)]
pub struct EventHttpConfig {
    /// Whether they are at all.
    pub enabled: bool,
    /// Where it listens.
    pub listen: SocketAddr,
    /// The folder with the secrets of the sources.
    pub secrets: PathBuf,
    /// How many events a second one source may send for long.
    pub events_per_second: f64,
    /// The most bytes that the body of one request may have.
    pub max_body_bytes: usize,
}

impl EventHttpConfig {
    pub(super) fn from_section(section: &Map<String, Value>) -> EventHttpConfig {
        let default = EventHttpConfig::default();
        let text = |name: &str| section.get(name).and_then(Value::as_str);
        let most = section.get("max_body_bytes").and_then(Value::as_u64);
        EventHttpConfig {
            enabled: section
                .get("enabled")
                .and_then(Value::as_bool)
                .unwrap_or(default.enabled),
            listen: text("listen")
                .and_then(|address| address.parse().ok())
                .unwrap_or(default.listen),
            secrets: text("secrets").map_or(default.secrets, PathBuf::from),
            events_per_second: section
                .get("events_per_second")
                .and_then(Value::as_f64)
                .unwrap_or(default.events_per_second),
            max_body_bytes: most
                .and_then(|most| usize::try_from(most).ok())
                .unwrap_or(default.max_body_bytes),
        }
    }
}

impl Default for EventHttpConfig {
    fn default() -> Self {
        EventHttpConfig {
            // A port that nobody asked for is a door that nobody watches.
            enabled: false,
            // Plain HTTP leaves the machine only through a proxy that adds TLS.
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 7420)),
            secrets: PathBuf::from("/etc/snooze/event-http"),
            // A source that says more than that is broken; the synced stream takes thirteen times as much.
            events_per_second: 100.0,
            // Sixteen events with all the data that one may have.
            max_body_bytes: 1024 * 1024,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{DEFAULT_PATH, FixedSource, load};

    fn taken(file: &str) -> Option<EventHttpConfig> {
        let loaded = load(&FixedSource::default().file(DEFAULT_PATH, file), None);
        loaded.ok().map(|loaded| loaded.local.event_http)
    }

    #[test]
    fn every_key_is_taken_and_nothing_listens_without() {
        let file = r#"{"event_http": {"enabled": true, "listen": "[::1]:80", "secrets": "/run/secrets",
            "events_per_second": 0.5, "max_body_bytes": 4096}}"#;
        let expected = EventHttpConfig {
            enabled: true,
            listen: "[::1]:80".parse().expect("an address"),
            secrets: PathBuf::from("/run/secrets"),
            events_per_second: 0.5,
            max_body_bytes: 4096,
        };
        assert_eq!(taken(file), Some(expected));
        assert_eq!(taken("{}"), Some(EventHttpConfig::default()));
        assert!(!EventHttpConfig::default().enabled);
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for listen in ["localhost:80", "127.0.0.1", ":80", ""] {
            let file = serde_json::json!({"event_http": {"listen": listen}}).to_string();
            assert_eq!(taken(&file), None, "{listen}");
        }
    }
}
