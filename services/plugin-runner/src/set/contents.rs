//! What a plugin consists of beside its entry point and its manifest: the files whose change makes another plugin of it.
//!
//! It reads no contents. What a plugin may write by its grant is its data and no part of it; what it writes all the same,
//! where nothing fences it, is told from its code by nobody, so that who asks bounds how often it counts.

use crate::{discovery::Found, file_identity::FileIdentity, manifest::FILE};
use snooze_schemas::plugin::permissions::Permissions;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt, fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
};

/// So many files are looked at in a folder whose manifest names none. One that holds more, as with all the packages of
/// an interpreter in it, is known by its entry point and its manifest alone.
const FILES: usize = 512;

/// So many names are read for that, those that do not matter among them.
const NAMES: usize = 4096;

/// So deep below the plugin's own folder.
const DEPTH: usize = 8;

/// What builds and interpreters leave beside the code of a plugin. An entry point in one of them counts all the same.
const LEFT_BEHIND: [&str; 3] = ["__pycache__", "node_modules", "target"];

/// The files of a plugin, as they are now.
#[derive(Clone, PartialEq, Default)]
pub(crate) struct Contents {
    files: BTreeMap<PathBuf, Option<FileIdentity>>,
    /// Where they lie.
    folders: BTreeSet<PathBuf>,
}

impl fmt::Debug for Contents {
    /// Short: it is a part of the terms by which a plugin votes. Equal files are equal texts.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut hasher = DefaultHasher::new();
        self.files.hash(&mut hasher);
        write!(out, "{} files {:016x}", self.files.len(), hasher.finish())
    }
}

impl Contents {
    /// Those that the manifest states a checksum of; where it states none, every file of its folder but what is hidden,
    /// a cache, or written by the plugin. A plugin that is one file has none. It reads the disk: nothing for the loop.
    pub(crate) fn of(found: &Found, granted: &Permissions) -> Contents {
        let Some(manifest) = &found.manifest else {
            return Contents::default();
        };
        let Ok(folder) = fs::canonicalize(manifest.folder()) else {
            return Contents::default();
        };
        let checksums = &manifest.stated().checksums;
        if checksums.is_empty() {
            let written = granted.write.iter();
            let written = written.map(|path| fs::canonicalize(path).unwrap_or_else(|_| path.clone()));
            let own = [found.path.clone(), folder.join(FILE)];
            let search = Search {
                passed_over: written.chain(own).collect(),
                names: 0,
                contents: Contents::default(),
            };
            return search.through(&folder).unwrap_or_default();
        }
        let mut contents = Contents::default();
        for path in checksums.keys() {
            let path = folder.join(path);
            contents.folders.extend(path.parent().map(ToOwned::to_owned));
            if path != found.path {
                contents.take(path);
            }
        }
        contents
    }

    fn take(&mut self, path: PathBuf) {
        let identity = FileIdentity::of(&path);
        self.files.insert(path, identity);
    }

    /// Of this file alone, which is nowhere.
    #[cfg(test)]
    pub(super) fn made_up(file: &str) -> Contents {
        Contents {
            files: [(file.into(), None)].into(),
            folders: BTreeSet::new(),
        }
    }

    /// The folders in which they lie.
    pub(crate) fn folders(&self) -> impl Iterator<Item = &PathBuf> {
        self.folders.iter()
    }

    /// One of the files that are others than before, came or went.
    pub(crate) fn differs<'a>(&'a self, before: &'a Contents) -> Option<&'a Path> {
        let mut paths = self.files.keys().chain(before.files.keys());
        let differs = |path: &&PathBuf| self.files.get(*path) != before.files.get(*path);
        paths.find(differs).map(PathBuf::as_path)
    }
}

/// A folder and those below it, of a plugin that is not run, and whether these are all: a mend may come in any of them,
/// also where no code of a plugin that runs is looked for, as a checksum may name a file there.
pub(crate) fn folders_below(folder: &Path) -> (BTreeSet<PathBuf>, bool) {
    let (mut folders, mut names) = (BTreeSet::new(), 0);
    // What is next to the manifest goes before what is deep below it.
    let mut ahead = VecDeque::from([folder.to_owned()]);
    while let Some(folder) = ahead.pop_front() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            names += 1;
            if names > NAMES {
                folders.insert(folder);
                return (folders, false);
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                ahead.push_back(entry.path());
            }
        }
        folders.insert(folder);
    }
    (folders, true)
}

/// A walk through a folder.
struct Search {
    /// Neither these nor what is below them.
    passed_over: BTreeSet<PathBuf>,
    names: usize,
    contents: Contents,
}

impl Search {
    /// Nothing where it is too large to be looked through: which of its files would be left out would depend on chance.
    fn through(mut self, folder: &Path) -> Option<Contents> {
        let mut ahead = vec![(folder.to_owned(), 0)];
        while let Some((folder, depth)) = ahead.pop() {
            if self.is_passed_over(&folder) {
                continue;
            }
            // One that cannot be read has no files to be seen.
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                self.names += 1;
                if self.names > NAMES {
                    return None;
                }
                let (name, path) = (entry.file_name(), entry.path());
                if name.as_encoded_bytes().starts_with(b".") || LEFT_BEHIND.iter().any(|left| name == *left) {
                    continue;
                }
                // A folder at the end of a link is none of it: it may lead round in a circle.
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    if depth == DEPTH {
                        return None;
                    }
                    ahead.push((path, depth + 1));
                } else if fs::metadata(&path).is_ok_and(|kind| kind.is_file()) && !self.is_passed_over(&path)
                {
                    self.contents.take(path);
                }
            }
            if self.contents.files.len() > FILES {
                return None;
            }
            self.contents.folders.insert(folder);
        }
        Some(self.contents)
    }

    fn is_passed_over(&self, path: &Path) -> bool {
        path.ancestors().any(|above| self.passed_over.contains(above))
    }
}

#[cfg(test)]
mod tests;
