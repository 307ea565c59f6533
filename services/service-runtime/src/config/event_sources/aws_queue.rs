//! How the gateway at the centre takes from a queue what EventBridge tells of EC2's instances.

use serde_json::{Map, Value};
use std::time::Duration;

/// The source of what EventBridge puts into a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsQueueSourceConfig {
    /// Whether it is taken at all.
    pub enabled: bool,
    /// The queue; without it there is nothing to take from.
    pub queue_url: Option<String>,
    /// The queue's region, where its URL does not say it.
    pub region: Option<String>,
    /// Where SQS and Auto Scaling are, in place of the region's own.
    pub endpoint: Option<String>,
    /// The lifecycle hooks that are answered.
    pub lifecycle_hooks: Vec<String>,
    /// How often a lifecycle hook is told that its handlers run.
    pub heartbeat: Duration,
}

impl AwsQueueSourceConfig {
    pub(super) fn from_section(section: &Map<String, Value>) -> AwsQueueSourceConfig {
        let default = AwsQueueSourceConfig::default();
        let text = |name: &str| section.get(name).and_then(Value::as_str).map(str::to_owned);
        let heartbeat = section.get("heartbeat_seconds").and_then(Value::as_f64);
        let hooks = section.get("lifecycle_hooks").and_then(Value::as_array);
        AwsQueueSourceConfig {
            enabled: section
                .get("enabled")
                .and_then(Value::as_bool)
                .unwrap_or(default.enabled),
            queue_url: text("queue_url"),
            region: text("region"),
            endpoint: text("endpoint"),
            lifecycle_hooks: match hooks {
                Some(list) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
                None => default.lifecycle_hooks,
            },
            heartbeat: heartbeat.map_or(default.heartbeat, Duration::from_secs_f64),
        }
    }
}

impl Default for AwsQueueSourceConfig {
    fn default() -> Self {
        AwsQueueSourceConfig {
            enabled: false,
            queue_url: None,
            region: None,
            endpoint: None,
            // One that has another name may be waited in by somebody else, whose work an answer would cut short.
            lifecycle_hooks: vec!["cloudsnooze".to_owned()],
            // A third of the shortest time-out that a hook can have, which no message tells.
            heartbeat: Duration::from_secs(10),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{DEFAULT_PATH, FixedSource, load};

    #[test]
    fn every_key_is_taken_and_nothing_is_asked_without() {
        let file = r#"{"event_sources": {"aws_queue": {"enabled": true, "queue_url": "http://127.0.0.1:5000/1/q",
            "region": "eu-central-1", "endpoint": "http://127.0.0.1:5000", "lifecycle_hooks": ["a", "b"],
            "heartbeat_seconds": 60}}}"#;
        let loaded = load(&FixedSource::default().file(DEFAULT_PATH, file), None);
        let taken = AwsQueueSourceConfig {
            enabled: true,
            queue_url: Some("http://127.0.0.1:5000/1/q".to_owned()),
            region: Some("eu-central-1".to_owned()),
            endpoint: Some("http://127.0.0.1:5000".to_owned()),
            lifecycle_hooks: vec!["a".to_owned(), "b".to_owned()],
            heartbeat: Duration::from_secs(60),
        };
        let sources = loaded.expect("nothing is wrong with it").local.event_sources;
        assert_eq!(sources.aws_queue, taken);
        let without = load(&FixedSource::default(), None).expect("nothing is wrong with it");
        let queue = without.local.event_sources.aws_queue;
        assert_eq!(queue, AwsQueueSourceConfig::default());
        assert!(!queue.enabled);
    }
}
