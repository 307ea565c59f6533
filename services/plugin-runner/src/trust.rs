//! Whether somebody else may change what would be run.
//!
//! It looks at modes and owners alone, and reads no contents. Whoever may write a file that is run, or put
//! another in its place, would run as the runner does.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

const WRITABLE_BY_OTHERS: u32 = 0o002;
/// A folder such as `/tmp`, where everybody may write but only remove what is theirs.
const STICKY: u32 = 0o1000;
const SUPERUSER: u32 = 0;

/// Why a file is not to be trusted.
#[derive(Debug, thiserror::Error)]
pub enum Exposed {
    /// Nobody can say.
    #[error("read {}", path.display())]
    Unseen {
        /// What was to be looked at.
        path: PathBuf,
        /// What the kernel says.
        source: io::Error,
    },
    /// Everybody may write it.
    #[error("{} may be written by everybody; it is not run", .0.display())]
    WritableByOthers(PathBuf),
    /// Everybody may put files where it is, and somebody else did.
    #[error("{} belongs to somebody else, in a folder that everybody may write; it is not run", .0.display())]
    PutByOthers(PathBuf),
}

/// Looks at a file or folder, and at the folder that it is in.
///
/// # Errors
/// Who else might change it.
pub(crate) fn check(folder: &Path, path: &Path) -> Result<(), Exposed> {
    let unseen = |source| Exposed::Unseen {
        path: path.to_owned(),
        source,
    };
    let mode = fs::metadata(path).map_err(unseen)?.permissions().mode();
    let folder_mode = fs::metadata(folder).map_err(unseen)?.permissions().mode();
    let folder_open = folder_mode & WRITABLE_BY_OTHERS != 0;
    let replaceable = folder_open && folder_mode & STICKY == 0;
    if replaceable || mode & WRITABLE_BY_OTHERS != 0 {
        return Err(Exposed::WritableByOthers(path.to_owned()));
    }
    // A link is whose it is, whatever it leads to.
    let put_by = fs::symlink_metadata(path).map_err(unseen)?.uid();
    if folder_open && !is_trusted(put_by) {
        return Err(Exposed::PutByOthers(path.to_owned()));
    }
    Ok(())
}

/// Whether it is us or the superuser.
fn is_trusted(owner: u32) -> bool {
    owner == SUPERUSER || owner == rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_we_and_the_superuser_are_trusted() {
        assert!(is_trusted(rustix::process::geteuid().as_raw()) && is_trusted(SUPERUSER));
        assert!(!is_trusted(u32::MAX - 7), "a stranger");
    }
}
