//! `plugin.json`: what a plugin's author states, read and checked before anything of the plugin runs.
//!
//! **Invariant:** a manifest with one mistake in it is none: nothing of it is used, and all its mistakes are
//! told at once, each with its field and its place. It starts nothing, fetches nothing, and grants nothing.

mod credentials;
mod dependencies;
mod effort;
mod fields;
mod files;
mod mistakes;
pub(crate) mod permissions;
mod places;
mod schema;
mod sense;
mod shorthand;
mod spelling;
mod typed;
mod weight;
mod words;

pub use credentials::holds_credential;
pub(crate) use dependencies::{Candidate, unmet};
pub(crate) use fields::{likely, unknown_key};
pub use files::sha256_of;
pub(crate) use files::{Sums, sha256 as sha256_of_bytes};
pub(crate) use mistakes::listed;
pub use mistakes::{ManifestError, Mistake};
pub use places::Place;
pub(crate) use places::{below, shown};
pub use schema::ConfigSchema;
pub use spelling::canonical_manifest;
pub(crate) use words::found;
pub use words::{ConfigMistake, without_secrets};

use crate::trust;
use files::Flaw;
use mistakes::Found;
use places::Places;
use semver::{Version, VersionReq};
use serde_json::{Map, Value};
use snooze_schemas::{PluginName, plugin::manifest::Manifest};
use snooze_service_runtime::opening::open_file;
use spelling::Spelled;
use std::{
    io::Read,
    path::{Path, PathBuf},
};

/// What a manifest's file is called.
pub(crate) const FILE: &str = "plugin.json";

/// No manifest is as large; the largest part of one is its schema.
const SIZE_LIMIT: u64 = 256 * 1024;

/// A plugin as its manifest states it.
#[derive(Debug)]
pub struct PluginManifest {
    manifest: Manifest,
    version: Version,
    dependencies: Vec<(PluginName, VersionReq)>,
    folder: PathBuf,
    entry_point: PathBuf,
    sha256: String,
    schema: Option<ConfigSchema>,
    warnings: Vec<Mistake>,
}

impl PluginManifest {
    /// Reads the manifest of a folder.
    ///
    /// # Errors
    /// Why the plugin is not to be run: everything that is wrong with it, as far as that can be told.
    pub fn read(folder: &Path) -> Result<PluginManifest, ManifestError> {
        PluginManifest::read_by(folder, &sha256_of)
    }

    /// The same, with sums of the files that it states checksums of that may have been made before.
    pub(crate) fn read_by(folder: &Path, sums: &Sums) -> Result<PluginManifest, ManifestError> {
        let host_version = Version::parse(env!("CARGO_PKG_VERSION")).expect("Cargo takes no other");
        let path = folder.join(FILE);
        trust::check(&path)?;
        let text = text_of(&path)?;
        let mistaken = |mistakes| ManifestError::Mistaken {
            path: path.clone(),
            mistakes,
        };
        let written: Map<String, Value> =
            serde_json::from_str(&text).map_err(|error| mistaken(vec![of_syntax(&error)]))?;
        let spelled = Spelled::of(written);
        let places = Places::of(&text);
        let placed = |found: Vec<Found>| {
            let found = found.into_iter().map(|found| spelled.as_written(found));
            let mut mistakes: Vec<Mistake> = found.map(|found| found.placed(&places)).collect();
            mistakes.sort_by_key(|mistake| mistake.place);
            mistakes
        };
        let twice = places.twice.iter();
        let mut found: Vec<Found> = twice
            .map(|pointer| Found::new(pointer, "it stands there twice"))
            .chain(spelled.twice.iter().cloned())
            .collect();
        let mut warnings = fields::unknown(&spelled.document);
        let typed = typed::read(&spelled.document);
        found.extend(typed.found);
        let Some(manifest) = typed.manifest else {
            found.extend(warnings);
            return Err(mistaken(placed(found)));
        };
        let understood =
            sense::check(&manifest, &typed.spoiled, &host_version).map_err(|more| found.extend(more));
        let schema = match &manifest.config_schema {
            none if none.is_empty() => None,
            written => match ConfigSchema::of(written) {
                Ok((schema, unknown)) => {
                    warnings.extend(unknown);
                    Some(schema)
                }
                Err(more) => {
                    found.extend(more);
                    None
                }
            },
        };
        let entry_point = if found.is_empty() {
            found.extend(files::checksums(folder, &manifest.checksums, sums)?);
            match files::entry_point(folder, &manifest) {
                Ok(entry_point) => Ok(entry_point),
                Err(Flaw::Mistake(more)) => {
                    found.push(more);
                    Err(())
                }
                Err(Flaw::Untold(why)) => return Err(why),
            }
        } else {
            Err(())
        };
        match (understood, entry_point) {
            (Ok(understood), Ok(entry_point)) if found.is_empty() => Ok(PluginManifest {
                manifest,
                version: understood.version,
                dependencies: understood.dependencies,
                folder: folder.to_owned(),
                entry_point,
                sha256: files::sha256(text.as_bytes()),
                schema,
                warnings: placed(warnings),
            }),
            _ => {
                // A key that is not known may be what is missed.
                found.extend(warnings);
                Err(mistaken(placed(found)))
            }
        }
    }

