//! What is wrong with a manifest or a configuration, for whoever has to mend it.
//!
//! Nothing here shows a value: what was found is put into words where it is known whether it is a secret.

use super::places::{self, Place, Places};
use crate::trust::Exposed;
use std::{fmt, io, path::PathBuf};

/// One mistake in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where it stands, as far as that is known.
    pub place: Option<Place>,
    /// The path of the field, as `permissions.tcp[0].port`; empty for the file as a whole.
    pub field: String,
    /// What is wrong with it.
    pub text: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = self.place {
            write!(out, "{place}: ")?;
        }
        if !self.field.is_empty() {
            write!(out, "{}: ", self.field)?;
        }
        out.write_str(&self.text)
    }
}

/// A mistake by the JSON pointer of what it is in, before its place is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub pointer: String,
    pub text: String,
}

impl Found {
    pub(super) fn new(pointer: impl Into<String>, text: impl Into<String>) -> Found {
        Found {
            pointer: pointer.into(),
            text: text.into(),
        }
    }

    pub(super) fn placed(self, places: &Places) -> Mistake {
        Mistake {
            place: places.find(&self.pointer),
            field: places::shown(&self.pointer),
            text: self.text,
        }
    }
}

/// Why there is no manifest to go by.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It cannot be read.
    #[error("read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the kernel says.
        source: io::Error,
    },
    /// It is larger than any manifest.
    #[error("{} is larger than {} KiB", path.display(), limit / 1024)]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// What it may have.
        limit: u64,
    },
    /// Somebody else may change what would be run.
    #[error(transparent)]
    Exposed(#[from] Exposed),
    /// What is in it cannot hold.
    #[error("{}: {}", path.display(), listed(mistakes))]
    Mistaken {
        /// The file.
        path: PathBuf,
        /// All of them, in the order of the file.
        mistakes: Vec<Mistake>,
    },
}

/// Mistakes as one text.
pub(crate) fn listed(mistakes: &[impl fmt::Display]) -> String {
    let all: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    all.join("; ")
}
