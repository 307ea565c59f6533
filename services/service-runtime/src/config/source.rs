//! Where configuration comes from, injected: the real machine or what a test says.
//!
//! The only reader of the real environment.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

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
        match std::fs::read_to_string(path) {
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
