//! Who of the plugins has a vote: whoever should be there, by the name that it tells.

use crate::{
    plugins::in_tree,
    stage::{SOON, Stage, of, python_plugin},
};
use serde_json::json;
use snooze_bus::RunnerVerb;
use snooze_schemas::{
    host::{ListPlugins, PluginList},
    verdict::{Role, VoteState},
};
use snooze_test_harness::wait_for;
use std::{fs, time::Duration};

#[tokio::test]
async fn t3_a_disabled_plugin_that_the_policy_requires_is_unknown() {
    let mut stage = Stage::set().await;
    stage.plugin("quiet.py", &python_plugin("quiet", r#"{"is_idle": True}"#));
    let runner = stage.runner().await;
    stage.vote("quiet", VoteState::Idle).await;
    let required = json!({"voters": {"quiet": {"role": "required"}}});
    stage.layer(required, json!({"quiet": {"enabled": false}})).await;
    let vote = stage.vote("quiet", VoteState::Unknown).await;
    assert!(vote.reason.contains("missing or disabled"), "{}", vote.reason);
    runner.stop().await;
}

#[tokio::test]
async fn one_that_only_handles_events_does_not_vote() {
    let mut stage = Stage::set().await;
    stage.plugin("spot.py", &in_tree("examples/spot-checkpoint.py"));
    stage.plugin("quiet.py", &python_plugin("quiet", r#"{"is_idle": True}"#));
    let runner = stage.runner().await;
    stage
        .verdict("it has left the vote", |verdict| {
            of(verdict, "quiet").is_some_and(|vote| vote.idle_ms >= 600)
                && of(verdict, "spot-checkpoint").is_none()
        })
        .await;
    runner.stop().await;
}

#[tokio::test]
async fn s2_no_error_of_a_voter_makes_it_leave_the_vote() {
    let mut stage = Stage::set().await;
    for (name, error) in [
        ("quotes", "redis: unknown method"),
        ("lazy", "Unknown method: CheckIdle"),
    ] {
        let answer = format!(r#"{{"error": "{error}"}}"#);
        stage.plugin(&format!("{name}.py"), &python_plugin(name, &answer));
    }
    let runner = stage.runner().await;
    // It has been asked again and again by the time that the CPU has been idle for so long.
    let verdict = stage
        .verdict("the CPU reached the naptime after both were asked", |verdict| {
            let asked = |voter| {
                of(verdict, voter)
                    .is_some_and(|vote| vote.state == VoteState::Unknown && vote.reason.contains("method"))
            };
            asked("quotes") && asked("lazy") && of(verdict, "cpu").is_some_and(|vote| vote.idle_ms >= 600)
        })
        .await;
    assert_eq!(of(&verdict, "lazy").expect("it votes").role, Role::Required);
    runner.stop().await;
}

#[tokio::test]
async fn one_that_has_learned_to_vote_votes_from_its_next_start() {
    let mut stage = Stage::set().await;
    let flag = stage.file("learned");
    let answer =
        format!(r#"{{"is_idle": True}} if os.path.exists({flag:?}) else {{"error": "Unknown method"}}"#);
    let script = python_plugin("pupil", &answer).replace(
        "    else:\n",
        "    elif method == \"GetSupportedEvents\":\n        result = [\"custom\"]\n    else:\n",
    );
    stage.plugin("pupil.py", &script);
    stage.plugin("quiet.py", &python_plugin("quiet", r#"{"is_idle": True}"#));
    let runner = stage.runner().await;
    stage
        .verdict("it does not vote", |verdict| {
            of(verdict, "quiet").is_some_and(|vote| vote.idle_ms >= 600) && of(verdict, "pupil").is_none()
        })
        .await;
    fs::write(&flag, "").expect("writes");
    for enabled in [false, true] {
        let plugins = json!({"pupil": {"enabled": enabled}});
        stage.layer(json!({"heartbeat_seconds": 1}), plugins).await;
        let state = if enabled { "running" } else { "disabled" };
        listed(&stage, |list| {
            list.plugins
                .iter()
                .any(|plugin| plugin.info.name == "pupil" && plugin.state == state)
        })
        .await;
    }
    stage.vote("pupil", VoteState::Idle).await;
    runner.stop().await;
}

#[tokio::test]
async fn t3_what_the_policy_says_of_a_plugins_own_name_holds_for_its_file() {
    let mut stage = Stage::set().await;
    stage.plugin(
        "watcher.py",
        &python_plugin("cpu-watcher", r#"{"is_idle": True}"#),
    );
    let named = |enabled: bool| json!({"cpu-watcher": {"enabled": enabled}});
    stage.layer(json!({}), named(false)).await;
    let runner = stage.runner().await;
    listed(&stage, |list| {
        list.plugins.len() == 1
            && list.plugins[0].info.name == "cpu-watcher"
            && list.plugins[0].state == "disabled"
    })
    .await;
    stage.layer(json!({}), named(true)).await;
    stage.vote("cpu-watcher", VoteState::Idle).await;
    let list = listed(&stage, |list| list.plugins.len() == 1).await;
    assert_eq!(list.plugins[0].runtime, "process");
    runner.stop().await;
}

#[tokio::test]
async fn s2_a_plugin_that_is_configured_or_passed_over_is_missed() {
    let mut stage = Stage::set().await;
    stage.plugin("open.sh", "#!/bin/sh\n");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(stage.plugin_folder().join("open.sh"), open).expect("sets the mode");
    let mut config = stage.config();
    config
        .plugin_configs
        .insert("redis_monitor".to_owned(), serde_json::Map::new());
    let runner = stage.runner_with(config).await;
    let verdict = stage
        .verdict("both are missed", |verdict| {
            of(verdict, "open").is_some() && of(verdict, "redis-monitor").is_some()
        })
        .await;
    for (name, why) in [("open", "written by everybody"), ("redis-monitor", "missing")] {
        let vote = of(&verdict, name).expect("it votes");
        assert_eq!((vote.state, vote.role), (VoteState::Unknown, Role::Required));
        assert!(vote.reason.contains(why), "{}", vote.reason);
    }
    runner.stop().await;
}

/// The list of plugins once it is as the test wants it.
async fn listed(stage: &Stage, wanted: impl Fn(&PluginList) -> bool) -> PluginList {
    let subject = stage.verb(RunnerVerb::Plugins);
    wait_for(SOON, "the list of plugins is as it should be", async || {
        let asked = stage
            .administrator
            .request::<_, PluginList>(&subject, &ListPlugins::default(), Duration::from_secs(4))
            .await;
        asked.ok().filter(|list| wanted(list))
    })
    .await
}
