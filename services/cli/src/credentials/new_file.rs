//! A file that only its owner may read, and never over another one.

use snooze_service_runtime::{Exit, Failure};
use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// A file that was not there before. Dropped before it was kept, it is gone again.
#[derive(Debug)]
pub(super) struct NewFile {
    path: PathBuf,
    /// None once it was kept.
    file: Option<File>,
}

impl NewFile {
    /// Makes it, empty.
    pub(super) fn make(path: &Path) -> Result<NewFile, Failure> {
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path);
        let file = made.map_err(|error| failed(path, &error))?;
        Ok(NewFile {
            path: path.to_owned(),
            file: Some(file),
        })
    }

    /// Writes the text and keeps the file.
    pub(super) fn keep(mut self, text: &str) -> Result<PathBuf, Failure> {
        if let Some(file) = &mut self.file {
            let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
            written.map_err(|error| failed(&self.path, &error))?;
        }
        self.file = None;
        Ok(self.path.clone())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if self.file.is_some() {
            // Why nothing was kept is told already; an empty file that stays harms nobody.
            fs::remove_file(&self.path).ok();
        }
    }
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("write {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_kept_is_gone_and_what_is_there_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.creds");
        drop(NewFile::make(&path).expect("it is new"));
        assert!(!path.exists());
        let kept = NewFile::make(&path).expect("it is new again").keep("secret");
        assert_eq!(kept.expect("is written"), path);
        let again = NewFile::make(&path).map(|_| ()).expect_err("it is there");
        assert_eq!(again.exit, Exit::Failed);
        assert_eq!(fs::read_to_string(&path).expect("is there"), "secret");
    }
}
