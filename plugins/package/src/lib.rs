//! A plugin's folder as one file, and such a file as a folder again.
//!
//! A package is a gzipped tar of one folder that is called as the plugin is, with files and folders in it and nothing
//! else. The same contents give the same bytes on every machine, so its SHA-256 is what it is known by.
//!
//! **Invariant:** what comes out of a package lies below the one folder that was asked for, whatever the package says,
//! and a package that is refused leaves nothing behind. It judges no manifest but for the plugin's name in it, runs
//! nothing and fetches nothing.

mod contents;
mod error;
mod package;
mod path;
mod record;
mod unpack;
mod walk;

pub use contents::{Contents, File, LEFT_OUT};
pub use error::{Damage, PackError, UnpackError};
pub use package::{Package, pack};
pub use record::Record;
pub use unpack::{install, unpack};

/// What a package may come to, unpacked, in bytes: a native plugin with its debug information, with room to spare.
pub const UNPACKED_LIMIT: u64 = 256 * 1024 * 1024;

/// How long a package may be, in bytes.
pub const PACKED_LIMIT: u64 = 64 * 1024 * 1024;

/// How many files and folders may be in one.
pub const ENTRY_LIMIT: usize = 10_000;

/// What a plugin's manifest is called.
const MANIFEST: &str = "plugin.json";

/// No manifest is as long.
const MANIFEST_LIMIT: u64 = 256 * 1024;
