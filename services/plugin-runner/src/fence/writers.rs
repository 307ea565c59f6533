//! Which plugin could ever write where: what another finds there may be that one's doing.
//!
//! It writes no file but its own, and takes nothing back: what a plugin made that was removed, or that may write there
//! no more, may be there still, also after the runner began anew. It grows by what an administrator approves, and has an end.
//! What of it is of plugins that are gone nobody but an administrator can tell to be clean.

use super::{
    others::{Looks, Others},
    resolve::Places,
};
use crate::files::{self, Durability, FileError};
use snooze_schemas::PluginName;
use snooze_service_runtime::exit::one_line;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// So long all paths are together, some two thousand of them: all are told to each process that becomes a plugin.
const LIMIT: usize = 64 << 10;

/// What each plugin was granted to write.
#[derive(Debug, Clone, Default)]
pub struct Writers(Arc<Mutex<Held>>, Looks);

#[derive(Debug, Default)]
struct Held {
    /// Where it is kept; nowhere for one that hosts a plugin for a moment.
    file: Option<PathBuf>,
    paths: BTreeMap<PluginName, BTreeSet<PathBuf>>,
    /// Whether there is more than the file says.
    is_more: bool,
}

impl Writers {
    /// Reads what earlier runners noted, and keeps on noting there.
    ///
    /// # Errors
    /// When there is such a file and it is of no use: then nobody could tell whose a link is.
    pub(crate) fn open(file: PathBuf) -> Result<Writers, FileError> {
        let held = Held {
            paths: files::read(&file)?.unwrap_or_default(),
            file: Some(file),
            is_more: false,
        };
        Ok(Writers(Arc::new(Mutex::new(held)), Looks::default()))
    }

    /// Takes note of what a plugin may write, where there is room for it.
    ///
    /// # Errors
    /// That there is none, and what to do: a plugin whose places nobody knows is not to be started.
    pub(crate) fn note(&self, plugin: &PluginName, paths: &BTreeSet<PathBuf>) -> Result<(), String> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let noted = held.paths.get(plugin);
        let is_new = |path: &&PathBuf| noted.is_none_or(|noted| !noted.contains(*path));
        let new: Vec<PathBuf> = paths.iter().filter(is_new).cloned().collect();
        if new.is_empty() {
            return Ok(());
        }
        let all = held.paths.values().flatten().chain(&new);
        let bytes: usize = all.map(|path| path.as_os_str().len()).sum();
        if bytes > LIMIT {
            let file = held.file.as_deref().unwrap_or(Path::new("writers.json"));
            return Err(format!(
                "where plugins may write, or once could, is longer than {LIMIT} bytes: it cannot be kept where this one \
                 may; stop the runner, and take the lines of plugins that are gone out of {}",
                file.display()
            ));
        }
        held.paths.entry(plugin.clone()).or_default().extend(new);
        held.is_more = true;
        Ok(())
    }

    /// Writes down what was noted since it was last written. Waits for the disk, and nobody waits for it.
    pub(crate) fn keep(&self) {
        let held = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, paths) = {
            let held = held();
            let Some(file) = held.file.clone().filter(|_| held.is_more) else {
                return;
            };
            (file, held.paths.clone())
        };
        match files::replace(&file, &paths, Durability::Synced) {
            Ok(()) => {
                let mut held = held();
                held.is_more = held.paths != paths;
            }
            // It is tried again at the next look.
            Err(error) => tracing::error!(
                error = one_line(&error),
                "it cannot be kept where plugins may write; after the next start their links there may be followed"
            ),
        }
    }

    /// What this plugin could ever write.
    pub(super) fn of(&self, plugin: &PluginName) -> BTreeSet<PathBuf> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.paths.get(plugin).cloned().unwrap_or_default()
    }

    /// What all plugins but this one could ever write.
    pub(super) fn beside(&self, plugin: &PluginName) -> BTreeSet<PathBuf> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let others = held.paths.iter().filter(|(name, _)| *name != plugin);
        others.flat_map(|(_, paths)| paths).cloned().collect()
    }
}

impl Writers {
    /// What is at the ends of what all but this one could ever write, whose working folder this is. It blocks for a
    /// moment.
    pub(crate) fn others(&self, plugin: &PluginName, granted: &BTreeSet<PathBuf>, home: &Path) -> Others {
        let beside: Vec<PathBuf> = self.beside(plugin).into_iter().collect();
        if beside.is_empty() {
            return Others::default();
        }
        let own = self.of(plugin);
        let places = Places::named(own.union(granted), &beside, home);
        self.1.find(beside, places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> PluginName {
        text.parse().expect("a name")
    }

    fn paths(paths: &[&str]) -> BTreeSet<PathBuf> {
        paths.iter().map(PathBuf::from).collect()
    }

    fn note(writers: &Writers, plugin: &str, written: &[&str]) {
        writers
            .note(&name(plugin), &paths(written))
            .expect("there is room");
    }

    #[test]
    fn i4_it_has_an_end_and_who_does_not_fit_is_not_noted_in_part() {
        let writers = Writers::default();
        let long = format!("/{}", "a".repeat(LIMIT - 2));
        note(&writers, "a", &[&long]);
        let why = writers
            .note(&name("b"), &paths(&["/", "/b"]))
            .expect_err("it is full");
        assert!(why.contains("out of writers.json"), "{why}");
        assert_eq!(writers.of(&name("b")), paths(&[]));
        note(&writers, "a", &[&long]);
        note(&writers, "b", &["/"]);
    }

    #[test]
    fn what_others_could_ever_write_is_told_and_not_ones_own() {
        let writers = Writers::default();
        note(&writers, "a", &["/a", "/both"]);
        note(&writers.clone(), "b", &["/b", "/both"]);
        note(&writers, "a", &[]);
        writers.keep();
        assert_eq!(writers.of(&name("a")), paths(&["/a", "/both"]));
        assert_eq!(writers.of(&name("c")), paths(&[]));
        assert_eq!(writers.beside(&name("a")), paths(&["/b", "/both"]));
        assert_eq!(writers.beside(&name("b")), paths(&["/a", "/both"]));
    }

    #[test]
    fn i4_where_one_could_write_is_known_over_restarts_and_after_a_disk_was_full() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("below/writers.json");
        let writers = Writers::open(file.clone()).expect("there is none");
        note(&writers, "a", &["/a"]);
        // There is no such folder yet.
        writers.keep();
        std::fs::create_dir(folder.path().join("below")).expect("makes");
        note(&writers, "a", &["/a"]);
        writers.keep();
        let again = Writers::open(file).expect("it is in order");
        assert_eq!(again.beside(&name("b")), paths(&["/a"]));
        assert_eq!(again.beside(&name("a")), paths(&[]));
    }

    #[test]
    fn i4_a_spoiled_list_is_an_error_and_not_an_empty_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("writers.json");
        std::fs::write(&file, "{").expect("writes");
        assert!(Writers::open(file).is_err());
    }
}
