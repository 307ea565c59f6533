//! Which plugins were here before, so that those are missed that are gone.
//!
//! A plugin that cannot be found has not left: somebody may have taken away its file, or the right to run it. It is
//! forgotten only where an operator says so, by switching it off or by configuring its folder no more.

use super::Cause;
use crate::{
    discovery::Found,
    files::{self, Durability, FileError},
    manifest,
};
use serde::{Deserialize, Serialize};
use snooze_schemas::PluginName;
use snooze_service_runtime::exit::one_line;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// The plugins that were here, and where.
#[derive(Debug, Default)]
pub(crate) struct Known {
    file: PathBuf,
    places: BTreeMap<PluginName, Place>,
    /// Whether the file says so too.
    is_kept: bool,
}

/// Where a plugin was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    /// The folder of plugins.
    folder: PathBuf,
    /// Its file or its own folder.
    path: PathBuf,
}

impl Known {
    /// Reads what an earlier runner knew.
    ///
    /// # Errors
    /// When there is such a file and it is of no use: then nobody could be missed.
    pub(crate) fn open(file: PathBuf) -> Result<Known, FileError> {
        let places = files::read(&file)?.unwrap_or_default();
        let is_kept = true;
        Ok(Known {
            file,
            places,
            is_kept,
        })
    }

    /// Where it is kept.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// Takes note of who was found, forgets whom an operator does not want, and returns those who are gone, with the
    /// reason. Who was passed over is there, and is missed for a reason of its own; of who is in a folder that is unread
    /// nobody can tell.
    pub(crate) fn compare<'a>(
        &mut self,
        folders: &[PathBuf],
        unread: &BTreeMap<PathBuf, String>,
        found: impl IntoIterator<Item = &'a Found>,
        passed_over: &BTreeSet<PluginName>,
        is_enabled: impl Fn(&PluginName) -> bool,
    ) -> BTreeMap<PluginName, (String, Cause)> {
        if folders.is_empty() {
            // Plugins are switched off as a whole, and nobody was looked for.
            return BTreeMap::new();
        }
        let there: BTreeMap<PluginName, Place> = found
            .into_iter()
            .filter_map(|found| Some((found.name.clone(), place_of(found, folders)?)))
            .collect();
        let before = self.places.clone();
        self.places
            .retain(|name, place| folders.contains(&place.folder) && is_enabled(name));
        self.places.extend(there.clone());
        if self.places != before || !self.is_kept {
            self.keep();
        }
        let gone = self.places.iter();
        let gone = gone.filter(|(name, _)| !there.contains_key(*name) && !passed_over.contains(*name));
        gone.map(|(name, place)| (name.clone(), why(name, place, unread)))
            .collect()
    }

    fn keep(&mut self) {
        let kept = files::replace(&self.file, &self.places, Durability::Synced);
        // It is tried again at the next look.
        self.is_kept = kept.is_ok();
        if let Err(error) = kept {
            tracing::error!(
                error = one_line(&error),
                "it cannot be kept which plugins there are; one that vanishes before the next start will not be missed"
            );
        }
    }
}

/// Where one is that lies in a configured folder; what came in another way goes in another way.
fn place_of(found: &Found, folders: &[PathBuf]) -> Option<Place> {
    let path = match &found.manifest {
        Some(manifest) => manifest.folder(),
        None => &found.path,
    };
    let folder = path.parent()?;
    let is_configured = folders.iter().any(|configured| configured == folder);
    is_configured.then(|| Place {
        folder: folder.to_owned(),
        path: path.to_owned(),
    })
}

