//! What is in a plugin's folder, apart from everything that differs between two machines.
//!
//! Times, owners, the order of a folder and the exact modes are not kept. It follows no links.

use crate::{ENTRY_LIMIT, MANIFEST, PackError, UNPACKED_LIMIT, package::sha256, path};
use snooze_service_runtime::opening::open_file;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::Path,
};

/// The file that says what of the folder is not to be packed: a path a line, as it is below the folder; `#` begins
/// a remark. What has a name that begins with a dot is never packed.
pub const LEFT_OUT: &str = ".snoozeignore";

/// No list of what is left out is as long.
const LEFT_OUT_LIMIT: u64 = 64 * 1024;

const EXECUTABLE_BY_ANY: u32 = 0o111;

/// A file of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// What is in it.
    pub bytes: Vec<u8>,
    /// Whether it may be run.
    pub executable: bool,
}

/// The files and folders of a plugin, by their path below its own folder.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Contents {
    files: BTreeMap<String, File>,
    folders: BTreeSet<String>,
}

impl Contents {
    /// Reads a folder.
    ///
    /// # Errors
    /// When something of it cannot be read or cannot be in a package, and when there is too much.
    pub fn read(folder: &Path) -> Result<Contents, PackError> {
        let left_out = left_out(folder)?;
        let mut contents = Contents::default();
        let mut room = UNPACKED_LIMIT;
        let mut unread = vec![String::new()];
        // Bounded by the count of entries: a folder is one.
        while let Some(parent) = unread.pop() {
            let parent_path = folder.join(&parent);
            let entries = fs::read_dir(&parent_path).map_err(read(&parent_path))?;
            for entry in entries {
                let entry = entry.map_err(read(&parent_path))?;
                let on_disk = entry.path();
                let name = entry.file_name();
                let unfit = |because| PackError::Unfit {
                    path: on_disk.clone(),
                    because,
                };
                let name = name.to_str().ok_or_else(|| unfit("its name is no UTF-8"))?;
                if name.starts_with('.') {
                    continue;
                }
                let below = joined(&parent, name);
                if left_out.contains(&below) {
                    continue;
                }
                if let Some(because) = path::flaw(&below) {
                    return Err(unfit(because));
                }
                if contents.count() >= ENTRY_LIMIT {
                    return Err(PackError::TooLarge);
                }
                let kind = entry.file_type().map_err(read(&on_disk))?;
                if kind.is_dir() {
                    contents.folders.insert(below.clone());
                    unread.push(below);
                } else if kind.is_file() {
                    let file = file(&on_disk, room)?;
                    room -= length(&file.bytes);
                    contents.files.insert(below, file);
                } else {
                    return Err(unfit("only files and folders can be packed, and it is neither"));
                }
            }
        }
        Ok(contents)
    }

    /// The files, by their paths.
    pub fn files(&self) -> impl Iterator<Item = (&str, &File)> {
        self.files.iter().map(|(path, file)| (path.as_str(), file))
    }

    /// Puts a file in the folder itself, in place of one that is there.
    ///
    /// # Panics
    /// When its name is none.
    pub fn put(&mut self, name: &str, bytes: Vec<u8>) {
        assert!(
            path::flaw(name).is_none() && !name.contains('/'),
            "{name:?} is no name of a file"
        );
        let executable = false;
        self.files.insert(name.to_owned(), File { bytes, executable });
    }

    /// The SHA-256 of each file but the manifest, in lower-case hexadecimal, as a manifest states them.
    #[must_use]
    pub fn checksums(&self) -> BTreeMap<String, String> {
        let files = self.files().filter(|(path, _)| *path != MANIFEST);
        files
            .map(|(path, file)| (path.to_owned(), sha256(&file.bytes)))
            .collect()
    }

    /// All folders and files, each folder before what is in it: a file has its contents with it.
    pub(crate) fn entries(&self) -> BTreeMap<&str, Option<&File>> {
        let folders = self.folders.iter().map(|path| (path.as_str(), None));
        folders
            .chain(self.files().map(|(path, file)| (path, Some(file))))
            .collect()
    }

    fn count(&self) -> usize {
        self.files.len() + self.folders.len()
    }
}

fn left_out(folder: &Path) -> Result<BTreeSet<String>, PackError> {
    let path = folder.join(LEFT_OUT);
    let mut text = String::new();
    match open_file(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(read(&path)(error)),
        Ok(file) => file.take(LEFT_OUT_LIMIT).read_to_string(&mut text),
    }
    .map_err(read(&path))?;
    let lines = text.lines().map(str::trim);
    let told = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    told.map(|line| line.strip_suffix('/').unwrap_or(line))
        .map(|line| match path::flaw(line) {
            None => Ok(line.to_owned()),
            Some(because) => Err(PackError::Unfit {
                path: path.join(line),
                because,
            }),
        })
        .collect()
}

fn file(path: &Path, room: u64) -> Result<File, PackError> {
    let opened = open_file(path).map_err(read(path))?;
    let mode = opened.metadata().map_err(read(path))?.permissions().mode();
    let mut bytes = Vec::new();
    opened
        .take(room.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(read(path))?;
    if length(&bytes) > room {
        return Err(PackError::TooLarge);
    }
    let executable = mode & EXECUTABLE_BY_ANY != 0;
    Ok(File { bytes, executable })
}

fn joined(parent: &str, name: &str) -> String {
    if parent.is_empty() {
        name.to_owned()
    } else {
        format!("{parent}/{name}")
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn read(path: &Path) -> impl FnOnce(io::Error) -> PackError + use<> {
    let path = path.to_owned();
    |source| PackError::Read { path, source }
}
