//! Small files that are replaced as a whole: a reader sees the old content or the new one, never a part, also after a
//! crash.
//!
//! It knows nothing of what is in them. They and the folders made here are closed to everybody but their owner. It waits
//! for the disk, so it is nothing for a loop.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

/// Whether a write waits until it is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// It survives the loss of power: for what others rely on.
    Synced,
    /// It survives the end of this process: for what is worthless after a reboot.
    Plain,
}

/// Puts a file with these bytes into the place of the one that is there, and hands it back, open for appending.
///
/// # Errors
/// When it could not be replaced; the old content is then still there. Once the new one has its name nothing fails any
/// more, since who holds the old one would go on with it in vain: a folder that cannot be synced is said.
pub fn replace(path: &Path, bytes: &[u8], durability: Durability) -> io::Result<File> {
    let beside = path.with_extension("new");
    // `append` of the standard library goes with `truncate` only where the file is new, and a crash may have left one.
    let append = i32::try_from(rustix::fs::OFlags::APPEND.bits()).expect("the kernel's flags are small");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .custom_flags(append)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(bytes)?;
    let is_synced = durability == Durability::Synced;
    if is_synced {
        file.sync_all()?;
    }
    // The new name is in the folder, and the folder is a file of its own.
    let folder = path.parent().filter(|_| is_synced).map(File::open).transpose()?;
    fs::rename(&beside, path)?;
    if let Some(Err(error)) = folder.map(|folder| folder.sync_all()) {
        tracing::warn!(file = %path.display(), %error, "the folder of a file that was replaced cannot be synced");
    }
    Ok(file)
}

/// Reads such a file; nothing where there is none.
///
/// # Errors
/// When it is there and cannot be read, or has more bytes than that.
pub fn read(path: &Path, most_bytes: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(most_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > most_bytes) {
        return Err(io::Error::other(format!("it has more than {most_bytes} bytes")));
    }
    Ok(Some(bytes))
}

/// Makes a folder that only its owner may look into, and those above it; one that is there stays as it is.
///
/// # Errors
/// When it cannot be made.
pub fn private_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_is_its_owners_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("journal.json");
        assert_eq!(read(&path, 9).expect("reads"), None);
        for durability in [Durability::Plain, Durability::Synced] {
            let mut file = replace(&path, b"one", durability).expect("replaces");
            file.write_all(b" two").expect("appends");
            assert_eq!(read(&path, 9).expect("reads").as_deref(), Some(&b"one two"[..]));
            let mode = fs::metadata(&path).expect("it is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let names = fs::read_dir(folder.path()).expect("lists");
        assert_eq!(names.count(), 1, "nothing is left beside it");
    }

    #[test]
    fn what_a_crash_has_left_of_another_one_is_no_part_of_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.json");
        fs::write(folder.path().join("a.new"), "a long text that was cut off").expect("writes");
        replace(&path, b"1", Durability::Plain).expect("replaces");
        assert_eq!(read(&path, 9).expect("reads").as_deref(), Some(&b"1"[..]));
    }

    #[test]
    fn a_file_that_cannot_be_replaced_stays_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.json");
        replace(&path, b"old", Durability::Synced).expect("replaces");
        fs::create_dir(folder.path().join("a.new")).expect("makes");
        replace(&path, b"new", Durability::Synced).expect_err("a folder is in the way");
        assert_eq!(read(&path, 9).expect("reads").as_deref(), Some(&b"old"[..]));
    }

    #[test]
    fn a_file_that_is_too_long_is_an_error_and_not_a_part_of_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.json");
        replace(&path, b"12345", Durability::Plain).expect("replaces");
        assert!(read(&path, 5).expect("reads").is_some());
        read(&path, 4).expect_err("it has more");
    }
}
