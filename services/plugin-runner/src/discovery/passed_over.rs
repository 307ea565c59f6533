//! What is not run of that which lies in the folders of plugins, why, and by which name it is missed.
//!
//! **Invariant:** whatever was passed over is missed by a name that no other plugin votes by.

use super::{Found, PLUGIN_LIMIT, sanitised};
use crate::{
    manifest::{self, ManifestError, PluginManifest},
    set::Cause,
    trust::Exposed,
};
use snooze_schemas::PluginName;
use std::{
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Why a file or a folder was passed over, for the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PassedOver {
    /// The folder or file cannot be read.
    #[error("read {}", path.display())]
    Read {
        /// What was to be read.
        path: PathBuf,
        /// What the kernel says.
        source: io::Error,
    },
    /// Somebody else might change it.
    #[error("{why}")]
    Exposed {
        /// What was to be run.
        path: PathBuf,
        /// Who, and where.
        #[source]
        why: Exposed,
    },
    /// Its manifest cannot hold.
    #[error(transparent)]
    Manifest(Box<Mistaken>),
    /// Its manifest gives it another name than its folder's. What an operator says of a plugin is said of a folder
    /// that they see, and no manifest may take it for itself.
    #[error("{}: name: it is {said}, and its folder is called otherwise", folder.join(manifest::FILE).display())]
    Misnamed {
        /// Where it is.
        folder: PathBuf,
        /// What it calls itself.
        said: PluginName,
    },
    /// Its manifest asks for what it cannot have here.
    #[error("{}: {why}", folder.display())]
    Unfit {
        /// What its author states.
        manifest: Option<Arc<PluginManifest>>,
        /// Its name.
        name: PluginName,
        /// Where it is.
        folder: PathBuf,
        /// What it lacks.
        why: String,
    },
    /// No name can be made of the file's.
    #[error("no plugin name can be made of {}", .0.display())]
    Nameless(PathBuf),
    /// There is another one of that name already.
    #[error("{} is hidden by {}, which has the same name", path.display(), by.display())]
    Hidden {
        /// Its name.
        name: PluginName,
        /// Where it is.
        path: PathBuf,
        /// The one that is run.
        by: PathBuf,
    },
    /// There are too many.
    #[error("more than {PLUGIN_LIMIT} plugins; the rest is not run")]
    TooMany,
}

/// A folder whose manifest cannot hold.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub(crate) struct Mistaken {
    /// The folder.
    pub folder: PathBuf,
    /// What is wrong with its manifest.
    #[source]
    pub why: ManifestError,
}

impl PassedOver {
    /// What its author states, where that could be read.
    pub(crate) fn manifest(&self) -> Option<&Arc<PluginManifest>> {
        match self {
            Self::Unfit { manifest, .. } => manifest.as_ref(),
            _ => None,
        }
    }

    /// Its folder, where it has one.
    pub(crate) fn folder(&self) -> Option<&Path> {
        match self {
            Self::Manifest(mistaken) => Some(&mistaken.folder),
            Self::Unfit { folder, .. } | Self::Misnamed { folder, .. } => Some(folder),
            _ => None,
        }
    }

    /// What it is missed for.
    pub(crate) fn cause(&self) -> Cause {
        let of = |exposed: &Exposed| match exposed {
            Exposed::Unseen { source, .. } => of_reading(source),
            Exposed::Writable { .. } | Exposed::Foreign { .. } => Cause::Exposed,
        };
        match self {
            Self::Read { source, .. } => of_reading(source),
            Self::Exposed { why, .. } => of(why),
            Self::Manifest(mistaken) => match &mistaken.why {
                ManifestError::Read { source, .. } => of_reading(source),
                ManifestError::Exposed(why) => of(why),
                ManifestError::TooLarge { .. } | ManifestError::Mistaken { .. } => Cause::Missing,
            },
            _ => Cause::Missing,
        }
    }

    /// What would be run of it, where its manifest says so.
    pub(crate) fn found(&self) -> Option<Found> {
        let manifest = self.manifest()?;
        Some(Found {
            name: manifest.name().clone(),
            path: manifest.entry_point().to_owned(),
            manifest: Some(manifest.clone()),
            package: None,
        })
    }

    /// The name by which it is missed. One that is hidden has a name of its own: the other one's vote is the other's,
    /// and nobody may be outvoted by whoever takes its name.
    pub(crate) fn name(&self) -> PluginName {
        let path = match self {
            Self::Hidden { name, .. } => return missed_as(Some(OsStr::new(&format!("hidden-{name}")))),
            Self::TooMany => return missed_as(Some(OsStr::new("more-plugins-than-are-run"))),
            Self::Unfit { name, .. } => return name.clone(),
            // A folder's name has no extension: `monitor-1.2` is all of it.
            Self::Manifest(mistaken) => return missed_as(mistaken.folder.file_name()),
            Self::Misnamed { folder, .. } => return missed_as(folder.file_name()),
            Self::Read { path, .. } | Self::Exposed { path, .. } | Self::Nameless(path) => path,
        };
        missed_as(path.file_stem())
    }
}

/// What is not there is missing; all else may be there, and nobody can tell.
fn of_reading(error: &io::Error) -> Cause {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Cause::Missing,
        _ => Cause::Unread,
    }
}

/// What has a name that no plugin may have is missed under one that says so.
fn missed_as(name: Option<&OsStr>) -> PluginName {
    let name = name.map(OsStr::to_string_lossy).unwrap_or_default();
    sanitised(&name)
        .or_else(|| sanitised(&format!("plugin-{name}")))
        .unwrap_or_else(|| "nameless-plugin".parse().expect("it is a plugin's name"))
}
