//! The SHA-256 of files, each read again only where it is not surely the same as before.
//!
//! It believes nothing that is written about a file; before a start the file itself is read.

use crate::{file_identity::FileIdentity, manifest::sha256_of};
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// So many are remembered; there are two for each plugin at most.
const LIMIT: usize = 1024;

/// What is known of files.
#[derive(Debug, Default)]
pub(crate) struct Digests {
    known: Mutex<BTreeMap<PathBuf, (FileIdentity, String)>>,
}

impl Digests {
    /// That of a file as it is now. It reads the disk: nothing for the loop.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn of(&self, path: &Path) -> io::Result<String> {
        let identity = FileIdentity::of(path);
        if let Some((known, digest)) = self.known().get(path)
            && identity == Some(*known)
        {
            return Ok(digest.clone());
        }
        let digest = sha256_of(path)?;
        // What changed while it was read is not what was read.
        if let Some(identity) = identity
            && FileIdentity::of(path) == Some(identity)
        {
            let mut known = self.known();
            if known.len() >= LIMIT {
                known.clear();
            }
            known.insert(path.to_owned(), (identity, digest.clone()));
        }
        Ok(digest)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, BTreeMap<PathBuf, (FileIdentity, String)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
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
}
