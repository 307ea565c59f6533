//! When an instance on AWS is told what its metadata service announces.

use serde_json::{Map, Value};
use std::time::Duration;

/// Where it is asked, and how often.
#[derive(Debug, Clone, PartialEq)]
pub struct AwsMetadataSourceConfig {
    /// Whether it is at all.
    pub enabled: bool,
    /// The service's address.
    pub endpoint: String,
    /// How often each path is asked.
    pub poll_interval: Duration,
}

impl AwsMetadataSourceConfig {
    pub(super) fn from_section(section: &Map<String, Value>) -> AwsMetadataSourceConfig {
        let default = AwsMetadataSourceConfig::default();
        AwsMetadataSourceConfig {
            enabled: section
                .get("enabled")
                .and_then(Value::as_bool)
                .unwrap_or(default.enabled),
            endpoint: section
                .get("endpoint")
                .and_then(Value::as_str)
                .map_or(default.endpoint, str::to_owned),
            poll_interval: section
                .get("poll_interval_seconds")
                .and_then(Value::as_f64)
                .map_or(default.poll_interval, Duration::from_secs_f64),
        }
    }
}

impl Default for AwsMetadataSourceConfig {
    fn default() -> Self {
        AwsMetadataSourceConfig {
            // Elsewhere than on AWS somebody else may listen at that address.
            enabled: false,
            // The same on every instance.
            endpoint: "http://169.254.169.254".to_owned(),
            // A second of the two minutes that an interruption is announced before.
            poll_interval: Duration::from_secs(1),
        }
    }
}
