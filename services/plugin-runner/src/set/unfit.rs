//! Why a plugin's files are not run as they are, just now or before somebody does something about it.
//!
//! It reads files and changes none. Only what was read to its end can be another file than the one that was approved.

use super::{Cause, Grant};
use crate::{
    discovery::Found,
    manifest::FILE,
    packages::Standing,
    trust::{self, Exposed},
};
use snooze_service_runtime::exit::one_line;
use std::{fmt, io, path::Path};

/// Why they are not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unfit {
    cause: Cause,
    why: String,
}

impl Unfit {
    /// For this cause.
    pub(super) fn new(cause: Cause, why: String) -> Unfit {
        Unfit { cause, why }
    }

    /// A file could not be read.
    pub(super) fn unread(path: &Path, error: &io::Error) -> Unfit {
        Unfit::new(Cause::Unread, format!("read {}: {error}", path.display()))
    }

    /// What it is missed for.
    pub(crate) fn cause(&self) -> Cause {
        self.cause
    }

    /// Whether it stays so until there are other files, or another word of an operator's.
    pub(crate) fn is_lasting(&self) -> bool {
        self.cause == Cause::OtherFiles
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.why)
    }
}

/// Looks at a plugin's files right before it is started: that nobody else may change them, that they are those of its
/// package, and that they are those that were approved.
///
/// # Errors
/// Why it is not started.
pub(crate) fn fit_to_start(
    found: &Found,
    grant: &Grant,
    digest: impl Fn(&Path) -> io::Result<String>,
) -> Result<(), Unfit> {
    is_ours_alone(found).map_err(|exposed| {
        let cause = match exposed {
            Exposed::Unseen { .. } => Cause::Unread,
            Exposed::Writable { .. } | Exposed::Foreign { .. } => Cause::Exposed,
        };
        Unfit::new(cause, one_line(&exposed))
    })?;
    if let Some(package) = &found.package {
        package.compare().map_err(|(why, standing)| {
            let cause = match standing {
                Standing::Unread(_) => Cause::Unread,
                Standing::Here | Standing::Absent | Standing::Damaged(_) => Cause::Damaged,
            };
            Unfit::new(cause, why)
        })?;
    }
    grant.compare(found, digest)
}

fn is_ours_alone(found: &Found) -> Result<(), Exposed> {
    let Some(manifest) = &found.manifest else {
        return trust::check(&found.path);
    };
    let folder = manifest.folder();
    trust::check(folder)?;
    trust::check(&folder.join(FILE))?;
    trust::check_in(folder, &found.path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        manifest::{PluginManifest, sha256_of},
        packages::{Shelf, Shelved},
    };
    use snooze_schemas::plugin::approval::Installed;
    use std::{
        fs::{self, Permissions},
        os::unix::fs::PermissionsExt,
        sync::Arc,
    };

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("sets the mode");
    }

    #[test]
    fn i4_nothing_is_started_that_others_may_change_or_that_is_not_what_was_installed() {
        let (source, state) = (
            tempfile::tempdir().expect("a folder"),
            tempfile::tempdir().expect("a folder"),
        );
        mode(state.path(), 0o755);
        let manifest = r#"{"name":"redis","version":"1.0.0","entry_point":"run"}"#;
        for (name, text) in [
            ("plugin.json", manifest),
            ("run", "#!/bin/sh"),
            ("helper.py", "one"),
        ] {
            fs::write(source.path().join(name), text).expect("writes");
        }
        mode(&source.path().join("run"), 0o755);
        let packed = snooze_package::pack(source.path()).expect("a plugin");
        let shelved = Shelved {
            shelf: Arc::new(Shelf::new(state.path().join("packages"))),
            name: packed.name,
            package: Installed {
                version: packed.version,
                sha256: packed.sha256,
            },
        };
        let place = shelved.shelf.place(&shelved.name, &shelved.package);
        let place = place.expect("a digest");
        snooze_package::install(&packed.bytes, &place).expect("a package");
        mode(&state.path().join("packages"), 0o755);
        mode(&state.path().join("packages/redis"), 0o755);
        let manifest = PluginManifest::read(&place.join("redis")).expect("it is right");
        let found = Found {
            name: shelved.name.clone(),
            path: manifest.entry_point().to_owned(),
            manifest: Some(Arc::new(manifest)),
            package: Some(shelved),
        };
        let cause = || match fit_to_start(&found, &Grant::default(), sha256_of) {
            Ok(()) => None,
            Err(unfit) => {
                assert!(
                    !unfit.is_lasting() && !unfit.to_string().contains("approve"),
                    "{unfit}"
                );
                Some(unfit.cause())
            }
        };
        assert_eq!(cause(), None);
        mode(state.path(), 0o757);
        assert_eq!(cause(), Some(Cause::Exposed));
        mode(state.path(), 0o755);
        // No checksum of a manifest's, and of the same length.
        fs::write(place.join("redis/helper.py"), "two").expect("writes");
        assert_eq!(cause(), Some(Cause::Damaged));
        snooze_package::install(&packed.bytes, &place).expect("a package");
        assert_eq!(cause(), None);
        fs::remove_dir_all(&place).expect("removes");
        assert_eq!(cause(), Some(Cause::Unread), "nothing can be seen of it");
    }

    #[test]
    fn i4_whoever_may_write_the_manifest_or_add_to_a_folder_of_the_plugin_keeps_it_from_being_started() {
        let stand = tempfile::tempdir().expect("a folder");
        let folder = stand.path().join("redis");
        let bin = folder.join("bin");
        fs::create_dir_all(bin.join("deep")).expect("makes");
        let text = r#"{"name":"redis","version":"1.0.0","entry_point":"bin/deep/run"}"#;
        let aside = stand.path().join("plugin.json");
        fs::write(&aside, text).expect("writes");
        std::os::unix::fs::symlink(&aside, folder.join("plugin.json")).expect("links");
        let run = bin.join("deep/run");
        fs::write(&run, "#!/bin/sh").expect("writes");
        for folder in [stand.path(), &folder, &bin, &bin.join("deep"), &run] {
            mode(folder, 0o755);
        }
        mode(&aside, 0o644);
        let manifest = PluginManifest::read(&folder).expect("it is right");
        let found = Found {
            name: manifest.name().clone(),
            path: manifest.entry_point().to_owned(),
            manifest: Some(Arc::new(manifest)),
            package: None,
        };
        let cause = || fit_to_start(&found, &Grant::default(), sha256_of).map_err(|unfit| unfit.cause());
        assert_eq!(cause(), Ok(()));
        for (path, open, closed) in [
            (&aside, 0o646, 0o644),
            (&folder, 0o1777, 0o755),
            (&bin, 0o1777, 0o755),
            (&bin.join("deep"), 0o1777, 0o755),
        ] {
            mode(path, open);
            assert_eq!(cause(), Err(Cause::Exposed), "{}", path.display());
            mode(path, closed);
        }
        assert_eq!(cause(), Ok(()));
    }
}
