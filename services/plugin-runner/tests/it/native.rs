//! Plugins that are libraries in the runner: asked as others are, and trusted by nobody but who approved them.

use crate::{
    manifests::listed,
    stage::{Runner, Stage, of, python_plugin},
};
use serde_json::{Value, json};
use snooze_plugin_runner::{Config, sha256_of};
use snooze_schemas::verdict::VoteState;
use std::{fs, path::PathBuf};

/// The library that `cargo test` has built.
fn built() -> PathBuf {
    let this = std::env::current_exe().expect("this program has a path");
    let folder = this.ancestors().nth(2).expect("it lies in deps").join("examples");
    let path = folder.join("libnative_plugin.so");
    assert!(
        path.is_file(),
        "{} is missing: `cargo test` builds it where nothing is named",
        path.display()
    );
    path
}

/// Puts a library into a folder with its manifest, under another name for it each time that it is to differ.
fn native(stage: &Stage, library: &[u8]) {
    let folder = stage.plugin_folder().join("tested");
    fs::create_dir_all(&folder).expect("makes the folder");
    fs::write(folder.join("libtested.so"), library).expect("writes the library");
    let manifest = json!({
        "name": "tested", "version": "1.0.0", "type": "native", "entry_point": "libtested.so",
    });
    fs::write(folder.join("plugin.json"), manifest.to_string()).expect("writes the manifest");
}

fn library() -> Vec<u8> {
    fs::read(built()).expect("it is there")
}

/// A runner whose own file approves it.
async fn runner(stage: &Stage) -> Runner {
    stage.runner_as(approving(stage)).await
}

fn approving(stage: &Stage) -> Config {
    let mut config = stage.config();
    let own = json!({"permissions": {}});
    let own = own.as_object().expect("a map").clone();
    config.plugin_configs.insert("tested".to_owned(), own);
    config
}

async fn configured(stage: &Stage, config: Value) {
    let plugins = json!({"tested": {"config": config}});
    stage.layer(json!({"heartbeat_seconds": 0.2}), plugins).await;
}

#[tokio::test]
async fn a_native_plugin_votes_and_says_that_nothing_fences_it() {
    let mut stage = Stage::set().await;
    native(&stage, &library());
    let runner = runner(&stage).await;
    let vote = stage.vote("tested", VoteState::Idle).await;
    assert_eq!(vote.reason, "nobody is here");
    let status = listed(&stage, "tested", |status| status.state == "running").await;
    assert_eq!(status.runtime, "native");
    let rights = status.rights.expect("it has");
    assert!(
        rights
            .not_enforced
            .iter()
            .any(|fence| fence.contains("part of the runner")),
        "{rights:?}"
    );
    runner.stop().await;
}

#[tokio::test]
async fn s2_a_native_plugin_that_nobody_approved_is_not_loaded_and_unknown() {
    let mut stage = Stage::set().await;
    native(&stage, &library());
    stage.policy(json!({"heartbeat_seconds": 0.2})).await;
    let runner = stage.runner_as(stage.config()).await;
    let vote = stage.vote("tested", VoteState::Unknown).await;
    assert!(vote.reason.contains("nobody has approved it"), "{}", vote.reason);
    let digest = |name: &str| sha256_of(&stage.plugin_folder().join("tested").join(name)).expect("reads");
    let approved = json!({"tested": {"approved": {
        "by": "alice", "at": "2026-11-26T12:00:00Z", "permissions": {}, "native": true,
        "manifest_sha256": digest("plugin.json"), "entry_sha256": digest("libtested.so"),
    }}});
    stage.layer(json!({"heartbeat_seconds": 0.2}), approved).await;
    stage.vote("tested", VoteState::Idle).await;
    // The same library with a byte more is another file.
    let mut other = library();
    other.push(0);
    native(&stage, &other);
    let vote = stage.vote("tested", VoteState::Unknown).await;
    assert!(
        vote.reason.contains("others than were approved by alice"),
        "{}",
        vote.reason
    );
    runner.stop().await;
}

