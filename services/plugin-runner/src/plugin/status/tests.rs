//! What is told of a plugin: what was counted, and what its manifest says.

use super::*;
use crate::{
    plugin::{AskError, given::tests::unstarted},
    stdio::CallError,
};
use serde_json::json;
use snooze_schemas::{HostId, metrics::Metrics};
use std::{fs, os::unix::fs::PermissionsExt, sync::Arc};

const LIMIT: Duration = Duration::from_secs(1);

fn plugin() -> Arc<Plugin> {
    unstarted(Arc::default())
}

#[tokio::test]
async fn before_it_is_ready_nothing_is_counted_against_a_plugin() {
    let (plugin, host) = (plugin(), "web".parse::<HostId>().expect("a host id"));
    let asked = plugin.check_idle(&Metrics::default(), &host, LIMIT).await;
    assert!(
        matches!(asked, Err(AskError::Process(CallError::Starting))),
        "{asked:?}"
    );
    assert_eq!(plugin.status(LIMIT).await.stats, PluginStats::default());
}

#[tokio::test]
async fn a_method_that_it_does_not_know_is_a_call_and_no_error() {
    let plugin = plugin();
    let answered = plugin.calls.count::<()>(LIMIT, Err(AskError::UnknownMethod));
    assert!(answered.is_err());
    let counted = PluginStats {
        calls: 1,
        ..PluginStats::default()
    };
    assert_eq!(plugin.status(LIMIT).await.stats, counted);
}

#[tokio::test]
async fn one_that_votes_and_does_not_know_the_question_shows_that_as_its_error() {
    let plugin = plugin();
    let answered = plugin.calls.no_opinion::<()>(LIMIT);
    assert!(matches!(answered, Err(AskError::UnknownMethod)), "{answered:?}");
    let stats = plugin.status(LIMIT).await.stats;
    assert_eq!((stats.calls, stats.errors, stats.time_outs), (1, 1, 0));
    let told = stats.last_error.expect("it is said");
    assert!(
        told.contains("CheckIdle") && told.contains("GetSupportedEvents"),
        "{told}"
    );
}

#[test]
fn an_answer_that_nobody_asked_for_is_an_error_and_the_last_one_where_it_is_newer() {
    let counted = |age| PluginStats {
        errors: 1,
        last_error: Some("it failed".to_owned()),
        last_error_age_ms: Some(age),
        ..PluginStats::default()
    };
    let second = Some(Duration::from_secs(1));
    let stats = with_strays(counted(2_000), 2, second);
    assert_eq!(
        (stats.errors, stats.last_error.as_deref(), stats.last_error_age_ms),
        (3, Some(STRAY), Some(1_000))
    );
    let stats = with_strays(counted(500), 2, second);
    assert_eq!(
        (stats.errors, stats.last_error.as_deref()),
        (3, Some("it failed"))
    );
    assert_eq!(with_strays(counted(500), 0, None), counted(500));
    let stats = with_strays(PluginStats::default(), 1, second);
    assert_eq!((stats.errors, stats.last_error.as_deref()), (1, Some(STRAY)));
}

#[tokio::test]
async fn the_last_error_says_how_long_ago_it_was() {
    let plugin = plugin();
    let failed = plugin
        .calls
        .count::<()>(LIMIT, Err(AskError::Said("no disk".to_owned())));
    assert!(failed.is_err());
    let stats = plugin.status(LIMIT).await.stats;
    assert_eq!((stats.calls, stats.errors), (1, 1));
    assert_eq!(stats.last_error.as_deref(), Some("no disk"));
    assert!(stats.last_error_age_ms.is_some());
}

#[tokio::test]
async fn what_its_manifest_calls_secret_is_named_whether_it_runs_or_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let written = json!({
        "name": "door", "version": "1.0.0", "entry_point": "run",
        "config_schema": {"type": "object", "properties": {"pin": {"type": "integer", "writeOnly": true}, "pin_file": {}}},
    });
    fs::write(folder.path().join("plugin.json"), written.to_string()).expect("writes");
    let run = folder.path().join("run");
    fs::write(&run, "").expect("writes");
    fs::set_permissions(&run, fs::Permissions::from_mode(0o755)).expect("sets the mode");
    let manifest = PluginManifest::read(folder.path()).expect("it is right");
    let lost = missing(
        &"door".parse().expect("a name"),
        "missing",
        String::new(),
        Some(&manifest),
    );
    assert_eq!(lost.secrets, ["pin"]);
    let plugin = plugin();
    let Runtime::Process(process) = plugin.runtime() else {
        panic!("it is a process");
    };
    let described = Plugin::described(Runtime::Process(process.clone()), Some(Arc::new(manifest)));
    assert_eq!(described.status(LIMIT).await.secrets, ["pin"]);
    assert_eq!(described.status(LIMIT).await.secret_files, ["pin_file"]);
}

#[tokio::test]
async fn the_unknown_keys_of_a_manifest_are_shown_whether_it_runs_or_not_and_not_all_of_too_many() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = folder.path().join("run");
    fs::write(&run, "").expect("writes");
    fs::set_permissions(&run, fs::Permissions::from_mode(0o755)).expect("sets the mode");
    let read = |over: Value| {
        let mut written = json!({"name": "door", "version": "1.0.0", "entry_point": "run"});
        for (key, value) in over.as_object().expect("a map") {
            written[key] = value.clone();
        }
        fs::write(folder.path().join("plugin.json"), written.to_string()).expect("writes");
        PluginManifest::read(folder.path()).expect("it is right")
    };
    let told = |manifest: &PluginManifest| {
        let name = "door".parse().expect("a name");
        missing(&name, "missing", String::new(), Some(manifest)).odd
    };
    let manifest = read(json!({"permissions": {"MemoryMB": 7}}));
    let odd = told(&manifest);
    assert_eq!(odd.len(), 1, "{odd:?}");
    assert!(
        odd[0].contains("permissions.MemoryMB: unknown key") && odd[0].contains("memory_mb"),
        "{odd:?}"
    );
    let runs = plugin();
    let Runtime::Process(process) = runs.runtime() else {
        panic!("it is a process");
    };
    let described = Plugin::described(Runtime::Process(process.clone()), Some(Arc::new(manifest)));
    assert_eq!(described.status(LIMIT).await.odd, odd);
    let many = (0..100).map(|index| (format!("{index}{}", "x".repeat(1_000)), Value::from(1)));
    let odd = told(&read(Value::Object(many.collect())));
    assert_eq!((odd.len(), odd[0].chars().count()), (ODD, ODD_LENGTH));
}

#[test]
fn everything_that_an_author_states_for_people_and_needs_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = folder.path().join("run");
    fs::write(&run, "").expect("writes");
    fs::set_permissions(&run, fs::Permissions::from_mode(0o755)).expect("sets the mode");
    let more = json!({
        "category": "doors", "language": "shell", "repository": "https://example.org/git",
        "homepage": "https://example.org", "official": true, "tags": ["door", "lock"],
        "dependencies": [{"name": "hinge", "version": ">=1.0, <2"}], "min_host_version": "0.1.0",
    });
    let mut written = json!({"name": "door", "version": "1.0.0", "entry_point": "run"});
    let stated_fields = more.as_object().expect("a map");
    for (key, value) in stated_fields {
        written[key] = value.clone();
    }
    fs::write(folder.path().join("plugin.json"), written.to_string()).expect("writes");
    let manifest = PluginManifest::read(folder.path()).expect("it is right");
    assert_eq!(&stated(manifest.stated()).more, stated_fields);
}
