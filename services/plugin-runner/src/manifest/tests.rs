//! Folders with a manifest as authors leave them.

mod original;

use super::*;
use serde_json::json;
use std::{fs, os::unix::fs::PermissionsExt};

/// A folder with an executable `run` and this text as its manifest.
fn folder(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "run", "#!/bin/sh\n", 0o755);
    write(folder.path(), FILE, text, 0o644);
    folder
}

fn write(folder: &Path, name: &str, text: &str, mode: u32) {
    let path = folder.join(name);
    fs::write(&path, text).expect("writes");
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("sets the mode");
}

fn with(over: &Value) -> String {
    let mut document = json!({"name": "a", "version": "1.2.3", "entry_point": "run"});
    for (key, value) in over.as_object().expect("a map") {
        document[key] = value.clone();
    }
    document.to_string()
}

fn mistakes(folder: &Path) -> Vec<String> {
    match PluginManifest::read(folder) {
        Err(ManifestError::Mistaken { mistakes, .. }) => mistakes.iter().map(ToString::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_manifest_is_read_with_what_it_names() {
    let folder = folder(&with(&json!({
        "dependencies": [{"name": "b", "version": ">=1, <2"}],
        "config_schema": {"limit": {"type": "int", "default": 3}},
        "checksums": {"run": sha256_of_text("#!/bin/sh\n")},
        "colour": "blue",
    })));
    let manifest = PluginManifest::read(folder.path()).expect("it is right");
    assert_eq!(manifest.name().as_str(), "a");
    let entry = fs::canonicalize(folder.path().join("run")).expect("it is there");
    assert_eq!(manifest.entry_point(), entry);
    assert_eq!(manifest.candidate().needs.len(), 1);
    assert!(manifest.schema().is_some());
    assert_eq!(
        manifest.sha256(),
        sha256_of(&folder.path().join(FILE)).expect("it is read")
    );
    assert_eq!(manifest.warnings()[0].field, "colour");
    manifest.compare().expect("nothing has changed");
    write(folder.path(), "run", "#!/bin/sh\n# changed\n", 0o755);
    manifest.compare().expect_err("it is another file");
}

fn sha256_of_text(text: &str) -> String {
    files::sha256(text.as_bytes())
}

#[test]
fn every_mistake_is_told_at_once_with_line_column_and_field() {
    let text = r#"{
  "name": "No Name",
  "version": "1",
  "entry_point": "run",
  "version": "one",
  "min_host_version": "99.0.0",
  "permissions": { "tcp": [{ "port": "redis" }] },
  "config_schema": { "limit": { "type": "integr" } }
}"#;
    let told = mistakes(folder(text).path());
    let begins = [
        "line 2, column 3: name: ",
        "line 5, column 3: version: it stands there twice",
        "line 5, column 3: version: not a semantic version",
        "line 6, column 3: min_host_version: it needs CloudSnooze 99.0.0 or later",
        "line 7, column 30: permissions.tcp[0].port: ",
        "line 8, column 33: config_schema.limit.type: ",
    ];
    assert_eq!(told.len(), begins.len(), "{told:#?}");
    for (told, begin) in told.iter().zip(begins) {
        assert!(
            told.contains(&begin[begin.find(": ").expect("a colon")..]),
            "{told} / {begin}"
        );
        assert!(told.starts_with(&begin[..7]), "{told} / {begin}");
    }
}

#[test]
fn with_mistakes_the_unknown_keys_are_told_where_the_author_wrote_them() {
    let text = r#"{
  "Naem": "a",
  "Version": "1.2.3",
  "version": "1.2.4",
  "EntryPoint": "run",
  "ConfigSchema": { "Limit": { "Typ": "int", "Default": 0, "Constraints": "min=x" } }
}"#;
    assert_eq!(
        mistakes(folder(text).path()),
        [
            "line 1, column 1: name is missing",
            "line 2, column 3: Naem: unknown key; probably name is meant",
            "line 3, column 3: Version: it stands there twice, the other time as version",
            "line 6, column 32: ConfigSchema.Limit.Typ: unknown key; probably type is meant",
            "line 6, column 60: ConfigSchema.Limit.Constraints: min=x is no number",
        ]
    );
    let wrong_default = r#"{"name": "a", "version": "1.2.3", "entry_point": "run",
  "config_schema": {"limit": {"type": "int", "Default": "x", "colour": "blue"}}}"#;
    let told = mistakes(folder(wrong_default).path());
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told[0].starts_with("line 2, column 46: config_schema.limit.Default: "),
        "{told:?}"
    );
    assert_eq!(
        told[1],
        "line 2, column 62: config_schema.limit.colour: unknown key"
    );
}

