//! Plugins that come, go and change while the runner runs.

use crate::{
    manifests::{described, listed},
    stage::{SOON, Stage, of, python_plugin},
};
use serde_json::{Value, json};
use snooze_bus::{RunnerVerb, Stream, SubjectFilter};
use snooze_schemas::{
    ErrorCode, Message,
    audit::{AuditKind, AuditRecord},
    event::Scope,
    host::PluginList,
    plugin::management::{LoadPlugin, ReloadPlugins, UnloadPlugin},
    verdict::{Verdict, VoteState},
};
use snooze_test_harness::wait_until;
use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

const WITHIN: Duration = Duration::from_secs(10);

pub(crate) fn idle(reason: &str) -> String {
    format!(r#"{{"is_idle": True, "reason": "{reason}"}}"#)
}

fn idle_ms(verdict: &Verdict, voter: &str) -> u64 {
    of(verdict, voter).map_or(0, |vote| vote.idle_ms)
}

/// Tells the runner to do something about a plugin.
async fn order<M: Message>(stage: &Stage, verb: RunnerVerb, order: &M) -> Result<PluginList, ErrorCode> {
    let answer = stage
        .administrator
        .request(&stage.verb(verb), order, WITHIN)
        .await;
    answer.map_err(|error| error.refusal().unwrap_or_else(|| panic!("{error}")).code)
}

/// Has it look through the folders.
pub(crate) async fn look_again(stage: &Stage) {
    let looked = order(stage, RunnerVerb::Reload, &ReloadPlugins::default()).await;
    looked.expect("it looks");
}

fn name(text: &str) -> snooze_schemas::PluginName {
    text.parse().expect("a name")
}

pub(crate) async fn load(stage: &Stage, plugin: &str) -> Result<PluginList, ErrorCode> {
    let plugin = name(plugin);
    order(stage, RunnerVerb::Load, &LoadPlugin { plugin }).await
}

pub(crate) async fn reload(stage: &Stage, plugin: &str) -> Result<PluginList, ErrorCode> {
    let plugin = Some(name(plugin));
    order(stage, RunnerVerb::Reload, &ReloadPlugins { plugin }).await
}

pub(crate) async fn unload(stage: &Stage, plugin: &str) -> Result<PluginList, ErrorCode> {
    let plugin = name(plugin);
    order(stage, RunnerVerb::Unload, &UnloadPlugin { plugin }).await
}

/// What the audit trail says of plugins.
pub(crate) async fn trail(stage: &Stage) -> Vec<String> {
    let filter = SubjectFilter::AuditOf(Scope::Host(stage.host.clone()));
    let trail = stage
        .executor
        .history::<AuditRecord>(Stream::Audit, &filter, 100)
        .await
        .unwrap_or_default();
    let trail = trail.into_iter().map(|stored| stored.message);
    let of_plugins = trail.filter(|record| record.kind == AuditKind::Plugin);
    of_plugins.map(|record| record.message).collect()
}

#[tokio::test]
async fn t3_a_plugin_that_comes_and_one_that_changes_break_every_run_and_vote() {
    let mut stage = Stage::set().await;
    stage.policy(json!({"heartbeat_seconds": 0.2})).await;
    let runner = stage.runner().await;
    let long = |verdict: &Verdict| idle_ms(verdict, "cpu") >= 600;
    for (text, what) in [("one", "it came"), ("two", "it was overwritten")] {
        stage.verdict("the CPU has been idle", long).await;
        stage.plugin("late.py", &python_plugin("late", &idle(text)));
        let verdict = stage
            .verdict(what, |verdict| {
                of(verdict, "late").is_some_and(|vote| vote.reason == text)
            })
            .await;
        assert!(idle_ms(&verdict, "cpu") < 600, "{what}: {verdict:?}");
    }
    runner.stop().await;
}

#[tokio::test]
async fn s2_a_plugin_whose_file_vanishes_is_unknown_until_it_is_switched_off() {
    let mut stage = Stage::set().await;
    stage.plugin("quiet.py", &python_plugin("quiet", &idle("so it is")));
    let runner = stage.runner().await;
    stage.vote("quiet", VoteState::Idle).await;
    let path = stage.plugin_folder().join("quiet.py");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("sets the mode");
    let vote = stage.vote("quiet", VoteState::Unknown).await;
    assert!(
        vote.reason.contains("quiet.py is not executable any more"),
        "{}",
        vote.reason
    );
    fs::remove_file(&path).expect("removes");
    stage
        .verdict("it is gone", |verdict| {
            of(verdict, "quiet").is_some_and(|vote| vote.reason.contains("quiet.py is gone"))
        })
        .await;
    runner.stop().await;
    // A restart forgets nobody, and being switched on makes no plugin on the bus of it.
    let on = json!({"quiet": {"enabled": true}});
    stage.layer(json!({"heartbeat_seconds": 0.2}), on).await;
    let runner = stage.runner().await;
    let status = listed(&stage, "quiet", |status| status.state == "missing").await;
    assert!(status.stats.last_error.is_some_and(|why| why.contains("is gone")));
    stage.vote("quiet", VoteState::Unknown).await;
    let off = json!({"quiet": {"enabled": false}});
    stage.layer(json!({"heartbeat_seconds": 0.2}), off).await;
    stage
        .verdict("nobody misses it", |verdict| of(verdict, "quiet").is_none())
        .await;
    runner.stop().await;
}

#[tokio::test]
async fn s2_a_manifest_that_is_half_written_is_missed_and_comes_back() {
    let mut stage = Stage::set().await;
    let manifest = json!({"name": "redis", "version": "1.0.0", "entry_point": "run"});
    let script = python_plugin("redis", &idle("so it is"));
    described(&stage, "redis", &script, &manifest);
    let runner = stage.runner().await;
    stage.vote("redis", VoteState::Idle).await;
    let path = stage.plugin_folder().join("redis/plugin.json");
    fs::write(&path, r#"{"name": "redis", "ver"#).expect("writes");
    let vote = stage.vote("redis", VoteState::Unknown).await;
    assert!(vote.reason.contains("plugin.json"), "{}", vote.reason);
    fs::write(&path, manifest.to_string()).expect("writes");
    stage.vote("redis", VoteState::Idle).await;
    runner.stop().await;
}

#[tokio::test]
async fn t3_an_unloaded_plugin_is_unknown_and_has_no_process_until_it_is_loaded() {
    let mut stage = Stage::set().await;
    let running = stage.file("running");
    let answer =
        format!(r#"{{"is_idle": True}} if open({running:?}, "w").write(str(os.getpid())) else {{}}"#);
    stage.plugin("quiet.py", &python_plugin("quiet", &answer));
    let runner = stage.runner().await;
    stage.vote("quiet", VoteState::Idle).await;
    let process = fs::read_to_string(&running).expect("it runs");
    let list = unload(&stage, "quiet").await.expect("it is there");
    assert_eq!(list.plugins[0].state, "unloaded");
    let vote = stage.vote("quiet", VoteState::Unknown).await;
    assert_eq!(
        vote.reason,
        "it was unloaded; `snooze plugin load quiet` starts it again"
    );
    wait_until(SOON, "its process has ended", async || {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ")
    })
    .await;
    // Neither a look through the folders nor being switched on loads it.
    look_again(&stage).await;
    stage.layer(json!({}), json!({"quiet": {"enabled": true}})).await;
    let status = listed(&stage, "quiet", |_| true).await;
    assert_eq!(status.state, "unloaded");
    let list = load(&stage, "quiet").await.expect("it is there");
    assert_eq!(list.plugins[0].runtime, "process");
    stage.vote("quiet", VoteState::Idle).await;
    assert_ne!(fs::read_to_string(&running).expect("it runs"), process);
    assert_eq!(load(&stage, "nobody").await, Err(ErrorCode::NotFound));
    assert_eq!(unload(&stage, "nobody").await, Err(ErrorCode::NotFound));
    wait_until(SOON, "both stand in the audit trail", async || {
        trail(&stage).await == ["quiet: it was unloaded", "quiet: it was loaded"]
    })
    .await;
    runner.stop().await;
}

#[tokio::test]
async fn reload_starts_one_anew_and_leaves_the_others() {
    let mut stage = Stage::set().await;
    for name in ["one", "other"] {
        let answer = r#"{"is_idle": True, "details": {"process": os.getpid()}}"#;
        stage.plugin(&format!("{name}.py"), &python_plugin(name, answer));
    }
    let runner = stage.runner().await;
    let process = |vote: &snooze_schemas::verdict::Vote| vote.evidence["process"].clone();
    let one = process(&stage.vote("one", VoteState::Idle).await);
    let other = process(&stage.vote("other", VoteState::Idle).await);
    let plugin = Some(name("one"));
    order(&stage, RunnerVerb::Reload, &ReloadPlugins { plugin })
        .await
        .expect("it is there");
    let anew = stage
        .verdict("it runs again", |verdict| {
            of(verdict, "one").is_some_and(|vote| vote.state == VoteState::Idle && process(vote) != one)
        })
        .await;
    assert_eq!(process(of(&anew, "other").expect("it votes")), other);
    let plugin = Some(name("nobody"));
    let refused = order(&stage, RunnerVerb::Reload, &ReloadPlugins { plugin }).await;
    assert_eq!(refused, Err(ErrorCode::NotFound));
    runner.stop().await;
}

#[tokio::test]
async fn s2_whoever_depends_on_one_that_is_not_run_any_more_does_not_run_or_vote() {
    let mut stage = Stage::set().await;
    let manifest = |name: &str, needed: &[&str]| {
        let needs: Vec<Value> = needed
            .iter()
            .map(|needed| json!({"name": needed, "version": "*"}))
            .collect();
        json!({"name": name, "version": "1.0.0", "entry_point": "run", "dependencies": needs,
               "config_schema": {"limit": {"type": "int", "constraints": "min=1"}}})
    };
    for (name, needed) in [("base", &[][..]), ("middle", &["base"]), ("top", &["middle"])] {
        let script = python_plugin(name, &idle("so it is"));
        described(&stage, name, &script, &manifest(name, needed));
    }
    let runner = stage.runner().await;
    stage.vote("top", VoteState::Idle).await;
    unload(&stage, "base").await.expect("it is there");
    let vote = stage.vote("top", VoteState::Unknown).await;
    assert!(vote.reason.contains("unloaded"), "{}", vote.reason);
    let status = listed(&stage, "top", |status| status.state == "held").await;
    assert_eq!(status.runtime, "process");
    load(&stage, "base").await.expect("it is there");
    stage.vote("top", VoteState::Idle).await;
    let refused = json!({"base": {"config": {"limit": 0}}});
    stage.layer(json!({"heartbeat_seconds": 0.2}), refused).await;
    listed(&stage, "base", |status| status.config_refused.is_some()).await;
    runner.stop().await;
    // It is handed no configuration at all from its start on.
    let runner = stage.runner().await;
    stage
        .verdict("a misconfigured one is not to be relied upon", |verdict| {
            of(verdict, "top").is_some_and(|vote| vote.reason.contains("its configuration is refused"))
        })
        .await;
    runner.stop().await;
}

#[tokio::test]
async fn s2_another_of_the_same_name_does_not_stand_in_for_one_that_is_broken() {
    let mut stage = Stage::set().await;
    stage.policy(json!({"heartbeat_seconds": 0.2})).await;
    let second = stage.file("second");
    fs::create_dir(&second).expect("makes the folder");
    stage.plugin(
        "redis",
        &python_plugin("redis", r#"{"is_idle": False, "reason": "in use"}"#),
    );
    let other = second.join("redis");
    fs::write(
        &other,
        python_plugin("redis", r#"{"is_idle": True, "reason": "mine now"}"#),
    )
    .expect("writes");
    fs::set_permissions(&other, fs::Permissions::from_mode(0o755)).expect("makes it executable");
    let mut config = stage.config();
    config.plugin_folders.push(second);
    let runner = stage.runner_with(config).await;
    stage.vote("redis", VoteState::Busy).await;
    let first = stage.plugin_folder().join("redis");
    fs::set_permissions(&first, fs::Permissions::from_mode(0o757)).expect("anybody may write it");
    let broken = stage
        .verdict("the first is missed", |verdict| {
            of(verdict, "redis").is_some_and(|vote| vote.reason.contains("is not run in its place"))
        })
        .await;
    assert_eq!(of(&broken, "redis").expect("it votes").state, VoteState::Unknown);
    runner.stop().await;
}
