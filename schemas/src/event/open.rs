//! An event that is not over yet, and one that nobody could handle.

use super::Event;
use crate::{HostId, Message};
use serde::{Deserialize, Serialize};

/// What could not be handled, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct DeadEvent {
    /// The event.
    pub event: Event,
    /// Why it ended here.
    pub reason: String,
}

impl Message for DeadEvent {
    const KIND: &'static str = "dead";

    fn host(&self) -> Option<&HostId> {
        self.event.host.host()
    }
}

/// `snooze_open`, key `<host>.<id>`: an event that waits for its host, or that it has not yet reported the end of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct OpenEvent {
    /// The event.
    pub event: Event,
    /// The host that it is given to.
    pub host: HostId,
    /// What is waited for.
    #[serde(default)]
    pub state: OpenState,
    /// After how long without a change it ends in DEAD, counted by whoever sweeps, from when it saw this.
    pub sweep_after_ms: u64,
    /// Whether a sweeper is ending it; the revision of that write is its fence.
    #[serde(default)]
    pub is_ending: bool,
}

/// What an open event waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OpenState {
    /// The host's runner has accepted it; its outcome.
    #[default]
    Accepted,
    /// The host is away; its hello.
    Parked,
    /// Something that a later version knows; whoever does not know it leaves the event alone.
    #[serde(other)]
    Unknown,
}