#[test]
fn what_is_no_json_is_told_by_its_place() {
    for (text, told) in [
        ("{\n  \"name\": }", "line 2, column 11: expected value"),
        ("", "line 1, column 0: EOF while parsing a value"),
        ("[]", "line 1, column 0: invalid type: sequence, expected a map"),
    ] {
        assert_eq!(mistakes(folder(text).path()), [told], "{text}");
    }
    assert!(matches!(
        PluginManifest::read(folder(&" ".repeat(300 * 1024)).path()),
        Err(ManifestError::TooLarge { .. })
    ));
    let endless = tempfile::tempdir().expect("a folder");
    std::os::unix::fs::symlink("/dev/zero", endless.path().join(FILE)).expect("links");
    assert!(PluginManifest::read(endless.path()).is_err(), "it has no end");
}

#[test]
fn what_is_started_is_in_the_folder_executable_and_nobody_elses() {
    let folder = folder(&with(&json!({})));
    let path = folder.path().to_owned();
    let told = |what: &str| {
        let told = mistakes(&path);
        assert!(told.len() == 1 && told[0].contains(what), "{told:?} / {what}");
    };
    write(&path, "run", "", 0o644);
    told("entry_point: ");
    told("is not executable");
    write(&path, "run", "", 0o757);
    let exposed = PluginManifest::read(&path)
        .expect_err("others may write it")
        .to_string();
    assert!(exposed.contains("may be written by everybody"), "{exposed}");
    fs::remove_file(path.join("run")).expect("removes");
    told("No such file");
    std::os::unix::fs::symlink("/bin/sh", path.join("run")).expect("links");
    told("leads out of the manifest's folder");
    fs::remove_file(path.join("run")).expect("removes");
    fs::create_dir(path.join("run")).expect("makes a folder");
    told("is no file");
    fs::remove_dir(path.join("run")).expect("removes");
    write(&path, "other", "", 0o755);
    std::os::unix::fs::symlink("other", path.join("run")).expect("links");
    let manifest = PluginManifest::read(&path).expect("a link within the folder will do");
    assert!(manifest.entry_point().ends_with("other"));
}

#[test]
fn a_manifest_that_everybody_may_change_is_not_believed() {
    let folder = folder(&with(&json!({})));
    fs::set_permissions(folder.path().join(FILE), fs::Permissions::from_mode(0o666)).expect("sets the mode");
    assert!(matches!(
        PluginManifest::read(folder.path()),
        Err(ManifestError::Exposed(_))
    ));
}

#[test]
fn a_file_that_differs_from_its_checksum_is_told() {
    let told = mistakes(
        folder(&with(
            &json!({"checksums": {"run": "0".repeat(64), "absent": "1".repeat(64)}}),
        ))
        .path(),
    );
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told[0].contains("checksums.absent: ") && told[1].contains("checksums.run: "),
        "{told:?}"
    );
    assert!(told[1].contains("is another file"), "{told:?}");
}

#[test]
fn i4_sums_made_before_do_for_a_look_and_a_start_reads_the_files() {
    let stated = "0".repeat(64);
    let folder = folder(&with(&json!({"checksums": {"run": stated}})));
    let manifest = PluginManifest::read_by(folder.path(), &|_| Ok(stated.clone())).expect("it is believed");
    let differs = manifest.compare().expect_err("it is another file").to_string();
    assert!(differs.contains("run is another file"), "{differs}");
}

#[test]
fn what_runs_by_itself_need_not_be_there() {
    let folder = folder(&with(&json!({"process_model": "nats", "entry_point": "main.py"})));
    PluginManifest::read(folder.path()).expect("somebody else starts it");
}

#[test]
fn i4_no_file_is_read_that_is_larger_than_a_package() {
    let none = "0".repeat(64);
    let text = format!(
        r#"{{"name": "large", "version": "1.0.0", "entry_point": "run", "checksums": {{"a": "{none}", "b": "{none}"}}}}"#
    );
    let folder = folder(&text);
    let sized = |name: &str, bytes: u64| {
        let file = std::fs::File::create(folder.path().join(name)).expect("makes");
        file.set_len(bytes).expect("holes take no room");
    };
    let limit = snooze_package::UNPACKED_LIMIT;
    for name in ["a", "b"] {
        sized(name, limit / 2 + 1);
    }
    let unread = |_: &std::path::Path| panic!("nothing is read of it");
    PluginManifest::read_by(folder.path(), &unread).expect_err("together they are too large");
    let told = mistakes(folder.path());
    assert!(told[0].contains("256 MiB"), "{told:?}");
    sized("run", limit + 1);
    let why = files::sha256_of(&folder.path().join("run")).expect_err("it is too large");
    assert_eq!(why.kind(), std::io::ErrorKind::FileTooLarge);
}
