//! The workspace as text: its members' manifests and its source files, for the rules that tests check.
//!
//! It starts nothing, not even cargo, and never reads what a build wrote.

mod manifest;
mod source;

pub use manifest::{Dependency, Member, Section, members, root_manifest};
pub use source::{SourceFile, sources};

use std::path::{Path, PathBuf};

/// The workspace's root.
///
/// # Panics
/// When this crate was moved.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("this crate lies two folders below the workspace's root")
        .to_owned()
}
