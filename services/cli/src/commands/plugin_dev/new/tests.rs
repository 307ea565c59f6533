//! The templates as they are in the program, beside the folders that they were taken from.

use super::*;
use std::{collections::BTreeSet, path::PathBuf};

fn plugins() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins")
}

/// The files below a folder of the checkout that belong to it: what a build or a test left behind is hidden or known.
fn found(folder: &Path, takes: &dyn Fn(&str) -> bool) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut unread = vec![folder.to_owned()];
    while let Some(parent) = unread.pop() {
        for entry in fs::read_dir(parent).expect("a folder of the checkout") {
            let path = entry.expect("an entry").path();
            let below = path
                .strip_prefix(folder)
                .expect("it is below")
                .display()
                .to_string();
            if path.is_dir() {
                unread.push(path);
            } else if takes(&below) {
                found.insert(below);
            }
        }
    }
    found
}

fn known(files: &[(&str, &str)]) -> BTreeSet<String> {
    files.iter().map(|(path, _)| (*path).to_owned()).collect()
}

#[test]
fn every_file_of_a_template_is_in_the_program() {
    for (language, template) in [
        ("shell", templates::SHELL),
        ("python", templates::PYTHON),
        ("go", templates::GO),
        ("rust", templates::RUST),
        ("typescript", templates::TYPESCRIPT),
    ] {
        let files = found(&plugins().join("templates").join(language), &|_| true);
        assert_eq!(known(template.own), files, "{language}");
    }
}

/// A new file of an SDK that is not here is one that every new plugin lacks.
#[test]
fn every_file_of_an_sdk_is_in_the_program() {
    type Takes = fn(&str) -> bool;
    let sdks: [(&str, Template, Takes); 4] = [
        ("python/snooze_plugin", templates::PYTHON, |path| {
            path.ends_with(".py") || path == "py.typed"
        }),
        ("go", templates::GO, |path| {
            let is_source = path.ends_with(".go") && !path.ends_with("_test.go");
            !path.contains('/') && (is_source || path.starts_with("go."))
        }),
        ("rust", templates::RUST, |path| {
            path.starts_with("src/") && path.ends_with(".rs") && !path.ends_with("tests.rs")
        }),
        ("typescript", templates::TYPESCRIPT, |path| {
            path.starts_with("src/") && path.ends_with(".ts")
        }),
    ];
    for (folder, template, takes) in sdks {
        let files = found(&plugins().join("sdk").join(folder), &takes);
        assert_eq!(known(template.sdk), files, "{folder}");
    }
}

/// What the SDK is built with here it is built with there: the versions are those of the workspace.
#[test]
fn the_sdk_in_rust_is_built_with_what_the_workspace_has() {
    let workspace = fs::read_to_string(plugins().join("../Cargo.toml")).expect("there is one");
    let (_, manifest) = templates::RUST
        .own
        .iter()
        .find(|(path, _)| *path == "lib/snooze-plugin/Cargo.toml")
        .expect("it has one");
    let section = manifest
        .split("[dependencies]")
        .nth(1)
        .expect("it has dependencies");
    let lines = section
        .lines()
        .take_while(|line| !line.starts_with('['))
        .filter(|line| line.contains('='));
    let mut count = 0;
    for line in lines {
        let named = line
            .replace(", optional = true", "")
            .replace("{ version = \"1.3.1\" }", "\"1.3.1\"");
        assert!(
            workspace.lines().any(|line| line == named),
            "the workspace has no line {named}"
        );
        count += 1;
    }
    assert!(count > 5, "{count} dependencies were compared");
}

#[test]
fn only_what_begins_as_a_script_may_be_run() {
    let around = tempfile::tempdir().expect("a folder");
    write(around.path(), &templates::SHELL, "my-watch").expect("it is ours");
    let mode = |name: &str| {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata(around.path().join(name))
            .expect("it is there")
            .permissions()
            .mode()
            & 0o111
    };
    assert!(mode("plugin.sh") != 0 && mode("plugin.json") == 0);
    let text = fs::read_to_string(around.path().join("plugin.sh")).expect("it is there");
    assert!(text.contains("\"name\":\"my-watch\"") && !text.contains(NAME));
    assert!(around.path().join(".snoozeignore").is_file() && !around.path().join("left-out").exists());
}
