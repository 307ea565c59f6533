//! The journal's file: read once, appended to, replaced as a whole. It knows no event.

use super::{JournalError, Line};
use snooze_service_runtime::whole_file::{self, Durability};
use std::{
    fs::{self, OpenOptions},
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// After so many lines it is written anew.
const LINES_LIMIT: usize = 20_000;
/// What cannot be read is set aside up to here: it is for a person to look at, and nobody may come for long.
const ASIDE_BYTES: u64 = 4 * 1024 * 1024;

/// The file, open for writing.
#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    file: fs::File,
    /// How far it is good: up to the end of the last line that was written and synced.
    length: u64,
    lines: usize,
}

/// Makes a folder that only its owner may look into.
pub(super) fn private_folder(path: &Path) -> Result<(), JournalError> {
    whole_file::private_folder(path).map_err(|source| JournalError::Folder {
        path: path.to_owned(),
        source,
    })
}

/// Reads what is there, line by line, sets aside what is no line of ours, and says how many those were. An end without
/// a line's end is a write that was cut off, of which nobody was told.
pub(super) fn read(path: &Path, most_bytes: u64, mut take: impl FnMut(Line)) -> Result<usize, JournalError> {
    let failed = |source| JournalError::Read {
        path: path.to_owned(),
        source,
    };
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(source) => return Err(failed(source)),
    };
    let mut reader = BufReader::new(file.take(most_bytes));
    let (mut line, mut aside) = (Vec::new(), Vec::new());
    let mut unreadable = 0;
    while reader.read_until(b'\n', &mut line).map_err(failed)? > 0 {
        match serde_json::from_slice(&line) {
            Ok(said) => take(said),
            Err(_) if line.last() != Some(&b'\n') => {
                tracing::info!(journal = %path.display(), "the last line of the journal of events was cut off and is dropped");
            }
            Err(_) => {
                unreadable += 1;
                aside.append(&mut line);
            }
        }
        line.clear();
    }
    set_aside(path, &aside)?;
    Ok(unreadable)
}

/// Sets lines of ours aside, for a person to look at.
pub(super) fn set_aside_lines(path: &Path, lines: &[Line]) -> Result<(), JournalError> {
    let text = text_of(lines).map_err(|source| JournalError::Write {
        path: path.to_owned(),
        source,
    })?;
    set_aside(path, &text)
}

fn set_aside(path: &Path, lines: &[u8]) -> Result<(), JournalError> {
    if lines.is_empty() {
        return Ok(());
    }
    let beside = path.with_extension("unreadable");
    let attempt = || -> io::Result<()> {
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&beside)?;
        let room = ASIDE_BYTES.saturating_sub(file.metadata()?.len());
        let room = usize::try_from(room).unwrap_or(usize::MAX).min(lines.len());
        file.write_all(&lines[..room])?;
        file.sync_all()
    };
    attempt().map_err(|source| JournalError::Write {
        path: beside.clone(),
        source,
    })
}

impl File {
    /// Begins a file that says this, in the place of the one that is there.
    pub(super) fn write_anew(path: PathBuf, lines: &[Line]) -> Result<File, JournalError> {
        let attempt = || -> io::Result<(fs::File, u64)> {
            let text = text_of(lines)?;
            let file = whole_file::replace(&path, &text, Durability::Synced)?;
            Ok((file, u64::try_from(text.len()).unwrap_or(u64::MAX)))
        };
        match attempt() {
            Ok((file, length)) => Ok(File {
                file,
                length,
                lines: lines.len(),
                path,
            }),
            Err(source) => Err(JournalError::Write { path, source }),
        }
    }

    /// Whether it is time to write it anew.
    pub(super) fn is_long(&self) -> bool {
        self.lines > LINES_LIMIT
    }

    /// From now on nothing can be appended.
    #[cfg(test)]
    pub(super) fn take_no_more(&mut self) {
        self.file = fs::File::open(&self.path).expect("it is there");
    }

    /// Writes it anew.
    pub(super) fn replace(&mut self, lines: &[Line]) -> Result<(), JournalError> {
        *self = File::write_anew(self.path.clone(), lines)?;
        Ok(())
    }

    /// Appends lines and syncs them.
    pub(super) fn append(&mut self, lines: &[Line]) -> Result<(), JournalError> {
        let mut attempt = || -> io::Result<u64> {
            let text = text_of(lines)?;
            // A write that failed may have left a part of its line, and the next would be lost with it.
            if self.file.metadata()?.len() != self.length {
                self.file.set_len(self.length)?;
            }
            self.file.write_all(&text)?;
            self.file.sync_data()?;
            Ok(u64::try_from(text.len()).unwrap_or(u64::MAX))
        };
        match attempt() {
            Ok(written) => {
                self.length += written;
                self.lines += lines.len();
                Ok(())
            }
            Err(source) => Err(JournalError::Write {
                path: self.path.clone(),
                source,
            }),
        }
    }
}

fn text_of(lines: &[Line]) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut text, line)?;
        text.push(b'\n');
    }
    Ok(text)
}
