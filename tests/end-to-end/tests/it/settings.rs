//! What a person sets for a plugin while everything runs: it holds at once, and after a restart.

use crate::{place::LONG, up::Up};
use serde_json::{Value, json};
use snooze_test_harness::wait_until;

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

    up.ask(&["plugin", "enable", "load-average", "--fleet"]).await;
    wait_for_state(&up, "load-average", "running").await;
    up.end().await;
}
