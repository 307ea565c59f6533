//! What the collector read at one time.

use crate::{HostId, Message, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// All readings of a host for one interval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Sample {
    /// The host; the subject decides, this must agree with it.
    pub host: HostId,
    /// The kernel's boot id: another one means that the machine was started anew.
    pub boot_id: String,
    /// Drawn anew at every start of the collector.
    pub agent: String,
    /// Counts up by one with every sample of this agent instance.
    pub seq: u64,
    /// The wall clock of the host at the end of the interval, for people.
    pub taken_at: Timestamp,
    /// The length of the interval that the rates cover.
    pub covers_ms: u64,
    /// `CLOCK_MONOTONIC` of the host at the end of the interval. Only compared on that host.
    pub ends_monotonic_ms: u64,
    /// `CLOCK_BOOTTIME` of the host at the end of the interval. Only compared on that host.
    pub ends_boottime_ms: u64,
    /// The readings by name; see [`name`].
    pub readings: BTreeMap<String, Reading>,
    /// What is known of each GPU.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gpus: Vec<Gpu>,
}

impl Message for Sample {
    const KIND: &'static str = "sample";

    fn host(&self) -> Option<&HostId> {
        Some(&self.host)
    }
}

/// One reading: known, or unknown with the reason. Never a zero for "could not read".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Reading {
    /// What was read.
    Known {
        /// The value; always finite.
        value: f64,
        /// Its unit.
        unit: Unit,
        /// How long the reading took, rounded up.
        took_ms: u64,
    },
    /// Why nothing was read.
    Unknown {
        /// The reason, for people.
        unknown: String,
        /// How long the attempt took, rounded up.
        took_ms: u64,
    },
}

impl Reading {
    /// The value, where it is known.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        match self {
            Self::Known { value, .. } => Some(*value),
            Self::Unknown { .. } => None,
        }
    }
}

/// The unit of a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Hundredths of the whole machine (of the busiest device, for GPUs).
    Percent,
    /// 1,024 bytes a second; the original's "kbps".
    KibPerSecond,
    /// Seconds.
    Seconds,
    /// A plain number.
    Count,
}

/// The names of the readings, as today's configuration and tags spell them.
pub mod name {
    /// CPU time used over the whole interval, percent of all cores.
    pub const CPU_PERCENT: &str = "cpu_percent";
    /// Memory that is not available, percent.
    pub const MEMORY_PERCENT: &str = "memory_percent";
    /// Received and sent, real interfaces only, KiB/s.
    pub const NETWORK_KBPS: &str = "network_kbps";
    /// Read and written, whole disks only, KiB/s.
    pub const DISK_IO_KBPS: &str = "disk_io_kbps";
    /// Since the last input at any terminal, login session or display, seconds.
    pub const INPUT_IDLE_SECS: &str = "input_idle_secs";
    /// People at work here: sessions with a sign of life within the input threshold, count.
    pub const PEOPLE_PRESENT: &str = "people_present";
    /// The busiest GPU, percent. Absent where there is no GPU.
    pub const GPU_PERCENT: &str = "gpu_percent";
    /// Load average over one minute, count.
    pub const LOAD_1M: &str = "load_1m";
    /// Load average over five minutes, count.
    pub const LOAD_5M: &str = "load_5m";
    /// Load average over fifteen minutes, count.
    pub const LOAD_15M: &str = "load_15m";
    /// Pressure (PSI "some", ten seconds) on the CPU, percent.
    pub const PRESSURE_CPU_PERCENT: &str = "pressure_cpu_percent";
    /// Pressure (PSI "some", ten seconds) on memory, percent.
    pub const PRESSURE_MEMORY_PERCENT: &str = "pressure_memory_percent";
    /// Pressure (PSI "some", ten seconds) on IO, percent.
    pub const PRESSURE_IO_PERCENT: &str = "pressure_io_percent";
}

/// One GPU. What could not be read is absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Gpu {
    /// Its index on this host.
    pub index: u32,
    /// The device's universally unique id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// The product's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Time in which a kernel ran, percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub utilization_percent: Option<f64>,
    /// Bytes in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_used_bytes: Option<u64>,
    /// Bytes in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_total_bytes: Option<u64>,
    /// Degrees Celsius.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature_celsius: Option<f64>,
}
