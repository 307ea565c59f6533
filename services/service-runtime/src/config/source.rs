//! Where configuration comes from, injected: the real machine or what a test says.
//!
//! The only reader of the real environment.

use crate::opening::open_file;
use std::{
    collections::BTreeMap,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// Configurations are a few KiB long; what is longer is something else.
const LONGEST: u64 = 4 * 1024 * 1024;

/// Files and variables.
pub trait Source {
    /// The text of a file; `None` where there is none.
    ///
    /// # Errors
    /// When it exists and cannot be read.
    fn read(&self, path: &Path) -> io::Result<Option<String>>;

    /// All variables of the environment that are text.
    fn variables(&self) -> Vec<(String, String)>;
}

/// This machine's files and this process's environment.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealSource;

impl Source for RealSource {
    fn read(&self, path: &Path) -> io::Result<Option<String>> {
        match text_of(path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where configuration is read from the environment"
    )]
    fn variables(&self) -> Vec<(String, String)> {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }
}

/// The text of a regular file.
fn text_of(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    open_file(path)?.take(LONGEST + 1).read_to_string(&mut text)?;
    if u64::try_from(text.len()).is_ok_and(|length| length > LONGEST) {
        let why = format!("it is longer than {} KiB", LONGEST / 1024);
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    Ok(text)
}

/// Files and variables that were written down: for tests, and for a demonstration that reads nothing.
#[derive(Debug, Clone, Default)]
pub struct FixedSource {
    /// By path.
    pub files: BTreeMap<PathBuf, String>,
    /// By name.
    pub variables: Vec<(String, String)>,
}

impl FixedSource {
    /// Adds a file.
    #[must_use]
    pub fn file(mut self, path: impl Into<PathBuf>, text: impl Into<String>) -> FixedSource {
        self.files.insert(path.into(), text.into());
        self
    }

    /// Adds a variable.
    #[must_use]
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<String>) -> FixedSource {
        self.variables.push((name.into(), value.into()));
        self
    }
}

impl Source for FixedSource {
    fn read(&self, path: &Path) -> io::Result<Option<String>> {
        Ok(self.files.get(path).cloned())
    }

    fn variables(&self) -> Vec<(String, String)> {
        self.variables.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    #[test]
    fn what_is_no_regular_file_is_refused_and_not_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = folder.path().join("snooze.json");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a fifo");
        for path in [pipe.as_path(), Path::new("/dev/zero")] {
            let why = RealSource.read(path).expect_err("it is no file").to_string();
            assert!(why.contains("no regular file"), "{why}");
        }
        let absent = RealSource.read(Path::new("/no/such/file.json"));
        assert_eq!(absent.expect("that is no failure"), None);
    }
}
