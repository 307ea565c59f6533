//! The members' manifests, as far as rules look at them.

use crate::root;
use std::{fs, path::Path};
use toml::{Table, Value};

/// One member of the workspace.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its folder below the root, as `services/cli`.
    pub folder: String,
    /// Its package name.
    pub name: String,
    /// Its whole manifest.
    pub manifest: Table,
    /// What it depends on.
    pub dependencies: Vec<Dependency>,
}

/// One line of a dependency section.
#[derive(Debug, Clone)]
pub struct Dependency {
    /// The package's name.
    pub name: String,
    /// Where it stands.
    pub section: Section,
    /// Whether it is inherited from the workspace.
    pub inherited: bool,
}

/// The sections that can name a dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// What the crate itself is built with.
    Normal,
    /// Only its tests.
    Dev,
    /// Only its build script.
    Build,
}

/// The root's manifest.
///
/// # Panics
/// When it cannot be read.
#[must_use]
pub fn root_manifest() -> Table {
    read(&root())
}

/// All members, as the root's manifest lists them.
///
/// # Panics
/// When a manifest cannot be read.
#[must_use]
pub fn members() -> Vec<Member> {
    let manifest = root_manifest();
    let list = manifest["workspace"]["members"]
        .as_array()
        .expect("the workspace lists its members");
    list.iter()
        .map(|folder| member(folder.as_str().expect("a folder is a text")))
        .collect()
}

fn member(folder: &str) -> Member {
    let manifest = read(&root().join(folder));
    let name = manifest["package"]["name"]
        .as_str()
        .expect("a package has a name")
        .to_owned();
    let mut dependencies = Vec::new();
    collect(&manifest, &mut dependencies);
    if let Some(targets) = manifest.get("target").and_then(Value::as_table) {
        for target in targets.values().filter_map(Value::as_table) {
            collect(target, &mut dependencies);
        }
    }
    Member {
        folder: folder.to_owned(),
        name,
        manifest,
        dependencies,
    }
}

fn collect(table: &Table, dependencies: &mut Vec<Dependency>) {
    let sections = [
        ("dependencies", Section::Normal),
        ("dev-dependencies", Section::Dev),
        ("build-dependencies", Section::Build),
    ];
    for (key, section) in sections {
        let Some(listed) = table.get(key).and_then(Value::as_table) else {
            continue;
        };
        dependencies.extend(listed.iter().map(|(name, value)| Dependency {
            name: name.clone(),
            section,
            inherited: value.get("workspace").and_then(Value::as_bool) == Some(true),
        }));
    }
}

fn read(folder: &Path) -> Table {
    let path = folder.join("Cargo.toml");
    let text = fs::read_to_string(&path).unwrap_or_else(|cause| panic!("{}: {cause}", path.display()));
    text.parse()
        .unwrap_or_else(|cause| panic!("{}: {cause}", path.display()))
}
