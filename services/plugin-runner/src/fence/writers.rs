//! Which plugin may write where: what another finds there may be that one's doing.
//!
//! It looks at no file, and takes nothing back.

use snooze_schemas::PluginName;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

/// What each plugin was granted to write, for as long as the runner runs: what one made that was removed, or that
/// may write there no more, may be there still.
#[derive(Debug, Clone, Default)]
pub struct Writers(Arc<Mutex<BTreeMap<PluginName, BTreeSet<PathBuf>>>>);

impl Writers {
    /// Takes note of what a plugin may write.
    pub(crate) fn note(&self, plugin: &PluginName, paths: &BTreeSet<PathBuf>) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.entry(plugin.clone())
            .or_default()
            .extend(paths.iter().cloned());
    }

    /// What all plugins but this one may write.
    pub(super) fn beside(&self, plugin: &PluginName) -> BTreeSet<PathBuf> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let others = held.iter().filter(|(name, _)| *name != plugin);
        others.flat_map(|(_, paths)| paths).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_could_ever_write_is_told_and_not_ones_own() {
        let name = |text: &str| text.parse::<PluginName>().expect("a name");
        let paths = |paths: &[&str]| paths.iter().map(PathBuf::from).collect::<BTreeSet<_>>();
        let writers = Writers::default();
        writers.note(&name("a"), &paths(&["/a", "/both"]));
        writers.clone().note(&name("b"), &paths(&["/b", "/both"]));
        writers.note(&name("a"), &paths(&[]));
        assert_eq!(writers.beside(&name("a")), paths(&["/b", "/both"]));
        assert_eq!(writers.beside(&name("b")), paths(&["/a", "/both"]));
    }
}