#[tokio::test]
async fn s2_a_native_plugin_that_was_not_approved_as_one_is_held_and_says_so_beforehand() {
    let mut stage = Stage::set().await;
    native(&stage, &library());
    let digest = |name: &str| sha256_of(&stage.plugin_folder().join("tested").join(name)).expect("reads");
    let mut approved = json!({"tested": {"approved": {
        "by": "alice", "at": "2026-11-26T12:00:00Z", "permissions": {},
        "manifest_sha256": digest("plugin.json"), "entry_sha256": digest("libtested.so"),
    }}});
    let beats = json!({"heartbeat_seconds": 0.2});
    stage.layer(beats.clone(), approved.clone()).await;
    let runner = stage.runner_as(stage.config()).await;
    let told = "it is native, which makes it a part of the runner, and what was approved by alice at \
                2026-11-26T12:00:00Z did not say so; approve it again with `snooze plugin approve tested`";
    // Before the layer has come nobody has approved anything.
    stage
        .verdict("it is told what was not said", |verdict| {
            of(verdict, "tested")
                .is_some_and(|vote| vote.state == VoteState::Unknown && vote.reason.contains(told))
        })
        .await;
    let status = listed(&stage, "tested", |status| status.state == "held").await;
    let rights = status.rights.expect("its files can be read");
    assert!(rights.native, "{rights:?}");
    assert!(
        rights
            .not_enforced
            .iter()
            .any(|fence| fence.contains("part of the runner")),
        "{rights:?}"
    );
    approved["tested"]["approved"]["native"] = true.into();
    stage.layer(beats, approved).await;
    stage.vote("tested", VoteState::Idle).await;
    runner.stop().await;
}

#[tokio::test]
async fn s2_a_panic_in_it_is_an_unknown_vote_and_ends_nothing_else() {
    let mut stage = Stage::set().await;
    native(&stage, &library());
    configured(&stage, json!({"panic": true})).await;
    let runner = runner(&stage).await;
    stage
        .verdict("it panicked", |verdict| {
            of(verdict, "tested").is_some_and(|vote| {
                vote.state == VoteState::Unknown
                    && vote.reason.contains("the plugin panicked: as it was told")
            })
        })
        .await;
    configured(&stage, json!({})).await;
    stage.vote("tested", VoteState::Idle).await;
    runner.stop().await;
}

#[tokio::test]
async fn s2_one_that_hangs_is_unknown_and_holds_up_neither_others_nor_the_end() {
    let mut stage = Stage::set().await;
    native(&stage, &library());
    stage.plugin("other", &python_plugin("other", r#"{"is_idle": True}"#));
    let end = stage.file("end");
    configured(&stage, json!({"wait_for": end})).await;
    let runner = runner(&stage).await;
    stage
        .verdict("it hangs and the other votes", |verdict| {
            let state = |name| of(verdict, name).map(|vote| vote.state);
            let hangs = of(verdict, "tested")
                .is_some_and(|vote| vote.reason.contains("it hangs in an earlier request"));
            hangs && state("tested") == Some(VoteState::Unknown) && state("other") == Some(VoteState::Idle)
        })
        .await;
    // Another library in its place is not started beside it.
    let mut other = library();
    other.push(0);
    native(&stage, &other);
    stage
        .verdict("the one that hangs is in the way of another", |verdict| {
            of(verdict, "tested").is_some_and(|vote| vote.reason.contains("it hangs in an earlier request"))
        })
        .await;
    fs::write(&end, "").expect("writes");
    stage.vote("tested", VoteState::Idle).await;
    runner.stop().await;
}

#[tokio::test]
async fn s2_what_is_no_plugin_is_refused_with_the_reason_and_is_one_once_it_is_replaced() {
    let mut stage = Stage::set().await;
    native(&stage, b"\x7fELF, but not really");
    stage.policy(json!({"heartbeat_seconds": 0.2})).await;
    let runner = runner(&stage).await;
    let refused = stage
        .verdict("it is refused", |verdict| {
            of(verdict, "tested").is_some_and(|vote| vote.reason.contains("no whole dynamic library"))
        })
        .await;
    assert_eq!(
        of(&refused, "tested").expect("it votes").state,
        VoteState::Unknown
    );
    native(&stage, &library());
    stage.vote("tested", VoteState::Idle).await;
    runner.stop().await;
}

#[tokio::test]
async fn s2_where_isolation_is_required_a_native_plugin_is_not_loaded() {
    let mut stage = Stage::set().await;
    native(&stage, &library());
    stage.policy(json!({"heartbeat_seconds": 0.2})).await;
    let mut config = approving(&stage);
    config.fence.require_isolation = true;
    let runner = stage.runner_as(config).await;
    stage
        .verdict("it is refused", |verdict| {
            of(verdict, "tested").is_some_and(|vote| {
                vote.state == VoteState::Unknown && vote.reason.contains("require_isolation")
            })
        })
        .await;
    runner.stop().await;
}
