//! What was enabled, approved and configured, over restarts of the runner, and without the broker that said it.

use crate::{
    events::{SUCCESS, event, handler, noted},
    given::who_handles,
    manifests::listed,
    neighbour::{hand_over, taken},
    stage::{SOON, Stage},
};
use serde_json::{Value, json};
use snooze_bus::{Bus, User};
use snooze_plugin_runner::sha256_of;
use snooze_schemas::{host::PluginStatus, plugin::approval::Grantor};
use snooze_service_runtime::CancellationToken;
use snooze_test_harness::wait_until;

/// A handler that notes what it is configured with.
fn script(stage: &Stage, name: &str) -> String {
    let does = format!(r#"note(f"limit {{config['limit']}}") or {SUCCESS}"#);
    let told = "\"Configure\":\n        config = request[\"params\"][\"config\"]\n";
    handler(stage, name, &does).replace("\"Configure\":\n", told)
}

/// What the fleet's layer says of a plugin without a manifest: it may note, and is given the test's event.
fn said(stage: &Stage, name: &str) -> Value {
    let file = stage.plugin_folder().join(format!("{name}.py"));
    json!({"config": {"limit": 7, "events": {"custom.backup": {}}}, "approved": {
        "by": "alice", "at": "2026-11-26T12:00:00Z",
        "permissions": {"write": [stage.file("")], "events": ["custom"]},
        "entry_sha256": sha256_of(&file).expect("it can be read"),
    }})
}

fn is_approved(status: &PluginStatus) -> bool {
    let by = status
        .rights
        .as_ref()
        .and_then(|rights| rights.granted_by.as_ref());
    let by_alice = matches!(by, Some(Grantor::Approval { by, .. }) if by == "alice");
    by_alice && status.state == "running"
}

#[tokio::test]
async fn what_was_approved_enabled_and_configured_survives_restarts_with_a_broker_and_without() {
    let mut stage = Stage::set().await;
    for name in ["kept", "off"] {
        stage.plugin(&format!("{name}.py"), &script(&stage, name));
    }
    let (kept, mut off) = (said(&stage, "kept"), said(&stage, "off"));
    off["enabled"] = false.into();
    stage.layer(json!({}), json!({"kept": kept, "off": off})).await;
    for id in ["e1", "e2"] {
        let runner = stage.runner_as(stage.config()).await;
        listed(&stage, "kept", is_approved).await;
        listed(&stage, "off", |status| status.state == "disabled").await;
        assert_eq!(who_handles(&stage, id).await, ["kept"]);
        runner.stop().await;
    }
    stage.server.kill();
    let bus = Bus::begin(stage.server.bus_config(&User::host(&stage.host))).await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(snooze_plugin_runner::run(
        stage.config(),
        bus.expect("nobody is waited for"),
        stop.clone(),
    ));
    assert_eq!(hand_over(&stage, event("e3")).await, taken(false));
    let told = ["kept begins", "limit 7", "kept ends"];
    wait_until(SOON, "it is handled without a broker too", async || {
        noted(&stage).len() == 3 * told.len()
    })
    .await;
    assert_eq!(noted(&stage), [told, told, told].concat());
    stage.server.restart().await;
    listed(&stage, "off", |status| status.state == "disabled").await;
    assert!(listed(&stage, "kept", |_| true).await.state == "running");
    stop.cancel();
    running.await.expect("no panic").expect("ends well");
}
