//! What a look asks the disk for, to be told where the disk does not answer.
//!
//! It asks for nothing itself.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// What was asked for last.
#[derive(Debug, Clone, Default)]
pub(crate) struct Whereabouts(Arc<Mutex<PathBuf>>);

impl Whereabouts {
    /// It is asked for now.
    pub(crate) fn note(&self, path: &Path) {
        path.clone_into(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What was asked for last; nothing where nothing was.
    pub(crate) fn last(&self) -> PathBuf {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
