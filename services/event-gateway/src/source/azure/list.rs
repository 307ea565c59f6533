//! The list of scheduled events: what of it is news, what has moved, and what is gone.
//!
//! The service never says that an event is over or will not happen: it shows it no more. One that had begun, or
//! whose time had come, is over (*cleared*); any other will not happen (*cancelled*). A list that cannot be
//! read, or has an entry that cannot, takes nothing away.

use super::reported::{Reported, SOURCE, Wrong};
use crate::{
    happening::{Happening, State},
    source::kept::Noted,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use snooze_schemas::{EventType, Timestamp};
use snooze_service_runtime::clocks::Look;
use std::{collections::BTreeMap, time::Duration};

/// Why a list, or an entry of it, is not known.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error(
        "the list of scheduled events is no JSON with an array of Events; it is as if nothing was answered"
    )]
    List(#[source] Option<serde_json::Error>),
    #[error("entry {index} of the list of scheduled events is left out")]
    Entry { index: usize, source: Wrong },
}

/// What a list said.
#[derive(Debug)]
pub(super) struct Read {
    /// What is to be told; what has a deadline comes first.
    pub happenings: Vec<Happening>,
    /// The first entry that could not be read.
    pub unreadable: Option<Unreadable>,
}

/// What the list showed of this machine last. An event that changes its type is another one.
#[derive(Debug, Default)]
pub(super) struct List {
    known: BTreeMap<Key, Known>,
}

/// Its id in lower case, and its type.
type Key = (String, EventType);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Known {
    last: Reported,
    /// Under what it was told first; its end has the same.
    told: Noted,
    noticed_ms: u64,
    is_approved: bool,
}

/// What of it is kept over restarts: an image of this machine's disk may be another machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Remembered {
    machine: String,
    known: Vec<Known>,
}

impl Remembered {
    /// Whether it is this machine's. Azure's names do not differ by case.
    pub(super) fn is_of(&self, machine: &str) -> bool {
        self.machine.eq_ignore_ascii_case(machine)
    }
}

impl Known {
    fn key(&self) -> Key {
        (self.last.id.to_ascii_lowercase(), self.last.event_type.clone())
    }
}

impl List {
    /// What it showed before a restart. What was noticed in an earlier boot was noticed before this one began.
    pub(super) fn resumed(remembered: Remembered, now_ms: u64) -> List {
        let known = remembered.known.into_iter().map(|known| Known {
            noticed_ms: known.noticed_ms.min(now_ms),
            ..known
        });
        List {
            known: known.map(|known| (known.key(), known)).collect(),
        }
    }

    /// What is to be kept of it.
    pub(super) fn remembered(&self, machine: &str) -> Remembered {
        Remembered {
            machine: machine.to_owned(),
            known: self.known.values().cloned().collect(),
        }
    }

    /// Takes a list, and says what of it is to be told.
    pub(super) fn read(&mut self, body: &[u8], machine: &str, now: Look) -> Result<Read, Unreadable> {
        let list: Value = serde_json::from_slice(body).map_err(|error| Unreadable::List(Some(error)))?;
        let entries = list["Events"].as_array().ok_or(Unreadable::List(None))?;
        let mut shown = BTreeMap::new();
        let mut unreadable = None;
        for (index, entry) in entries.iter().enumerate() {
            match Reported::read(entry, machine) {
                Ok(None) => {}
                Ok(Some(reported)) => {
                    let key = (reported.id.to_ascii_lowercase(), reported.event_type.clone());
                    shown.entry(key).or_insert(reported);
                }
                Err(source) => {
                    unreadable.get_or_insert(Unreadable::Entry { index, source });
                }
            }
        }
        let gone = match unreadable {
            None => self.take_away(&shown, now.wall),
            Some(_) => Vec::new(),
        };
        let mut happenings = self.take(shown, now.boottime_ms);
        happenings.extend(gone);
        Ok(Read {
            happenings,
            unreadable,
        })
    }

    /// An event that has not begun, was noticed so long ago and is not approved yet.
    pub(super) fn due(&self, now_ms: u64, after: Duration) -> Option<String> {
        let since = |known: &Known| Duration::from_millis(now_ms.saturating_sub(known.noticed_ms));
        let mut waiting = self.known.values();
        let due = waiting.find(|known| !known.last.is_started && !known.is_approved && since(known) >= after);
        due.map(|known| known.last.id.clone())
    }

    /// Notes that nothing more is to be done to approve an event.
    pub(super) fn approved(&mut self, id: &str) {
        for known in self.known.values_mut().filter(|known| known.last.id == id) {
            known.is_approved = true;
        }
    }

    fn take(&mut self, shown: BTreeMap<Key, Reported>, now_ms: u64) -> Vec<Happening> {
        let mut happenings = Vec::new();
        for (key, reported) in shown {
            match self.known.get_mut(&key) {
                None => {
                    let told = reported.raised(None);
                    let known = Known {
                        last: reported,
                        told: Noted::from(&told),
                        noticed_ms: now_ms,
                        is_approved: false,
                    };
                    happenings.push(told);
                    self.known.insert(key, known);
                }
                Some(known) => {
                    // Once it has begun its time is blank; that it began is no news to prepare for.
                    let has_moved = !reported.is_started && reported.not_before != known.last.not_before;
                    if let Some(time) = reported.not_before.filter(|_| has_moved) {
                        happenings.push(reported.raised(Some(time)));
                    }
                    let not_before = reported.not_before.or(known.last.not_before);
                    known.last = Reported {
                        not_before,
                        ..reported
                    };
                }
            }
        }
        happenings
    }

    fn take_away(&mut self, shown: &BTreeMap<Key, Reported>, now: Timestamp) -> Vec<Happening> {
        let gone = self.known.extract_if(.., |key, _| !shown.contains_key(key));
        gone.map(|(_, known)| {
            let has_begun = known.last.is_started || known.last.not_before.is_some_and(|time| time <= now);
            Happening {
                state: if has_begun {
                    State::Cleared
                } else {
                    State::Cancelled
                },
                deadline: None,
                ..known.told.by(SOURCE)
            }
        })
        .collect()
    }
}

#[cfg(test)]
mod tests;
