//! Plugins that are installed from the fleet's store of packages.

use crate::{
    manifests::{described, listed},
    stage::{SOON, Stage, of, python_plugin},
};
use serde_json::{Value, json};
use snooze_package::{Package, pack};
use snooze_schemas::verdict::VoteState;
use snooze_test_harness::wait_until;
use std::fs;

/// A package of the plugin `redis` that gives this reason.
fn package(stage: &Stage, reason: &str) -> Package {
    let answer = format!(r#"{{"is_idle": True, "reason": "{reason}"}}"#);
    let manifest = json!({"name": "redis", "version": "1.0.0", "entry_point": "run"});
    described(stage, "redis", &python_plugin("redis", &answer), &manifest);
    let folder = stage.plugin_folder().join("redis");
    let package = pack(&folder).expect("it can be packed");
    fs::remove_dir_all(&folder).expect("removes");
    package
}

fn installed(package: &Package) -> Value {
    json!({"redis": {"installed": {"version": package.version, "sha256": package.sha256}}})
}

fn quick() -> Value {
    json!({"heartbeat_seconds": 0.2})
}

#[tokio::test]
async fn t3_an_installed_package_is_run_another_takes_its_place_and_without_it_nobody_votes() {
    let mut stage = Stage::set().await;
    let (one, two) = (package(&stage, "one"), package(&stage, "two"));
    for package in [&one, &two] {
        let put = stage.administrator.artifacts().put(&package.bytes).await;
        assert_eq!(put.expect("the store takes it"), package.sha256);
    }
    stage.layer(quick(), installed(&one)).await;
    let runner = stage.runner().await;
    assert_eq!(stage.vote("redis", VoteState::Idle).await.reason, "one");
    runner.stop().await;
    let runner = stage.runner().await;
    stage.layer(quick(), installed(&two)).await;
    stage
        .verdict("the other one votes", |verdict| {
            of(verdict, "redis").is_some_and(|vote| vote.reason == "two")
        })
        .await;
    let place = |package: &Package| stage.state().join("packages/redis").join(&package.sha256);
    wait_until(SOON, "the first one is taken away", async || {
        place(&two).is_dir() && !place(&one).exists()
    })
    .await;
    let (shelf, gone) = (stage.state().join("packages"), place(&two));
    stage.layer(quick(), json!({})).await;
    stage
        .verdict("nobody votes or is missed", |verdict| {
            of(verdict, "redis").is_none()
        })
        .await;
    wait_until(SOON, "nothing is left", async || !gone.exists()).await;
    assert_eq!(fs::read_dir(shelf).expect("it is there").count(), 0);
    runner.stop().await;
}

#[tokio::test]
async fn s2_a_package_that_cannot_be_had_is_missed_and_says_why_until_it_is_there() {
    let mut stage = Stage::set().await;
    let package = package(&stage, "one");
    stage.layer(quick(), installed(&package)).await;
    let runner = stage.runner().await;
    stage
        .verdict("it is said that the store has none", |verdict| {
            of(verdict, "redis").is_some_and(|vote| {
                vote.state == VoteState::Unknown && vote.reason.contains("the store has no artifact")
            })
        })
        .await;
    let put = stage.administrator.artifacts().put(&package.bytes).await;
    put.expect("the store takes it");
    stage.vote("redis", VoteState::Idle).await;
    runner.stop().await;
}

#[tokio::test]
async fn s2_a_package_that_a_plugin_of_the_hosts_own_hides_is_missed_by_a_name_of_its_own() {
    let mut stage = Stage::set().await;
    let package = package(&stage, "installed");
    let put = stage.administrator.artifacts().put(&package.bytes).await;
    put.expect("the store takes it");
    let own = r#"{"is_idle": True, "reason": "put there by hand"}"#;
    stage.plugin("redis.py", &python_plugin("redis", own));
    stage.layer(quick(), installed(&package)).await;
    let runner = stage.runner().await;
    let vote = stage.vote("redis", VoteState::Idle).await;
    assert_eq!(vote.reason, "put there by hand");
    let hidden = listed(&stage, "hidden-redis", |_| true).await;
    let why = hidden.stats.last_error.expect("it says why");
    assert!(why.contains("redis.py, which has the same name"), "{why}");
    stage.vote("hidden-redis", VoteState::Unknown).await;
    runner.stop().await;
}
