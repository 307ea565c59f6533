//! A plugin's folder on the author's machine: where it is, how it is built, what its manifest states.
//!
//! It changes nothing in it but by the author's own `build`.

use snooze_conformance::build;
use snooze_plugin_runner::{ManifestError, PluginManifest};
use snooze_service_runtime::{Exit, Failure, exit::one_line};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// What makes the entry point, where it has to be made: an executable file, run in the folder without arguments.
pub(super) const BUILD: &str = "build";

/// A compiler with everything to do takes minutes; a build that waits for somebody waits for ever.
const BUILD_LIMIT: Duration = Duration::from_secs(600);

/// A plugin's folder.
#[derive(Debug, Clone)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// The folder of this path, at the end of all links.
    pub(super) fn open(path: &Path) -> Result<Folder, Failure> {
        let unusable = |why: String| Failure::new(Exit::Usage, format!("{}: {why}", path.display()));
        let folder = fs::canonicalize(path).map_err(|error| unusable(error.to_string()))?;
        if !folder.is_dir() {
            return Err(unusable(
                "it is no folder; a plugin's folder has a plugin.json in it".to_owned(),
            ));
        }
        Ok(Folder(folder))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Whether it has a build of its own.
    pub(super) fn has_build(&self) -> bool {
        self.0.join(BUILD).is_file()
    }

    /// Runs its build, where it has one.
    ///
    /// # Errors
    /// What it said last.
    pub(super) async fn build(&self) -> Result<(), String> {
        if !self.has_build() {
            return Ok(());
        }
        let built = build(&[format!("./{BUILD}")], self.path(), BUILD_LIMIT).await;
        built.map_err(|error| match std::error::Error::source(&error) {
            Some(why) => format!("{error}: {why}"),
            None => error.to_string(),
        })
    }

    /// Reads its manifest.
    ///
    /// # Errors
    /// All its mistakes, one each.
    pub(super) fn manifest(&self) -> Result<PluginManifest, Vec<String>> {
        PluginManifest::read(self.path()).map_err(|error| match error {
            ManifestError::Mistaken { mistakes, .. } => {
                let told = mistakes.iter().map(|mistake| format!("plugin.json:{mistake}"));
                told.collect()
            }
            other => vec![one_line(&other)],
        })
    }

    /// Builds it and reads its manifest, or says why it is no plugin.
    pub(super) async fn ready(&self) -> Result<PluginManifest, Failure> {
        self.build()
            .await
            .map_err(|why| Failure::new(Exit::Failed, why))?;
        let mistaken = |mistakes: Vec<String>| Failure::new(Exit::Usage, mistakes.join("\n"));
        self.manifest().map_err(mistaken)
    }
}
