//! What a plugin may do on its host.

use crate::EventType;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, path::PathBuf};

/// What a plugin asks for, or was granted. Empty is: compute, read the system's libraries and its own folder,
/// write into its own working folder, and answer. What a later version knows and this one does not is not granted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Permissions {
    /// Where it connects to over TCP.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub tcp: BTreeSet<TcpEndpoint>,
    /// TCP ports that it listens on.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub listen: BTreeSet<u16>,
    /// Whether it sends and receives over UDP, which looking up names takes.
    #[serde(skip_serializing_if = "is_false")]
    pub udp: bool,
    /// Whether it opens raw and packet sockets.
    #[serde(skip_serializing_if = "is_false")]
    pub raw: bool,
    /// Unix sockets that it connects to. Whether it may open any is enforced, which ones is not.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub unix: BTreeSet<PathBuf>,
    /// Files, and folders with all that is below, that it reads: absolute paths.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub read: BTreeSet<PathBuf>,
    /// The same, that it also writes, makes and removes.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub write: BTreeSet<PathBuf>,
    /// Programs that it runs beside itself and its interpreter: absolute paths, or names that are looked up in
    /// the plugin's search path.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub run: BTreeSet<PathBuf>,
    /// Variables of the runner's environment that it sees.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub env: BTreeSet<String>,
    /// Events that it is given.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub events: BTreeSet<EventType>,
    /// How much memory it may hold, all its processes together, in MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_mb: Option<u32>,
    /// How much processor time it may use, in percent of one core.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_percent: Option<u32>,
    /// How many processes and threads it may have at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processes: Option<u32>,
}

/// Where a plugin connects to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct TcpEndpoint {
    /// The port, which is enforced.
    pub port: u16,
    /// The host, which is shown and not enforced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

fn is_false(value: &bool) -> bool {
    !value
}
