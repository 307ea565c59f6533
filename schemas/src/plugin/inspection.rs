//! What an operator asks a host's runner about its plugins: their opinion of given readings, their log, their
//! statistics. None of it changes anything.

use crate::{
    Message, PluginName, Timestamp, event::Severity, host::PluginStats, metrics::Metrics, verdict::VoteState,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// "What would you say of these readings?", the original's `CheckAllPlugins`. No vote comes of it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct CheckPlugins {
    /// Only this one; all where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugin: Option<PluginName>,
    /// The readings; those of the host's newest sample where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<Metrics>,
}

impl Message for CheckPlugins {
    const KIND: &'static str = "check";
    const HAS_EFFECT: bool = false;
}

/// What the plugins said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct PluginChecks {
    /// The readings that they were asked about.
    pub metrics: Metrics,
    /// One for each that was asked, sorted by name.
    pub results: Vec<PluginCheck>,
}

/// What one plugin said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct PluginCheck {
    /// Its name.
    pub plugin: PluginName,
    /// Its opinion; unknown where it gave none.
    pub state: VoteState,
    /// Its reason, or why there is no opinion.
    pub reason: String,
    /// What its opinion rests on.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub details: Map<String, Value>,
    /// How long it took, from the question to the answer, in microseconds.
    pub took_us: u64,
}

/// "What has it written to its standard error?"
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct ReadLog {
    /// Its name.
    pub plugin: PluginName,
    /// At most so many lines, the newest ones.
    pub lines: u32,
}

impl Message for ReadLog {
    const KIND: &'static str = "logs";
    const HAS_EFFECT: bool = false;
}

/// The newest lines of a plugin's log. The runner keeps a bounded number of them in memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct PluginLog {
    /// The oldest first.
    pub lines: Vec<LogLine>,
    /// How many it wrote since the runner started that are not here.
    pub dropped: u64,
}

/// A line of a plugin's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct LogLine {
    /// When it was read, on the host's clock.
    pub at: Timestamp,
    /// What it says, cut where it is too long.
    pub text: String,
}

/// "How do the plugins do?"
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct ReadStats {
    /// Only this one; all where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugin: Option<PluginName>,
}

impl Message for ReadStats {
    const KIND: &'static str = "stats";
    const HAS_EFFECT: bool = false;
}

/// How the plugins do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct StatsReport {
    /// One for each, sorted by name.
    pub plugins: Vec<PluginReport>,
    /// How soon events came to their first handler, the most urgent first; empty where only one plugin was asked about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<EventLatency>,
}

/// How long it took from when something was noticed, by the clock of whoever noticed it, to when the first handler was
/// asked, by the host's, since the runner started. Events that nobody handled do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct EventLatency {
    /// Of which severity they were.
    pub severity: Severity,
    /// How many.
    pub events: u64,
    /// How long it took.
    #[serde(flatten)]
    pub latency: Latency,
}

/// How one plugin does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct PluginReport {
    /// Its name.
    pub plugin: PluginName,
    /// What is counted.
    pub stats: PluginStats,
    /// How long its answers took; absent before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
    /// What its processes hold; absent where it runs elsewhere, or not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

/// How long something took since the runner started, in microseconds, with two significant digits: of a plugin,
/// `CheckIdle`, failures and time-outs included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Latency {
    /// Half of them took no longer.
    pub p50_us: u64,
    /// 99 of 100 took no longer.
    pub p99_us: u64,
    /// The longest.
    pub max_us: u64,
}

/// What the processes of a plugin hold together: those of its control group, else all that are seen to be its own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Usage {
    /// How many there are.
    pub processes: u32,
    /// Memory in bytes: what its control group counts, else what is resident, where what they share counts for each.
    pub memory_bytes: u64,
    /// Processor time that they and their ended children have used, in milliseconds.
    pub cpu_ms: u64,
    /// The limits of which it has used more than 80 % for some time.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub over: BTreeSet<Limit>,
}

/// A limit of a plugin, by the name of its permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// Memory.
    MemoryMb,
    /// Processor time.
    CpuPercent,
    /// Processes and threads.
    Processes,
    /// What its working folder holds.
    DiskMb,
}
