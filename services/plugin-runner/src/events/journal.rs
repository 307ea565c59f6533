//! The journal of events: what was accepted, which handler was started, which ended, what was reported.
//!
//! A file to which lines are appended, each synced before anybody relies on it. It is read once, at the
//! start, and written anew without what is long over. A torn last line is the sign of a crash in the
//! middle of a write that nobody was told of; it is dropped.

use serde::{Deserialize, Serialize};
use snooze_schemas::{
    EventId, PluginName,
    event::{Event, EventOutcome, HandlerOutcome},
};
use std::{
    collections::{BTreeMap, VecDeque},
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// So many ids of events that are over are remembered. The streams deliver again within minutes; this
/// is far beyond what a host sees in the seven days that they remember.
const REMEMBERED: usize = 10_000;

/// After so many lines the journal is written anew.
const LINES_LIMIT: usize = 50_000;

/// Why the journal failed.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It could not be written.
    #[error("write the journal of events {}", path.display())]
    Write {
        /// Its file.
        path: PathBuf,
        /// What the kernel says.
        source: io::Error,
    },
    /// It could not be read.
    #[error("read the journal of events {}", path.display())]
    Read {
        /// Its file.
        path: PathBuf,
        /// What the kernel says.
        source: io::Error,
    },
    /// The service ends.
    #[error("the write was given up because the service ends")]
    Interrupted,
}

/// An event that was accepted, and how far its handlers are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Known {
    /// The event.
    pub event: Event,
    /// The boot under which it was accepted.
    pub boot_id: String,
    /// Its deadline on that boot's clock.
    pub deadline_boottime_ms: u64,
    /// Those that were started, and how they ended if they did.
    #[serde(default)]
    pub handlers: BTreeMap<PluginName, Option<HandlerOutcome>>,
}

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
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
    },
    Reported {
        id: EventId,
    },
}

/// What became of an attempt to accept an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Acceptance {
    /// It is in the journal now.
    New,
    /// It was there already.
    Duplicate,
    /// Too many others are being handled.
    Full,
}

/// The journal, open for writing.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    lines: usize,
    memory: Memory,
}

/// What the journal says.
#[derive(Debug, Default)]
struct Memory {
    unfinished: BTreeMap<EventId, Known>,
    unreported: BTreeMap<EventId, EventOutcome>,
    over: VecDeque<EventId>,
}

impl Journal {
    /// Reads the journal and writes it anew without what is long over.
    pub(super) fn open(path: PathBuf) -> Result<Journal, JournalError> {
        let memory = Memory::read(&path)?;
        let (file, lines) = write_anew(&path, &memory)?;
        Ok(Journal {
            path,
            file,
            lines,
            memory,
        })
    }

    pub(super) fn accept(&mut self, known: Known, at_once: usize) -> Result<Acceptance, JournalError> {
        if self.memory.knows(&known.event.id) {
            return Ok(Acceptance::Duplicate);
        }
        if self.memory.unfinished.len() >= at_once {
            return Ok(Acceptance::Full);
        }
        self.append(Line::Accepted(Box::new(known)))?;
        Ok(Acceptance::New)
    }

    pub(super) fn start(&mut self, id: &EventId, plugin: PluginName) -> Result<(), JournalError> {
        self.append(Line::Started {
            id: id.clone(),
            plugin,
        })
    }

    pub(super) fn end(&mut self, id: &EventId, outcome: HandlerOutcome) -> Result<(), JournalError> {
        self.append(Line::Ended {
            id: id.clone(),
            outcome: Box::new(outcome),
        })
    }

    pub(super) fn finish(&mut self, _id: &EventId, outcome: EventOutcome) -> Result<(), JournalError> {
        self.append(Line::Finished {
            outcome: Box::new(outcome),
        })
    }

    pub(super) fn reported(&mut self, id: &EventId) -> Result<(), JournalError> {
        self.append(Line::Reported { id: id.clone() })
    }

    pub(super) fn known(&self, id: &EventId) -> Option<Known> {
        self.memory.unfinished.get(id).cloned()
    }

    pub(super) fn unfinished(&self) -> Vec<Known> {
        self.memory.unfinished.values().cloned().collect()
    }

    pub(super) fn unreported(&self) -> Vec<EventOutcome> {
        self.memory.unreported.values().cloned().collect()
    }

    fn append(&mut self, line: Line) -> Result<(), JournalError> {
        let write = |source| JournalError::Write {
            path: self.path.clone(),
            source,
        };
        let mut text = serde_json::to_vec(&line).map_err(|error| write(error.into()))?;
        text.push(b'\n');
        self.file
            .write_all(&text)
            .and_then(|()| self.file.sync_data())
            .map_err(write)?;
        self.memory.take(line);
        self.lines += 1;
        if self.lines > LINES_LIMIT {
            (self.file, self.lines) = write_anew(&self.path, &self.memory)?;
        }
        Ok(())
    }
}

impl Memory {
    fn read(path: &Path) -> Result<Memory, JournalError> {
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

    fn knows(&self, id: &EventId) -> bool {
        self.unfinished.contains_key(id) || self.unreported.contains_key(id) || self.over.contains(id)
    }

    fn take(&mut self, line: Line) {
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
    fn lines(&self) -> impl Iterator<Item = Line> + '_ {
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

/// Replaces the file as a whole, so that a crash leaves the old one or the new one.
fn write_anew(path: &Path, memory: &Memory) -> Result<(File, usize), JournalError> {
    let attempt = || -> io::Result<(File, usize)> {
        let beside = path.with_extension("new");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&beside)?;
        let mut text = Vec::new();
        let mut lines = 0;
        for line in memory.lines() {
            serde_json::to_writer(&mut text, &line)?;
            text.push(b'\n');
            lines += 1;
        }
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        if let Some(folder) = path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok((OpenOptions::new().append(true).open(path)?, lines))
    };
    attempt().map_err(|source| JournalError::Write {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests;
