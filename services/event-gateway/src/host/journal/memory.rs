//! What the lines of the journal say, one after the other.

use super::{Entry, Line};
use snooze_schemas::{EventId, event::Severity};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// So many ids are remembered of events that are over. A source tells the same again for as long as the provider does,
/// which is hours of one notice; this is far beyond what a host notices meanwhile.
const REMEMBERED: usize = 4_096;

/// So many events may be on their way when one of this severity is noticed. The places between two numbers are kept
/// for what is more urgent. It takes a broker that is away for days.
pub(super) const fn places(severity: Severity) -> usize {
    match severity {
        Severity::Info => 512,
        Severity::Warning => 768,
        Severity::Urgent => 960,
        Severity::Critical => 1024,
    }
}

/// An event that is on its way.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::host) struct Open {
    /// The event.
    pub entry: Entry,
    /// Whether the runner has it, or never will.
    pub handed: bool,
    /// Whether a stream has it, or never will.
    pub filed: bool,
}

/// What the journal says.
#[derive(Debug, Default)]
pub(super) struct Memory {
    open: BTreeMap<EventId, Open>,
    over: VecDeque<EventId>,
    /// Those that there was no place for, while they are handed over. They stand in no line: a process that ends in the
    /// middle of that has handed over nothing, and the next one has to.
    without_place: BTreeSet<EventId>,
}

impl Memory {
    pub(super) fn knows(&self, id: &EventId) -> bool {
        self.open.contains_key(id) || self.over.contains(id) || self.without_place.contains(id)
    }

    /// Knows one that there is no place for, until it is over.
    pub(super) fn know(&mut self, id: EventId) {
        self.without_place.insert(id);
    }

    pub(super) fn has_room(&self, severity: Severity) -> bool {
        self.open.len() < places(severity)
    }

    /// What is said twice is said once.
    pub(super) fn take(&mut self, line: Line) {
        match line {
            Line::Noticed(entry) => {
                if !self.knows(&entry.event.id) {
                    let open = Open {
                        entry: *entry,
                        handed: false,
                        filed: false,
                    };
                    self.open.insert(open.entry.event.id.clone(), open);
                }
            }
            Line::Handed { id } => self.settle(id, |open| open.handed = true),
            Line::Filed { id } => self.settle(id, |open| open.filed = true),
            Line::Over { id } => self.end(id),
        }
    }

    fn settle(&mut self, id: EventId, what: impl FnOnce(&mut Open)) {
        if let Some(open) = self.open.get_mut(&id) {
            what(open);
            if open.handed && open.filed {
                self.end(id);
            }
        }
    }

    fn end(&mut self, id: EventId) {
        self.open.remove(&id);
        self.without_place.remove(&id);
        if !self.over.contains(&id) {
            self.over.push_back(id);
            if self.over.len() > REMEMBERED {
                self.over.pop_front();
            }
        }
    }

    /// The events that are on their way.
    pub(super) fn unfinished(&self) -> Vec<Open> {
        self.open.values().cloned().collect()
    }

    /// The lines that say the same as all that were taken.
    pub(super) fn lines(&self) -> Vec<Line> {
        let mut lines: Vec<Line> = self.over.iter().map(|id| Line::Over { id: id.clone() }).collect();
        for (id, open) in &self.open {
            lines.push(Line::Noticed(Box::new(open.entry.clone())));
            if open.handed {
                lines.push(Line::Handed { id: id.clone() });
            }
            if open.filed {
                lines.push(Line::Filed { id: id.clone() });
            }
        }
        lines
    }
}
