//! Which plugins there are: the executable files of the configured folders, and the folders in them that
//! have a manifest, in order.
//!
//! It starts nothing. What others than the superuser and the runner's own user may change is not run: whoever can
//! write it would vote in its place, with whatever it was granted.

mod passed_over;

pub(crate) use passed_over::PassedOver;

use crate::{
    manifest::{self, Candidate, PluginManifest, Sums},
    packages::Shelved,
    trust,
};
use passed_over::Mistaken;
use snooze_schemas::{
    PluginName,
    plugin::manifest::{PluginKind, ProcessModel},
};
use snooze_service_runtime::exit::one_line;
use std::{
    collections::BTreeMap,
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
    /// Its name: its folder's, which is its manifest's too, else its file's. What it calls itself is nobody's affair.
    pub name: PluginName,
    /// What is started.
    pub path: PathBuf,
    /// What its author states.
    pub manifest: Option<Arc<PluginManifest>>,
    /// The package that it was unpacked from, where it was.
    pub package: Option<Shelved>,
}

impl Found {
    /// Whether it is a library, which becomes a part of the runner.
    pub(crate) fn is_native(&self) -> bool {
        let manifest = self.manifest.as_deref();
        manifest.is_some_and(|manifest| manifest.stated().kind == PluginKind::Native)
    }

    /// Whether it runs by itself and answers on the bus.
    pub(crate) fn is_on_bus(&self) -> bool {
        let manifest = self.manifest.as_deref();
        manifest.is_some_and(|manifest| manifest.stated().process_model == ProcessModel::Nats)
    }
}

/// Looks through the folders. A folder that is not there holds no plugins; that is no fault. What a manifest states of
/// files is compared with these sums of them. What it looks at is said before, as that may take long.
#[must_use]
pub(crate) fn discover_by(
    folders: &[PathBuf],
    sums: &Sums,
    at: &dyn Fn(&Path),
) -> (Vec<Found>, Vec<PassedOver>) {
    let mut found: Vec<Found> = Vec::new();
    let mut passed_over = Vec::new();
    for folder in folders {
        at(folder);
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
            at(&path);
            match look_at(&path, sums) {
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

/// What a runner would find in folders of plugins, for whoever names one.
#[derive(Debug, Default)]
pub struct Survey {
    /// The plugins: each by its name, with what its author states where there is a manifest.
    pub plugins: Vec<(PluginName, Option<Arc<PluginManifest>>)>,
    /// What is meant to be one and is passed over, and why.
    pub passed_over: Vec<String>,
}

/// Looks through folders of plugins. It starts nothing.
#[must_use]
pub fn survey(folders: &[PathBuf]) -> Survey {
    let (found, passed_over) = discover_by(folders, &manifest::sha256_of, &|_| {});
    let plugins = found.into_iter().map(|found| (found.name, found.manifest));
    Survey {
        plugins: plugins.collect(),
        passed_over: passed_over.iter().map(|why| one_line(why)).collect(),
    }
}

/// The same, with each file read.
#[cfg(test)]
pub(crate) fn discover(folders: &[PathBuf]) -> (Vec<Found>, Vec<PassedOver>) {
    discover_by(folders, &manifest::sha256_of, &|_| {})
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

fn look_at(path: &Path, sums: &Sums) -> Result<Option<Found>, PassedOver> {
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
        return look_into(path, sums);
    }
    if !file.is_file() || file.permissions().mode() & EXECUTABLE_BY_ANY == 0 {
        return Ok(None);
    }
    if let Err(why) = trust::check(path) {
        let path = path.to_owned();
        return Err(PassedOver::Exposed { path, why });
    }
    let stem = path
        .file_stem()
        .map(|stem| stem.to_string_lossy())
        .unwrap_or_default();
    match sanitised(&stem) {
        Some(name) => Ok(Some(Found {
            name,
            path: path.to_owned(),
            manifest: None,
            package: None,
        })),
        None => Err(PassedOver::Nameless(path.to_owned())),
    }
}

/// A folder that has a manifest is a plugin.
fn look_into(path: &Path, sums: &Sums) -> Result<Option<Found>, PassedOver> {
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
    trust::check(path).map_err(|exposed| mistaken(exposed.into()))?;
    let manifest = PluginManifest::read_by(path, sums).map_err(mistaken)?;
    if path
        .file_name()
        .is_none_or(|name| name != manifest.name().as_str())
    {
        return Err(PassedOver::Misnamed {
            folder: path.to_owned(),
            said: manifest.name().clone(),
        });
    }
    Ok(Some(Found {
        name: manifest.name().clone(),
        path: manifest.entry_point().to_owned(),
        manifest: Some(Arc::new(manifest)),
        package: None,
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
