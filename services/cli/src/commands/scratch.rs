//! A folder that nobody else uses, for as long as a command runs.

use snooze_service_runtime::{Exit, Failure};
use std::{
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

/// So many names are tried; each is taken by a command that was killed.
const TRIES: u32 = 1000;

/// A folder of our own below the one for temporary files, removed when it is dropped.
#[derive(Debug)]
pub(in crate::commands) struct Scratch(PathBuf);

impl Scratch {
    /// Makes one. Others may pass through it to what is theirs and see nothing else: a plugin that is a user of its own
    /// has its home in it.
    pub(in crate::commands) fn make() -> Result<Scratch, Failure> {
        let base = std::env::temp_dir();
        let failed = |error: &io::Error| {
            Failure::new(
                Exit::Failed,
                format!("make a folder in {}: {error}", base.display()),
            )
        };
        let process = std::process::id();
        for number in 0..TRIES {
            let path = base.join(format!("snooze-{process}-{number}"));
            match fs::DirBuilder::new().mode(0o711).create(&path) {
                Ok(()) => return Ok(Scratch(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(&error)),
            }
        }
        Err(failed(&io::ErrorKind::AlreadyExists.into()))
    }

    pub(in crate::commands) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed lies where temporary files do.
        drop(fs::remove_dir_all(&self.0));
    }
}
