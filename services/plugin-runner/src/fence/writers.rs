//! Which plugin could ever write where: what another finds there may be that one's doing.
//!
//! It looks at no file but its own, and takes nothing back: what a plugin made that was removed, or that may write there
//! no more, may be there still, also after the runner began anew. It grows by what an administrator approves.

use crate::files::{self, Durability, FileError};
use snooze_schemas::PluginName;
use snooze_service_runtime::exit::one_line;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

/// What each plugin was granted to write.
#[derive(Debug, Clone, Default)]
pub struct Writers(Arc<Mutex<Held>>);

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
        Ok(Writers(Arc::new(Mutex::new(held))))
    }

    /// Takes note of what a plugin may write.
    pub(crate) fn note(&self, plugin: &PluginName, paths: &BTreeSet<PathBuf>) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let noted = held.paths.entry(plugin.clone()).or_default();
        let before = noted.len();
        noted.extend(paths.iter().cloned());
        let is_more = noted.len() > before;
        held.is_more |= is_more;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> PluginName {
        text.parse().expect("a name")
    }

    fn paths(paths: &[&str]) -> BTreeSet<PathBuf> {
        paths.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn what_others_could_ever_write_is_told_and_not_ones_own() {
        let writers = Writers::default();
        writers.note(&name("a"), &paths(&["/a", "/both"]));
        writers.clone().note(&name("b"), &paths(&["/b", "/both"]));
        writers.note(&name("a"), &paths(&[]));
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
        writers.note(&name("a"), &paths(&["/a"]));
        // There is no such folder yet.
        writers.keep();
        std::fs::create_dir(folder.path().join("below")).expect("makes");
        writers.note(&name("a"), &paths(&["/a"]));
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
