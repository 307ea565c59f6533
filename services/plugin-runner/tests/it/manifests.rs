//! Plugins with a manifest, as votes and answers on the bus.

use crate::stage::{SOON, Stage, of, python_plugin};
use serde_json::{Map, Value, json};
use snooze_bus::RunnerVerb;
use snooze_schemas::{
    ErrorCode,
    host::{ListPlugins, PluginList, PluginStatus, Validate, Validated},
    verdict::{Role, VoteState},
};
use snooze_test_harness::wait_for;
use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

const WITHIN: Duration = Duration::from_secs(4);

/// Puts a plugin's folder into the folder of plugins.
pub(crate) fn described(stage: &Stage, folder: &str, script: &str, manifest: &Value) {
    let folder = stage.plugin_folder().join(folder);
    fs::create_dir(&folder).expect("makes the folder");
    let path = folder.join("run");
    fs::write(&path, script).expect("writes the plugin");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("makes it executable");
    fs::write(folder.join("plugin.json"), manifest.to_string()).expect("writes the manifest");
}

fn redis() -> Value {
    json!({
        "name": "redis", "version": "1.0.0", "entry_point": "run", "description": "Counts connections",
        "category": "database",
        "config_schema": {
            "limit": {"type": "int", "default": 5, "constraints": "min=1"},
            "password": {"type": "string", "constraints": "min_length=8"},
        },
    })
}

fn own(config: &Value) -> serde_json::Map<String, Value> {
    config.as_object().expect("a map").clone()
}

pub(crate) async fn listed(
    stage: &Stage,
    plugin: &str,
    wanted: impl Fn(&PluginStatus) -> bool,
) -> PluginStatus {
    let question = ListPlugins {
        plugin: Some(plugin.parse().expect("a name")),
    };
    wait_for(SOON, "the plugin is listed", async || {
        let asked = stage
            .administrator
            .request::<_, PluginList>(&stage.verb(RunnerVerb::Plugins), &question, WITHIN)
            .await;
        asked.ok()?.plugins.into_iter().find(|status| wanted(status))
    })
    .await
}