    /// Compares the files whose SHA-256 it states once more; each is read to its end.
    ///
    /// # Errors
    /// Which differ, or that it cannot be told.
    pub fn compare(&self) -> Result<(), ManifestError> {
        let found = files::checksums(&self.folder, &self.manifest.checksums, &sha256_of)?;
        if found.is_empty() {
            return Ok(());
        }
        Err(ManifestError::Mistaken {
            path: self.folder.join(FILE),
            mistakes: found
                .into_iter()
                .map(|found| found.placed(&Places::default()))
                .collect(),
        })
    }

    /// What it states, in full.
    #[must_use]
    pub fn stated(&self) -> &Manifest {
        &self.manifest
    }

    /// The plugin's name.
    #[must_use]
    pub fn name(&self) -> &PluginName {
        &self.manifest.name
    }

    /// Where it lies.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What is started or loaded, at the end of all links.
    #[must_use]
    pub fn entry_point(&self) -> &Path {
        &self.entry_point
    }

    /// The SHA-256 of its file, in lower-case hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// What the plugin can be configured with; nothing where it says nothing of it.
    #[must_use]
    pub fn schema(&self) -> Option<&ConfigSchema> {
        self.schema.as_ref()
    }

    /// What was odd, and no mistake: keys that this version does not know.
    #[must_use]
    pub fn warnings(&self) -> &[Mistake] {
        &self.warnings
    }

    /// What others can depend on, and what it depends on.
    pub(crate) fn candidate(&self) -> Candidate {
        Candidate {
            version: Some(self.version.clone()),
            needs: self.dependencies.clone(),
        }
    }
}

fn text_of(path: &Path) -> Result<String, ManifestError> {
    let read = |source| ManifestError::Read {
        path: path.to_owned(),
        source,
    };
    let mut text = String::new();
    // A file may grow while it is read; a fifo or a device has no size.
    let file = open_file(path).map_err(read)?;
    file.take(SIZE_LIMIT + 1)
        .read_to_string(&mut text)
        .map_err(read)?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > SIZE_LIMIT {
        return Err(ManifestError::TooLarge {
            path: path.to_owned(),
            limit: SIZE_LIMIT,
        });
    }
    Ok(text)
}

fn of_syntax(error: &serde_json::Error) -> Mistake {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default().to_owned();
    Mistake {
        place: Some(Place {
            line: error.line(),
            column: error.column(),
        }),
        field: String::new(),
        text,
    }
}

#[cfg(test)]
mod tests;
