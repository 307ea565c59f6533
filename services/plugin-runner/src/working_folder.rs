//! Whose a plugin's working folder is: that of one that is of these files and may do this.
//!
//! What another version left there, or one that was allowed something else, would be read by the next: an interpreter
//! loads modules from its home, and a second name of a file outlasts the permission to open it. So such a folder is
//! emptied before a start. It never looks at what a plugin keeps there itself from one start to the next.

use crate::{
    files::{self, Durability},
    manifest::sha256_of_bytes,
};
use serde_json::json;
use snooze_schemas::plugin::permissions::Permissions;
use std::{
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

/// Empties a working folder that is somebody else's. What it is in the end stands beside it, where no plugin may write.
///
/// # Errors
/// Why what another plugin left is still there; nothing is to be started in it.
pub(crate) fn make_ready(home: &Path, owner: &Owner) -> Result<(), String> {
    let note = note_beside(home);
    // A note that cannot be read is nobody's.
    let before: Option<String> = files::read(&note).ok().flatten();
    if before.as_ref() == Some(&owner.0) {
        return Ok(());
    }
    let is_left = |error: &dyn std::fmt::Display| {
        format!(
            "what another version of it left in {} cannot be removed: {error}; remove that folder",
            home.display()
        )
    };
    // It follows no link.
    match fs::remove_dir_all(home) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(is_left(&error)),
        Ok(()) => {
            tracing::info!(folder = %home.display(), "a plugin is another one, or may do something else: its working folder is emptied");
        }
        Err(_) => {}
    }
    files::replace(&note, &owner.0, Durability::Synced).map_err(|error| is_left(&error))
}

fn note_beside(home: &Path) -> PathBuf {
    let name = home.file_name().unwrap_or_default().to_string_lossy();
    home.with_file_name(format!(".{name}.owner"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permissions(udp: bool) -> Permissions {
        serde_json::from_value(json!({ "udp": udp })).expect("permissions")
    }

    #[test]
    fn i4_nothing_is_left_of_one_of_other_files_or_that_might_do_something_else() {
        let above = tempfile::tempdir().expect("a folder");
        let (home, outside) = (above.path().join("redis"), above.path().join("outside"));
        fs::write(&outside, "text").expect("writes");
        let first = Owner::of("a", Some("m"), &permissions(false));
        let others = [
            Owner::of("b", Some("m"), &permissions(false)),
            Owner::of("b", Some("n"), &permissions(false)),
            Owner::of("b", None, &permissions(false)),
            Owner::of("b", None, &permissions(true)),
            first.clone(),
        ];
        let left = home.join(".local/lib/usercustomize.py");
        let live_in = || {
            fs::create_dir_all(left.parent().expect("one")).expect("makes");
            fs::write(&left, "import os").expect("writes");
            fs::hard_link(&outside, home.join("twice")).expect("links");
            std::os::unix::fs::symlink(above.path(), home.join("up")).expect("links");
        };
        // Who was there before anybody took a note of it is somebody else.
        live_in();
        make_ready(&home, &first).expect("it is emptied");
        assert!(!home.exists());
        for other in &others {
            live_in();
            make_ready(&home, other).expect("it is emptied");
            assert!(!home.exists(), "{other:?}");
            live_in();
            make_ready(&home, other).expect("it is its own");
            assert!(left.exists(), "what is its own is kept");
            fs::remove_dir_all(&home).expect("removes");
        }
        assert_eq!(fs::read_to_string(&outside).expect("it is there"), "text");
    }

    #[test]
    fn i4_where_nobody_can_tell_whose_it_is_it_is_nobodys() {
        let above = tempfile::tempdir().expect("a folder");
        let home = above.path().join("redis");
        let owner = Owner::of("a", None, &permissions(false));
        make_ready(&home, &owner).expect("there is nothing");
        fs::create_dir(&home).expect("makes");
        fs::write(above.path().join(".redis.owner"), "{").expect("writes");
        make_ready(&home, &owner).expect("it is emptied");
        assert!(!home.exists());
    }

    #[test]
    fn what_cannot_be_removed_is_told_with_its_place() {
        let above = tempfile::tempdir().expect("a folder");
        let home = above.path().join("redis");
        // No folder: nothing that a plugin could have made of it.
        fs::write(&home, "").expect("writes");
        let why = make_ready(&home, &Owner::of("a", None, &permissions(false))).expect_err("it is left");
        assert!(
            why.contains(&home.display().to_string()) && why.contains("remove that folder"),
            "{why}"
        );
        assert!(!above.path().join(".redis.owner").exists(), "it is not its own");
    }
}