#[tokio::test]
async fn a_plugin_with_a_manifest_votes_by_its_name_with_its_defaults() {
    let mut stage = Stage::set().await;
    let answer = r#"{"is_idle": True, "reason": json.dumps(config)}"#;
    described(&stage, "redis", &python_plugin("another-name", answer), &redis());
    let runner = stage.runner().await;
    let vote = stage.vote("redis", VoteState::Idle).await;
    assert_eq!(
        (vote.reason.as_str(), vote.role),
        (r#"{"limit": 5}"#, Role::Required)
    );
    let status = listed(&stage, "redis", |_| true).await;
    assert_eq!(status.info.version, "1.0.0");
    assert_eq!(status.info.more["category"], "database");
    runner.stop().await;
}

#[tokio::test]
async fn s2_a_plugin_whose_manifest_is_broken_is_unknown_and_says_where_the_mistake_is() {
    let mut stage = Stage::set().await;
    let mut manifest = redis();
    manifest["version"] = json!("one");
    described(&stage, "redis-monitor", "#!/bin/sh\n", &manifest);
    let runner = stage.runner().await;
    let vote = stage.vote("redis-monitor", VoteState::Unknown).await;
    assert!(
        vote.reason.contains("plugin.json: line 1, column "),
        "{}",
        vote.reason
    );
    assert!(
        vote.reason.contains("version: not a semantic version"),
        "{}",
        vote.reason
    );
    let status = listed(&stage, "redis-monitor", |status| status.state == "missing").await;
    assert!(
        status
            .stats
            .last_error
            .is_some_and(|why| why.contains("plugin.json"))
    );
    runner.stop().await;
}

#[tokio::test]
async fn s2_a_plugin_without_what_it_depends_on_is_not_started_and_unknown() {
    let mut stage = Stage::set().await;
    let mut manifest = redis();
    manifest["dependencies"] = json!([{"name": "container-monitor", "version": ">=1, <2"}]);
    let started = stage.file("started");
    let script = format!("#!/bin/sh\ntouch {}\nexec cat\n", started.display());
    described(&stage, "redis", &script, &manifest);
    let runner = stage.runner().await;
    let vote = stage.vote("redis", VoteState::Unknown).await;
    assert!(
        vote.reason
            .contains("container-monitor >=1, <2, which this host does not have"),
        "{}",
        vote.reason
    );
    let status = listed(&stage, "redis", |status| status.state == "missing").await;
    assert_eq!(
        (status.info.version.as_str(), status.info.description.as_str()),
        ("1.0.0", "Counts connections")
    );
    assert!(!started.exists());
    runner.stop().await;
}

#[tokio::test]
async fn t3_a_plugin_is_not_idle_while_what_it_depends_on_is_switched_off() {
    let mut stage = Stage::set().await;
    let mut manifest = redis();
    manifest["dependencies"] = json!([{"name": "bare", "version": "*"}]);
    described(
        &stage,
        "redis",
        &python_plugin("redis", r#"{"is_idle": True}"#),
        &manifest,
    );
    stage.plugin("bare.py", &python_plugin("bare", r#"{"is_idle": True}"#));
    let runner = stage.runner().await;
    stage.vote("redis", VoteState::Idle).await;
    stage.layer(json!({}), json!({"bare": {"enabled": false}})).await;
    let vote = stage.vote("redis", VoteState::Unknown).await;
    assert_eq!(vote.reason, "it depends on bare, which is switched off");
    stage.layer(json!({}), json!({"bare": {"enabled": true}})).await;
    stage.vote("redis", VoteState::Idle).await;
    runner.stop().await;
}

#[tokio::test]
async fn s2_a_plugin_that_runs_by_itself_is_expected_on_the_bus() {
    let mut stage = Stage::set().await;
    let manifest =
        json!({"name": "remote", "version": "2.0.0", "entry_point": "main.py", "process_model": "nats"});
    described(&stage, "remote", "", &manifest);
    let runner = stage.runner().await;
    let vote = stage.vote("remote", VoteState::Unknown).await;
    assert_eq!(vote.role, Role::Required);
    let status = listed(&stage, "remote", |_| true).await;
    assert_eq!(
        (status.runtime.as_str(), status.info.version.as_str()),
        ("nats", "2.0.0")
    );
    runner.stop().await;
}

#[tokio::test]
async fn t3_a_changed_configuration_ends_the_run_and_one_that_cannot_be_does_not() {
    let mut stage = Stage::set().await;
    let answer = r#"{"is_idle": True, "reason": str(config.get("limit"))}"#;
    described(&stage, "redis", &python_plugin("redis", answer), &redis());
    let runner = stage.runner().await;
    let idle = |verdict: &_, voter: &str| of(verdict, voter).map_or(0, |vote| vote.idle_ms);
    stage
        .verdict("it has been idle", |verdict| idle(verdict, "redis") >= 600)
        .await;
    stage
        .layer(
            json!({"heartbeat_seconds": 0.2}),
            json!({"redis": {"config": {"limit": 7}}}),
        )
        .await;
    let told = stage
        .verdict("it was told", |verdict| {
            of(verdict, "redis").is_some_and(|vote| vote.reason == "7")
        })
        .await;
    assert!(idle(&told, "cpu") < 600, "{told:?}");
    stage
        .verdict("it has been idle again", |verdict| idle(verdict, "redis") >= 600)
        .await;
    stage
        .layer(
            json!({"heartbeat_seconds": 0.2}),
            json!({"redis": {"config": {"limit": 0}}}),
        )
        .await;
    let status = listed(&stage, "redis", |status| status.config_refused.is_some()).await;
    assert_eq!(
        status.config_refused.as_deref(),
        Some("limit: expected at least 1, found 0")
    );
    let after = stage.verdict("it votes on", |_| true).await;
    let vote = of(&after, "redis").expect("it votes");
    assert_eq!(
        (vote.state, vote.reason.as_str()),
        (VoteState::Idle, "7"),
        "the running one stays"
    );
    assert!(vote.idle_ms >= 600, "and so does its run: {vote:?}");
    runner.stop().await;
}

#[tokio::test]
async fn t3_after_a_restart_a_refused_configuration_leaves_no_other_one_to_vote_by() {
    let mut stage = Stage::set().await;
    let answer = r#"{"is_idle": True, "reason": str(config.get("limit"))}"#;
    described(&stage, "redis", &python_plugin("redis", answer), &redis());
    let runner = stage.runner().await;
    stage.vote("redis", VoteState::Idle).await;
    let refused = json!({"redis": {"config": {"limit": 0}}});
    stage.layer(json!({"heartbeat_seconds": 0.2}), refused).await;
    listed(&stage, "redis", |status| status.config_refused.is_some()).await;
    let before = stage.verdict("it votes on", |_| true).await.agent;
    runner.stop().await;
    // Neither the file's configuration nor the defaults are what the policy in force says.
    let runner = stage.runner().await;
    let told = "its configuration is refused: limit: expected at least 1, found 0";
    stage
        .verdict("it is unknown and says why", |verdict| {
            let vote = of(verdict, "redis").filter(|_| verdict.agent != before);
            assert!(vote.is_none_or(|vote| vote.raw == VoteState::Unknown), "{vote:?}");
            vote.is_some_and(|vote| vote.reason.contains(told))
        })
        .await;
    let accepted = json!({"redis": {"config": {"limit": 3}}});
    stage.layer(json!({"heartbeat_seconds": 0.2}), accepted).await;
    assert_eq!(stage.vote("redis", VoteState::Idle).await.reason, "3");
    runner.stop().await;
}

#[tokio::test]
async fn what_a_plugin_cannot_be_configured_with_is_told_before_it_is_written() {
    let stage = Stage::set().await;
    described(
        &stage,
        "redis",
        &python_plugin("redis", r#"{"is_idle": True}"#),
        &redis(),
    );
    stage.plugin("bare.py", &python_plugin("bare", r#"{"is_idle": True}"#));
    let runner = stage.runner().await;
    stage.until_it_answers().await;
    let validate = async |plugin: &str, config: Value| {
        let request = Validate {
            plugin: plugin.parse().expect("a name"),
            config: own(&config),
            unset: Vec::new(),
            level: None,
        };
        stage
            .administrator
            .request::<_, Validated>(&stage.verb(RunnerVerb::Validate), &request, WITHIN)
            .await
    };
    assert!(
        validate("redis", json!({"limit": 3, "enabled": true}))
            .await
            .expect("it is right")
            .checked
    );
    assert!(
        !validate("bare", json!({"limit": 3}))
            .await
            .expect("nobody can tell")
            .checked
    );
    let error = validate("redis", json!({"limit": 0, "password": "hunter2", "colour": 1}))
        .await
        .expect_err("it is wrong");
    let refusal = error.refusal().expect("by the runner");
    assert_eq!(refusal.code, ErrorCode::BadRequest);
    for part in [
        "limit: expected at least 1, found 0",
        "password: expected at least 8 characters",
        "colour: unknown key",
    ] {
        assert!(refusal.message.contains(part), "{}", refusal.message);
    }
    assert!(!refusal.message.contains("hunter2"), "{}", refusal.message);
    let unset = Validate {
        plugin: "redis".parse().expect("a name"),
        config: Map::new(),
        unset: vec!["limit".to_owned()],
        level: None,
    };
    let subject = stage.verb(RunnerVerb::Validate);
    let told: Validated = stage
        .administrator
        .request(&subject, &unset, WITHIN)
        .await
        .expect("the default holds then");
    assert!(told.checked);
    let error = validate("nobody", json!({})).await.expect_err("there is none");
    assert_eq!(error.refusal().expect("by the runner").code, ErrorCode::NotFound);
    runner.stop().await;
}

#[tokio::test]
async fn s2_plugins_that_need_each_other_are_unknown_whoever_switches_them_on() {
    let mut stage = Stage::set().await;
    for (name, needed) in [("one", "two"), ("two", "one")] {
        let manifest = json!({
            "name": name, "version": "1.0.0", "entry_point": "run",
            "dependencies": [{"name": needed, "version": "*"}],
        });
        described(
            &stage,
            name,
            &python_plugin(name, r#"{"is_idle": True}"#),
            &manifest,
        );
    }
    stage.layer(json!({}), json!({"one": {"enabled": true}})).await;
    let runner = stage.runner().await;
    stage.vote("one", VoteState::Unknown).await;
    stage.vote("two", VoteState::Unknown).await;
    runner.stop().await;
}
