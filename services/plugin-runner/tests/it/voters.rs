//! Who of the plugins has a vote: whoever should be there, by the name that it tells.

use crate::{
    manifests,
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
            of(verdict, "quiet").is_some_and(|vote| vote.idle_ms >= 600) && of(verdict, "spot").is_none()
        })
        .await;
    let status = manifests::listed(&stage, "spot", |_| true).await;
    assert_eq!(
        (status.stats.errors, status.stats.last_error),
        (0, None),
        "it may leave"
    );
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
    let status = manifests::listed(&stage, "lazy", |_| true).await;
    let error = status
        .stats
        .last_error
        .expect("it is shown why its vote is unknown");
    assert!(error.contains("CheckIdle") && status.stats.errors > 0, "{error}");
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
async fn i4_what_is_said_of_a_plugin_holds_for_its_file_whatever_it_calls_itself() {
    let mut stage = Stage::set().await;
    stage.plugin("cpu-watcher.py", &python_plugin("redis", r#"{"is_idle": True}"#));
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

/// The tree's handler, which does not vote, and which crashes as soon as it is asked for its name where
/// there is this file.
fn handler_that_may_break(flag: &std::path::Path) -> String {
    in_tree("examples/spot-checkpoint.py").replace(
        "for line in sys.stdin:\n",
        &format!("import os\nfor line in sys.stdin:\n    if os.path.exists({flag:?}): os._exit(1)\n"),
    )
}

/// Runs the handler until it has left the vote, and ends the runner.
async fn until_it_has_left(stage: &mut Stage) {
    let runner = stage.runner().await;
    stage
        .verdict("it has left the vote", |verdict| {
            of(verdict, "cpu").is_some_and(|vote| vote.idle_ms >= 600) && of(verdict, "spot").is_none()
        })
        .await;
    runner.stop().await;
}

#[tokio::test]
async fn t4_another_file_is_not_taken_for_the_one_that_did_not_vote() {
    let mut stage = Stage::set().await;
    stage.plugin("spot.py", &in_tree("examples/spot-checkpoint.py"));
    until_it_has_left(&mut stage).await;
    stage.plugin("spot.py", "#!/bin/sh\nexit 1\n");
    let runner = stage.runner().await;
    let vote = stage.vote("spot", VoteState::Unknown).await;
    assert_eq!(vote.role, Role::Required);
    runner.stop().await;
}

#[tokio::test]
async fn s2_one_that_did_not_vote_and_can_no_longer_start_is_unknown() {
    let mut stage = Stage::set().await;
    let flag = stage.file("broken");
    stage.plugin("spot.py", &handler_that_may_break(&flag));
    until_it_has_left(&mut stage).await;
    fs::write(&flag, "").expect("writes");
    let mut config = stage.config();
    config.handshake_limit = Duration::from_millis(300);
    let runner = stage.runner_with(config).await;
    let vote = stage.vote("spot", VoteState::Unknown).await;
    assert_eq!(vote.role, Role::Required);
    fs::remove_file(&flag).expect("removes");
    stage
        .verdict("it says again that it does not vote", |verdict| {
            of(verdict, "spot").is_none()
        })
        .await;
    runner.stop().await;
}

#[tokio::test]
async fn t3_the_hosts_file_switches_a_plugin_off_and_a_layer_on_again() {
    let mut stage = Stage::set().await;
    stage.plugin("quiet.py", &python_plugin("quiet", r#"{"is_idle": True}"#));
    let mut config = stage.config();
    for name in ["quiet", "gone_monitor"] {
        let own = json!({"enabled": false});
        config
            .plugin_configs
            .insert(name.to_owned(), own.as_object().expect("a map").clone());
    }
    let runner = stage.runner_with(config).await;
    stage
        .verdict("nobody but the built-in ones votes", |verdict| {
            of(verdict, "cpu").is_some_and(|vote| vote.idle_ms >= 600)
                && of(verdict, "quiet").is_none()
                && of(verdict, "gone-monitor").is_none()
        })
        .await;
    listed(&stage, |list| list.plugins[0].state == "disabled").await;
    stage
        .layer(
            json!({"heartbeat_seconds": 1}),
            json!({"quiet": {"enabled": true}}),
        )
        .await;
    stage.vote("quiet", VoteState::Idle).await;
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

#[tokio::test]
async fn t3_one_of_which_a_layer_says_to_run_in_what_there_is_not_is_missed_and_says_so() {
    let mut stage = Stage::set().await;
    let layer = json!({"notebook": {"config": {"runtime": "bus"}}});
    stage.layer(json!({}), layer).await;
    let runner = stage.runner().await;
    let verdict = stage
        .verdict("it says what is wrong", |verdict| {
            let vote = of(verdict, "notebook");
            vote.is_some_and(|vote| {
                vote.reason
                    .contains("runtime: expected one of process, nats, fleet")
            })
        })
        .await;
    assert_eq!(
        of(&verdict, "notebook").map(|vote| vote.state),
        Some(VoteState::Unknown)
    );
    runner.stop().await;
}
