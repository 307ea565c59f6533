//! When a host tells of its own disks, CPU, memory, clock and network.

use serde_json::{Map, Value};
use std::time::Duration;

/// When a host tells of its own disks, CPU, memory, clock and network.
#[derive(Debug, Clone, PartialEq)]
pub struct SystemSourceConfig {
    /// Whether it does at all.
    pub enabled: bool,
    /// A disk with less free space is low; 0 is off.
    pub disk_free_percent: f64,
    /// A disk with fewer inodes free is low; 0 is off.
    pub inodes_free_percent: f64,
    /// A CPU used more is high; 100 is off.
    pub cpu_percent: f64,
    /// A CPU waited for in more of the time is high; 100 is off.
    pub cpu_pressure_percent: f64,
    /// Memory with less available is under pressure; 0 is off.
    pub memory_available_percent: f64,
    /// Memory waited for by anything in more of the time is under pressure; 100 is off.
    pub memory_pressure_percent: f64,
    /// Memory waited for by everything at once in more of the time is under pressure; 100 is off.
    pub memory_stall_percent: f64,
    /// How far behind its threshold a value has to come back, in percent of the threshold.
    pub hysteresis_percent: f64,
    /// How often is looked.
    pub interval: Duration,
    /// For how long a value has to stay on either side.
    pub hold: Duration,
    /// The same for the CPU.
    pub cpu_hold: Duration,
}

impl SystemSourceConfig {
    pub(super) fn from_section(section: &Map<String, Value>) -> SystemSourceConfig {
        let default = SystemSourceConfig::default();
        let number = |name: &str| section.get(name).and_then(Value::as_f64);
        let percent = |name: &str, default: f64| number(name).unwrap_or(default);
        let seconds = |name: &str, default| number(name).map_or(default, Duration::from_secs_f64);
        SystemSourceConfig {
            enabled: section
                .get("enabled")
                .and_then(Value::as_bool)
                .unwrap_or(default.enabled),
            disk_free_percent: percent("disk_free_percent", default.disk_free_percent),
            inodes_free_percent: percent("inodes_free_percent", default.inodes_free_percent),
            cpu_percent: percent("cpu_percent", default.cpu_percent),
            cpu_pressure_percent: percent("cpu_pressure_percent", default.cpu_pressure_percent),
            memory_available_percent: percent("memory_available_percent", default.memory_available_percent),
            memory_pressure_percent: percent("memory_pressure_percent", default.memory_pressure_percent),
            memory_stall_percent: percent("memory_stall_percent", default.memory_stall_percent),
            hysteresis_percent: percent("hysteresis_percent", default.hysteresis_percent),
            interval: seconds("interval_seconds", default.interval),
            hold: seconds("for_seconds", default.hold),
            cpu_hold: seconds("cpu_for_seconds", default.cpu_hold),
        }
    }
}

impl Default for SystemSourceConfig {
    fn default() -> Self {
        SystemSourceConfig {
            // That a host files events about itself is its operator's choice.
            enabled: false,
            // What the kubelet begins to evict at, on a node's own file system.
            disk_free_percent: 10.0,
            inodes_free_percent: 5.0,
            // A machine that computes is at 100; one at less has something to spare.
            cpu_percent: 95.0,
            // More than half of the time something that could run did not.
            cpu_pressure_percent: 60.0,
            // Below this the kernel begins to drop the pages of programs that run.
            memory_available_percent: 5.0,
            // systemd-oomd kills at 60; this is the time to save something before.
            memory_pressure_percent: 40.0,
            // Whatever runs stands still for a tenth of the time: it is not going to get better by itself.
            memory_stall_percent: 10.0,
            hysteresis_percent: 20.0,
            // The kernel's own averages cover ten seconds.
            interval: Duration::from_secs(10),
            // Three looks: one peak is nobody's business.
            hold: Duration::from_secs(30),
            // Compilers use a CPU up for minutes, and that is what it is for.
            cpu_hold: Duration::from_secs(300),
        }
    }
}
