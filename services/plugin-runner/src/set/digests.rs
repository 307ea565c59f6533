//! The SHA-256 of files, each read again only where it is not surely the same as before.
//!
//! It believes nothing that is written about a file; before a start the file itself is read.

use crate::{file_identity::FileIdentity, manifest::sha256_of};
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// So many that were asked for of late are remembered, and as many that were before: what two packages of the largest
/// kind state checksums of, some MiB.
const LIMIT: usize = 8192;

type Known = BTreeMap<PathBuf, (FileIdentity, String)>;

/// What is known of files.
#[derive(Debug, Default)]
pub(crate) struct Digests(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    lately: Known,
    /// Whatever of it is not asked for is forgotten when `lately` is full.
    before: Known,
}

impl Digests {
    /// That of a file as it is now. It reads the disk: nothing for the loop.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn of(&self, path: &Path) -> io::Result<String> {
        self.of_by(path, sha256_of)
    }

    fn of_by(&self, path: &Path, read: impl FnOnce(&Path) -> io::Result<String>) -> io::Result<String> {
        let identity = FileIdentity::of(path);
        let known = self.remembered().take(path);
        if let Some((known, digest)) = known
            && identity == Some(known)
        {
            self.remembered().note(path, (known, digest.clone()));
            return Ok(digest);
        }
        let digest = read(path)?;
        // What changed while it was read is not what was read.
        if let Some(identity) = identity
            && FileIdentity::of(path) == Some(identity)
        {
            self.remembered().note(path, (identity, digest.clone()));
        }
        Ok(digest)
    }

    /// Takes this for the digest of a file as it is now.
    #[cfg(test)]
    pub(super) fn believe(&self, path: &Path, digest: &str) {
        let identity = FileIdentity::of(path).expect("it is there");
        self.remembered().note(path, (identity, digest.to_owned()));
    }

    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remembered {
    fn take(&mut self, path: &Path) -> Option<(FileIdentity, String)> {
        self.lately.remove(path).or_else(|| self.before.remove(path))
    }

    fn note(&mut self, path: &Path, known: (FileIdentity, String)) {
        if self.lately.len() == LIMIT {
            self.before = std::mem::take(&mut self.lately);
        }
        self.lately.insert(path.to_owned(), known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_has_another_digest() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("run");
        let digests = Digests::default();
        std::fs::write(&path, "one").expect("writes");
        let one = digests.of(&path).expect("reads");
        assert_eq!(digests.of(&path).expect("reads"), one);
        std::fs::write(&path, "other").expect("writes");
        assert_ne!(digests.of(&path).expect("reads"), one);
        std::fs::remove_file(&path).expect("removes");
        assert!(digests.of(&path).is_err());
    }

    #[test]
    fn a_file_that_is_still_the_same_is_read_once_however_many_others_there_are() {
        let folder = tempfile::tempdir().expect("a folder");
        let paths: Vec<PathBuf> = (0..=LIMIT)
            .map(|number| folder.path().join(number.to_string()))
            .collect();
        let digests = Digests::default();
        let mut read = 0;
        for path in &paths {
            std::fs::write(path, "").expect("writes");
        }
        for path in paths.iter().chain(&paths) {
            let digest = digests.of_by(path, |_| {
                read += 1;
                Ok("made".to_owned())
            });
            assert_eq!(digest.expect("reads"), "made");
        }
        assert_eq!(read, paths.len());
        let held = digests.remembered();
        assert!(held.lately.len() <= LIMIT && held.before.len() <= LIMIT);
    }
}
