//! What the journal says, line by line.

use super::{
    JournalError,
    line::{Finished, Known, Line},
    unreported::Unreported,
};
use snooze_schemas::{EventId, event::Severity};
use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

/// So many ids of events that are over are remembered of each severity, so that a flood of the lower has none of the
/// higher forgotten. The streams deliver again within minutes; this is far beyond what a host sees in the seven days
/// that they remember.
const REMEMBERED: usize = 10_000;

/// So many events may be unfinished when one of this severity is accepted. The places between two numbers
/// are kept for what is more urgent, so that a flood of the lower never turns it away (E3).
const fn places(severity: Severity) -> usize {
    match severity {
        Severity::Info => 96,
        Severity::Warning => 128,
        Severity::Urgent => 192,
        Severity::Critical => 256,
    }
}

/// So many may have ended and not be reported, as while the bus is away: what it has no room for is not taken from it,
/// and what the host notices itself fills it in days.
const fn waiting(severity: Severity) -> usize {
    match severity {
        Severity::Info => 1024,
        Severity::Warning => 1280,
        Severity::Urgent => 1536,
        Severity::Critical => 2048,
    }
}

/// What the journal says.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) unfinished: BTreeMap<EventId, Known>,
    pub(super) unreported: Unreported,
    over: [Over; Severity::DESCENDING.len()],
}

/// The events of one severity that are over, as far as they are remembered.
#[derive(Debug, Default)]
struct Over {
    order: VecDeque<EventId>,
    ids: HashSet<EventId>,
}

impl Over {
    fn add(&mut self, id: EventId) {
        if !self.ids.insert(id.clone()) {
            return;
        }
        self.order.push_back(id);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
    }
}

impl Memory {
    pub(super) fn read(path: &Path) -> Result<Memory, JournalError> {
        Memory::read_to(path, u64::MAX)
    }

    /// Reads so many bytes at most.
    pub(super) fn read_to(path: &Path, length: u64) -> Result<Memory, JournalError> {
        let read = |source| JournalError::Read {
            path: path.to_owned(),
            source,
        };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Memory::default()),
            Err(source) => return Err(read(source)),
        };
        let mut memory = Memory::default();
        for line in BufReader::new(file.take(length)).split(b'\n') {
            match serde_json::from_slice(&line.map_err(read)?) {
                Ok(line) => memory.take(line),
                Err(error) => tracing::warn!(%error, "a line of the journal of events is torn and dropped"),
            }
        }
        Ok(memory)
    }

    pub(super) fn knows(&self, id: &EventId) -> bool {
        self.unfinished.contains_key(id)
            || self.unreported.contains(id)
            || self.over.iter().any(|over| over.ids.contains(id))
    }

    /// What was written since is not on the disk. What was filed is so all the same.
    pub(super) fn go_back_to(&mut self, before: Memory) {
        let now = std::mem::replace(self, before);
        let is_over = |id: &EventId| now.over.iter().any(|over| over.ids.contains(id));
        let unreported = self.unreported.iter().map(|(_, finished)| &finished.outcome.id);
        let filed: Vec<EventId> = unreported.filter(|id| is_over(id)).cloned().collect();
        for id in filed {
            self.take(Line::Reported { id, severity: None });
        }
    }

    /// Whether there is a place for an event of this severity.
    pub(super) fn has_place(&self, severity: Severity) -> bool {
        self.unfinished.len() < places(severity) && self.unreported.len() < waiting(severity)
    }

    pub(super) fn take(&mut self, line: Line) {
        match line {
            Line::Accepted(known) => {
                self.unfinished.insert(known.event.id.clone(), *known);
            }
            Line::Started { id, plugin, begun } => {
                if let Some(known) = self.unfinished.get_mut(&id) {
                    known.handlers.insert(plugin.clone(), None);
                    known.begun.extend(begun.map(|begun| (plugin, begun)));
                }
            }
            Line::Ended { id, outcome } => {
                if let Some(known) = self.unfinished.get_mut(&id) {
                    known.begun.remove(&outcome.plugin);
                    known.handlers.insert(outcome.plugin.clone(), Some(*outcome));
                }
            }
            Line::Finished {
                outcome,
                severity,
                report,
            } => {
                let known = self.unfinished.remove(&outcome.id);
                let severity = severity.or_else(|| Some(known?.event.severity));
                let finished = Finished::of(*outcome, report);
                self.unreported.add(severity.unwrap_or(Severity::Info), finished);
            }
            Line::Reported { id, severity } => {
                let known = self.unreported.remove(&id);
                let severity = severity.or(known).unwrap_or(Severity::Info);
                self.over[usize::from(u8::from(severity))].add(id);
            }
        }
    }

    /// The lines that say the same as all that were read.
    pub(super) fn lines(&self) -> impl Iterator<Item = Line> + '_ {
        let over = Severity::DESCENDING.into_iter().flat_map(|severity| {
            let over = self.over[usize::from(u8::from(severity))].order.iter();
            over.map(move |id| Line::Reported {
                id: id.clone(),
                severity: Some(severity),
            })
        });
        let unreported = self.unreported.iter().map(|(severity, finished)| Line::Finished {
            outcome: Box::new(finished.outcome.clone()),
            severity: Some(severity),
            report: finished.report.clone(),
        });
        let unfinished = self
            .unfinished
            .values()
            .map(|known| Line::Accepted(Box::new(known.clone())));
        over.chain(unreported).chain(unfinished)
    }
}