fn why(name: &PluginName, place: &Place, unread: &BTreeMap<PathBuf, String>) -> (String, Cause) {
    let path = &place.path;
    let shown = path.display();
    let untold = |why: &str| {
        (
            format!("it was here before, and nobody can tell: {why}"),
            Cause::Unread,
        )
    };
    if let Some(why) = unread.get(&place.folder) {
        return untold(why);
    }
    let what = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => format!("{shown} is gone"),
        Err(error) => return untold(&format!("read {shown}: {error}")),
        Ok(found) if found.is_dir() => format!("{} is gone", path.join(manifest::FILE).display()),
        Ok(found) if found.permissions().mode() & 0o111 == 0 => {
            format!("{shown} is not executable any more")
        }
        Ok(_) => format!("{shown} is no plugin any more"),
    };
    let why =
        format!("it was here before, and {what}; where it is not wanted, `snooze plugin disable {name}`");
    (why, Cause::Missing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::{PassedOver, discover};

    struct Stand {
        folder: tempfile::TempDir,
        known: Known,
    }

    impl Stand {
        fn new() -> Stand {
            let folder = tempfile::tempdir().expect("a folder");
            fs::create_dir(folder.path().join("plugins")).expect("makes");
            let known = Known::open(folder.path().join("known.json")).expect("there is none");
            Stand { folder, known }
        }

        fn plugins(&self) -> PathBuf {
            self.folder.path().join("plugins")
        }

        fn write(&self, mode: u32) {
            let path = self.plugins().join("quiet.sh");
            fs::write(&path, "#!/bin/sh\n").expect("writes");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("sets the mode");
        }

        fn restart(&mut self) {
            self.known = Known::open(self.folder.path().join("known.json")).expect("it is in order");
        }

        fn missed(&mut self, folders: &[PathBuf], enabled: bool) -> Vec<String> {
            let (found, passed_over) = discover(folders);
            let passed_over = passed_over.iter().map(PassedOver::name).collect();
            let missed = self
                .known
                .compare(folders, &BTreeMap::new(), &found, &passed_over, |_| enabled);
            missed.into_values().map(|(why, _)| why).collect()
        }
    }

    #[test]
    fn s2_a_plugin_that_vanished_is_missed_over_restarts_until_it_is_switched_off() {
        let mut stand = Stand::new();
        let folders = [stand.plugins()];
        stand.write(0o755);
        assert!(stand.missed(&folders, true).is_empty());
        fs::remove_file(stand.plugins().join("quiet.sh")).expect("removes");
        for _ in 0..2 {
            let missed = stand.missed(&folders, true);
            assert!(missed[0].contains("quiet.sh is gone"), "{missed:?}");
            assert!(missed[0].contains("`snooze plugin disable quiet`"), "{missed:?}");
            stand.restart();
        }
        assert!(stand.missed(&folders, false).is_empty());
        assert!(
            stand.missed(&folders, true).is_empty(),
            "it is forgotten for good"
        );
    }

    #[test]
    fn s2_what_can_no_longer_be_run_or_read_has_not_left() {
        let mut stand = Stand::new();
        let folders = [stand.plugins()];
        stand.write(0o755);
        stand.missed(&folders, true);
        stand.write(0o644);
        let missed = stand.missed(&folders, true);
        assert!(missed[0].contains("is not executable any more"), "{missed:?}");
        fs::remove_dir_all(stand.plugins()).expect("removes");
        assert_eq!(
            stand.missed(&folders, true).len(),
            1,
            "its folder is gone as a whole"
        );
    }

    #[test]
    fn s2_of_a_plugin_whose_folder_cannot_be_read_nobody_can_tell() {
        let mut stand = Stand::new();
        let folders = [stand.plugins()];
        stand.write(0o755);
        stand.missed(&folders, true);
        let unread = [(stand.plugins(), "read /plugins: Input/output error".to_owned())].into();
        for _ in 0..2 {
            let none: [&Found; 0] = [];
            let missed = stand
                .known
                .compare(&folders, &unread, none, &BTreeSet::new(), |_| true);
            let (why, cause) = &missed[&"quiet".parse().expect("a name")];
            assert_eq!(*cause, Cause::Unread);
            assert!(
                why.ends_with("nobody can tell: read /plugins: Input/output error"),
                "{why}"
            );
            stand.restart();
        }
    }

    #[test]
    fn a_plugin_of_a_folder_that_is_not_configured_any_more_is_not_missed() {
        let mut stand = Stand::new();
        stand.write(0o755);
        stand.missed(&[stand.plugins()], true);
        assert!(stand.missed(&[], true).is_empty(), "plugins are switched off");
        assert!(stand.missed(&["/elsewhere".into()], true).is_empty());
        fs::remove_file(stand.plugins().join("quiet.sh")).expect("removes");
        assert!(stand.missed(&[stand.plugins()], true).is_empty());
    }

    #[test]
    fn s2_a_spoiled_list_is_an_error_and_not_an_empty_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("known.json");
        fs::write(&file, "{").expect("writes");
        assert!(Known::open(file).is_err());
    }
}
