//! `conformance.json`: how an SDK's example is built and started.
//!
//! It reads the file and starts nothing.

use crate::{case::Form, process::Program};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

/// The file's name, in the folder of the example.
pub const FILE: &str = "conformance.json";

/// How an example is built and started.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// A command that makes it, where it has to be made.
    #[serde(default)]
    pub build: Vec<String>,
    /// What starts it.
    pub command: Vec<String>,
    /// What its environment needs beside `PATH`, `LANG` and `HOME`.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// The forms in which it can be asked.
    #[serde(default = "every_form")]
    pub forms: BTreeSet<Form>,
}

fn every_form() -> BTreeSet<Form> {
    Form::ALL.into()
}

/// An example that cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum ExampleError {
    /// Its file cannot be read.
    #[error("read {}", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Its file is not of this form.
    #[error("{} is not of the form that plugins/conformance/README.md states", path.display())]
    Form {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
}

impl Example {
    /// Reads the file in a folder.
    ///
    /// # Errors
    /// When there is none, or it is not of this form.
    pub fn read(folder: &Path) -> Result<Example, ExampleError> {
        let path = folder.join(FILE);
        match fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).map_err(|source| ExampleError::Form { path, source }),
            Err(source) => Err(ExampleError::Read { path, source }),
        }
    }

    /// The program that it is, in its folder.
    #[must_use]
    pub fn program(&self, folder: &Path, search_path: &str, home: &Path) -> Program {
        Program {
            command: self.command.clone(),
            folder: folder.to_owned(),
            search_path: search_path.to_owned(),
            home: home.to_owned(),
            environment: self.environment.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_command_is_needed_and_a_misspelt_key_is_told() {
        let read = serde_json::from_str::<Example>;
        let example = read(r#"{"command": ["python3", "example.py"]}"#).expect("reads");
        assert_eq!(example.forms.len(), Form::ALL.len());
        assert!(read("{}").is_err());
        assert!(read(r#"{"command": ["a"], "enviroment": {}}"#).is_err());
    }
}
