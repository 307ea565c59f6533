//! Where packages lie on the disk, and why those are not there that should be.
//!
//! It fetches nothing. What is on it was unpacked whole, and bears the digest that it is known by in its path.

use crate::{manifest::FILE, policy::PolicyInForce};
use snooze_schemas::{PluginName, plugin::approval::Installed};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// The packages of this host.
#[derive(Debug)]
pub(crate) struct Shelf {
    folder: PathBuf,
    failures: Mutex<BTreeMap<PluginName, String>>,
    /// Counts what arrived or failed for another reason.
    news: watch::Sender<u64>,
}

/// The packages that the policy wants to be here.
pub(crate) fn installed(policy: &PolicyInForce) -> BTreeMap<PluginName, Installed> {
    let layers = policy.plugins.iter();
    let installed = layers.filter_map(|(name, layer)| Some((name.clone(), layer.installed.clone()?)));
    installed.collect()
}

impl Shelf {
    /// The one in this folder.
    #[must_use]
    pub(crate) fn new(folder: PathBuf) -> Shelf {
        Shelf {
            folder,
            failures: Mutex::default(),
            news: watch::Sender::new(0),
        }
    }

    /// Says when something arrived, or could not be had for another reason.
    pub(crate) fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// The folder of plugins that a package is; nothing where its digest is none, which is no part of a path then.
    pub(crate) fn place(&self, name: &PluginName, package: &Installed) -> Option<PathBuf> {
        let sha256 = &package.sha256;
        let is_digest = sha256.len() == 64
            && sha256
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        is_digest.then(|| self.folder.join(name.as_str()).join(sha256))
    }

    /// Whether a package is here.
    pub(crate) fn has(&self, name: &PluginName, package: &Installed) -> bool {
        self.place(name, package)
            .is_some_and(|place| place.join(name.as_str()).join(FILE).is_file())
    }

    /// Why a package is not here.
    pub(crate) fn why_not(&self, name: &PluginName, package: &Installed) -> String {
        let version = &package.version;
        match self.failures().get(name) {
            Some(why) => format!("its package, version {version}, is not here: {why}"),
            None => format!("its package, version {version}, is not here yet"),
        }
    }

    pub(super) fn arrived(&self, name: &PluginName) {
        self.failures().remove(name);
        self.news.send_modify(|news| *news += 1);
    }

    pub(super) fn failed(&self, name: &PluginName, why: String) {
        let before = self.failures().insert(name.clone(), why.clone());
        if before != Some(why) {
            self.news.send_modify(|news| *news += 1);
        }
    }

    pub(super) fn forget_all_but(&self, wanted: &BTreeMap<PluginName, Installed>) {
        self.failures().retain(|name, _| wanted.contains_key(name));
    }

    /// Removes what is not wanted and not used.
    pub(super) fn tidy(&self, wanted: &BTreeMap<PluginName, Installed>, used: &[PathBuf]) {
        let kept: Vec<PathBuf> = wanted
            .iter()
            .filter_map(|(name, package)| self.place(name, package))
            .collect();
        for of_plugin in entries_of(&self.folder) {
            for place in entries_of(&of_plugin) {
                let real = fs::canonicalize(&place).unwrap_or_else(|_| place.clone());
                let is_used = used.iter().any(|path| path.starts_with(&real));
                if kept.contains(&place) || is_used {
                    continue;
                }
                tracing::info!(folder = %place.display(), "a package that nobody wants is removed");
                if let Err(error) = fs::remove_dir_all(&place) {
                    tracing::warn!(folder = %place.display(), %error, "a package that nobody wants is still there");
                }
            }
            // Refused where something is left in it.
            drop(fs::remove_dir(&of_plugin));
        }
    }

    fn failures(&self) -> MutexGuard<'_, BTreeMap<PluginName, String>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn entries_of(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_that_is_none_is_no_part_of_a_path() {
        let shelf = Shelf::new("/packages".into());
        let place = |sha256: &str| {
            let package = Installed {
                version: "1.0.0".to_owned(),
                sha256: sha256.to_owned(),
            };
            shelf.place(&"redis".parse().expect("a name"), &package)
        };
        let digest = "0a".repeat(32);
        assert_eq!(place(&digest), Some(Path::new("/packages/redis").join(&digest)));
        for other in ["", "..", "../../etc", &"0A".repeat(32), &"0a".repeat(33)] {
            assert_eq!(place(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_not_wanted_is_removed_unless_somebody_runs_from_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let shelf = Shelf::new(folder.path().to_owned());
        let package = |digit: &str| Installed {
            version: "1.0.0".to_owned(),
            sha256: digit.repeat(64),
        };
        let name: PluginName = "redis".parse().expect("a name");
        let place = |digit: &str| shelf.place(&name, &package(digit)).expect("a digest");
        for digit in ["1", "2", "3"] {
            fs::create_dir_all(place(digit).join("redis")).expect("makes");
        }
        let wanted = [(name.clone(), package("1"))].into();
        let real = fs::canonicalize(place("2")).expect("it is there");
        shelf.tidy(&wanted, &[real.join("redis/run")]);
        assert_eq!(
            ["1", "2", "3"].map(|digit| place(digit).is_dir()),
            [true, true, false]
        );
        shelf.tidy(&BTreeMap::new(), &[]);
        assert_eq!(entries_of(folder.path()), Vec::<PathBuf>::new());
    }
}
