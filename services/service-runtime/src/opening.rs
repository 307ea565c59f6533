//! Opens what somebody named, without waiting for anybody: a fifo without a writer would keep whoever opens it for
//! ever, and a device may never end.
//!
//! **Invariant:** what it is, is asked of what was opened and never of its name, which may be another's by then.

use rustix::fs::OFlags;
use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileTypeExt, OpenOptionsExt},
    path::Path,
};

/// What was opened.
#[derive(Debug)]
pub enum Opened {
    /// A regular file.
    Plain(File),
    /// A pipe, which gives what is in it and waits for no more.
    Pipe(File),
}

/// Opens a regular file for reading.
///
/// # Errors
/// When it cannot be opened, or is something else.
pub fn open_file(path: &Path) -> io::Result<File> {
    match open(path)? {
        Some(Opened::Plain(file)) => Ok(file),
        Some(Opened::Pipe(_)) | None => Err(refused("it is no regular file")),
    }
}

/// Opens a regular file or a pipe for reading.
///
/// # Errors
/// When it cannot be opened, or is something else.
pub fn open_file_or_pipe(path: &Path) -> io::Result<Opened> {
    open(path)?.ok_or_else(|| refused("it is no regular file and no pipe"))
}

fn open(path: &Path) -> io::Result<Option<Opened>> {
    // A terminal that is opened so does not become this process's own.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    let kind = file.metadata()?.file_type();
    Ok(match (kind.is_file(), kind.is_fifo()) {
        (true, _) => Some(Opened::Plain(file)),
        (false, true) => Some(Opened::Pipe(file)),
        (false, false) => None,
    })
}

fn refused(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use std::io::Read;

    #[test]
    fn what_is_no_regular_file_is_refused_and_not_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = folder.path().join("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a fifo");
        let plain = folder.path().join("plain");
        std::fs::write(&plain, "text").expect("writes");
        let mut text = String::new();
        let mut file = open_file(&plain).expect("it is a file");
        file.read_to_string(&mut text).expect("reads");
        assert_eq!(text, "text");
        for path in [pipe.as_path(), folder.path(), Path::new("/dev/zero")] {
            let why = open_file(path).expect_err("it is no file").to_string();
            assert_eq!(why, "it is no regular file");
        }
        let is_pipe = |opened: &Opened| matches!(opened, Opened::Pipe(_));
        assert!(open_file_or_pipe(&pipe).is_ok_and(|opened| is_pipe(&opened)));
        assert!(open_file_or_pipe(&plain).is_ok_and(|opened| !is_pipe(&opened)));
        for path in [folder.path(), Path::new("/dev/zero")] {
            let why = open_file_or_pipe(path).expect_err("it is neither").to_string();
            assert_eq!(why, "it is no regular file and no pipe");
        }
        let absent = open_file(&folder.path().join("absent")).expect_err("there is none");
        assert_eq!(absent.kind(), io::ErrorKind::NotFound);
    }
}
