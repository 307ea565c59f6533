//! The files that a manifest names: what is started, and those whose SHA-256 it states.
//!
//! It runs none of them, and follows links only to see where they end.

use super::{mistakes::Found, places::below};
use crate::trust::{self, Exposed};
use rustix::fs::OFlags;
use sha2::{Digest, Sha256};
use snooze_schemas::plugin::manifest::{Manifest, PluginKind, ProcessModel};
use std::{
    collections::BTreeMap,
    fmt::Write,
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

const EXECUTABLE_BY_ANY: u32 = 0o111;

/// How much of a file is read at once.
const CHUNK: usize = 64 * 1024;

/// Opens what is a file and nothing else: to open a fifo would wait for whoever writes to it, for ever.
pub(super) fn open_plain(path: &Path) -> io::Result<File> {
    let waits_for_nobody = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(waits_for_nobody)
        .open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"))
    }
}

/// Looks for what is started, and returns where it is at the end of all links. What answers on the bus is
/// started by somebody else, and need not be there.
pub(super) fn entry_point(folder: &Path, manifest: &Manifest) -> Result<PathBuf, Found> {
    let path = folder.join(&manifest.entry_point);
    if manifest.process_model == ProcessModel::Nats {
        return Ok(path);
    }
    let mistake = |text: String| Found::new("/entry_point", text);
    let path = resolved(folder, &path).map_err(mistake)?;
    let mode = fs::metadata(&path).map_err(|error| mistake(error.to_string()))?;
    if manifest.kind == PluginKind::External && mode.permissions().mode() & EXECUTABLE_BY_ANY == 0 {
        return Err(mistake(format!("{} is not executable", path.display())));
    }
    Ok(path)
}

/// Compares the files that the manifest knows with what it says of them.
pub(super) fn checksums(folder: &Path, stated: &BTreeMap<String, String>) -> Vec<Found> {
    let differs = |(path, stated): (&String, &String)| {
        let pointer = below("/checksums", path);
        let text = match resolved(folder, &folder.join(path)) {
            Err(text) => text,
            Ok(path) => match sha256_of(&path) {
                Err(error) => format!("read {}: {error}", path.display()),
                Ok(found) if found == *stated => return None,
                Ok(found) => format!("{} is another file: its SHA-256 is {found}", path.display()),
            },
        };
        Some(Found::new(pointer, text))
    };
    stated.iter().filter_map(differs).collect()
}

/// Where a file of the folder is at the end of all links, when that is below the folder and nobody else may
/// change anything on the way.
fn resolved(folder: &Path, path: &Path) -> Result<PathBuf, String> {
    let said = |path: &Path, error: &io::Error| format!("{}: {error}", path.display());
    let folder = fs::canonicalize(folder).map_err(|error| said(folder, &error))?;
    let end = fs::canonicalize(path).map_err(|error| said(path, &error))?;
    let Ok(below) = end.strip_prefix(&folder) else {
        return Err(format!(
            "it leads out of the manifest's folder, to {}",
            end.display()
        ));
    };
    let mut parent = folder.clone();
    for part in below.components() {
        let child = parent.join(part);
        trust::check(&parent, &child).map_err(|exposed| told(&exposed))?;
        parent = child;
    }
    if !end.is_file() {
        return Err(format!("{} is no file", end.display()));
    }
    Ok(end)
}

fn told(exposed: &Exposed) -> String {
    snooze_service_runtime::exit::one_line(exposed)
}

/// A file's SHA-256 in lower-case hexadecimal.
///
/// # Errors
/// When it cannot be read.
pub fn sha256_of(path: &Path) -> io::Result<String> {
    let mut file = open_plain(path)?;
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        match file.read(&mut chunk)? {
            0 => break,
            read => hasher.update(&chunk[..read]),
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
