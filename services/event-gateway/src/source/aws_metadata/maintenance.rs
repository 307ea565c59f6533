//! Following `events/maintenance/scheduled`, and `…/history` for how one ended that is not scheduled any more.
//!
//! A maintenance is told when it is first seen and when it ends; one that is moved ends, and is another one from
//! then on. While a part of a list cannot be read, nothing that is missing in it counts as gone.

mod entry;

use super::{field::Unreadable, identity::Identity, notice};
use crate::happening::{Happening, State};
use entry::{Entry, entries};
use snooze_schemas::Timestamp;
use std::collections::BTreeMap;

/// What is scheduled; an empty list, or 404, while nothing is.
pub(super) const SCHEDULED_PATH: &str = "/latest/meta-data/events/maintenance/scheduled";
/// What was, for some days.
pub(super) const HISTORY_PATH: &str = "/latest/meta-data/events/maintenance/history";

/// After a start, what ended is told if it was to begin later than so long ago: a restart in between hides nothing,
/// and what is older concerns nobody any more.
const RECENT_SECONDS: i64 = 24 * 3600;

/// What an answer led to: all that could be read of it, and what could not.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) happenings: Vec<Happening>,
    pub(super) trouble: Option<Unreadable>,
}

/// What is known of each maintenance, by its occurrence.
#[derive(Debug, Default)]
pub(super) struct Maintenance {
    known: BTreeMap<String, Known>,
    has_read_history: bool,
}

#[derive(Debug)]
struct Known {
    entry: Entry,
    is_gone: bool,
}

impl Maintenance {
    /// Whether the history is to be asked: after the start, and when one is gone.
    pub(super) fn owes_history(&self) -> bool {
        !self.has_read_history || self.known.values().any(|known| known.is_gone)
    }

    /// Reads what is scheduled.
    pub(super) fn scheduled(&mut self, answer: Option<&[u8]>, identity: Option<&Identity>) -> Read {
        let (listed, trouble) = entries(answer);
        let mut read = Read::default();
        for known in self.known.values_mut() {
            let is_listed = listed.contains_key(&known.entry.occurrence);
            // Where a part is unreadable it may be there.
            known.is_gone = !is_listed && (known.is_gone || trouble.is_none());
        }
        let over = self.known.extract_if(.., |_, known| {
            let is_moved = || listed.values().any(|entry| entry.is_later_word_on(&known.entry));
            known.is_gone && (known.entry.state != State::Raised || is_moved())
        });
        for (_, known) in over {
            // What was moved will not happen when it was to; of what had ended nobody is told again.
            if known.entry.state == State::Raised {
                read.happenings.push(known.entry.told(State::Cancelled, identity));
            }
        }
        for (occurrence, entry) in listed {
            let is_news = self
                .known
                .get(&occurrence)
                .is_none_or(|known| known.entry.state != entry.state);
            if is_news {
                read.happenings.push(entry.told(entry.state, identity));
            }
            self.known.insert(
                occurrence,
                Known {
                    entry,
                    is_gone: false,
                },
            );
        }
        read.trouble = trouble;
        read
    }

    /// Reads how those that are gone ended.
    pub(super) fn history(
        &mut self,
        answer: Option<&[u8]>,
        now: Timestamp,
        identity: Option<&Identity>,
    ) -> Read {
        let (ended, trouble) = entries(answer);
        let is_first = !std::mem::replace(&mut self.has_read_history, trouble.is_none());
        let mut read = Read::default();
        for (occurrence, entry) in ended {
            let is_recent = entry.starts.as_second() > now.as_second() - RECENT_SECONDS;
            let is_news = match self.known.get(&occurrence) {
                Some(known) => known.is_gone,
                None => is_first && is_recent,
            };
            if is_news && entry.state != State::Raised {
                self.known.remove(&occurrence);
                read.happenings.push(entry.told(entry.state, identity));
            }
        }
        read.happenings.extend(self.without_history(now, identity));
        read.trouble = trouble;
        read
    }

    /// Ends those that are gone and of which the history says nothing: over where they should have begun, else
    /// cancelled.
    pub(super) fn without_history(&mut self, now: Timestamp, identity: Option<&Identity>) -> Vec<Happening> {
        let gone = self.known.extract_if(.., |_, known| known.is_gone);
        gone.map(|(_, known)| {
            let has_begun = known.entry.starts <= now;
            let state = if has_begun {
                State::Cleared
            } else {
                State::Cancelled
            };
            known.entry.told(state, identity)
        })
        .collect()
    }
}

impl Entry {
    fn told(&self, state: State, identity: Option<&Identity>) -> Happening {
        let mut happening = notice("cloud.instance.maintenance", &self.occurrence, state, identity);
        // Of what is over nothing has to be done by then.
        happening.deadline = (state == State::Raised).then_some(self.starts);
        happening.data.extend(self.data.clone());
        happening
    }
}

#[cfg(test)]
mod tests;
