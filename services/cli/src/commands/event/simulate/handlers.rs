//! Who handles what is announced: what the file of the made-up host says of plugins and of events.
//!
//! A person's own plugins are granted what their manifests ask for, as an author's are who tries one; where a host's
//! file is named, its word is the only one.

use super::{demonstration, play::Who};
use crate::print;
use serde_json::{Map, Value, json};
use snooze_plugin_runner::{ManifestError, PluginManifest, Survey, survey};
use snooze_schemas::PluginName;
use snooze_service_runtime::{
    Exit, Failure, LocalConfig,
    config::{self, HandlingConfig, PluginsConfig, RealSource},
    exit::one_line,
};
use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// What every plugin has that has a manifest.
const MANIFEST: &str = "plugin.json";

/// How often a host of a storm asks for what is not played.
const RARELY: Duration = Duration::from_secs(60);
/// The types of that.
const NOT_PLAYED: [&str; 3] = [
    "cloud.spot.rebalance",
    "cloud.autoscaling.scale",
    "cloud.instance.maintenance",
];

/// What a host's own file would say; what has to be written for it lies below `scratch`.
///
/// # Errors
/// When a file cannot be read, or is none.
pub(super) fn of(who: &Who, scratch: &Path) -> Result<LocalConfig, Failure> {
    let plugins = scratch.join("plugins");
    match who {
        Who::Demonstration => Ok(LocalConfig {
            plugins: demonstration::as_process(&plugins)?,
            ..LocalConfig::default()
        }),
        Who::DemonstrationOfFleet => {
            let mut local = LocalConfig {
                plugins: demonstration::of_fleet(),
                ..LocalConfig::default()
            };
            let rarely = HandlingConfig {
                polling_interval: Some(RARELY),
                ..HandlingConfig::default()
            };
            let types = NOT_PLAYED.map(|name| (name.to_owned(), rarely.clone()));
            local.event_handlers.types.extend(types);
            Ok(local)
        }
        Who::Own {
            plugins: named,
            config,
        } => own(named.as_deref(), config.as_deref(), &plugins),
    }
}

fn own(named: Option<&Path>, file: Option<&Path>, place: &Path) -> Result<LocalConfig, Failure> {
    let mut local = match file {
        None => LocalConfig::default(),
        Some(file) => {
            let loaded = config::load(&RealSource, Some(file)).map_err(Failure::from)?;
            loaded.local
        }
    };
    if let Some(named) = named {
        let folder = folder_of_plugins(named, place)?;
        let plugins = plugins_of(&folder)?;
        if file.is_none() {
            local.plugins = PluginsConfig {
                directories: Vec::new(),
                configs: asked_for(plugins),
                ..PluginsConfig::default()
            };
        }
        local.plugins.directories = vec![folder];
    }
    print::talk("these handlers run for real: what they do to this machine is done");
    Ok(local)
}

/// The folder in which the runner looks: the one that is named, or one with nothing in it but the plugin that is.
fn folder_of_plugins(named: &Path, place: &Path) -> Result<PathBuf, Failure> {
    let unusable = |why: String| Failure::new(Exit::Usage, format!("{}: {why}", named.display()));
    let folder = fs::canonicalize(named).map_err(|error| unusable(error.to_string()))?;
    if !folder.is_dir() {
        return Err(unusable("it is no folder".to_owned()));
    }
    if !folder.join(MANIFEST).is_file() {
        return Ok(folder);
    }
    let manifest = read(&folder)?;
    let link = || -> io::Result<()> {
        fs::create_dir_all(place)?;
        symlink(&folder, place.join(manifest.name().as_str()))
    };
    link().map_err(|error| {
        let text = format!("make a link to {}: {error}", folder.display());
        Failure::new(Exit::Failed, text)
    })?;
    Ok(place.to_owned())
}

/// The plugins of a folder, as a runner finds them. What it would pass over is refused before anything is begun: whoever
/// names a folder means all that looks like a plugin in it.
fn plugins_of(folder: &Path) -> Result<Vec<Plugin>, Failure> {
    let Survey { plugins, passed_over } = survey(&[folder.to_owned()]);
    let refused = |text: String| Err(Failure::new(Exit::Usage, text));
    if !passed_over.is_empty() {
        return refused(passed_over.join("\n"));
    }
    let others = others(folder)
        .map_err(|error| Failure::new(Exit::Usage, format!("{}: {error}", folder.display())))?;
    if plugins.is_empty() {
        let text = format!(
            "{}: there is no plugin in it; a plugin is a folder with a {MANIFEST}, or a program",
            folder.display()
        );
        let lacking = others
            .iter()
            .take(TOLD)
            .map(|(path, lacks)| format!("{}: {lacks}", path.display()));
        return refused([text].into_iter().chain(lacking).collect::<Vec<_>>().join("\n"));
    }
    for (path, lacks) in others.iter().filter(|(path, _)| path.is_dir()).take(TOLD) {
        print::talk(&format!("{} is no plugin: {lacks}", path.display()));
    }
    Ok(plugins)
}

