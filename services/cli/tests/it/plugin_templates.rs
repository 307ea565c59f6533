//! `snooze plugin new`: what it makes runs at once, passes its own tests and `snooze plugin test`, and can be packed.
//!
//! Builds see the caller's whole environment, as an author's do; registries of packages are all that they need.

use crate::{Done, snooze};
use snooze_package::Package;
use snooze_plugin_runner::PluginManifest;
use snooze_test_harness::{Process, wait_for};
use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};
use tempfile::TempDir;

/// A compiler that begins with nothing built takes minutes beside others.
const LONG: Duration = Duration::from_secs(900);

/// A folder in which others may pass, for a plugin may be a user of its own.
fn around() -> TempDir {
    let around = tempfile::tempdir().expect("a folder");
    fs::set_permissions(around.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
    around
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain name")
}

async fn new(name: &str, language: &str, around: &Path) -> Done {
    snooze(&["plugin", "new", name, "--lang", language, "--dir", text(around)]).await
}

/// Runs a program with the test's own environment, and returns what it said when it has succeeded.
async fn succeeds(program: &Path, arguments: &[&str], around: &Path) -> String {
    let log = around.join("said");
    drop(fs::remove_file(&log));
    let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
    let mut process = Process::start(program, &arguments, &log).expect("it can be started");
    let ended = wait_for(LONG, &format!("{arguments:?} ends"), async || process.ended()).await;
    let said = process.said_all();
    assert!(ended.success(), "{} {arguments:?}: {said}", program.display());
    said
}

/// Makes one, tries it, runs its own tests by this line of a shell, and packs it.
async fn runs_at_once(language: &str, own_tests: &str, packed: &[&str]) {
    let around = around();
    let done = new("my-db", language, around.path()).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    let folder = around.path().join("my-db");
    assert_eq!(done.out.trim_end(), text(&folder));
    let program = Path::new(env!("CARGO_BIN_EXE_snooze"));
    let said = succeeds(program, &["plugin", "test", text(&folder)], around.path()).await;
    for passed in [
        "passed fences/it-starts",
        "passed readings/nothing-is-known",
        "passed framing/a-line-may-have-a-mebibyte",
        "passed shutdown/it-ends-with-its-input",
    ] {
        assert!(said.contains(passed), "{passed}: {said}");
    }
    let manifest = PluginManifest::read(&folder).expect("it is right");
    assert_eq!(
        (manifest.name().as_str(), manifest.stated().language.as_str()),
        ("my-db", language)
    );
    assert!(manifest.warnings().is_empty(), "{:?}", manifest.warnings());
    let line = format!("cd '{}' && {own_tests}", folder.display());
    succeeds(Path::new("sh"), &["-c", &line], around.path()).await;
    let output = around.path().join("my-db.tar.gz");
    let arguments = ["plugin", "package", text(&folder), "--output", text(&output)];
    succeeds(program, &arguments, around.path()).await;
    let package = fs::read(&output).expect("it is there");
    let into = around.path().join("unpacked");
    snooze_package::unpack(&package, &into).expect("a package");
    assert_eq!(Package::read(package).expect("a package").name.as_str(), "my-db");
    let unpacked = PluginManifest::read(&into.join("my-db")).expect("it is right without its sources");
    let mut files: Vec<&str> = unpacked.stated().checksums.keys().map(String::as_str).collect();
    files.retain(|path| {
        !path.starts_with("lib/") && !path.starts_with("dist/chunk") && !path.starts_with("dist/nats")
    });
    assert_eq!(files, packed, "what runs is packed, and what made it is not");
}

#[tokio::test]
async fn a_plugin_in_shell_runs_at_once() {
    runs_at_once(
        "shell",
        "sh test.sh",
        &["DOCUMENTATION.md", "README.md", "plugin.sh"],
    )
    .await;
}

#[tokio::test]
async fn a_plugin_in_python_runs_at_once() {
    let packed = ["DOCUMENTATION.md", "README.md", "plugin.py"];
    runs_at_once("python", "python3 -B -m unittest", &packed).await;
}

#[tokio::test]
async fn a_plugin_in_go_runs_at_once() {
    let packed = ["DOCUMENTATION.md", "README.md", "bin/my-db"];
    runs_at_once("go", "GOWORK=off go vet . && GOWORK=off go test .", &packed).await;
}

#[tokio::test]
async fn a_plugin_in_rust_runs_at_once() {
    // What was built for it is used again.
    let packed = ["DOCUMENTATION.md", "README.md", "bin/my-db"];
    runs_at_once("rust", "cargo test --quiet --release", &packed).await;
}

#[tokio::test]
async fn a_plugin_in_typescript_runs_at_once() {
    let packed = [
        "DOCUMENTATION.md",
        "README.md",
        "dist/monitor.mjs",
        "dist/plugin.mjs",
    ];
    runs_at_once("typescript", "node --test test.mjs", &packed).await;
}

#[tokio::test]
async fn what_is_there_is_not_touched_and_what_is_no_name_is_refused() {
    let around = around();
    let folder = around.path().join("mine");
    fs::create_dir(&folder).expect("a folder");
    for (name, language, under) in [
        ("mine", "shell", around.path()),
        ("My_DB", "shell", around.path()),
        ("../up", "shell", around.path()),
        ("a", "cobol", around.path()),
        ("a", "shell", &around.path().join("not/there")),
    ] {
        let done = new(name, language, under).await;
        assert_eq!((done.code, done.out.as_str()), (Some(64), ""), "{name}: {done:?}");
        assert!(!done.err.is_empty(), "{name}");
    }
    assert_eq!(fs::read_dir(&folder).expect("it is there").count(), 0);
    assert_eq!(fs::read_dir(around.path()).expect("it is there").count(), 1);
}
