//! How Azure is asked what it has scheduled for this machine.

use serde_json::{Map, Value};
use std::time::Duration;

/// The source of Azure's Scheduled Events.
#[derive(Debug, Clone, PartialEq)]
pub struct AzureSourceConfig {
    /// Whether it is asked at all.
    pub enabled: bool,
    /// Where.
    pub endpoint: String,
    /// How often.
    pub poll_interval: Duration,
    /// Whether events are approved, for all machines that they name; Azure may then begin them before their time.
    pub approve: bool,
    /// How long after it was noticed an event is approved.
    pub approve_after: Duration,
}

impl AzureSourceConfig {
    pub(super) fn from_section(section: &Map<String, Value>) -> AzureSourceConfig {
        let default = AzureSourceConfig::default();
        let flag = |name: &str| section.get(name).and_then(Value::as_bool);
        let seconds = |name: &str, default| {
            let number = section.get(name).and_then(Value::as_f64);
            number.map_or(default, Duration::from_secs_f64)
        };
        AzureSourceConfig {
            enabled: flag("enabled").unwrap_or(default.enabled),
            endpoint: match section.get("endpoint").and_then(Value::as_str) {
                Some(endpoint) => endpoint.to_owned(),
                None => default.endpoint,
            },
            poll_interval: seconds("poll_interval_seconds", default.poll_interval),
            approve: flag("approve").unwrap_or(default.approve),
            approve_after: seconds("approve_after_seconds", default.approve_after),
        }
    }
}

impl Default for AzureSourceConfig {
    fn default() -> Self {
        AzureSourceConfig {
            // Most machines are elsewhere, and the first question switches Scheduled Events on.
            enabled: false,
            endpoint: "http://169.254.169.254".to_owned(),
            // What Azure's documents recommend: a preemption gives 30 seconds.
            poll_interval: Duration::from_secs(1),
            // It concerns other machines too and cannot be taken back.
            approve: false,
            // Most handlers are done in a minute; the shortest notice of a reboot is fifteen.
            approve_after: Duration::from_secs(60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{DEFAULT_PATH, FixedSource, load};

    #[test]
    fn every_key_is_taken_and_nothing_is_asked_or_approved_without() {
        let file = r#"{"event_sources": {"azure": {"enabled": true, "endpoint": "http://127.0.0.1:1338",
            "poll_interval_seconds": 0.5, "approve": true, "approve_after_seconds": 90}}}"#;
        let loaded = load(&FixedSource::default().file(DEFAULT_PATH, file), None);
        let taken = AzureSourceConfig {
            enabled: true,
            endpoint: "http://127.0.0.1:1338".to_owned(),
            poll_interval: Duration::from_millis(500),
            approve: true,
            approve_after: Duration::from_secs(90),
        };
        let sources = loaded.expect("nothing is wrong with it").local.event_sources;
        assert_eq!(sources.azure, taken);
        let without = load(&FixedSource::default(), None).expect("nothing is wrong with it");
        let azure = without.local.event_sources.azure;
        assert_eq!(azure, AzureSourceConfig::default());
        assert!(!azure.enabled && !azure.approve);
    }
}
