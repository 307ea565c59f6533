//! What a person sets for a plugin while everything runs: it holds at once, and after a restart.

use crate::{
    place::{LONG, Place},
    up::Up,
};
use serde_json::{Value, json};
use snooze_test_harness::wait_until;
use std::fs;

/// Answers whatever it is asked, and is always idle.
const LIMITED: &str = r#"#!/bin/sh
while read -r line; do
    id=${line##*'"id":'}
    case $line in
    *'"CheckIdle"'*) result='{"is_idle":true}' ;;
    *) result='{"success":true}' ;;
    esac
    echo "{\"result\":$result,\"id\":${id%\}*}}"
done
"#;

/// What `snooze plugin info` says of it.
async fn told(up: &Up, plugin: &str) -> Value {
    let out = up.ask(&["plugin", "info", plugin, "--json"]).await;
    serde_json::from_str(&out).expect("--json is JSON")
}

async fn wait_for_state(up: &Up, plugin: &str, wanted: &str) {
    wait_until(LONG, "the plugin is in its state", async || {
        told(up, plugin).await["state"] == wanted
    })
    .await;
}

#[tokio::test]
async fn what_was_set_for_a_plugin_holds_at_once_and_survives_a_restart() {
    let up = Up::busy().await;
    up.ask(&["plugin", "disable", "load-average", "--fleet"]).await;
    wait_for_state(&up, "load-average", "disabled").await;
    up.ask(&[
        "plugin",
        "configure",
        "keep-awake",
        "file=/nonexistent/keep-awake",
    ])
    .await;
    wait_until(LONG, "the plugin looks at the other file", async || {
        told(&up, "keep-awake").await["vote"]["state"] == "idle"
    })
    .await;

    let up = up.restart().await;
    wait_for_state(&up, "load-average", "disabled").await;
    let config = up.ask(&["plugin", "configure", "keep-awake", "--json"]).await;
    let config: Value = serde_json::from_str(&config).expect("--json is JSON");
    assert_eq!(config, json!({"file": "/nonexistent/keep-awake"}));

    let enabled = up.snooze(&["plugin", "enable", "load-average", "--fleet"]).await;
    assert_eq!(enabled.code, 0, "{enabled:?}");
    assert!(
        enabled.err.contains("nobody vouches for load-average"),
        "{enabled:?}"
    );
    wait_for_state(&up, "load-average", "running").await;
    up.end().await;
}

#[tokio::test]
async fn what_a_plugins_manifest_refuses_is_not_written() {
    let place = Place::new();
    fs::create_dir(place.path("plugins/limited")).expect("a folder of our own can be written");
    let manifest = json!({
        "name": "limited", "version": "1.0.0", "entry_point": "limited.sh",
        "config_schema": {"threshold": {"type": "int", "constraints": "min=1"}},
    });
    place.write("plugins/limited/plugin.json", &manifest.to_string());
    place.write_plugin("limited/limited.sh", LIMITED);
    let up = Up::begin(place, &json!({})).await;
    let refused = up
        .snooze(&["plugin", "configure", "limited", "threshold=0"])
        .await;
    assert_eq!(refused.code, 64, "{refused:?}");
    assert!(refused.err.contains("threshold"), "{refused:?}");
    let config = up.ask(&["plugin", "configure", "limited", "--json"]).await;
    assert_eq!(
        serde_json::from_str::<Value>(&config).expect("--json is JSON"),
        json!({})
    );
    up.ask(&["plugin", "configure", "limited", "threshold=2"]).await;
    wait_for_state(&up, "limited", "running").await;
    up.end().await;
}
