//! The files that a manifest names: what is started, and those whose SHA-256 it states.
//!
//! It runs none of them, and follows links only to see where they end.

use super::{ManifestError, mistakes::Found, places::below};
use crate::trust;
use sha2::{Digest, Sha256};
use snooze_package::UNPACKED_LIMIT;
use snooze_schemas::plugin::manifest::{Manifest, PluginKind, ProcessModel};
use snooze_service_runtime::opening::open_file;
use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

const EXECUTABLE_BY_ANY: u32 = 0o111;

/// So much is read of one file at most, and of all that a manifest states the sums of: as much as a package may hold.
/// Whoever looks through folders of plugins reads them one after another, and all others wait for it.
const READ_LIMIT: u64 = UNPACKED_LIMIT;

/// How much of a file is read at once.
const CHUNK: usize = 8 * 1024;

/// Where the SHA-256 of files comes from.
pub(crate) type Sums<'a> = dyn Fn(&Path) -> io::Result<String> + 'a;

/// What is wrong with a file that a manifest names.
pub(super) enum Flaw {
    /// A mistake of whoever wrote the manifest, or a file that is not as it says.
    Mistake(Found),
    /// Nobody can tell, or somebody else might change it.
    Untold(ManifestError),
}

/// Looks for what is started, and returns where it is at the end of all links. What answers on the bus is
/// started by somebody else, and need not be there.
pub(super) fn entry_point(folder: &Path, manifest: &Manifest) -> Result<PathBuf, Flaw> {
    let path = folder.join(&manifest.entry_point);
    if manifest.process_model == ProcessModel::Nats {
        return Ok(path);
    }
    let pointer = "/entry_point";
    let path = resolved(folder, &path, pointer)?;
    let mode = fs::metadata(&path).map_err(|error| unread(&path, error, pointer))?;
    if manifest.kind == PluginKind::External && mode.permissions().mode() & EXECUTABLE_BY_ANY == 0 {
        let text = format!("{} is not executable", path.display());
        return Err(Flaw::Mistake(Found::new(pointer, text)));
    }
    Ok(path)
}

/// Compares the files that the manifest knows with what it says of them.
///
/// # Errors
/// That this cannot be told of one of them.
pub(super) fn checksums(
    folder: &Path,
    stated: &BTreeMap<String, String>,
    sums: &Sums,
) -> Result<Vec<Found>, ManifestError> {
    let size = |path: &String| fs::metadata(folder.join(path)).map_or(0, |found| found.len());
    if stated.keys().map(size).fold(0, u64::saturating_add) > READ_LIMIT {
        let text = format!("the files come to more than {} MiB", READ_LIMIT >> 20);
        return Ok(vec![Found::new("/checksums", text)]);
    }
    let mut differing = Vec::new();
    for (path, stated) in stated {
        match same(folder, path, stated, sums) {
            Ok(()) => {}
            Err(Flaw::Mistake(found)) => differing.push(found),
            Err(Flaw::Untold(why)) => return Err(why),
        }
    }
    Ok(differing)
}

fn same(folder: &Path, path: &str, stated: &str, sums: &Sums) -> Result<(), Flaw> {
    let pointer = below("/checksums", path);
    let path = resolved(folder, &folder.join(path), &pointer)?;
    let found = sums(&path).map_err(|error| unread(&path, error, &pointer))?;
    if found == stated {
        return Ok(());
    }
    let text = format!("{} is another file: its SHA-256 is {found}", path.display());
    Err(Flaw::Mistake(Found::new(pointer, text)))
}

/// Where a file of the folder is at the end of all links, when that is below the folder and nobody else may
/// change anything on the way.
fn resolved(folder: &Path, path: &Path, pointer: &str) -> Result<PathBuf, Flaw> {
    let folder = fs::canonicalize(folder).map_err(|error| unread(folder, error, pointer))?;
    let end = fs::canonicalize(path).map_err(|error| unread(path, error, pointer))?;
    let mistake = |text: String| Flaw::Mistake(Found::new(pointer, text));
    if end.strip_prefix(&folder).is_err() {
        let shown = end.display();
        return Err(mistake(format!(
            "it leads out of the manifest's folder, to {shown}"
        )));
    }
    trust::check_in(&folder, path).map_err(|exposed| Flaw::Untold(exposed.into()))?;
    if !end.is_file() {
        return Err(mistake(format!("{} is no file", end.display())));
    }
    Ok(end)
}

/// What is not there is a mistake; what cannot be read may be as it is stated.
fn unread(path: &Path, source: io::Error, pointer: &str) -> Flaw {
    let is_lasting = matches!(
        source.kind(),
        io::ErrorKind::NotFound
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::FileTooLarge
    );
    if is_lasting {
        let text = format!("{}: {source}", path.display());
        return Flaw::Mistake(Found::new(pointer, text));
    }
    let path = path.to_owned();
    Flaw::Untold(ManifestError::Read { path, source })
}

/// A file's SHA-256 in lower-case hexadecimal.
///
/// # Errors
/// When it cannot be read, or is larger than what a package may hold.
pub fn sha256_of(path: &Path) -> io::Result<String> {
    let too_large = || {
        let text = format!("it is larger than {} MiB", READ_LIMIT >> 20);
        io::Error::new(io::ErrorKind::FileTooLarge, text)
    };
    let mut file = open_file(path)?;
    if file.metadata()?.len() > READ_LIMIT {
        return Err(too_large());
    }
    let mut left = READ_LIMIT;
    let mut hasher = Sha256::new();
    // On the stack: many are read at once in threads of their own, and what those allocate is never given back.
    let mut chunk = [0; CHUNK];
    loop {
        match file.read(&mut chunk)? {
            0 => break,
            read => {
                // It may grow meanwhile.
                left = left.checked_sub(read as u64).ok_or_else(too_large)?;
                hasher.update(&chunk[..read]);
            }
        }
    }
    Ok(hex(&hasher.finalize()))
}

/// The SHA-256 of what was read already.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a text takes whatever is written to it");
        text
    })
}
