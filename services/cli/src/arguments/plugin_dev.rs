//! The arguments of what an author does with a plugin's folder; none of it needs a bus.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Commands for who writes a plugin.
#[derive(Debug, Subcommand)]
pub enum Development {
    /// Make one file of a plugin's folder: the same contents give the same bytes.
    Package(PluginPackage),
}

/// Arguments of `plugin package`.
#[derive(Debug, Args)]
pub struct PluginPackage {
    /// The plugin's folder.
    pub folder: PathBuf,
    /// The file; `<name>-<version>.tar.gz` here where it is left out, or beside the folder from within it.
    #[arg(long, short = 'o', value_name = "FILE")]
    pub output: Option<PathBuf>,
}
