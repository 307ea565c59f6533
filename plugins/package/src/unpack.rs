//! A package's files on the disk.
//!
//! They are written beside where they are to be and moved there when all of them are: whoever finds the folder finds
//! all of it.

use crate::{
    UnpackError,
    walk::{Entry, Kind, walk},
};
use std::{
    ffi::OsString,
    fs::{self, DirBuilder, OpenOptions, Permissions},
    io::{self, Read},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// Unpacks a package into a new folder, so that the plugin is `<into>/<its name>`. What is above the folder is made
/// where it is not there.
///
/// Files are readable by all and written by their owner alone, whatever the package and the process say. Two calls at
/// once for one folder are refused or fail.
///
/// # Errors
/// When the package is not as [`pack`](crate::pack) makes them, when the folder is there already, and when it cannot
/// be written. Nothing of it is left then.
pub fn unpack(bytes: &[u8], into: &Path) -> Result<(), UnpackError> {
    if fs::symlink_metadata(into).is_ok() {
        return Err(UnpackError::Occupied(into.to_owned()));
    }
    // All of it is looked at before anything is written: decompressing twice costs less than a disk.
    let manifest = walk(bytes, |_| Ok(()))?;
    let unfinished = Unfinished::beside(into)?;
    let folder = unfinished.0.join(manifest.name.as_str());
    walk(bytes, |entry| write_entry(&folder, entry))?;
    synced(&unfinished.0)?;
    fs::rename(&unfinished.0, into).map_err(write(into))?;
    synced(into.parent().unwrap_or(into))
}

/// A folder that is removed again unless it was moved away.
struct Unfinished(PathBuf);

impl Unfinished {
    /// One beside another, so that it can take its place in one step. What an earlier try left when it was killed
    /// is removed.
    fn beside(into: &Path) -> Result<Unfinished, UnpackError> {
        let occupied = || UnpackError::Occupied(into.to_owned());
        let (parent, name) = into.parent().zip(into.file_name()).ok_or_else(occupied)?;
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(".unfinished");
        let path = parent.join(hidden);
        fs::create_dir_all(parent).map_err(write(parent))?;
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(write(&path)(error)),
            _ => {}
        }
        made(&path)?;
        Ok(Unfinished(path))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Moved away is what it is to be; and where it cannot be removed the next try does it, or says why not.
        drop(fs::remove_dir_all(&self.0));
    }
}

fn write_entry(folder: &Path, entry: Entry<'_>) -> Result<(), UnpackError> {
    let path = match entry.path {
        "" => folder.to_owned(),
        below => folder.join(below),
    };
    let Kind::File { executable, contents } = entry.kind else {
        return made(&path);
    };
    let mode = if executable { 0o755 } else { 0o644 };
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(mode).open(&path);
    let mut file = file.map_err(write(&path))?;
    copy(contents, &mut file, &path)?;
    // What the process masks is not what was asked for.
    file.set_permissions(Permissions::from_mode(mode))
        .map_err(write(&path))?;
    file.sync_all().map_err(write(&path))
}

/// Copies, and tells a package that ends too early from a disk that is full.
fn copy(contents: &mut dyn Read, file: &mut fs::File, path: &Path) -> Result<(), UnpackError> {
    let mut chunk = vec![0; 64 * 1024];
    loop {
        match contents.read(&mut chunk).map_err(UnpackError::Broken)? {
            0 => return Ok(()),
            read => io::Write::write_all(file, &chunk[..read]).map_err(write(path))?,
        }
    }
}

fn made(path: &Path) -> Result<(), UnpackError> {
    DirBuilder::new().mode(0o755).create(path).map_err(write(path))?;
    fs::set_permissions(path, Permissions::from_mode(0o755)).map_err(write(path))
}

/// A folder's entries outlast a loss of power.
fn synced(folder: &Path) -> Result<(), UnpackError> {
    let opened = fs::File::open(folder).map_err(write(folder))?;
    opened.sync_all().map_err(write(folder))
}

fn write(path: &Path) -> impl FnOnce(io::Error) -> UnpackError + use<> {
    let path = path.to_owned();
    |source| UnpackError::Write { path, source }
}
