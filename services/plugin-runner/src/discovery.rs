//! Which plugins there are: the executable files of the configured folders, and the folders in them that
//! have a manifest, in order.
//!
//! It starts nothing. A file that others than its owner and group may change is not run: whoever can
//! write it would run as the runner does. In a folder where everybody may put files, as `/tmp`, only our own
//! and the superuser's are run.

use crate::{
    manifest::{self, Candidate, ManifestError, PluginManifest},
    trust::{self, Exposed},
};
use snooze_schemas::{
    PluginName,
    plugin::manifest::{PluginKind, ProcessModel},
};
use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

/// So many plugins are run at most; more are a mistake in the folder's path.
const PLUGIN_LIMIT: usize = 256;

const EXECUTABLE_BY_ANY: u32 = 0o111;

/// A plugin.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// Its name: its manifest's, else that of its file until it has introduced itself.
    pub name: PluginName,
    /// What is started.
    pub path: PathBuf,
    /// What its author states.
    pub manifest: Option<Arc<PluginManifest>>,
}

impl Found {
    /// Whether it runs by itself and answers on the bus.
    pub(crate) fn is_on_bus(&self) -> bool {
        let manifest = self.manifest.as_deref();
        manifest.is_some_and(|manifest| manifest.stated().process_model == ProcessModel::Nats)
    }
}

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
    /// Everybody may write it.
    #[error("{} may be written by everybody; it is not run", .0.display())]
    WritableByOthers(PathBuf),
    /// Everybody may put files where it is, and somebody else did.
    #[error("{} belongs to somebody else, in a folder that everybody may write; it is not run", .0.display())]
    PutByOthers(PathBuf),
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
    folder: PathBuf,
    #[source]
    why: ManifestError,
}

impl From<Exposed> for PassedOver {
    fn from(exposed: Exposed) -> PassedOver {
        match exposed {
            Exposed::Unseen { path, source } => PassedOver::Read { path, source },
            Exposed::WritableByOthers(path) => PassedOver::WritableByOthers(path),
            Exposed::PutByOthers(path) => PassedOver::PutByOthers(path),
        }
    }
}

impl PassedOver {
    /// What its author states, where that could be read.
    pub(crate) fn manifest(&self) -> Option<&Arc<PluginManifest>> {
        match self {
            Self::Unfit { manifest, .. } => manifest.as_ref(),
            _ => None,
        }
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
            Self::Read { path, .. }
            | Self::WritableByOthers(path)
            | Self::PutByOthers(path)
            | Self::Nameless(path) => path,
        };
        missed_as(path.file_stem())
    }
}

/// What has a name that no plugin may have is missed under one that says so.
fn missed_as(name: Option<&OsStr>) -> PluginName {
    let name = name.map(OsStr::to_string_lossy).unwrap_or_default();
    sanitised(&name)
        .or_else(|| sanitised(&format!("plugin-{name}")))
        .unwrap_or_else(|| "nameless-plugin".parse().expect("it is a plugin's name"))
}

/// Looks through the folders. A folder that is not there holds no plugins; that is no fault.
#[must_use]
pub(crate) fn discover(folders: &[PathBuf]) -> (Vec<Found>, Vec<PassedOver>) {
    let mut found: Vec<Found> = Vec::new();
    let mut passed_over = Vec::new();
    for folder in folders {
        let entries = match entries_of(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => {
                passed_over.push(PassedOver::Read {
                    path: folder.clone(),
                    source,
                });
                continue;
            }
        };
        for path in entries {
            match look_at(folder, &path) {
                Ok(Some(plugin)) => match found.iter().find(|other| other.name == plugin.name) {
                    Some(other) => passed_over.push(PassedOver::Hidden {
                        name: plugin.name,
                        path,
                        by: other.path.clone(),
                    }),
                    None if found.len() == PLUGIN_LIMIT => {
                        passed_over.push(PassedOver::TooMany);
                        return with_what_they_need(found, passed_over);
                    }
                    None => found.push(plugin),
                },
                Ok(None) => {}
                Err(why) => passed_over.push(why),
            }
        }
    }
    with_what_they_need(found, passed_over)
}

