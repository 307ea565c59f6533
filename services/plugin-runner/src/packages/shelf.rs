//! Where packages lie on the disk, and why those are not there that should be.
//!
//! It fetches nothing. What is on it was unpacked whole, bears the digest that it is known by in its path, and is
//! compared with what was unpacked before it is used.

use super::standing::{self, Standing};
use crate::policy::PolicyInForce;
use snooze_schemas::{PluginName, plugin::approval::Installed};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// The packages of this host.
#[derive(Debug)]
pub(crate) struct Shelf {
    folder: PathBuf,
    notes: Mutex<Notes>,
    /// Counts what arrived, failed for another reason, or was found to be damaged.
    news: watch::Sender<u64>,
}

/// What is known of the packages.
#[derive(Debug, Default)]
struct Notes {
    /// Why some could not be fetched.
    failures: BTreeMap<PluginName, String>,
    /// How those were that have been looked at, by where they lie.
    seen: BTreeMap<PathBuf, Seen>,
}

/// How one was.
#[derive(Debug)]
struct Seen {
    standing: Standing,
    mark: Option<String>,
}

/// A package that a plugin was unpacked from.
#[derive(Debug, Clone)]
pub(crate) struct Shelved {
    /// Where it lies.
    pub shelf: Arc<Shelf>,
    /// Whose it is.
    pub name: PluginName,
    /// Which it is.
    pub package: Installed,
}

impl Shelved {
    /// Reads all of its files, whatever is known of them.
    ///
    /// # Errors
    /// Why it is not to be run as it is, and whether that is known.
    pub(crate) fn compare(&self) -> Result<(), (String, Standing)> {
        let standing = self.shelf.read_anew(&self.name, &self.package);
        match standing {
            Standing::Here => Ok(()),
            _ => Err((self.shelf.why_not(&self.name, &self.package, &standing), standing)),
        }
    }
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
            notes: Mutex::default(),
            news: watch::Sender::new(0),
        }
    }

    /// Says when something arrived, could not be had for another reason, or was found to be damaged.
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

    /// How a package stands. It reads the disk: nothing for the loop.
    pub(crate) fn standing(&self, name: &PluginName, package: &Installed) -> Standing {
        let Some(place) = self.place(name, package) else {
            return Standing::Absent;
        };
        let last = self.notes().seen.get(&place).and_then(|seen| seen.mark.clone());
        let (standing, mark) = standing::look(&place, last.as_deref());
        self.note(place, standing, mark)
    }

    /// The same, and reads all of its files.
    fn read_anew(&self, name: &PluginName, package: &Installed) -> Standing {
        let Some(place) = self.place(name, package) else {
            return Standing::Absent;
        };
        let (standing, mark) = standing::look(&place, None);
        self.note(place, standing, mark)
    }

    /// Whoever fetches hears of what has become of one that was here.
    fn note(&self, place: PathBuf, standing: Standing, mark: Option<String>) -> Standing {
        let is_lost = matches!(standing, Standing::Absent | Standing::Damaged(_));
        let seen = Seen {
            standing: standing.clone(),
            mark,
        };
        let before = self.notes().seen.insert(place, seen);
        if is_lost && before.is_some_and(|before| before.standing != standing) {
            self.tell();
        }
        standing
    }

    /// Why a package is not used.
    pub(crate) fn why_not(&self, name: &PluginName, package: &Installed, standing: &Standing) -> String {
        let version = &package.version;
        let failure = self.notes().failures.get(name).cloned();
        let failed = failure.map(|why| format!(": {why}")).unwrap_or_default();
        match standing {
            Standing::Damaged(how) => format!(
                "its installed files are not those of its package, version {version} ({how}); they are fetched again{failed}"
            ),
            Standing::Unread(why) => {
                format!(
                    "the files of its package, version {version}, cannot be read: {why}; they are looked at again"
                )
            }
            Standing::Absent | Standing::Here if failed.is_empty() => {
                format!("its package, version {version}, is not here yet")
            }
            Standing::Absent | Standing::Here => {
                format!("its package, version {version}, is not here{failed}")
            }
        }
    }

    pub(super) fn arrived(&self, name: &PluginName) {
        self.notes().failures.remove(name);
        self.tell();
    }

    pub(super) fn failed(&self, name: &PluginName, why: String) {
        let before = self.notes().failures.insert(name.clone(), why.clone());
        if before != Some(why) {
            self.tell();
        }
    }

    fn tell(&self) {
        self.news.send_modify(|news| *news += 1);
    }

    pub(super) fn forget_all_but(&self, wanted: &BTreeMap<PluginName, Installed>) {
        let places: Vec<_> = wanted
            .iter()
            .filter_map(|(name, package)| self.place(name, package))
            .collect();
        let mut notes = self.notes();
        notes.failures.retain(|name, _| wanted.contains_key(name));
        notes.seen.retain(|place, _| places.contains(place));
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
                let removed = match place.is_dir() && !place.is_symlink() {
                    true => fs::remove_dir_all(&place),
                    false => fs::remove_file(&place),
                };
                if let Err(error) = removed {
                    tracing::warn!(folder = %place.display(), %error, "a package that nobody wants is still there");
                }
            }
            // Refused where something is left in it.
            drop(fs::remove_dir(&of_plugin));
        }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn entries_of(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

#[cfg(test)]
mod tests;
