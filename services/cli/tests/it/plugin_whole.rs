//! The commands about plugins against a real runner, with a real plugin in its fences.

use crate::{
    place::Place,
    plugin_install::{folder, text},
};
use serde_json::json;
use snooze_bus::{Role, User};
use snooze_plugin_runner::{Config, fence::FenceConfig};
use snooze_schemas::HostId;
use snooze_service_runtime::CancellationToken;
use std::{fs, path::Path};

/// Answers every question that it is idle, and writes into what it was granted.
const IDLE: &str = r#"#!/bin/sh
while read -r line; do
    : >"$GRANTED"
    echo "{\"result\":{\"is_idle\":true,\"reason\":\"nobody\",\"name\":\"redis\"},\"id\":${line##*:}"
done
"#;

fn config(host: &HostId, home: &Path) -> Config {
    let (state, runtime) = (home.join("state"), home.join("runtime"));
    Config {
        plugin_folders: vec![home.join("plugins")],
        fence: FenceConfig {
            program: env!("CARGO_BIN_EXE_snooze").into(),
            ..FenceConfig::default()
        },
        ..Config::new(host.clone(), "boot".to_owned(), state, runtime)
    }
}

#[tokio::test]
async fn a_plugin_is_installed_asked_unloaded_loaded_and_taken_away() {
    let place = Place::new().await;
    place.executor(&["web"]).await;
    let home = tempfile::tempdir().expect("a folder");
    let (host, granted) = ("web".parse().expect("a host id"), home.path().join("granted"));
    fs::create_dir(&granted).expect("a folder");
    let source = folder(home.path(), "1.0.0", &json!({"write": [granted]}));
    let script = IDLE.replace("$GRANTED", text(&granted.join("file")));
    fs::write(source.join("run"), script).expect("written");
    let stop = CancellationToken::new();
    let bus = place.server.bus(&User::host(&host)).await;
    let runner = tokio::spawn(snooze_plugin_runner::run(
        config(&host, home.path()),
        bus,
        stop.clone(),
    ));

    let snooze = async |words: &[&str]| {
        let done = place.plugin(Role::Administrator, words).await;
        assert_eq!(done.code, Some(0), "{words:?}: {done:?}");
        done.out
    };
    let installed = snooze(&["install", text(&source), "--host", "web", "--yes"]).await;
    assert!(installed.contains("web   running"), "{installed}");
    let said = snooze(&[
        "check",
        "redis",
        "--host",
        "web",
        "--metrics",
        text(&metrics(home.path())),
    ])
    .await;
    assert!(said.contains("idle") && said.contains("nobody"), "{said}");
    assert!(
        granted.join("file").exists(),
        "it may write where it was approved to"
    );
    let info = snooze(&["info", "redis", "--host", "web"]).await;
    assert!(info.contains("ada"), "who approved it is shown: {info}");

    let unloaded = snooze(&["unload", "redis", "--host", "web"]).await;
    assert!(unloaded.contains("unloaded"), "{unloaded}");
    let loaded = snooze(&["load", "redis", "--host", "web"]).await;
    assert!(loaded.contains("redis"), "{loaded}");
    let stats = snooze(&["stats", "redis", "--host", "web"]).await;
    assert!(stats.contains("redis"), "{stats}");

    snooze(&["uninstall", "redis", "--host", "web"]).await;
    let list = snooze(&["list", "--host", "web", "--json"]).await;
    assert!(!list.contains("redis"), "{list}");
    stop.cancel();
    runner
        .await
        .expect("it does not panic")
        .expect("it ends in order");
}

fn metrics(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("metrics.json");
    fs::write(&path, r#"{"cpu_usage": 1.5}"#).expect("written");
    path
}
