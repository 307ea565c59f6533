//! `snooze plugin package`, as an author types it.

use crate::{Done, snooze};
use serde_json::{Value, json};
use snooze_package::{Package, unpack};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// A plugin's folder, with what a checkout has beside it.
fn plugin(around: &Path) -> PathBuf {
    let folder = around.join("watcher");
    fs::create_dir_all(folder.join("lib")).expect("a folder");
    write(&folder, "run", "#!/bin/sh\n", 0o755);
    write(&folder, "lib/words.txt", "words", 0o644);
    write(&folder, "notes.txt", "to myself", 0o644);
    write(&folder, ".snoozeignore", "notes.txt\n", 0o644);
    let manifest = json!({
        "name": "watcher", "version": "1.2.0", "entry_point": "run", "from_a_later_version": true,
        "config_schema": {"limit": {"type": "int", "default": 5, "description": "Idle below this"}},
        "permissions": {"read": ["/etc/watcher"]},
    });
    write(&folder, "plugin.json", &manifest.to_string(), 0o644);
    folder
}

fn write(folder: &Path, name: &str, text: &str, mode: u32) {
    fs::write(folder.join(name), text).expect("a file");
    fs::set_permissions(folder.join(name), fs::Permissions::from_mode(mode)).expect("it is ours");
}

async fn package(folder: &Path, output: &Path) -> Done {
    let text = |path: &Path| path.to_str().expect("a plain name").to_owned();
    snooze(&["plugin", "package", &text(folder), "--output", &text(output)]).await
}

#[tokio::test]
async fn a_package_is_the_same_wherever_it_is_made_and_says_its_sha256() {
    let (here, there) = (
        tempfile::tempdir().expect("a folder"),
        tempfile::tempdir().expect("a folder"),
    );
    let mut made = Vec::new();
    for around in [here.path(), &there.path().join("deeper/down")] {
        let output = around.join("out.tar.gz");
        let done = package(&plugin(around), &output).await;
        assert_eq!(done.code, Some(0), "{done:?}");
        let package = Package::read(fs::read(&output).expect("it is there")).expect("a package");
        assert_eq!(done.out, format!("{}  {}\n", package.sha256, output.display()));
        assert!(done.err.contains("watcher 1.2.0 is packed"), "{done:?}");
        made.push(package);
    }
    assert_eq!(made[0], made[1]);
}

#[tokio::test]
async fn what_is_packed_knows_its_files_and_says_what_it_is() {
    let around = tempfile::tempdir().expect("a folder");
    let output = around.path().join("out.tar.gz");
    let done = package(&plugin(around.path()), &output).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    let into = around.path().join("new");
    unpack(&fs::read(&output).expect("it is there"), &into).expect("a package");
    let folder = into.join("watcher");
    // Reading it compares every file with what the manifest says of it.
    let manifest = snooze_plugin_runner::PluginManifest::read(&folder).expect("a plugin");
    let known: Vec<&str> = manifest.stated().checksums.keys().map(String::as_str).collect();
    assert_eq!(known, ["DOCUMENTATION.md", "lib/words.txt", "run"]);
    assert!(!folder.join("notes.txt").exists() && !folder.join(".snoozeignore").exists());
    let written = fs::read_to_string(folder.join("plugin.json")).expect("it is there");
    let written: Value = serde_json::from_str(&written).expect("JSON");
    assert_eq!(
        written["from_a_later_version"], true,
        "what this version does not know is kept"
    );
    let page = fs::read_to_string(folder.join("DOCUMENTATION.md")).expect("it is there");
    assert!(
        page.contains("Idle below this") && page.contains("/etc/watcher"),
        "{page}"
    );
    write(&folder, "lib/words.txt", "other words", 0o644);
    let changed = snooze_plugin_runner::PluginManifest::read(&folder).expect_err("a file is another");
    assert!(
        changed.to_string().contains("checksums.lib/words.txt"),
        "{changed}"
    );
}

