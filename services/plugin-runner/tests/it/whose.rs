//! Plugins whose files others may change, or that cannot be read just now: unknown, and looked at again by itself.

use crate::{
    manifests::listed,
    set::look_again,
    stage::{Stage, python_plugin},
};
use serde_json::json;
use snooze_schemas::verdict::VoteState;
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("sets the mode");
}

#[tokio::test]
async fn i4_a_plugin_below_a_folder_that_others_may_write_is_unknown_until_it_is_closed() {
    let mut stage = Stage::set().await;
    stage.policy(json!({"heartbeat_seconds": 0.2})).await;
    stage.plugin("quiet.py", &python_plugin("quiet", r#"{"is_idle": True}"#));
    let runner = stage.runner().await;
    stage.vote("quiet", VoteState::Idle).await;
    // Above the folder of plugins, where nobody watches.
    let above = stage.file("");
    mode(&above, 0o702);
    look_again(&stage).await;
    let vote = stage.vote("quiet", VoteState::Unknown).await;
    let told = format!(
        "{} may be written by everybody",
        above.display().to_string().trim_end_matches('/')
    );
    assert!(vote.reason.contains(&told), "{}", vote.reason);
    assert!(vote.reason.contains("`chmod o-w /"), "{}", vote.reason);
    listed(&stage, "quiet", |status| status.state == "exposed").await;
    mode(&above, 0o700);
    stage.vote("quiet", VoteState::Idle).await;
    runner.stop().await;
}

#[tokio::test]
async fn s2_a_plugin_that_cannot_be_read_is_unknown_for_that_until_it_can_be() {
    let mut stage = Stage::set().await;
    stage.policy(json!({"heartbeat_seconds": 0.2})).await;
    // A way that has no end yet, and that nobody watches where it is mended.
    let (elsewhere, way) = (stage.file("elsewhere.py"), stage.file("way"));
    fs::write(&elsewhere, python_plugin("quiet", r#"{"is_idle": True}"#)).expect("writes");
    mode(&elsewhere, 0o755);
    std::os::unix::fs::symlink(&way, &way).expect("links");
    std::os::unix::fs::symlink(&way, stage.plugin_folder().join("quiet.py")).expect("links");
    let runner = stage.runner().await;
    let vote = stage.vote("quiet", VoteState::Unknown).await;
    assert!(
        vote.reason.contains("quiet.py: Too many levels"),
        "{}",
        vote.reason
    );
    listed(&stage, "quiet", |status| status.state == "unread").await;
    fs::remove_file(&way).expect("removes");
    std::os::unix::fs::symlink(&elsewhere, &way).expect("links");
    stage.vote("quiet", VoteState::Idle).await;
    runner.stop().await;
}
