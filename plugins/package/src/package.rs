//! A package: its bytes, and what they are known by.
//!
//! What cannot be unpacked is not packed: each package is read again before it is given away.

use crate::{Contents, File, MANIFEST, PACKED_LIMIT, PackError, UnpackError, walk};
use flate2::{Compression, GzBuilder, write::GzEncoder};
use sha2::{Digest, Sha256};
use snooze_schemas::{PluginName, plugin::manifest::Manifest};
use std::{fmt::Write, io, path::Path, path::PathBuf};
use tar::{EntryType, Header};

/// What RFC 1952 has for "unknown system": the same on all of them.
const NO_SYSTEM: u8 = 255;

/// A plugin's folder as one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// The plugin's name, which is that of the one folder in it.
    pub name: PluginName,
    /// The plugin's version, as its manifest says it.
    pub version: String,
    /// The SHA-256 of the bytes, in lower-case hexadecimal.
    pub sha256: String,
    /// The file.
    pub bytes: Vec<u8>,
}

/// Makes a package of a plugin's folder.
///
/// The same contents give the same bytes, wherever the folder lies and whoever wrote it when.
///
/// # Errors
/// When something of it cannot be read or packed, or there is no manifest with a name in it.
pub fn pack(folder: &Path) -> Result<Package, PackError> {
    Contents::read(folder)?.pack()
}

impl Package {
    /// Looks through the bytes of a package, all of them, and unpacks nothing.
    ///
    /// # Errors
    /// When they are none that [`unpack`](crate::unpack) would take.
    pub fn read(bytes: Vec<u8>) -> Result<Package, UnpackError> {
        let manifest = walk::walk(&bytes, |_| Ok(()))?;
        Ok(Package {
            name: manifest.name,
            version: manifest.version,
            sha256: sha256(&bytes),
            bytes,
        })
    }
}

impl Contents {
    /// Makes a package of them.
    ///
    /// # Errors
    /// When there is no manifest with a name in them, a path is too long, or there is too much of them.
    pub fn pack(&self) -> Result<Package, PackError> {
        let manifest = self.files().find(|(path, _)| *path == MANIFEST);
        let (_, manifest) = manifest.ok_or(PackError::NoManifest)?;
        let manifest: Manifest = serde_json::from_slice(&manifest.bytes).map_err(PackError::Manifest)?;
        let bytes = self.written(manifest.name.as_str())?;
        if bytes.len() as u64 > PACKED_LIMIT {
            return Err(PackError::TooLong);
        }
        Package::read(bytes).map_err(|error| PackError::Unreadable(Box::new(error)))
    }

    fn written(&self, top: &str) -> Result<Vec<u8>, PackError> {
        let gzip = GzBuilder::new()
            .mtime(0)
            .operating_system(NO_SYSTEM)
            .write(Vec::new(), Compression::best());
        let mut tar = tar::Builder::new(gzip);
        append(&mut tar, &format!("{top}/"), None)?;
        for (path, file) in self.entries() {
            let slash = if file.is_some() { "" } else { "/" };
            append(&mut tar, &format!("{top}/{path}{slash}"), file)?;
        }
        let written = tar.into_inner().and_then(GzEncoder::finish);
        Ok(written.expect("memory takes whatever is written to it"))
    }
}

fn append(
    tar: &mut tar::Builder<GzEncoder<Vec<u8>>>,
    path: &str,
    file: Option<&File>,
) -> Result<(), PackError> {
    let mut header = Header::new_ustar();
    header.set_path(path).map_err(|_| PackError::Unfit {
        path: PathBuf::from(path),
        because: "its path is too long: 100 bytes a name, and 255 in all",
    })?;
    let contents: &[u8] = file.map_or(&[], |file| &file.bytes);
    let is_entered_or_run = file.is_none_or(|file| file.executable);
    header.set_entry_type(match file {
        Some(_) => EntryType::Regular,
        None => EntryType::Directory,
    });
    header.set_mode(if is_entered_or_run { 0o755 } else { 0o644 });
    header.set_size(contents.len() as u64);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    let appended: io::Result<()> = tar.append(&header, contents);
    appended.expect("memory takes whatever is written to it");
    Ok(())
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub(crate) fn hex(digest: &[u8]) -> String {
    digest.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a text takes whatever is written to it");
        text
    })
}