#[tokio::test]
async fn what_is_packed_has_one_spelling_whatever_the_authors_was() {
    let around = tempfile::tempdir().expect("a folder");
    let folder = plugin(around.path());
    let manifest = json!({
        "Name": "watcher", "Version": "1.2.0", "EntryPoint": "run", "Checksums": {},
        "ConfigSchema": {"Limit": {"Type": "int", "Default": 5}},
    });
    write(&folder, "plugin.json", &manifest.to_string(), 0o644);
    let output = around.path().join("out.tar.gz");
    let done = package(&folder, &output).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    let into = around.path().join("new");
    unpack(&fs::read(&output).expect("it is there"), &into).expect("a package");
    let manifest = snooze_plugin_runner::PluginManifest::read(&into.join("watcher")).expect("a plugin");
    assert!(manifest.stated().checksums.contains_key("run"));
    let field = &manifest.stated().config_schema["Limit"];
    assert_eq!(
        *field,
        json!({"type": "int", "default": 5}),
        "a field's name is its author's"
    );
}

#[tokio::test]
async fn a_manifest_with_mistakes_is_not_packed_and_all_of_them_are_told() {
    let around = tempfile::tempdir().expect("a folder");
    let folder = plugin(around.path());
    let manifest =
        r#"{"name": "watcher", "version": "new", "entry_point": "../run", "permissions": {"read": ["etc"]}}"#;
    write(&folder, "plugin.json", manifest, 0o644);
    let output = around.path().join("out.tar.gz");
    let done = package(&folder, &output).await;
    assert_eq!((done.code, done.out.as_str()), (Some(64), ""), "{done:?}");
    for field in ["version", "entry_point", "permissions.read"] {
        assert!(done.err.contains(field), "{field}: {done:?}");
    }
    assert!(!output.exists());
}

#[tokio::test]
async fn what_cannot_be_a_package_is_exit_code_64() {
    let around = tempfile::tempdir().expect("a folder");
    let folder = plugin(around.path());
    let outside = around.path().join("out.tar.gz");
    let told = async |output: &Path, said: &str| {
        let done = package(&folder, output).await;
        assert_eq!((done.code, done.out.as_str()), (Some(64), ""), "{said}: {done:?}");
        assert!(done.err.contains(said), "{said}: {done:?}");
    };
    told(&folder.join("out.tar.gz"), "part of the next package").await;
    let special = around.path().join("special");
    let _listening = std::os::unix::net::UnixListener::bind(&special).expect("a socket");
    told(&special, "is no file").await;
    assert!(fs::metadata(&special).is_ok_and(|found| !found.is_file()));
    told(around.path(), "is no file").await;
    write(&folder, ".snoozeignore", "run\n", 0o644);
    told(&outside, "the entry point is not packed").await;
    write(&folder, ".snoozeignore", "", 0o644);
    std::os::unix::fs::symlink("/etc/passwd", folder.join("link")).expect("a link");
    told(&outside, "only files and folders").await;
    let done = package(&folder.join("run"), &outside).await;
    assert_eq!(done.code, Some(64), "{done:?}");
    assert!(!outside.exists());
}

#[tokio::test]
async fn a_build_comes_before_the_package_and_one_that_fails_tells_why() {
    let around = tempfile::tempdir().expect("a folder");
    let folder = plugin(around.path());
    fs::remove_file(folder.join("run")).expect("it is there");
    let build = "#!/bin/sh\nprintf '#!/bin/sh\\n' > run && chmod 755 run\n";
    write(&folder, "build", build, 0o755);
    let output = around.path().join("out.tar.gz");
    let done = package(&folder, &output).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    write(
        &folder,
        "build",
        "#!/bin/sh\necho no compiler >&2; exit 3\n",
        0o755,
    );
    let done = package(&folder, &output).await;
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(
        done.err.contains("no compiler") && done.err.contains("exit code 3"),
        "{done:?}"
    );
}
