//! A line of the journal, as it is written there for good: later versions read what earlier ones wrote.

use super::Known;
use serde::{Deserialize, Serialize};
use snooze_schemas::{
    EventId, PluginName,
    event::{EventOutcome, HandlerOutcome, Severity},
};

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