/// Passes over those that depend on what this host does not have.
fn with_what_they_need(found: Vec<Found>, mut passed_over: Vec<PassedOver>) -> (Vec<Found>, Vec<PassedOver>) {
    let candidate = |plugin: &Found| match &plugin.manifest {
        Some(manifest) => manifest.candidate(),
        None => Candidate::default(),
    };
    let candidates: BTreeMap<_, _> = found
        .iter()
        .map(|plugin| (plugin.name.clone(), candidate(plugin)))
        .collect();
    let mut unmet = manifest::unmet(&candidates);
    let mut met = Vec::new();
    for plugin in found {
        match unmet.remove(&plugin.name) {
            None => met.push(plugin),
            Some(why) => passed_over.push(PassedOver::Unfit {
                folder: plugin.path.parent().unwrap_or(&plugin.path).to_owned(),
                manifest: plugin.manifest,
                name: plugin.name,
                why,
            }),
        }
    }
    (met, passed_over)
}

fn entries_of(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()?;
    entries.sort();
    Ok(entries)
}

fn look_at(folder: &Path, path: &Path) -> Result<Option<Found>, PassedOver> {
    let read = |source| PassedOver::Read {
        path: path.to_owned(),
        source,
    };
    // An editor's lock is a hidden link that leads nowhere; it is not even looked at.
    let hidden = path
        .file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    if hidden {
        return Ok(None);
    }
    let file = fs::metadata(path).map_err(read)?;
    if file.is_dir() {
        return look_into(folder, path);
    }
    if !file.is_file() || file.permissions().mode() & EXECUTABLE_BY_ANY == 0 {
        return Ok(None);
    }
    trust::check(folder, path)?;
    let stem = path
        .file_stem()
        .map(|stem| stem.to_string_lossy())
        .unwrap_or_default();
    match sanitised(&stem) {
        Some(name) => Ok(Some(Found {
            name,
            path: path.to_owned(),
            manifest: None,
        })),
        None => Err(PassedOver::Nameless(path.to_owned())),
    }
}

/// A folder that has a manifest is a plugin.
fn look_into(folder: &Path, path: &Path) -> Result<Option<Found>, PassedOver> {
    match fs::symlink_metadata(path.join(manifest::FILE)) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        // One that may not be entered may hold a plugin, which has to be missed.
        Err(source) => {
            let path = path.to_owned();
            return Err(PassedOver::Read { path, source });
        }
    }
    let mistaken = |why| {
        let folder = path.to_owned();
        PassedOver::Manifest(Box::new(Mistaken { folder, why }))
    };
    trust::check(folder, path).map_err(|exposed| mistaken(exposed.into()))?;
    let manifest = PluginManifest::read(path).map_err(mistaken)?;
    for warning in manifest.warnings() {
        tracing::warn!(plugin = %manifest.name(), file = %path.join(manifest::FILE).display(), %warning, "a manifest is odd");
    }
    if path
        .file_name()
        .is_none_or(|name| name != manifest.name().as_str())
    {
        return Err(PassedOver::Misnamed {
            folder: path.to_owned(),
            said: manifest.name().clone(),
        });
    }
    if manifest.stated().kind == PluginKind::Native {
        return Err(PassedOver::Unfit {
            name: manifest.name().clone(),
            folder: path.to_owned(),
            manifest: Some(Arc::new(manifest)),
            why: "it is native, and this build loads no dynamic libraries".to_owned(),
        });
    }
    Ok(Some(Found {
        name: manifest.name().clone(),
        path: manifest.entry_point().to_owned(),
        manifest: Some(Arc::new(manifest)),
    }))
}

/// A plugin name made of what a file or a plugin calls itself: lower case, other characters become `-`.
#[must_use]
pub(crate) fn sanitised(text: &str) -> Option<PluginName> {
    let clean: String = text
        .trim()
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(64)
        .collect();
    clean.trim_matches('-').parse().ok()
}

#[cfg(test)]
mod tests;
