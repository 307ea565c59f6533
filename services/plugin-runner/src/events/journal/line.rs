//! A line of the journal, as it is written there for good: later versions read what earlier ones wrote.

use serde::{Deserialize, Serialize};
use snooze_schemas::{
    EventId, PluginName, Timestamp,
    event::{Event, EventOutcome, HandlerOutcome, Severity},
};
use std::collections::{BTreeMap, BTreeSet};

/// An event that was accepted, and how far its handlers are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Known {
    /// The event.
    pub event: Event,
    /// The boot under which it was accepted.
    pub boot_id: String,
    /// When it was accepted, for people.
    #[serde(default)]
    pub accepted_at: Option<Timestamp>,
    /// Its deadline on that boot's clock.
    pub deadline_boottime_ms: u64,
    /// The trace that it came in, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// Those that were started, and how they ended if they did.
    #[serde(default)]
    pub handlers: BTreeMap<PluginName, Option<HandlerOutcome>>,
}

impl Known {
    /// The handlers of which it is not known how they ended.
    pub(in super::super) fn open(&self) -> BTreeSet<PluginName> {
        let open = self.handlers.iter().filter(|(_, ended)| ended.is_none());
        open.map(|(plugin, _)| plugin.clone()).collect()
    }
}

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    Accepted(Box<Known>),
    Started {
        id: EventId,
        plugin: PluginName,
    },
    Ended {
        id: EventId,
        outcome: Box<HandlerOutcome>,
    },
    Finished {
        outcome: Box<EventOutcome>,
        /// Where the lines before that say it are not there any more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        severity: Option<Severity>,
    },
    Reported {
        id: EventId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        severity: Option<Severity>,
    },
}
