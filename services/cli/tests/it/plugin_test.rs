//! `snooze plugin test`, as an author types it: what is right passes in its fences, and what is wrong is found.

use crate::{Done, snooze};
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// A plugin in Python on its SDK, whose parts a test can change.
struct Plugin {
    around: TempDir,
    folder: PathBuf,
}

impl Plugin {
    /// The SDK's own example.
    fn new() -> Plugin {
        let around = tempfile::tempdir().expect("a folder");
        // Its parents have to let others pass, for a plugin may be a user of its own.
        fs::set_permissions(around.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
        let folder = around.path().join("example-python");
        let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/sdk/python");
        copy(&sdk.join("example"), &folder);
        copy(&sdk.join("snooze_plugin"), &folder.join("snooze_plugin"));
        Plugin { around, folder }
    }

    /// With other words in a file of it.
    fn replaced(self, file: &str, old: &str, new: &str) -> Plugin {
        let path = self.folder.join(file);
        let text = fs::read_to_string(&path).expect("it is there");
        assert!(text.contains(old), "{file} has no {old:?}");
        fs::write(path, text.replace(old, new)).expect("it is ours");
        self
    }

    /// With another value in its manifest.
    fn stating(self, key: &str, value: Value) -> Plugin {
        let path = self.folder.join("plugin.json");
        let mut manifest: Value =
            serde_json::from_slice(&fs::read(&path).expect("it is there")).expect("JSON");
        manifest[key] = value;
        fs::write(path, manifest.to_string()).expect("it is ours");
        self
    }

    async fn test(&self, more: &[&str]) -> Done {
        let folder = self.folder.to_str().expect("a plain name");
        snooze(&[&["plugin", "test", folder], more].concat()).await
    }

    /// Fails, and says so of these and of nothing else.
    async fn fails(&self, more: &[&str], cases: &[&str]) -> Done {
        let done = self.test(more).await;
        assert_eq!(done.code, Some(1), "{cases:?}: {done:?}");
        let failed: Vec<&str> = done
            .out
            .lines()
            .filter_map(|line| line.strip_prefix("FAILED ")?.split(' ').next())
            .collect();
        assert_eq!(failed, cases, "{}", done.out);
        done
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            fs::copy(&path, to.join(path.file_name().expect("it has a name"))).expect("a file");
        }
    }
}

#[tokio::test]
async fn a_plugin_that_is_right_passes_and_the_report_is_written_for_ci_too() {
    let plugin = Plugin::new();
    let report = plugin.around.path().join("report.xml");
    let done = plugin
        .test(&["--junit", report.to_str().expect("a plain name")])
        .await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(
        done.err.starts_with("snooze: manifest/it-holds\n"),
        "it is told what is begun: {done:?}"
    );
    for said in [
        "passed manifest/it-holds (lines)",
        "passed fences/it-starts (lines)",
        "passed readings/recorded-cpu (lines)",
        "passed readings/nothing-is-known (lines)",
        "passed events/custom.test (lines)",
        "passed configuration/threshold-breaks-its-exclusiveMinimum (lines)",
        "passed configuration/threshold-takes-its-default (lines)",
        "passed framing/a-line-may-come-in-pieces (lines)",
        "passed shutdown/it-ends-with-its-input (lines)",
        "note   of readings it said idle ",
    ] {
        assert!(done.out.contains(said), "{said}\n{}", done.out);
    }
    let report = fs::read_to_string(report).expect("it is written");
    assert!(
        report.contains("failures=\"0\"") && report.contains("recorded-cpu"),
        "{report}"
    );
}

#[tokio::test]
async fn json_rpc_is_asked_in_its_own_form() {
    let plugin = Plugin::new().stating("process_model", json!("json-rpc"));
    let done = plugin.test(&[]).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    for case in ["readings/recorded-cpu", "errors/an-id-comes-back"] {
        let said = format!("passed {case} (json-rpc)");
        assert!(done.out.contains(&said), "{said}\n{}", done.out);
    }
}

#[tokio::test]
async fn all_mistakes_of_a_manifest_are_told_and_nothing_is_started() {
    let plugin = Plugin::new()
        .stating("version", json!("new"))
        .stating("permissions", json!({"read": ["etc"], "events": ["custom"]}));
    let done = plugin.fails(&[], &["manifest/it-holds"]).await;
    for field in ["version: ", "permissions.read: "] {
        assert!(done.out.contains(field), "{field}: {}", done.out);
    }
}

