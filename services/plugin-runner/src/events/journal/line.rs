//! A line of the journal, as it is written there for good: later versions read what earlier ones wrote.

use serde::{Deserialize, Serialize};
use snooze_schemas::{
    EventId, PluginName, Timestamp,
    event::{Begun, Event, EventOutcome, EventProgress, HandlerAtWork, HandlerOutcome, Severity},
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
    /// How those began that have not ended; of a journal of before that is not known.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub begun: BTreeMap<PluginName, Begun>,
}

impl Known {
    /// The handlers of which it is not known how they ended.
    pub(in super::super) fn open(&self) -> BTreeSet<PluginName> {
        let open = self.handlers.iter().filter(|(_, ended)| ended.is_none());
        open.map(|(plugin, _)| plugin.clone()).collect()
    }

    /// How far it is, for people.
    pub(in super::super) fn progress(&self) -> EventProgress {
        let at_work = self.open().into_iter().map(|plugin| HandlerAtWork {
            begun: self.begun.get(&plugin).copied(),
            plugin,
        });
        EventProgress {
            accepted_at: self.accepted_at,
            at_work: at_work.collect(),
            ended: self.handlers.values().flatten().cloned().collect(),
        }
    }
}

/// An event that is over, and is to be reported.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Finished {
    /// How it ended.
    pub(in super::super) outcome: EventOutcome,
    /// What its report is known by in the audit trail: drawn, so that nobody can spend it first, and the same however
    /// often it is sent.
    pub(in super::super) report: String,
}

impl Finished {
    /// As a line says it. Journals of before have no name for its report.
    pub(super) fn of(outcome: EventOutcome, report: String) -> Finished {
        let report = if report.is_empty() { drawn() } else { report };
        Finished { outcome, report }
    }
}

/// A name for a report.
pub(super) fn drawn() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    Accepted(Box<Known>),
    Started {
        id: EventId,
        plugin: PluginName,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        begun: Option<Begun>,
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
        /// What its report is known by, so that it is filed once.
        #[serde(default)]
        report: String,
    },
    Reported {
        id: EventId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        severity: Option<Severity>,
    },
}
