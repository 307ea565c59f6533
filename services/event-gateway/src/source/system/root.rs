//! Small files of the kernel below a folder that stands for `/`, so that tests can hand in their own.
//!
//! It never takes a part of a file for the whole: text that does not end with its line is malformed.

use super::unreadable::Unreadable;
use std::{
    fs::OpenOptions,
    io::Read,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// Nothing that is read here comes near this; whatever is longer is not what it should be.
const LARGEST: u64 = 4 << 20;

/// The folder that stands for `/`.
#[derive(Debug, Clone)]
pub(super) struct Root(PathBuf);

impl Root {
    pub(super) fn new(path: &Path) -> Root {
        Root(path.to_owned())
    }

    /// Where an absolute path is below it.
    pub(super) fn join(&self, path: &str) -> PathBuf {
        self.0.join(path.trim_start_matches('/'))
    }

    /// Reads a whole file of lines. A pipe or a device in its place is not waited for.
    pub(super) fn text(&self, path: &str) -> Result<String, Unreadable> {
        let failed = |error| Unreadable::read(path, error);
        let no_wait = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
        let flags = i32::try_from(no_wait.bits()).expect("the kernel's flags are small");
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(flags)
            .open(self.join(path))
            .map_err(failed)?;
        let mut bytes = Vec::with_capacity(4096);
        file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length > LARGEST) {
            return Err(Unreadable::malformed(path, "it is far too long"));
        }
        match String::from_utf8(bytes) {
            Ok(text) if text.ends_with('\n') => Ok(text),
            Ok(_) => Err(Unreadable::malformed(path, "its last line is cut off")),
            Err(_) => Err(Unreadable::malformed(path, "it is not text")),
        }
    }
}
