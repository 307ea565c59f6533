//! A plugin's package as a person names it, a file or a folder, looked through before anything is done with it.
//!
//! Nothing of it is run. It is unpacked to be looked at as a host would, and what was unpacked is gone afterwards.

use super::{named_file, plugin_dev::packed};
use snooze_package::{PACKED_LIMIT, Package, unpack};
use snooze_plugin_runner::{PluginManifest, sha256_of};
use snooze_schemas::plugin::manifest::Manifest;
use snooze_service_runtime::{Exit, Failure};
use std::{error::Error, fmt::Display, fs::Permissions, os::unix::fs::PermissionsExt, path::Path};

/// A package that a host would take.
pub(super) struct Checked {
    /// It.
    pub(super) package: Package,
    /// What its manifest states.
    pub(super) manifest: Manifest,
    /// The SHA-256 of the manifest's file.
    pub(super) manifest_sha256: String,
    /// The SHA-256 of what is started.
    pub(super) entry_sha256: String,
    /// What is odd in its manifest, and no mistake.
    pub(super) warnings: Vec<String>,
}

impl Checked {
    /// Reads a package, or makes one of a folder, and looks whether a host would take it.
    pub(super) async fn of(path: &Path) -> Result<Checked, Failure> {
        let package = match path.is_dir() {
            // As its author would: a file that changes on a host later is noticed by its checksum.
            true => {
                let manifest =
                    PluginManifest::read(path).map_err(|error| Failure::from_error(Exit::Usage, &error))?;
                packed(path, &manifest)?
            }
            false => {
                let bytes = named_file::read(path, PACKED_LIMIT).await?;
                Package::read(bytes).map_err(|error| wrong(path, &error))?
            }
        };
        let failed =
            |error: &dyn Display| Failure::new(Exit::Failed, format!("unpack {}: {error}", path.display()));
        // Nobody else's, whatever mask the person has: what others may change is not looked at any further.
        let own = Permissions::from_mode(0o700);
        let temporary = tempfile::Builder::new().permissions(own).tempdir();
        let temporary = temporary.map_err(|error| failed(&error))?;
        let unpacked = temporary.path().join("package");
        unpack(&package.bytes, &unpacked).map_err(|error| wrong(path, &error))?;
        let folder = unpacked.join(package.name.as_str());
        let manifest = PluginManifest::read(&folder).map_err(|error| {
            // Where it was unpacked is nothing that the person knows.
            let failure = Failure::from_error(Exit::Usage, &error);
            let (there, here) = (folder.display().to_string(), path.display().to_string());
            Failure::new(
                Exit::Usage,
                failure.line.replace(&there, here.trim_end_matches('/')),
            )
        })?;
        Ok(Checked {
            entry_sha256: sha256_of(manifest.entry_point()).map_err(|error| failed(&error))?,
            manifest_sha256: manifest.sha256().to_owned(),
            warnings: manifest.warnings().iter().map(ToString::to_string).collect(),
            manifest: manifest.stated().clone(),
            package,
        })
    }
}

fn wrong(path: &Path, error: &(dyn Error + 'static)) -> Failure {
    let why = Failure::from_error(Exit::Usage, error).line;
    Failure::new(Exit::Usage, format!("{}: {why}", path.display()))
}
