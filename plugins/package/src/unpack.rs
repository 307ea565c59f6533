//! A package's files on the disk.
//!
//! They are written beside where they are to be and moved there when all of them are: whoever finds the folder finds
//! all of it. What a loss of power or a kill leaves half done is in nobody's way.

use crate::{
    UnpackError,
    package::hex,
    record::{self, Record},
    walk::{Kind, walk},
};
use sha2::{Digest, Sha256};
use std::{
    ffi::{OsStr, OsString},
    fs::{self, DirBuilder, OpenOptions, Permissions},
    io::{self, Read},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// The mode of a folder that was unpacked, and of a file that may be run.
pub(crate) const FOLDER_MODE: u32 = 0o755;

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
    let (unfinished, _) = written(bytes, into)?;
    finish(&unfinished, into)
}

/// The same in place of whatever is there, with a record of what was unpacked beside it, so that it can be told later
/// whether it is still [`Record::compare`]d alike.
///
/// # Errors
/// When the package is not as [`pack`](crate::pack) makes them, which leaves what is there as it is, and when it
/// cannot be written.
pub fn install(bytes: &[u8], into: &Path) -> Result<(), UnpackError> {
    let (unfinished, record) = written(bytes, into)?;
    let path = unfinished.0.join(record::FILE);
    let mut file = new_file(&path, 0o644)?;
    io::Write::write_all(&mut file, &record.to_bytes()).map_err(write(&path))?;
    file.sync_all().map_err(write(&path))?;
    // Two steps: where only the first is done nothing is there, which is as good as not unpacked.
    let aside = Unfinished::named(into, ".replaced")?;
    match fs::rename(into, &aside.0) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(write(into)(error)),
        _ => {}
    }
    finish(&unfinished, into)
}

/// Writes all of it beside where it is to be, so that it outlasts a loss of power but for its name.
fn written(bytes: &[u8], into: &Path) -> Result<(Unfinished, Record), UnpackError> {
    // All of it is looked at before anything is written: decompressing twice costs less than a disk.
    let manifest = walk(bytes, |_| Ok(()))?;
    let unfinished = Unfinished::beside(into)?;
    let top = manifest.name.as_str();
    let (mut record, mut folders) = (Record::default(), Vec::new());
    walk(bytes, |entry| {
        let below = match entry.path {
            "" => top.to_owned(),
            below => format!("{top}/{below}"),
        };
        let path = unfinished.0.join(&below);
        match entry.kind {
            Kind::Folder => {
                made(&path)?;
                folders.push(path);
                record.add_folder(below);
            }
            Kind::File { executable, contents } => {
                let sha256 = write_file(&path, executable, contents)?;
                record.add_file(below, sha256, executable);
            }
        }
        Ok(())
    })?;
    folders.iter().try_for_each(|folder| synced(folder))?;
    Ok((unfinished, record))
}

fn finish(unfinished: &Unfinished, into: &Path) -> Result<(), UnpackError> {
    synced(&unfinished.0)?;
    fs::rename(&unfinished.0, into).map_err(write(into))?;
    synced(into.parent().unwrap_or(into))
}

/// A folder that is removed again unless it was moved away.
struct Unfinished(PathBuf);

impl Unfinished {
    /// A new one beside another, so that it can take its place in one step.
    fn beside(into: &Path) -> Result<Unfinished, UnpackError> {
        let unfinished = Unfinished::named(into, ".unfinished")?;
        let parent = unfinished.0.parent().unwrap_or(into);
        made_above(parent)?;
        made(&unfinished.0)?;
        Ok(unfinished)
    }

    /// One that is not there. What an earlier try left when it was killed is removed.
    fn named(into: &Path, ending: &str) -> Result<Unfinished, UnpackError> {
        let occupied = || UnpackError::Occupied(into.to_owned());
        let (parent, name) = into.parent().zip(into.file_name()).ok_or_else(occupied)?;
        let hidden: OsString = [OsStr::new("."), name, OsStr::new(ending)].into_iter().collect();
        let unfinished = Unfinished(parent.join(hidden));
        unfinished.remove().map_err(write(&unfinished.0))?;
        Ok(unfinished)
    }

    fn remove(&self) -> io::Result<()> {
        let removed = match fs::symlink_metadata(&self.0) {
            Ok(found) if found.is_dir() => fs::remove_dir_all(&self.0),
            Ok(_) => fs::remove_file(&self.0),
            Err(error) => Err(error),
        };
        match removed {
            // Below a file is nothing either.
            Err(error)
                if !matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                Err(error)
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Moved away is what it is to be; and where it cannot be removed the next try does it, or says why not.
        drop(self.remove());
    }
}

/// Writes a file, and returns the SHA-256 of what the package has of it.
fn write_file(path: &Path, executable: bool, contents: &mut dyn Read) -> Result<String, UnpackError> {
    let mode = mode_of(executable);
    let mut file = new_file(path, mode)?;
    let sha256 = copy(contents, &mut file, path)?;
    // What the process masks is not what was asked for.
    file.set_permissions(Permissions::from_mode(mode))
        .map_err(write(path))?;
    file.sync_all().map_err(write(path))?;
    Ok(sha256)
}

/// The mode of a file that was unpacked.
pub(crate) const fn mode_of(executable: bool) -> u32 {
    if executable { FOLDER_MODE } else { 0o644 }
}

fn new_file(path: &Path, mode: u32) -> Result<fs::File, UnpackError> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(mode).open(path);
    file.map_err(write(path))
}

/// Copies, and tells a package that ends too early from a disk that is full.
fn copy(contents: &mut dyn Read, file: &mut fs::File, path: &Path) -> Result<String, UnpackError> {
    let (mut chunk, mut hasher) = (vec![0; 64 * 1024], Sha256::new());
    loop {
        match contents.read(&mut chunk).map_err(UnpackError::Broken)? {
            0 => return Ok(hex(&hasher.finalize())),
            read => {
                hasher.update(&chunk[..read]);
                io::Write::write_all(file, &chunk[..read]).map_err(write(path))?;
            }
        }
    }
}

/// Makes what is above, each folder so that it outlasts a loss of power.
fn made_above(folder: &Path) -> Result<(), UnpackError> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent().unwrap_or(folder);
    made_above(above)?;
    match fs::create_dir(folder) {
        // Somebody else may just have made it.
        Err(error) if !folder.is_dir() => return Err(write(folder)(error)),
        _ => {}
    }
    let above = if above.as_os_str().is_empty() {
        Path::new(".")
    } else {
        above
    };
    synced(above)
}

fn made(path: &Path) -> Result<(), UnpackError> {
    let created = DirBuilder::new().mode(FOLDER_MODE).create(path);
    created.map_err(write(path))?;
    fs::set_permissions(path, Permissions::from_mode(FOLDER_MODE)).map_err(write(path))
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
