//! Takes the working folder of a plugin that is gone out of the way, and removes what was taken there.
//!
//! It never judges whether a plugin is gone. What is taken away has another name at once, which no plugin can have, so
//! that one that comes back begins with a folder of its own, however long the rest takes. What has something mounted in
//! it stays where it is.

use super::{mounts, note_beside, removal};
use snooze_schemas::PluginName;
use snooze_service_runtime::exit::one_line;
use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

/// What begins so was taken away: no name of a plugin begins with a dot.
const AWAY: &str = ".gone-";

/// Whose working folders, or notes of them, lie here.
///
/// # Errors
/// What the kernel says: then nobody can tell.
pub(crate) fn owners(homes: &Path) -> io::Result<BTreeSet<PluginName>> {
    let mut owners = BTreeSet::new();
    for entry in fs::read_dir(homes)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let noted = name
            .strip_prefix('.')
            .and_then(|name| name.strip_suffix(".owner"));
        // A link is nothing that a runner has made here.
        let owner = match noted {
            None if !entry.file_type()?.is_dir() => None,
            None => Some(name),
            noted => noted,
        };
        owners.extend(owner.and_then(|name| name.parse().ok()));
    }
    Ok(owners)
}

/// Takes a plugin's working folder out of the way, with the note whose it is. Nothing of the plugin may be starting or
/// running.
///
/// # Errors
/// Why it is where it was.
pub(crate) fn take_away(home: &Path) -> Result<(), String> {
    let shown = home.display();
    let above = home.parent().and_then(|above| fs::canonicalize(above).ok());
    let (Some(above), Some(name)) = (above, home.file_name()) else {
        return Err(format!("the folder of {shown} cannot be found"));
    };
    if let Some(mount) = mounts::mounted_in(&above.join(name)) {
        let mount = mount.display();
        return Err(format!(
            "{mount} is mounted there: unmount it, or keep that folder"
        ));
    }
    let away = above.join(format!("{AWAY}{:016x}", rand::random::<u64>()));
    // First of all: a note without a folder says nothing, and a folder without a note is emptied before it is used.
    match fs::rename(home, &away) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(format!("it cannot be renamed to {}: {error}", away.display()));
        }
        Ok(()) | Err(_) => {}
    }
    let note = note_beside(home);
    for file in [note.with_extension("new"), note] {
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(format!("{} cannot be removed: {error}", file.display()));
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// Removes what was taken away, so many files of each at once, as long as it is wanted, and returns what is left of it
/// with the reason.
pub(crate) fn remove_taken(homes: &Path, is_wanted: &dyn Fn() -> bool) -> Vec<(PathBuf, String)> {
    let entries = fs::read_dir(homes).into_iter().flatten().flatten();
    let taken = entries.filter(|entry| entry.file_name().as_encoded_bytes().starts_with(AWAY.as_bytes()));
    let removed = taken.map(|entry| {
        let path = entry.path();
        let removed = removal::remove(&path, removal::ENTRIES, is_wanted);
        (path, removed)
    });
    removed
        .filter_map(|(path, removed)| Some((path, one_line(&removed.err()?))))
        .collect()
}

#[cfg(test)]
mod tests;
