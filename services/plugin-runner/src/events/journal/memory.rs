//! What the journal says, line by line.

use super::{JournalError, Known, Line};
use snooze_schemas::{EventId, event::EventOutcome};
use std::{
    collections::{BTreeMap, VecDeque},
    fs::File,
    io::{self, BufRead, BufReader},
    path::Path,
};

/// So many ids of events that are over are remembered. The streams deliver again within minutes; this
/// is far beyond what a host sees in the seven days that they remember.
const REMEMBERED: usize = 10_000;

/// What the journal says.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) unfinished: BTreeMap<EventId, Known>,
    pub(super) unreported: BTreeMap<EventId, EventOutcome>,
    over: VecDeque<EventId>,
}

impl Memory {
    pub(super) fn read(path: &Path) -> Result<Memory, JournalError> {
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
        for line in BufReader::new(file).split(b'\n') {
            match serde_json::from_slice(&line.map_err(read)?) {
                Ok(line) => memory.take(line),
                Err(error) => tracing::warn!(%error, "a line of the journal of events is torn and dropped"),
            }
        }
        Ok(memory)
    }

    pub(super) fn knows(&self, id: &EventId) -> bool {
        self.unfinished.contains_key(id) || self.unreported.contains_key(id) || self.over.contains(id)
    }

    pub(super) fn take(&mut self, line: Line) {
        match line {
            Line::Accepted(known) => {
                self.unfinished.insert(known.event.id.clone(), *known);
            }
            Line::Started { id, plugin } => {
                if let Some(known) = self.unfinished.get_mut(&id) {
                    known.handlers.insert(plugin, None);
                }
            }
            Line::Ended { id, outcome } => {
                if let Some(known) = self.unfinished.get_mut(&id) {
                    known.handlers.insert(outcome.plugin.clone(), Some(*outcome));
                }
            }
            Line::Finished { outcome } => {
                self.unfinished.remove(&outcome.id);
                self.unreported.insert(outcome.id.clone(), *outcome);
            }
            Line::Reported { id } => {
                self.unreported.remove(&id);
                self.over.push_back(id);
                if self.over.len() > REMEMBERED {
                    self.over.pop_front();
                }
            }
        }
    }

    /// The lines that say the same as all that were read.
    pub(super) fn lines(&self) -> impl Iterator<Item = Line> + '_ {
        let over = self.over.iter().map(|id| Line::Reported { id: id.clone() });
        let unreported = self.unreported.values().map(|outcome| Line::Finished {
            outcome: Box::new(outcome.clone()),
        });
        let unfinished = self
            .unfinished
            .values()
            .map(|known| Line::Accepted(Box::new(known.clone())));
        over.chain(unreported).chain(unfinished)
    }
}
