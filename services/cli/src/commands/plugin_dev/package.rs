//! `snooze plugin package`: a plugin's folder as one file that can be given away.
//!
//! **Invariant:** the same contents give the same bytes, wherever the folder lies. What is packed carries the SHA-256
//! of every file, so that a runner notices one that is another.

use super::{Folder, documentation::documentation};
use crate::{arguments::PluginPackage, print};
use serde_json::{Map, Value};
use snooze_package::{Contents, Package};
use snooze_plugin_runner::{PluginManifest, canonical_manifest};
use snooze_schemas::plugin::manifest::ProcessModel;
use snooze_service_runtime::{Exit, Failure};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// What is made of manifest and schema, for people.
pub(super) const DOCUMENTATION: &str = "DOCUMENTATION.md";

const MANIFEST: &str = "plugin.json";

/// Makes a package, and prints its SHA-256 and where it is.
pub(super) async fn package(arguments: &PluginPackage) -> Result<(), Failure> {
    let folder = Folder::open(&arguments.folder)?;
    let manifest = folder.ready().await?;
    let package = packed(folder.path(), &manifest)?;
    let output = output(arguments.output.as_deref(), &folder, &package)?;
    let failed =
        |error: io::Error| Failure::new(Exit::Failed, format!("write {}: {error}", output.display()));
    // Whoever looks meanwhile finds the one before or this one, never half of it.
    let unfinished = output.with_added_extension("unfinished");
    fs::write(&unfinished, &package.bytes)
        .and_then(|()| fs::rename(&unfinished, &output))
        .map_err(failed)?;
    print::talk(&format!(
        "{} {} is packed, {} KiB",
        package.name,
        package.version,
        package.bytes.len().div_ceil(1024)
    ));
    // As sha256sum prints it, which can check it.
    print::lines([format!("{}  {}", package.sha256, output.display())])
}

/// Makes a package of a folder as it is, with the checksum of each file and a page for people.
pub(in crate::commands) fn packed(folder: &Path, manifest: &PluginManifest) -> Result<Package, Failure> {
    let unpackable = |error: &snooze_package::PackError| Failure::from_error(Exit::Usage, error);
    let mut contents = Contents::read(folder).map_err(|error| unpackable(&error))?;
    let stated = manifest.stated();
    let entry_point = contents.files().find(|(path, _)| *path == stated.entry_point);
    if stated.process_model != ProcessModel::Nats && entry_point.is_none() {
        let text = format!(
            "{}: the entry point is not packed: it is hidden, or {} leaves it out",
            stated.entry_point,
            snooze_package::LEFT_OUT
        );
        return Err(Failure::new(Exit::Usage, text));
    }
    contents.put(DOCUMENTATION, documentation(manifest).into_bytes());
    let written = contents.files().find(|(path, _)| *path == MANIFEST);
    let (_, written) = written.ok_or_else(|| unpackable(&snooze_package::PackError::NoManifest))?;
    // Whatever else the author states is kept, also what this version does not know.
    let mut document: Map<String, Value> =
        serde_json::from_slice(&written.bytes).map_err(|error| Failure::from_error(Exit::Usage, &error))?;
    // Whoever unpacks it reads the keys as they are, and the checksums have one place.
    document = canonical_manifest(document);
    let checksums = contents.checksums().into_iter();
    let checksums: Map<String, Value> = checksums.map(|(path, sum)| (path, Value::from(sum))).collect();
    document.insert("checksums".to_owned(), Value::Object(checksums));
    let mut text =
        serde_json::to_string_pretty(&document).map_err(|error| Failure::from_error(Exit::Failed, &error))?;
    text.push('\n');
    contents.put(MANIFEST, text.into_bytes());
    contents.pack().map_err(|error| unpackable(&error))
}

/// Where it goes. In the plugin's own folder it would be part of the next one.
fn output(given: Option<&Path>, folder: &Folder, package: &Package) -> Result<PathBuf, Failure> {
    let failed = |error: io::Error| Failure::new(Exit::Failed, error.to_string());
    let within = |path: &Path| path.starts_with(folder.path());
    let Some(given) = given else {
        let name = format!("{}-{}.tar.gz", package.name, package.version);
        let here = std::env::current_dir()
            .and_then(fs::canonicalize)
            .map_err(failed)?;
        return Ok(match folder.path().parent() {
            Some(beside) if within(&here) => beside.join(name),
            _ => PathBuf::from(name),
        });
    };
    let around = match given.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let unusable = |why: String| Failure::new(Exit::Usage, format!("{}: {why}", given.display()));
    // A rename puts the package in the place of whatever is there: of /dev/null, for the superuser.
    if fs::metadata(given).is_ok_and(|found| !found.is_file()) {
        return Err(unusable(
            "is there and is no file; name another place for the package".to_owned(),
        ));
    }
    let around = fs::canonicalize(around).map_err(|error| unusable(error.to_string()))?;
    if within(&around) {
        return Err(unusable(
            "in the plugin's folder it would be part of the next package".to_owned(),
        ));
    }
    Ok(given.to_owned())
}
