//! Files of a plugin beside its entry point: whose change makes another plugin of it, and whose does not.

use crate::{
    manifests::described,
    stage::{SOON, Stage, of, python_plugin},
};
use serde_json::json;
use snooze_bus::RunnerVerb;
use snooze_schemas::{host::PluginList, plugin::management::ReloadPlugins, verdict::VoteState};
use snooze_test_harness::wait_until;
use std::{fs, time::Duration};

const HELPED: &str = r#"{"is_idle": True, "reason": __import__("words").REASON}"#;

fn helper(stage: &Stage, reason: &str) {
    let folder = stage.plugin_folder().join("helped");
    let new = folder.join(".new");
    fs::write(&new, format!("REASON = {reason:?}\n")).expect("writes the helper");
    // At once: a look that comes between would see two changes.
    fs::rename(new, folder.join("words.py")).expect("puts it there");
}

/// Has the runner look through the folders.
async fn looks(stage: &Stage) {
    let verb = stage.verb(RunnerVerb::Reload);
    let (anything, limit) = (ReloadPlugins::default(), Duration::from_secs(10));
    let looked = stage.administrator.request(&verb, &anything, limit).await;
    let _: PluginList = looked.expect("it looks");
}

#[tokio::test]
async fn t3_a_plugin_is_started_anew_when_a_module_beside_it_changes() {
    let mut stage = Stage::set().await;
    stage.policy(json!({"heartbeat_seconds": 0.2})).await;
    let manifest = json!({"name": "helped", "version": "1.0.0", "entry_point": "run"});
    described(&stage, "helped", &python_plugin("helped", HELPED), &manifest);
    helper(&stage, "one");
    let runner = stage.runner_as(stage.config()).await;
    stage
        .verdict("it has been idle", |verdict| {
            of(verdict, "helped").is_some_and(|vote| vote.idle_ms >= 600 && vote.reason == "one")
        })
        .await;
    helper(&stage, "two");
    let anew = stage
        .verdict("it says what the new module says", |verdict| {
            of(verdict, "helped").is_some_and(|vote| vote.reason == "two")
        })
        .await;
    let idle_ms = of(&anew, "helped").expect("it votes").idle_ms;
    assert!(idle_ms < 600, "it is another voter: {idle_ms}");
    runner.stop().await;
}

#[tokio::test]
async fn t3_a_module_that_is_another_than_the_manifest_states_ends_the_plugin_until_it_is_mended() {
    let mut stage = Stage::set().await;
    let path = "lib/words.py";
    let folder = stage.plugin_folder().join("helped");
    let sum = |text: &str| {
        fs::create_dir_all(folder.join("lib")).expect("makes the folder");
        fs::write(folder.join(path), text).expect("writes the helper");
        snooze_plugin_runner::sha256_of(&folder.join(path)).expect("reads")
    };
    let good = sum("REASON = 'one'\n");
    fs::remove_dir_all(&folder).expect("removes");
    let answer = r#"{"is_idle": True, "reason": __import__("lib.words").words.REASON}"#;
    let manifest = json!({
        "name": "helped", "version": "1.0.0", "entry_point": "run", "checksums": {path: good},
    });
    described(&stage, "helped", &python_plugin("helped", answer), &manifest);
    sum("REASON = 'one'\n");
    let runner = stage.runner_as(stage.config()).await;
    stage.vote("helped", VoteState::Idle).await;
    sum("REASON = 'two'\n");
    let vote = stage.vote("helped", VoteState::Unknown).await;
    assert!(
        vote.reason.contains("words.py is another file"),
        "{}",
        vote.reason
    );
    sum("REASON = 'one'\n");
    stage.vote("helped", VoteState::Idle).await;
    runner.stop().await;
}

#[tokio::test]
async fn t3_a_plugin_whose_files_change_again_and_again_is_unknown_until_they_rest() {
    let mut stage = Stage::set().await;
    let manifest = json!({"name": "helped", "version": "1.0.0", "entry_point": "run"});
    described(&stage, "helped", &python_plugin("helped", HELPED), &manifest);
    helper(&stage, "first");
    let mut config = stage.config();
    config.restarts.forgiven_after = Duration::from_secs(5);
    let runner = stage.runner_as(config).await;
    stage.vote("helped", VoteState::Idle).await;
    for number in 0..=10 {
        helper(&stage, &format!("again {number}"));
        looks(&stage).await;
    }
    stage
        .verdict("it is held", |verdict| {
            of(verdict, "helped").is_some_and(|vote| {
                vote.state == VoteState::Unknown && vote.reason.contains("change again and again")
            })
        })
        .await;
    let vote = stage.vote("helped", VoteState::Idle).await;
    assert_eq!(vote.reason, "again 10");
    runner.stop().await;
}

#[tokio::test]
async fn a_plugin_that_writes_into_its_own_folder_by_its_grant_does_not_start_itself_anew() {
    let mut stage = Stage::set().await;
    let manifest = json!({"name": "writer", "version": "1.0.0", "entry_point": "run"});
    let log = stage.plugin_folder().join("writer/log");
    let answer = format!(
        r#"{{"is_idle": True, "reason": str(os.getpid())}} if open({log:?}, "a").write("x") else {{}}"#
    );
    described(&stage, "writer", &python_plugin("writer", &answer), &manifest);
    // It is granted the folder of the test, in which that of all plugins lies.
    let runner = stage.runner().await;
    let process = stage.vote("writer", VoteState::Idle).await.reason;
    for _ in 0..3 {
        let before = fs::metadata(&log).expect("it writes").len();
        wait_until(SOON, "it has written more", async || {
            fs::metadata(&log).is_ok_and(|log| log.len() > before)
        })
        .await;
        looks(&stage).await;
    }
    let verdict = stage
        .verdict("its run goes on", |verdict| {
            of(verdict, "writer").is_some_and(|vote| vote.idle_ms >= 600)
        })
        .await;
    assert_eq!(of(&verdict, "writer").expect("it votes").reason, process);
    runner.stop().await;
}