#[tokio::test]
async fn a_folder_of_another_name_and_an_info_that_disagrees_are_told() {
    let plugin = Plugin::new()
        .stating("name", json!("other"))
        .stating("version", json!("1.0.1"));
    let cases = [
        "manifest/its-folder-has-its-name",
        "manifest/info-agrees-on-its-name",
        "manifest/info-agrees-on-its-version",
    ];
    plugin.fails(&[], &cases).await;
}

/// What it may not read kills it where it can be read, so that it passes only in its fences.
#[tokio::test]
async fn it_is_tried_in_its_fences_and_with_what_its_manifest_asks_for() {
    let plugin = Plugin::new();
    let outside = plugin.around.path().join("outside");
    fs::write(&outside, "not its own").expect("a file");
    let dies = format!(
        "        print(\"noise\")\n        try:\n            open({outside:?}).close()\n            __import__('os')._exit(7)\n        except OSError:\n            pass\n        if metrics"
    );
    let plugin = plugin.replaced(
        "example.py",
        "        print(\"noise\")\n        if metrics",
        &dies,
    );
    let done = plugin.test(&[]).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    let asking = plugin.stating("permissions", json!({"read": [outside], "events": ["custom"]}));
    let done = asking.test(&[]).await;
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.out.contains("FAILED readings/recorded-cpu"), "{}", done.out);
}

#[tokio::test]
async fn a_plugin_that_dies_of_an_event_is_found_unless_none_is_sent() {
    let dies = "        if event.data.get(\"\", 0) is None:\n            __import__('os')._exit(7)\n        if event.type.split";
    let plugin = Plugin::new().replaced("example.py", "        if event.type.split", dies);
    // It is started anew meanwhile, and its time to be asked again has not come yet.
    let done = plugin.test(&[]).await;
    assert_eq!(done.code, Some(1), "{done:?}");
    for case in ["events/custom", "fences/it-was-never-started-anew"] {
        assert!(
            done.out.contains(&format!("FAILED {case} ")),
            "{case}: {}",
            done.out
        );
    }
    let done = plugin.test(&["--without-events"]).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.out.contains("it was sent no events"), "{}", done.out);
}

#[tokio::test]
async fn a_plugin_that_refuses_what_its_schema_allows_is_found() {
    let stricter = json!({"threshold": {"type": "float", "default": 10, "constraints": "min=0,max=100"}});
    let plugin = Plugin::new().stating("config_schema", stricter);
    let done = plugin
        .fails(&[], &["configuration/threshold-takes-its-minimum"])
        .await;
    assert!(done.out.contains("threshold is a number above 0"), "{}", done.out);
    assert!(
        done.out
            .contains("passed configuration/threshold-breaks-its-maximum"),
        "{}",
        done.out
    );
}

#[tokio::test]
async fn what_has_to_be_configured_is_asked_for() {
    let needed = json!({"threshold": {"type": "float", "required": true, "constraints": "min=1"}});
    let plugin = Plugin::new().stating("config_schema", needed);
    let done = plugin.test(&[]).await;
    assert_eq!((done.code, done.out.as_str()), (Some(64), ""), "{done:?}");
    assert!(
        done.err.contains("--config FILE") && done.err.contains("threshold"),
        "{done:?}"
    );
    let config = plugin.around.path().join("config.json");
    fs::write(&config, r#"{"threshold": 20}"#).expect("a file");
    let done = plugin
        .test(&["--config", config.to_str().expect("a plain name")])
        .await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(
        done.out.contains("passed configuration/threshold-is-required"),
        "{}",
        done.out
    );
}

#[tokio::test]
async fn a_plugin_that_does_not_start_says_why() {
    let plugin = Plugin::new().replaced("example.py", "run(Example())", "raise SystemExit('no licence')");
    let done = plugin.fails(&[], &["fences/it-starts"]).await;
    assert!(
        done.out.contains("no licence"),
        "its own words are shown: {}",
        done.out
    );
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_refused() {
    let nothing = tempfile::tempdir().expect("a folder");
    let done = snooze(&[
        "plugin",
        "test",
        nothing.path().join("none").to_str().expect("plain"),
    ])
    .await;
    assert_eq!(done.code, Some(64), "{done:?}");
}

#[tokio::test]
async fn a_build_comes_first_and_one_that_fails_is_a_failure() {
    let plugin = Plugin::new();
    let build = plugin.folder.join("build");
    fs::write(&build, "#!/bin/sh\necho no compiler; exit 3\n").expect("a file");
    fs::set_permissions(&build, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let done = plugin.fails(&[], &["build/it-is-built"]).await;
    assert!(done.out.contains("no compiler"), "{}", done.out);
}
