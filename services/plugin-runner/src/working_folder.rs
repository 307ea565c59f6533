//! Whose a plugin's working folder is: that of one that is of these files and may do this.
//!
//! What another version left there, or one that was allowed something else, would be read by the next: an interpreter
//! loads modules from its home, and a second name of a file outlasts the permission to open it. So such a folder is
//! emptied before a start. It never looks at what a plugin keeps there itself from one start to the next, and never
//! removes what is mounted there.

pub(crate) mod departure;
pub(crate) mod mounts;
mod removal;

use crate::{
    fence,
    files::{self, Durability, FileError},
    manifest::sha256_of_bytes,
};
use removal::NotRemoved;
use serde_json::json;
use snooze_schemas::plugin::permissions::Permissions;
use snooze_service_runtime::{CancellationToken, exit::one_line};
use std::{
    fmt::Display,
    fs, io,
    path::{Path, PathBuf},
};

/// Who a working folder is made for, in one word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner(String);

impl Owner {
    /// A plugin of these files, by their SHA-256, that may do this.
    pub(crate) fn of(entry: &str, manifest: Option<&str>, permissions: &Permissions) -> Owner {
        let all = json!({"entry": entry, "manifest": manifest, "permissions": permissions});
        Owner(sha256_of_bytes(all.to_string().as_bytes()))
    }
}

/// Makes a working folder, and empties it before where it is somebody else's. Whose it is in the end stands beside it,
/// where no plugin may write. It removes nothing more once the start is given up, but goes on until it sees that: two
/// starts are kept apart by whoever calls it.
///
/// # Errors
/// Why what another plugin left is still there, or why nobody could tell that it is not; nothing is to be started in it.
pub(crate) fn make_ready(home: &Path, owner: &Owner, given_up: &CancellationToken) -> Result<(), String> {
    let note = note_beside(home);
    let shown = home.display();
    let before: Option<String> = match files::read(&note) {
        // What is spoiled names nobody.
        Err(FileError::Understand { .. }) => None,
        Err(error @ (FileError::Read { .. } | FileError::Write { .. })) => {
            return Err(format!(
                "nobody can tell whose its working folder {shown} is: {}; it is neither used nor emptied until that can \
                 be read, or is removed",
                one_line(&error)
            ));
        }
        Ok(before) => before,
    };
    if before.as_ref() != Some(&owner.0) {
        empty(home, &note, given_up)?;
        files::replace(&note, &owner.0, Durability::Synced).map_err(|error| {
            format!(
                "its working folder {shown} is emptied, and that cannot be noted: {}; room has to be made on that disk, \
                 or writing there allowed",
                one_line(&error)
            )
        })?;
    }
    fence::make_home(home).map_err(|error| format!("make its folder {shown}: {error}"))
}

/// Removes the folder with all that is in it. What lies in it is nobody's from the first on, so that one that is half
/// removed is never taken for what its old owner left.
fn empty(home: &Path, note: &Path, given_up: &CancellationToken) -> Result<(), String> {
    let shown = home.display();
    let is_left = |why: &dyn Display| {
        format!("what another version of it left in {shown} cannot be removed: {why}; remove that folder")
    };
    let is_mounted = |mount: &Path| {
        format!(
            "its working folder {shown} is to be emptied, because another version of it had it or one that might do \
             something else, and {} is mounted there, which is never emptied: unmount it, and mount it again once the \
             plugin has been started",
            mount.display()
        )
    };
    if given_up.is_cancelled() {
        return Err(is_left(&NotRemoved::GivenUp));
    }
    // Before anything is removed or moved.
    let above = home.parent().and_then(|above| fs::canonicalize(above).ok());
    let real = above.zip(home.file_name()).map(|(above, name)| above.join(name));
    if let Some(mount) = real.and_then(|real| mounts::mounted_in(&real)) {
        return Err(is_mounted(&mount));
    }
    match fs::remove_file(note) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(is_left(&format!("remove {}: {error}", note.display())));
        }
        Ok(()) | Err(_) => {}
    }
    match removal::remove(home, removal::ENTRIES, &|| !given_up.is_cancelled()) {
        Ok(true) => {
            tracing::info!(folder = %shown, "a plugin is another one, or may do something else: its working folder is emptied");
            Ok(())
        }
        Ok(false) => Ok(()),
        Err(NotRemoved::Mount(mount)) => Err(is_mounted(&mount)),
        Err(why @ NotRemoved::More(_)) => Err(format!("its working folder {shown} is being emptied: {why}")),
        Err(why @ (NotRemoved::GivenUp | NotRemoved::Failed { .. })) => Err(is_left(&one_line(&why))),
    }
}

fn note_beside(home: &Path) -> PathBuf {
    let name = home.file_name().unwrap_or_default().to_string_lossy();
    home.with_file_name(format!(".{name}.owner"))
}

#[cfg(test)]
mod tests;
