//! Whether and where the gateway at the centre publishes what was decided.

use serde_json::{Map, Value};
use std::time::Duration;

/// What of the audit trail can be published, in the words of its kinds.
pub(super) const PUBLISHABLE: &[&str] = &[
    "decision",
    "intent",
    "notice",
    "verified",
    "committed",
    "call",
    "stopped",
    "cancelled",
    "takeover",
    "alarm",
    "gate",
    "lease",
    "wake",
    "tags",
];

/// All places; each is switched on by itself.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EventPublishConfig {
    /// Event buses of AWS.
    pub aws: AwsPublishConfig,
}

/// One event bus of AWS.
#[derive(Debug, Clone, PartialEq)]
pub struct AwsPublishConfig {
    /// Whether anything is published.
    pub enabled: bool,
    /// The event bus, by its name or ARN.
    pub event_bus: String,
    /// Its region; what the environment says where there is none.
    pub region: Option<String>,
    /// EventBridge, in place of the region's own.
    pub endpoint: Option<String>,
    /// Which entries of the audit trail, by their kinds.
    pub kinds: Vec<String>,
    /// What is older is not published any more.
    pub max_age: Duration,
}

impl EventPublishConfig {
    pub(super) fn from_section(section: &Map<String, Value>) -> EventPublishConfig {
        let aws = section.get("aws").and_then(Value::as_object);
        EventPublishConfig {
            aws: aws.map(AwsPublishConfig::from_section).unwrap_or_default(),
        }
    }
}

impl AwsPublishConfig {
    fn from_section(section: &Map<String, Value>) -> AwsPublishConfig {
        let default = AwsPublishConfig::default();
        let text = |name: &str| section.get(name).and_then(Value::as_str).map(str::to_owned);
        let kinds = section.get("kinds").and_then(Value::as_array);
        let minutes = section.get("max_age_minutes").and_then(Value::as_f64);
        AwsPublishConfig {
            enabled: section
                .get("enabled")
                .and_then(Value::as_bool)
                .unwrap_or(default.enabled),
            event_bus: text("event_bus").unwrap_or(default.event_bus),
            region: text("region"),
            endpoint: text("endpoint"),
            kinds: kinds.map_or(default.kinds, |kinds| {
                let words = kinds.iter().filter_map(Value::as_str);
                words.map(str::to_owned).collect()
            }),
            max_age: minutes.map_or(default.max_age, |minutes| Duration::from_secs_f64(minutes * 60.0)),
        }
    }
}

impl Default for AwsPublishConfig {
    fn default() -> Self {
        // What somebody outside would act on; the steps of one stop between them are for who looks into it.
        const KINDS: [&str; 8] = [
            "decision",
            "intent",
            "stopped",
            "cancelled",
            "alarm",
            "gate",
            "lease",
            "wake",
        ];
        AwsPublishConfig {
            enabled: false,
            // The one that every account has.
            event_bus: "default".to_owned(),
            region: None,
            endpoint: None,
            kinds: KINDS.map(str::to_owned).to_vec(),
            // For so long EventBridge itself tries to deliver; who begins to publish does not publish a year.
            max_age: Duration::from_secs(24 * 60 * 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{DEFAULT_PATH, FixedSource, load};

    #[test]
    fn every_key_is_taken_and_nothing_is_published_without() {
        let file = r#"{"event_publish": {"aws": {"enabled": true, "event_bus": "own", "region": "eu-west-1",
            "endpoint": "http://127.0.0.1:5000", "kinds": ["stopped", "tags"], "max_age_minutes": 1.5}}}"#;
        let loaded = load(&FixedSource::default().file(DEFAULT_PATH, file), None);
        let taken = AwsPublishConfig {
            enabled: true,
            event_bus: "own".to_owned(),
            region: Some("eu-west-1".to_owned()),
            endpoint: Some("http://127.0.0.1:5000".to_owned()),
            kinds: vec!["stopped".to_owned(), "tags".to_owned()],
            max_age: Duration::from_secs(90),
        };
        let publish = loaded.expect("nothing is wrong with it").local.event_publish;
        assert_eq!(publish.aws, taken);
        let without = load(&FixedSource::default(), None).expect("nothing is wrong with it");
        assert_eq!(without.local.event_publish, EventPublishConfig::default());
        assert!(!without.local.event_publish.aws.enabled);
    }

    #[test]
    fn an_unknown_kind_is_refused() {
        let file = r#"{"event_publish": {"aws": {"kinds": ["event"]}}}"#;
        assert!(load(&FixedSource::default().file(DEFAULT_PATH, file), None).is_err());
    }

    #[test]
    fn what_the_reference_says_of_kinds_is_what_holds() {
        let key = crate::config::key("event_publish.aws.kinds").expect("there is such a key");
        let words: Vec<String> = serde_json::from_str(key.default).expect("a list");
        assert_eq!(words, AwsPublishConfig::default().kinds);
    }
}
