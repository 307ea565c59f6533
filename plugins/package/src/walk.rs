//! One pass over a package, from its first byte to its last, that trusts none of them.
//!
//! What it shows has been looked at: a plain path below the package's folder, inside a folder that it showed
//! before, and nothing twice. Whether the package is whole is known at its end only. It writes nothing.

use crate::{ENTRY_LIMIT, MANIFEST, MANIFEST_LIMIT, PACKED_LIMIT, UNPACKED_LIMIT, UnpackError, path};
use flate2::bufread::GzDecoder;
use snooze_schemas::plugin::manifest::Manifest;
use std::{
    collections::BTreeMap,
    io::{self, Read},
};
use tar::{Archive, EntryType, Header};

/// A block of a tar: a header is one, and contents are filled up to whole ones.
const BLOCK: u64 = 512;

/// Nothing more is taken out of the compression: all contents, a header and a filled-up block for each, and what
/// writers put at the end.
const STREAM_LIMIT: u64 = UNPACKED_LIMIT + 2 * BLOCK * (ENTRY_LIMIT as u64) + 1024 * 1024;

const EXECUTABLE_BY_ANY: u32 = 0o111;

/// How much of the end is looked at in one go.
const CHUNK: usize = 4096;

/// Something in a package.
pub(crate) struct Entry<'a> {
    /// Where it is below the package's folder; empty for that folder.
    pub path: &'a str,
    /// What it is.
    pub kind: Kind<'a>,
}

/// What something in a package is.
pub(crate) enum Kind<'a> {
    /// A folder.
    Folder,
    /// A file.
    File {
        /// Whether it may be run.
        executable: bool,
        /// What is in it.
        contents: &'a mut dyn Read,
    },
}

/// Shows everything in a package, in its order, and returns the manifest in it.
///
/// # Errors
/// What is wrong with it first, and what the one that is shown it says.
pub(crate) fn walk(
    bytes: &[u8],
    mut show: impl FnMut(Entry<'_>) -> Result<(), UnpackError>,
) -> Result<Manifest, UnpackError> {
    if bytes.len() as u64 > PACKED_LIMIT {
        return Err(UnpackError::TooLarge);
    }
    let mut archive = Archive::new(GzDecoder::new(bytes).take(STREAM_LIMIT));
    let mut seen = Seen::default();
    let mut manifest = None;
    // Raw: what stands for a long name or an attribute of the next entry is an entry of its own, and refused.
    for entry in archive.entries().map_err(UnpackError::Broken)?.raw(true) {
        let mut entry = entry.map_err(UnpackError::Broken)?;
        let (path, is_file) = seen.take(entry.header())?;
        let mode = entry.header().mode().map_err(UnpackError::Broken)?;
        let executable = mode & EXECUTABLE_BY_ANY != 0;
        let mut kept = Vec::new();
        let mut kept_contents;
        let contents: &mut dyn Read = if path == MANIFEST && is_file {
            kept = manifest_text(&mut entry)?;
            kept_contents = kept.as_slice();
            &mut kept_contents
        } else {
            &mut entry
        };
        let kind = match is_file {
            true => Kind::File { executable, contents },
            false => Kind::Folder,
        };
        show(Entry { path: &path, kind })?;
        if path == MANIFEST {
            manifest = Some(kept);
        }
    }
    ended(archive.into_inner())?;
    let manifest = manifest.ok_or(UnpackError::NoManifest)?;
    let manifest: Manifest = serde_json::from_slice(&manifest).map_err(UnpackError::Manifest)?;
    if seen.top.as_deref() != Some(manifest.name.as_str()) {
        return Err(UnpackError::Unfit {
            entry: seen.top.unwrap_or_default(),
            because: "the package's folder is not called as the plugin is",
        });
    }
    Ok(manifest)
}

fn manifest_text(entry: &mut impl Read) -> Result<Vec<u8>, UnpackError> {
    let mut text = Vec::new();
    let read = entry.take(MANIFEST_LIMIT + 1).read_to_end(&mut text);
    if read.map_err(UnpackError::Broken)? as u64 > MANIFEST_LIMIT {
        return Err(UnpackError::Unfit {
            entry: MANIFEST.to_owned(),
            because: "no manifest is as long",
        });
    }
    Ok(text)
}

/// What was in the package so far.
#[derive(Default)]
struct Seen {
    /// The package's folder.
    top: Option<String>,
    /// Whether each path is a file.
    entries: BTreeMap<String, bool>,
    bytes: u64,
}

impl Seen {
    /// Takes one more, and says where it goes and whether it is a file.
    fn take(&mut self, header: &Header) -> Result<(String, bool), UnpackError> {
        let called = header.path_bytes();
        let unfit = |because| UnpackError::Unfit {
            entry: String::from_utf8_lossy(&called).into_owned(),
            because,
        };
        let is_file = match header.entry_type() {
            EntryType::Regular => true,
            EntryType::Directory => false,
            _ => return Err(unfit("it is neither a file nor a folder")),
        };
        let called = std::str::from_utf8(&called).map_err(|_| unfit("its name is no UTF-8"))?;
        let called = match called.strip_suffix('/') {
            Some(folder) if !is_file => folder,
            _ => called,
        };
        if let Some(because) = path::flaw(called) {
            return Err(unfit(because));
        }
        let (top, below) = called.split_once('/').unwrap_or((called, ""));
        if self.top.get_or_insert_with(|| top.to_owned()) != top {
            return Err(unfit("it is outside of the package's folder"));
        }
        let is_top = below.is_empty();
        if !is_top && self.entries.get(path::parent(below)) != Some(&false) {
            return Err(unfit("the folder that it is in does not come before it"));
        }
        if is_top && is_file {
            return Err(unfit("the package's folder is a file"));
        }
        let size = header.size().map_err(UnpackError::Broken)?;
        if !is_file && size > 0 {
            return Err(unfit("it is a folder with contents"));
        }
        self.bytes = self.bytes.saturating_add(size);
        // The package's own folder is one more than was packed.
        if self.bytes > UNPACKED_LIMIT || self.entries.len() > ENTRY_LIMIT {
            return Err(UnpackError::TooLarge);
        }
        if self.entries.insert(below.to_owned(), is_file).is_some() {
            return Err(unfit("it is there twice"));
        }
        Ok((below.to_owned(), is_file))
    }
}

/// Reads what is left, so that the compression's checksum is compared, and sees that it is nothing.
fn ended(mut stream: io::Take<GzDecoder<&[u8]>>) -> Result<(), UnpackError> {
    let mut chunk = [0; CHUNK];
    loop {
        match stream.read(&mut chunk).map_err(UnpackError::Broken)? {
            0 => break,
            read if chunk[..read].iter().all(|byte| *byte == 0) => {}
            _ => return Err(UnpackError::Trailing),
        }
    }
    if stream.limit() == 0 {
        return Err(UnpackError::TooLarge);
    }
    match stream.into_inner().into_inner() {
        [] => Ok(()),
        _ => Err(UnpackError::Trailing),
    }
}
