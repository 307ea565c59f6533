//! A sample in the names of the original plugin protocol.

use crate::sample::{Sample, name};
use serde::{Deserialize, Serialize};

/// What a plugin is told of the host. An unknown reading is `null`; a field is never left out.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Metrics {
    /// Percent of all cores.
    pub cpu_usage: Option<f64>,
    /// Percent.
    pub memory_usage: Option<f64>,
    /// KiB/s, received and sent.
    pub network_traffic: Option<f64>,
    /// KiB/s, read and written.
    pub disk_io: Option<f64>,
    /// Percent, of the busiest GPU.
    pub gpu_usage: Option<f64>,
    /// Unix seconds.
    pub timestamp: Option<i64>,
}

impl From<&Sample> for Metrics {
    fn from(sample: &Sample) -> Self {
        let value = |name: &str| sample.readings.get(name).and_then(crate::sample::Reading::value);
        Self {
            cpu_usage: value(name::CPU_PERCENT),
            memory_usage: value(name::MEMORY_PERCENT),
            network_traffic: value(name::NETWORK_KBPS),
            disk_io: value(name::DISK_IO_KBPS),
            gpu_usage: value(name::GPU_PERCENT),
            timestamp: Some(sample.taken_at.as_second()),
        }
    }
}
