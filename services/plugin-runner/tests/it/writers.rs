//! What is remembered of where plugins could write, over restarts of the runner.
//!
//! Which links are followed is tried in `links`.

use crate::stage::{Stage, python_plugin};
use serde_json::{Value, json};
use snooze_schemas::verdict::VoteState;
use std::{fs, os::unix::fs::symlink};

#[tokio::test]
async fn i4_what_another_wrote_before_the_runner_started_is_not_followed_from_its_start_on() {
    let mut stage = Stage::set().await;
    let (spool, secret) = (stage.file("spool"), stage.file("secret"));
    fs::create_dir(&spool).expect("makes");
    fs::write(&secret, "quiet").expect("writes");
    let file = spool.join("file");
    symlink(&secret, &file).expect("links");
    let answer = format!(r#"{{"is_idle": True, "reason": open({file:?}).read()}}"#);
    stage.plugin("areader", &python_plugin("areader", &answer));
    let granting = |stage: &Stage, writes: Value| {
        let mut config = stage.config();
        let granted = [("areader", json!({"read": [file]})), ("zwriter", writes)];
        config.plugin_configs = granted
            .map(|(name, permissions)| {
                let own = json!({"permissions": permissions});
                (name.to_owned(), own.as_object().expect("a map").clone())
            })
            .into();
        config
    };
    let idle = r#"{"is_idle": True, "reason": "quiet"}"#;
    stage.plugin("zwriter", &python_plugin("zwriter", idle));
    let runner = stage.runner_as(granting(&stage, json!({"write": [spool]}))).await;
    stage.vote("zwriter", VoteState::Idle).await;
    stage.vote("areader", VoteState::Unknown).await;
    runner.stop().await;
    // That it may write there no more does not make its links somebody else's.
    let runner = stage.runner_as(granting(&stage, json!({}))).await;
    stage.vote("zwriter", VoteState::Idle).await;
    stage.vote("areader", VoteState::Unknown).await;
    runner.stop().await;
    // Where no plugin could ever write, it is a link of whoever runs the host.
    fs::remove_file(stage.state().join("writers.json")).expect("it was kept");
    let runner = stage.runner_as(granting(&stage, json!({}))).await;
    stage.vote("areader", VoteState::Idle).await;
    runner.stop().await;
}
