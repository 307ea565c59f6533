//! The folders in which a change may make a difference, those that matter most first.
//!
//! It watches none. One plugin has a bounded part of them, so that it leaves room for the others.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// So many of one plugin: an eighth of all that are watched.
pub(super) const OF_ONE: usize = 128;

/// Folders, each once.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// Those of an operator, in which plugins come and go.
    own: BTreeSet<PathBuf>,
    /// Those of plugins, in the order in which they were found.
    of_plugins: Vec<PathBuf>,
    is_cut: bool,
}

impl Places {
    /// Adds one of an operator's.
    pub(crate) fn add(&mut self, folder: PathBuf) {
        self.own.insert(folder);
    }

    /// Adds those of one plugin, as many as one may have.
    pub(crate) fn add_of_one(&mut self, folders: impl IntoIterator<Item = PathBuf>) {
        let mut folders = folders.into_iter();
        self.of_plugins.extend(folders.by_ref().take(OF_ONE));
        self.is_cut |= folders.next().is_some();
    }

    /// All of them, in order.
    pub(crate) fn in_order(&self) -> Vec<&Path> {
        let mut seen = BTreeSet::new();
        let all = self.own.iter().chain(&self.of_plugins);
        all.map(PathBuf::as_path)
            .filter(|folder| seen.insert(*folder))
            .collect()
    }

    /// Whether one plugin has more than it may.
    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn many(name: &str) -> impl Iterator<Item = PathBuf> {
        (0..1000).map(move |number| format!("/{name}/{number}").into())
    }

    #[test]
    fn t3_no_plugin_crowds_out_an_operators_folders_or_another_plugin() {
        let mut places = Places::default();
        places.add_of_one(["/b/0".into()]);
        assert!(!places.is_cut());
        places.add_of_one(many("a"));
        places.add_of_one(many("b"));
        places.add("/z".into());
        let order = places.in_order();
        assert_eq!(order[0], Path::new("/z"));
        assert_eq!(order[1], Path::new("/b/0"));
        assert_eq!(
            order.iter().filter(|folder| folder.starts_with("/a")).count(),
            OF_ONE
        );
        assert_eq!(
            order.iter().filter(|folder| folder.starts_with("/b")).count(),
            OF_ONE
        );
        assert!(places.is_cut());
    }
}
