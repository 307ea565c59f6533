//! Runs of idleness over a restart of the runner: a file on tmpfs, gone with the boot (T4).
//!
//! Whatever is wrong with it, it is not used: then the runs begin anew, which costs a naptime and never
//! a machine in use.

use crate::{
    files::{self, Durability},
    plugins::KeptPlugins,
    tally::KeptTally,
};
use serde::{Deserialize, Serialize};
use snooze_schemas::HostId;
use std::{
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// What is kept, and what it is only good for.
#[derive(Debug, Serialize, Deserialize)]
struct Kept<T> {
    boot_id: String,
    policy_revision: String,
    tally: T,
    #[serde(default)]
    plugins: KeptPlugins,
}

/// The file that keeps the runs.
#[derive(Debug)]
pub(crate) struct Keep {
    file: PathBuf,
}

impl Keep {
    /// The file of this host below a folder of our own on tmpfs; nothing where the folder is not ours alone.
    #[must_use]
    pub(crate) fn below(folder: &Path, host: &HostId) -> Option<Keep> {
        if let Err(error) = files::private_folder(folder) {
            tracing::warn!(
                error = snooze_service_runtime::exit::one_line(&error),
                "runs of idleness will not outlive a restart"
            );
            return None;
        }
        // Anybody can make a folder in /dev/shm before we do; what is not ours alone is not believed.
        let ours = std::fs::symlink_metadata(folder).is_ok_and(|found| {
            found.is_dir() && found.uid() == rustix::process::geteuid().as_raw() && found.mode() & 0o077 == 0
        });
        if !ours {
            tracing::warn!(folder = %folder.display(), "the folder belongs to somebody else; runs of idleness will not outlive a restart");
            return None;
        }
        Some(Keep {
            file: folder.join(format!("runs-{host}.json")),
        })
    }

    /// Another file of this host beside it.
    #[must_use]
    pub(crate) fn beside(&self, what: &str) -> PathBuf {
        let name = self.file.file_name().unwrap_or_default().to_string_lossy();
        self.file.with_file_name(format!("{what}-{name}"))
    }

    /// What an earlier runner of this boot kept under this policy.
    #[must_use]
    pub(crate) fn load(&self, boot_id: &str, policy_revision: &str) -> Option<(KeptTally, KeptPlugins)> {
        match files::read::<Kept<KeptTally>>(&self.file) {
            Ok(Some(kept)) if kept.boot_id == boot_id && kept.policy_revision == policy_revision => {
                Some((kept.tally, kept.plugins))
            }
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(
                    error = snooze_service_runtime::exit::one_line(&error),
                    "kept runs are of no use"
                );
                None
            }
        }
    }

    /// Keeps the runs for the next start.
    pub(crate) fn save(&self, boot_id: &str, policy_revision: &str, tally: KeptTally, plugins: KeptPlugins) {
        let kept = Kept {
            boot_id: boot_id.to_owned(),
            policy_revision: policy_revision.to_owned(),
            tally,
            plugins,
        };
        if let Err(error) = files::replace(&self.file, &kept, Durability::Plain) {
            tracing::warn!(
                error = snooze_service_runtime::exit::one_line(&error),
                "runs of idleness cannot be kept"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::Tally;

    #[test]
    fn t4_only_the_same_boot_and_policy_get_their_runs_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let host: HostId = "h1".parse().expect("a host id");
        let keep = Keep::below(&folder.path().join("runner"), &host).expect("ours");
        assert_eq!(keep.load("boot", "1/0/0"), None);
        let tally = Tally::new("boot".to_owned()).keep();
        let plugins = KeptPlugins::default();
        keep.save("boot", "1/0/0", tally.clone(), plugins.clone());
        assert_eq!(keep.load("boot", "1/0/0"), Some((tally, plugins)));
        assert_eq!(keep.load("another", "1/0/0"), None);
        assert_eq!(keep.load("boot", "2/0/0"), None);
    }

    #[test]
    fn t4_a_folder_that_others_may_look_into_is_not_believed() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777))
            .expect("sets the mode");
        assert!(Keep::below(folder.path(), &"h1".parse().expect("a host id")).is_none());
    }
}
