//! Opens what is a file, whatever somebody has put in its place.
//!
//! It waits for nobody: to open a fifo would wait for whoever writes to it, for ever.

use rustix::fs::OFlags;
use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// Opens a file to read it; links are followed.
///
/// # Errors
/// When it cannot be opened, and `InvalidInput` when it is no file.
pub fn open_plain(path: &Path) -> io::Result<File> {
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
