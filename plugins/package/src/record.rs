//! What was unpacked of a package, written down beside it, so that it can be compared later.
//!
//! What was added since is damage as well: an interpreter takes a module that lies beside its script for the one that
//! was meant. Only what is hidden and what Python leaves there may come and go. It changes nothing.

use crate::{
    Damage, UNPACKED_LIMIT,
    unpack::{FOLDER_MODE, mode_of},
};
use serde::{Deserialize, Serialize};
use snooze_service_runtime::opening::open_file;
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs::{self, Metadata},
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// What the record is called, in the folder that the package was unpacked into. No plugin has such a name.
pub(crate) const FILE: &str = ".package.json";

/// Where Python keeps what it has made of its modules.
const CACHE: &str = "__pycache__";

/// What of a mode says who may do what.
const MODE: u32 = 0o7777;

/// What was unpacked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Record {
    folders: BTreeSet<String>,
    files: BTreeMap<String, Recorded>,
}

/// A file that was unpacked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Recorded {
    sha256: String,
    executable: bool,
}

impl Record {
    /// Reads that of a folder into which a package was [`install`](crate::install)ed.
    ///
    /// # Errors
    /// When there is none, or it is none any more.
    pub fn read(into: &Path) -> Result<Record, Damage> {
        let path = into.join(FILE);
        let mut bytes = Vec::new();
        is_a(Kind::File, &path)?;
        open_file(&path)
            .and_then(|file| file.take(UNPACKED_LIMIT).read_to_end(&mut bytes))
            .map_err(|error| Damage::of(&path, error))?;
        serde_json::from_slice(&bytes).map_err(|_| Damage::OtherContents(path))
    }

    /// The folder, where it lies itself in it, and all that was unpacked.
    pub fn paths<'a>(&'a self, into: &'a Path) -> impl Iterator<Item = PathBuf> + 'a {
        let unpacked = self.folders.iter().chain(self.files.keys());
        let unpacked = unpacked.map(|below| into.join(below));
        [into.to_owned(), into.join(FILE)].into_iter().chain(unpacked)
    }

    /// Compares what lies there with what was unpacked; a file's SHA-256 is had from `digest`.
    ///
    /// # Errors
    /// What differs first.
    pub fn compare(&self, into: &Path, digest: impl Fn(&Path) -> io::Result<String>) -> Result<(), Damage> {
        self.nothing_more(into, "")?;
        for below in &self.folders {
            found(&into.join(below), Kind::Folder, FOLDER_MODE)?;
            self.nothing_more(into, below)?;
        }
        for (below, recorded) in &self.files {
            let path = into.join(below);
            found(&path, Kind::File, mode_of(recorded.executable))?;
            let sha256 = digest(&path).map_err(|error| Damage::of(&path, error))?;
            if sha256 != recorded.sha256 {
                return Err(Damage::OtherContents(path));
            }
        }
        Ok(())
    }

    /// Whether only what was unpacked lies in a folder.
    fn nothing_more(&self, into: &Path, below: &str) -> Result<(), Damage> {
        let folder = into.join(below);
        let unread = |error| Damage::of(&folder, error);
        for entry in fs::read_dir(&folder).map_err(unread)? {
            let name = entry.map_err(unread)?.file_name();
            let is_known = |name: &str| {
                let path = if below.is_empty() {
                    name.to_owned()
                } else {
                    format!("{below}/{name}")
                };
                self.folders.contains(&path) || self.files.contains_key(&path)
            };
            if !may_come_and_go(&name) && !name.to_str().is_some_and(is_known) {
                return Err(Damage::Added(folder.join(name)));
            }
        }
        Ok(())
    }

    pub(crate) fn add_folder(&mut self, below: String) {
        self.folders.insert(below);
    }

    pub(crate) fn add_file(&mut self, below: String, sha256: String, executable: bool) {
        self.files.insert(below, Recorded { sha256, executable });
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("names and numbers are JSON")
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Folder,
    File,
}

fn may_come_and_go(name: &OsStr) -> bool {
    name == CACHE || name.as_encoded_bytes().starts_with(b".")
}

/// Whether something of this kind and mode lies there, and no link to one.
fn found(path: &Path, kind: Kind, mode: u32) -> Result<(), Damage> {
    if is_a(kind, path)?.permissions().mode() & MODE != mode {
        return Err(Damage::OtherMode(path.to_owned()));
    }
    Ok(())
}

/// The same of any mode.
fn is_a(kind: Kind, path: &Path) -> Result<Metadata, Damage> {
    let found = fs::symlink_metadata(path).map_err(|error| Damage::of(path, error))?;
    let is_that = match kind {
        Kind::Folder => found.is_dir(),
        Kind::File => found.is_file(),
    };
    if is_that {
        Ok(found)
    } else {
        Err(Damage::OtherKind(path.to_owned()))
    }
}
