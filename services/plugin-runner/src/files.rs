//! Small files of JSON that are replaced as a whole, the journals and the state on tmpfs, and the folders that they
//! are in.

use serde::{Serialize, de::DeserializeOwned};
use snooze_service_runtime::whole_file;
pub(crate) use snooze_service_runtime::whole_file::Durability;
use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// Why a file of ours could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It could not be written.
    #[error("write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the kernel says.
        source: io::Error,
    },
    /// It could not be read.
    #[error("read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the kernel says.
        source: io::Error,
    },
    /// What is in it is not what was written there.
    #[error("understand {}", path.display())]
    Understand {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// Replaces a file by this value as JSON.
///
/// # Errors
/// When it could not be replaced; the old content is then still there.
pub(crate) fn replace(path: &Path, value: &impl Serialize, durability: Durability) -> Result<(), FileError> {
    let write = |source| FileError::Write {
        path: path.to_owned(),
        source,
    };
    let bytes = serde_json::to_vec(value).map_err(|error| write(error.into()))?;
    whole_file::replace(path, &bytes, durability)
        .map(drop)
        .map_err(write)
}

/// Reads such a file; nothing where there is none.
///
/// # Errors
/// When it is there and cannot be read or understood.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, FileError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            return Err(FileError::Read {
                path: path.to_owned(),
                source,
            });
        }
    };
    let understood = serde_json::from_slice(&bytes);
    understood.map(Some).map_err(|source| FileError::Understand {
        path: path.to_owned(),
        source,
    })
}

/// Makes a folder that only its owner may look into.
///
/// # Errors
/// When it cannot be made.
pub(crate) fn private_folder(path: &Path) -> Result<(), FileError> {
    whole_file::private_folder(path).map_err(|source| FileError::Write {
        path: path.to_owned(),
        source,
    })
}

/// Makes the runner's state folder, and below it those of the plugins' own folders and of packages. Says which of these
/// cannot be made, as where one is on a disk that is only read: only what needs it has to go without.
///
/// Plugins that have users of their own pass through all of them, without looking into them; what else lies there is
/// closed to others by its own mode. That is so only where they come so far at all: a folder that somebody has
/// closed above stays as it is.
///
/// # Errors
/// When the state folder itself cannot be made.
pub(crate) fn state_folders(state: &Path, below: &[PathBuf]) -> Result<Vec<FileError>, FileError> {
    let have_users = rustix::process::geteuid().is_root();
    let above = state.parent().filter(|above| have_users && !above.exists());
    if let Some(above) = above {
        private_folder(above)?;
        pass(above)?;
    }
    let is_open = |path: &Path| fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 1 == 1);
    let come_so_far = have_users && state.ancestors().skip(1).all(is_open);
    let made = |folder: &Path| {
        private_folder(folder)?;
        if come_so_far { pass(folder) } else { Ok(()) }
    };
    made(state)?;
    Ok(below.iter().filter_map(|folder| made(folder).err()).collect())
}

/// Lets others pass through a folder. Where the kernel refuses that, as on a disk that is only read, one through which
/// they pass already will do.
fn pass(folder: &Path) -> Result<(), FileError> {
    let will_do = || fs::metadata(folder).is_ok_and(|found| found.permissions().mode() & 0o003 == 0o001);
    match fs::set_permissions(folder, fs::Permissions::from_mode(0o711)) {
        Err(source) if !will_do() => Err(FileError::Write {
            path: folder.to_owned(),
            source,
        }),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("journal.json");
        assert_eq!(read::<Vec<u64>>(&path).expect("reads"), None);
        for durability in [Durability::Plain, Durability::Synced] {
            replace(&path, &vec![1u64, 2], durability).expect("writes");
            assert_eq!(read::<Vec<u64>>(&path).expect("reads"), Some(vec![1, 2]));
        }
        assert_eq!(
            fs::read_dir(folder.path()).expect("lists").count(),
            1,
            "nothing is left beside it"
        );
    }

    #[test]
    fn only_plugins_with_users_of_their_own_pass_through_the_state_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        let close =
            |mode| fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).expect("sets");
        let passed = if rustix::process::geteuid().is_root() {
            0o711
        } else {
            0o700
        };
        for (above, expected) in [(0o700, 0o700), (0o755, passed)] {
            close(above);
            let state = folder.path().join(format!("state-{above:o}/runner"));
            // Closed by somebody: it is to stay so.
            let made = above == 0o755;
            if !made {
                private_folder(state.parent().expect("it has one")).expect("makes");
            }
            let plugins = state.join("plugins");
            let left = state_folders(&state, std::slice::from_ref(&plugins)).expect("makes");
            assert!(left.is_empty(), "{left:?}");
            assert_eq!([mode(&state), mode(&plugins)], [expected; 2], "below {above:o}");
        }
    }

    #[test]
    fn only_what_needs_a_folder_below_that_cannot_be_made_has_to_go_without() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("sets");
        let state = folder.path().join("state");
        let [packages, plugins, read_only] =
            ["packages", "plugins", "read-only"].map(|name| state.join(name));
        private_folder(&state).expect("makes");
        fs::write(&packages, "").expect("writes");
        // Nobody sets modes there, and all pass through it.
        std::os::unix::fs::symlink("/proc/self/fdinfo", &read_only).expect("links");
        let below = [packages.clone(), read_only, plugins.clone()];
        let left = state_folders(&state, &below).expect("the state folder is there");
        assert!(
            matches!(left.as_slice(), [FileError::Write { path, .. }] if *path == packages),
            "{left:?}"
        );
        assert!(plugins.is_dir());
        state_folders(&packages, &[]).expect_err("without journals nothing is started");
    }

    #[test]
    fn a_file_that_was_spoiled_is_an_error_and_not_an_empty_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("journal.json");
        fs::write(&path, "{").expect("writes");
        assert!(matches!(
            read::<Vec<u64>>(&path),
            Err(FileError::Understand { .. })
        ));
    }
}
