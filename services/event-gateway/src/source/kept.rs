//! What a source noticed and the desk may not have on its disk yet: how it stands in a file, and what is under way.
//!
//! Where it is kept until then, whoever is killed in between tells it after the next start, as the same happening (E1).
//! It reads and writes no file.

mod keeper;

pub(super) use keeper::Keeper;

use super::{IsKept, Keeping, Notices};
use crate::happening::{Happening, State};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use snooze_schemas::{EventType, Timestamp};

/// More than this the desk cannot have failed to bring to its disk in days; then the oldest is in its memory alone.
const MOST_UNTOLD: usize = 256;

/// Happenings that the desk may not have yet, as they stand in a source's file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Untold(Vec<Noted>);

/// A happening as it is kept: its source is whose the file is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Noted {
    event_type: EventType,
    occurrence: String,
    launch: Option<String>,
    state: State,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    happened_at: Option<Timestamp>,
    deadline: Option<Timestamp>,
    data: Map<String, Value>,
}

impl From<&Happening> for Noted {
    fn from(happening: &Happening) -> Noted {
        Noted {
            event_type: happening.event_type.clone(),
            occurrence: happening.occurrence.clone(),
            launch: happening.launch.clone(),
            state: happening.state,
            happened_at: happening.happened_at,
            deadline: happening.deadline,
            data: happening.data.clone(),
        }
    }
}

impl Noted {
    /// As that source told it.
    pub(super) fn by(&self, source: &'static str) -> Happening {
        Happening {
            event_type: self.event_type.clone(),
            source,
            occurrence: self.occurrence.clone(),
            launch: self.launch.clone(),
            state: self.state,
            happened_at: self.happened_at,
            deadline: self.deadline,
            data: self.data.clone(),
        }
    }
}

impl Untold {
    /// Adds them.
    pub(super) fn add<'a>(&mut self, happenings: impl IntoIterator<Item = &'a Happening>) {
        self.0.extend(happenings.into_iter().map(Noted::from));
        if let Some(beyond) = self.0.len().checked_sub(MOST_UNTOLD).filter(|beyond| *beyond > 0) {
            self.0.drain(..beyond);
        }
    }

    /// All of them, as their source told them.
    pub(super) fn by(&self, source: &'static str) -> Vec<Happening> {
        self.0.iter().map(|noted| noted.by(source)).collect()
    }

    /// The desk has these.
    pub(super) fn remove(&mut self, kept: &[Happening]) {
        let kept: Vec<Noted> = kept.iter().map(Noted::from).collect();
        self.0.retain(|noted| !kept.contains(noted));
    }

    /// Whether all of them are of types that this holds for.
    pub(super) fn all(&self, holds: impl Fn(&EventType) -> bool) -> bool {
        self.0.iter().all(|noted| holds(&noted.event_type))
    }
}

/// What was told, and of which it is not known yet whether the desk has it.
#[derive(Debug, Default)]
pub(super) struct UnderWay(Vec<(Happening, Keeping)>);

impl UnderWay {
    /// Tells those that are not under way already.
    pub(super) async fn tell(&mut self, happenings: Vec<Happening>, notices: &Notices) {
        for happening in happenings {
            if self.0.iter().all(|(told, _)| *told != happening) {
                let keeping = notices.tell(happening.clone()).await;
                self.0.push((happening, keeping));
            }
        }
    }

    /// Those that the desk has by now. What it will not have is under way no more, and is told again.
    pub(super) fn kept(&mut self) -> Vec<Happening> {
        let mut kept = Vec::new();
        self.0.retain_mut(|(happening, keeping)| match keeping.look() {
            IsKept::NotYet => true,
            IsKept::No => false,
            IsKept::Yes => {
                kept.push(happening.clone());
                false
            }
        });
        kept
    }
}
