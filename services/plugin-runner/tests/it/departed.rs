//! Plugins that are gone, and what a runner does with what they left.

use crate::stage::{Stage, python_plugin};
use serde_json::json;
use snooze_schemas::verdict::VoteState;
use snooze_test_harness::wait_until;
use std::{fs, time::Duration};

/// Longer than anything is kept, in milliseconds.
const LONG: u64 = 1 << 40;

#[tokio::test]
async fn i4_what_a_plugin_left_that_is_long_gone_is_removed_and_no_other_plugins() {
    let mut stage = Stage::set().await;
    stage.plugin(
        "stays",
        &python_plugin("stays", r#"{"is_idle": True, "reason": "quiet"}"#),
    );
    let homes = stage.state().join("plugins");
    for name in ["gone", "stays", "wanted"] {
        fs::create_dir_all(homes.join(name).join("deep")).expect("makes");
    }
    let seen = json!({"gone": LONG, "stays": LONG, "wanted": LONG});
    fs::write(stage.state().join("departed.json"), seen.to_string()).expect("writes");
    stage.layer(json!({}), json!({"wanted": {"enabled": true}})).await;
    let runner = stage.runner().await;
    stage.vote("stays", VoteState::Idle).await;
    let is_removed = async || !homes.join("gone").exists();
    wait_until(Duration::from_secs(20), "it is taken away", is_removed).await;
    let is_clean = async || {
        let names = fs::read_dir(&homes)
            .expect("lists")
            .flatten()
            .map(|one| one.file_name());
        names
            .into_iter()
            .all(|name| !name.to_string_lossy().starts_with(".gone-"))
    };
    wait_until(Duration::from_secs(20), "it is removed", is_clean).await;
    assert!(homes.join("stays").exists() && homes.join("wanted/deep").exists());
    runner.stop().await;
}
