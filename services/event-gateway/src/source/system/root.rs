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
            // A list without entries is empty and whole; who expects more says so.
            Ok(text) if text.is_empty() || text.ends_with('\n') => Ok(text),
            Ok(_) => Err(Unreadable::malformed(path, "its last line is cut off")),
            Err(_) => Err(Unreadable::malformed(path, "it is not text")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};

    #[test]
    fn a_part_of_a_file_is_not_taken_for_the_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = Root::new(folder.path());
        let far_too_long = "x\n".repeat(3 << 20);
        for (content, is_whole) in [
            (&b"MemTotal: 1000 kB\n"[..], true),
            (b"MemTotal: 1000 kB", false),
            (b"", true),
            (b"\xff\n", false),
            (far_too_long.as_bytes(), false),
        ] {
            std::fs::write(root.join("/file"), content).expect("writes");
            assert_eq!(
                root.text("/file").is_ok(),
                is_whole,
                "{:?}",
                content.first_chunk::<9>()
            );
        }
    }

    #[test]
    fn a_pipe_in_a_files_place_is_not_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = Root::new(folder.path());
        mknodat(
            CWD,
            root.join("/pipe"),
            FileType::Fifo,
            Mode::from_raw_mode(0o600),
            0,
        )
        .expect("a pipe");
        // Without a writer a pipe reads as empty; with one that says nothing it would block.
        assert_eq!(root.text("/pipe").expect("empty"), "");
        let flags = OFlags::RDWR | OFlags::NONBLOCK;
        let _writer = rustix::fs::open(root.join("/pipe"), flags, Mode::empty()).expect("opens");
        assert!(root.text("/pipe").is_err());
    }
}
