//! The journal of events: what was accepted, which handler was started, which ended, what was reported.
//!
//! A file to which lines are appended, which are synced before anybody relies on them. It is read once, at the
//! start, and written anew without what is long over. A torn last line is the sign of a crash in the
//! middle of a write that nobody was told of; it is dropped.

mod error;
mod line;
mod memory;
mod unreported;

pub use error::JournalError;
pub(crate) use line::{Finished, Known};
use line::{Line, drawn};
use memory::Memory;
use snooze_schemas::{
    EventId, PluginName,
    event::{Begun, EventOutcome, EventProgress, HandlerOutcome},
};
use snooze_service_runtime::whole_file::{self, Durability};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// The journal is written anew after so many lines, or after twice as many as it had then: what is not over is copied
/// each time.
const LINES_LIMIT: usize = 50_000;

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
    /// How far the file is good: up to the end of the last line that was written.
    length: u64,
    /// How far of that is on the disk.
    synced: u64,
    #[cfg(test)]
    syncs: u64,
    lines: usize,
    /// After so many it is written anew.
    lines_limit: usize,
    memory: Memory,
}

impl Journal {
    /// Reads the journal and writes it anew without what is long over. Where that fails, as on a full disk, it goes on as
    /// it is: votes need no new one.
    pub(super) fn open(path: PathBuf) -> Result<Journal, JournalError> {
        let memory = Memory::read(&path)?;
        let written = match write_anew(&path, &memory) {
            Ok(written) => written,
            Err(error) => {
                let written = Written::as_it_is(&path).map_err(|_| error)?;
                tracing::warn!("the journal of events cannot be written anew, and goes on as it is");
                written
            }
        };
        Ok(Journal {
            path,
            file: written.file,
            length: written.length,
            synced: written.length,
            #[cfg(test)]
            syncs: 0,
            lines: written.lines,
            lines_limit: limit_after(written.lines),
            memory,
        })
    }

    /// Accepts an event of others, where there is a place for one of its severity.
    pub(super) fn accept(&mut self, known: Known) -> Result<Acceptance, JournalError> {
        if !self.memory.has_place(known.event.severity) && !self.memory.knows(&known.event.id) {
            return Ok(Acceptance::Full);
        }
        self.accept_own(known)
    }

    /// Accepts an event of our own; there are a handful at most.
    pub(super) fn accept_own(&mut self, known: Known) -> Result<Acceptance, JournalError> {
        if self.memory.knows(&known.event.id) {
            return Ok(Acceptance::Duplicate);
        }
        self.append(Line::Accepted(Box::new(known)))?;
        Ok(Acceptance::New)
    }

    /// Whether an event was accepted before, as long as it is remembered.
    pub(super) fn knows(&self, id: &EventId) -> bool {
        self.memory.knows(id)
    }

    pub(super) fn start(
        &mut self,
        id: &EventId,
        plugin: PluginName,
        begun: Begun,
    ) -> Result<(), JournalError> {
        self.append(Line::Started {
            id: id.clone(),
            plugin,
            begun: Some(begun),
        })
    }

    pub(super) fn end(&mut self, id: &EventId, outcome: HandlerOutcome) -> Result<(), JournalError> {
        self.append(Line::Ended {
            id: id.clone(),
            outcome: Box::new(outcome),
        })
    }

    pub(super) fn finish(&mut self, outcome: EventOutcome) -> Result<(), JournalError> {
        self.append(Line::Finished {
            outcome: Box::new(outcome),
            severity: None,
            report: drawn(),
        })
    }

    /// Where that cannot be written it is known all the same, until a restart.
    pub(super) fn reported(&mut self, id: &EventId) -> Result<(), JournalError> {
        let line = || Line::Reported {
            id: id.clone(),
            severity: None,
        };
        self.append(line()).inspect_err(|_| self.memory.take(line()))
    }

    /// How far an event is that is not over.
    pub(super) fn progress(&self, id: &EventId) -> Option<EventProgress> {
        self.memory.unfinished.get(id).map(Known::progress)
    }

    pub(super) fn unfinished(&self) -> Vec<Known> {
        self.memory.unfinished.values().cloned().collect()
    }

