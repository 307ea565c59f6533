//! How Google's metadata server is asked for preemption and maintenance of this machine.

use serde_json::{Map, Value};
use std::time::Duration;

/// The source of what Google's metadata server announces.
#[derive(Debug, Clone, PartialEq)]
pub struct GcpSourceConfig {
    /// Whether it is asked at all.
    pub enabled: bool,
    /// Where.
    pub endpoint: String,
    /// How long a question waits at the server for a change.
    pub wait: Duration,
}

impl GcpSourceConfig {
    pub(super) fn from_section(section: &Map<String, Value>) -> GcpSourceConfig {
        let default = GcpSourceConfig::default();
        let enabled = section.get("enabled").and_then(Value::as_bool);
        let wait = section.get("wait_seconds").and_then(Value::as_f64);
        GcpSourceConfig {
            enabled: enabled.unwrap_or(default.enabled),
            endpoint: match section.get("endpoint").and_then(Value::as_str) {
                Some(endpoint) => endpoint.to_owned(),
                None => default.endpoint,
            },
            wait: wait.map_or(default.wait, Duration::from_secs_f64),
        }
    }
}

impl Default for GcpSourceConfig {
    fn default() -> Self {
        GcpSourceConfig {
            // Most machines are elsewhere.
            enabled: false,
            endpoint: "http://169.254.169.254".to_owned(),
            // A connection that hangs costs so long, and two seconds, of the thirty of a preemption.
            wait: Duration::from_secs(5),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{DEFAULT_PATH, FixedSource, load};

    #[test]
    fn every_key_is_taken_and_nothing_is_asked_without() {
        let file = r#"{"event_sources": {"gcp": {"enabled": true, "endpoint": "http://127.0.0.1:1338",
            "wait_seconds": 9}}}"#;
        let loaded = load(&FixedSource::default().file(DEFAULT_PATH, file), None);
        let taken = GcpSourceConfig {
            enabled: true,
            endpoint: "http://127.0.0.1:1338".to_owned(),
            wait: Duration::from_secs(9),
        };
        let sources = loaded.expect("nothing is wrong with it").local.event_sources;
        assert_eq!(sources.gcp, taken);
        let without = load(&FixedSource::default(), None).expect("nothing is wrong with it");
        let gcp = without.local.event_sources.gcp;
        assert_eq!(gcp, GcpSourceConfig::default());
        assert!(!gcp.enabled);
    }
}