/// A plugin's name, and what its author states where there is a manifest.
type Plugin = (PluginName, Option<Arc<PluginManifest>>);

/// So many things that are no plugins are told.
const TOLD: usize = 10;

/// What lies in a folder and is no plugin, and what it lacks. What is hidden is nobody's affair.
fn others(folder: &Path) -> io::Result<Vec<(PathBuf, String)>> {
    let mut others = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let lacks = if path.is_dir() {
            (!path.join(MANIFEST).exists()).then(|| format!("it has no {MANIFEST}"))
        } else {
            (!is_program(&path)).then(|| "nobody may execute it".to_owned())
        };
        others.extend(lacks.filter(|_| !is_hidden).map(|lacks| (path, lacks)));
    }
    others.sort();
    Ok(others)
}

/// What each of them is granted: what its manifest asks for, and one without is told.
fn asked_for(plugins: Vec<Plugin>) -> BTreeMap<String, Map<String, Value>> {
    let configs = plugins.into_iter().map(|(name, manifest)| {
        let permissions = match manifest {
            Some(manifest) => json!(manifest.stated().permissions),
            None => json!({"events": [demonstration::HANDLED]}),
        };
        let granted = [("permissions".to_owned(), permissions)];
        (name.to_string(), granted.into_iter().collect())
    });
    configs.collect()
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

fn read(folder: &Path) -> Result<PluginManifest, Failure> {
    PluginManifest::read(folder).map_err(|error| {
        let lines = match &error {
            ManifestError::Mistaken { mistakes, .. } => {
                let lines = mistakes.iter().map(|mistake| format!("{MANIFEST}:{mistake}"));
                lines.collect::<Vec<_>>().join("\n")
            }
            other => one_line(other),
        };
        Failure::new(Exit::Usage, format!("{}: {lines}", folder.display()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(path: &Path) {
        fs::write(path, "#!/bin/sh\n").expect("written");
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("ours");
    }

    #[test]
    fn one_plugin_and_a_folder_of_them_are_found_and_granted_what_they_ask_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join("place");
        demonstration::as_process(&folder.path().join("mine")).expect("written");
        program(&folder.path().join("mine/drain.sh"));
        fs::write(folder.path().join("mine/notes.txt"), "").expect("written");
        let all = folder_of_plugins(&folder.path().join("mine"), &place).expect("a folder");
        let granted = asked_for(plugins_of(&all).expect("plugins"));
        let names: Vec<&str> = granted.keys().map(String::as_str).collect();
        assert_eq!(names, ["demonstration-handler", "drain"]);
        for config in granted.values() {
            assert_eq!(config["permissions"]["events"], json!([demonstration::HANDLED]));
        }
        let one = folder.path().join("mine/demonstration-handler");
        let one = folder_of_plugins(&one, &place).expect("a folder");
        assert_eq!(plugins_of(&one).expect("a plugin").len(), 1);
    }

    #[test]
    fn a_folder_without_plugins_and_no_folder_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join("place");
        let none = folder.path().join("none");
        assert_eq!(
            folder_of_plugins(&none, &place).expect_err("none").exit,
            Exit::Usage
        );
        assert_eq!(plugins_of(folder.path()).expect_err("empty").exit, Exit::Usage);
    }

    #[test]
    fn what_is_no_plugin_is_refused_with_its_path_and_what_it_lacks() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("drain")).expect("ours");
        fs::write(at("notes.txt"), "").expect("written");
        let refused = |parts: &[&str]| {
            let failure = plugins_of(folder.path()).expect_err("it is refused");
            assert_eq!(failure.exit, Exit::Usage);
            for part in parts {
                assert!(failure.line.contains(part), "{part:?} in {}", failure.line);
            }
        };
        refused(&[
            "/drain: it has no plugin.json",
            "/notes.txt: nobody may execute it",
        ]);
        demonstration::as_process(folder.path()).expect("written");
        assert_eq!(plugins_of(folder.path()).expect("one is a plugin").len(), 1);
        fs::write(at("drain/plugin.json"), "{}").expect("written");
        refused(&["/drain/plugin.json", "name is missing"]);
        fs::remove_file(at("drain/plugin.json")).expect("ours");
        fs::rename(at("demonstration-handler"), at("other")).expect("ours");
        refused(&["/other/plugin.json", "its folder is called otherwise"]);
    }
}