    /// What is to be reported next.
    pub(super) fn unreported(&self) -> Option<Finished> {
        self.memory.unreported.first().cloned()
    }

    /// Nobody is told of it before the next [`sync`](Self::sync).
    fn append(&mut self, line: Line) -> Result<(), JournalError> {
        let write = |source| JournalError::Write {
            path: self.path.clone(),
            source,
        };
        let mut text = serde_json::to_vec(&line).map_err(|error| write(error.into()))?;
        text.push(b'\n');
        self.cut_off_what_failed()
            .and_then(|()| self.file.write_all(&text))
            .map_err(write)?;
        self.length += u64::try_from(text.len()).unwrap_or(u64::MAX);
        self.memory.take(line);
        self.lines += 1;
        Ok(())
    }

    /// Has what was appended be on the disk. Where that fails none of it counts, and what is known is what was synced
    /// before.
    pub(super) fn sync(&mut self) -> Result<(), JournalError> {
        if self.synced == self.length {
            return Ok(());
        }
        #[cfg(test)]
        {
            self.syncs += 1;
        }
        if let Err(source) = self.file.sync_data() {
            self.length = self.synced;
            let known = Memory::read_to(&self.path, self.synced)?;
            self.memory.go_back_to(known);
            return Err(JournalError::Write {
                path: self.path.clone(),
                source,
            });
        }
        self.synced = self.length;
        if self.lines > self.lines_limit {
            self.shorten();
        }
        Ok(())
    }

    /// How often it was synced.
    #[cfg(test)]
    pub(super) fn syncs(&self) -> u64 {
        self.syncs
    }

    /// Writes to another file from now on, and returns the one before.
    #[cfg(test)]
    pub(super) fn write_to(&mut self, file: File) -> File {
        std::mem::replace(&mut self.file, file)
    }

    /// A write that failed may have left a part of its line, onto which the next line would be written;
    /// both would be lost.
    fn cut_off_what_failed(&self) -> io::Result<()> {
        if self.file.metadata()?.len() == self.length {
            return Ok(());
        }
        self.file.set_len(self.length)
    }

    /// Writes the journal anew without what is long over. Where that fails it only stays long for another
    /// while: what was appended stands.
    fn shorten(&mut self) {
        match write_anew(&self.path, &self.memory) {
            Ok(written) => {
                self.file = written.file;
                self.length = written.length;
                self.synced = written.length;
                self.lines = written.lines;
                self.lines_limit = limit_after(written.lines);
            }
            Err(error) => {
                let error = snooze_service_runtime::exit::one_line(&error);
                tracing::warn!(error, "the journal of events cannot be shortened");
                self.lines_limit = limit_after(self.lines);
            }
        }
    }
}

/// After how many lines it is written anew that has so many now.
fn limit_after(lines: usize) -> usize {
    LINES_LIMIT.max(lines.saturating_mul(2))
}

/// A journal that was written anew.
struct Written {
    file: File,
    length: u64,
    lines: usize,
}

impl Written {
    /// What an earlier runner wrote, to the end of its last whole line: what follows is cut off with the next line.
    fn as_it_is(path: &Path) -> io::Result<Written> {
        let text = fs::read(path)?;
        let end = text.iter().rposition(|byte| *byte == b'\n');
        let whole = &text[..end.map_or(0, |end| end + 1)];
        Ok(Written {
            file: OpenOptions::new().append(true).open(path)?,
            length: u64::try_from(whole.len()).unwrap_or(u64::MAX),
            lines: whole.iter().filter(|byte| **byte == b'\n').count(),
        })
    }
}

/// Replaces the file as a whole.
fn write_anew(path: &Path, memory: &Memory) -> Result<Written, JournalError> {
    let mut text = Vec::new();
    let mut lines = 0;
    let mut attempt = || -> io::Result<File> {
        for line in memory.lines() {
            serde_json::to_writer(&mut text, &line)?;
            text.push(b'\n');
            lines += 1;
        }
        whole_file::replace(path, &text, Durability::Synced)
    };
    let file = attempt().map_err(|source| JournalError::Write {
        path: path.to_owned(),
        source,
    })?;
    let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
    Ok(Written { file, length, lines })
}

#[cfg(test)]
mod tests;
