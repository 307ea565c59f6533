//! Plugins that crash again and again: unknown, left alone, and back by whatever could have mended them.

use crate::{
    manifests::{described, listed},
    set::{load, reload},
    stage::{Stage, of, python_plugin},
};
use serde_json::json;
use snooze_plugin_runner::{Config, Restarts};
use snooze_schemas::verdict::VoteState;
use std::{fs, path::Path, time::Duration};

/// How often one may crash here; between two crashes is next to no time, and quarantine outlasts the test.
const CRASHES: usize = 3;

fn config(stage: &Stage) -> Config {
    let mut config = stage.config();
    config.restarts = Restarts {
        first: Duration::from_millis(5),
        longest: Duration::from_millis(5),
        crashes: u32::try_from(CRASHES).expect("small"),
        quarantine: Duration::from_secs(3600),
        ..config.restarts
    };
    config
}

/// One that ends at its start and at every question while there is this file, and notes each start.
fn frail(name: &str, broken: &Path, starts: &Path) -> String {
    python_plugin(name, r#"{"is_idle": True}"#)
        .replacen(
            "for line in sys.stdin:\n",
            &format!(
                "open({starts:?}, \"a\").write(\"+\")\nfor line in sys.stdin:\n    if os.path.exists({broken:?}): os._exit(1)\n"
            ),
            1,
        )
}

#[tokio::test]
async fn t3_a_plugin_that_crashes_again_and_again_is_quarantined_and_unknown() {
    let mut stage = Stage::set().await;
    let (broken, starts) = (stage.file("broken"), stage.file("starts"));
    let beats = json!({"heartbeat_seconds": 0.2});
    stage.layer(beats.clone(), json!({})).await;
    stage.plugin("frail.py", &frail("frail", &broken, &starts));
    let runner = stage.runner_with(config(&stage)).await;
    for way in ["load", "reload", "enable", "configure", "other files"] {
        stage.vote("frail", VoteState::Idle).await;
        fs::write(&starts, "").expect("writes");
        fs::write(&broken, "").expect("writes");
        let verdict = stage
            .verdict("it is quarantined", |verdict| {
                of(verdict, "frail").is_some_and(|vote| vote.reason.contains("quarantined"))
            })
            .await;
        let vote = of(&verdict, "frail").expect("it votes");
        assert_eq!(vote.state, VoteState::Unknown);
        for said in ["it failed 3 times in a row", "`snooze plugin load frail`"] {
            assert!(vote.reason.contains(said), "{}", vote.reason);
        }
        listed(&stage, "frail", |status| status.state == "quarantined").await;
        let seq = verdict.seq;
        stage
            .verdict("it was asked again and again", |verdict| verdict.seq >= seq + 5)
            .await;
        let begun = fs::read_to_string(&starts).expect("it began");
        assert_eq!(
            begun.len(),
            CRASHES - 1,
            "the first crash was the end of one that ran"
        );
        fs::remove_file(&broken).expect("removes");
        match way {
            "load" => drop(load(&stage, "frail").await.expect("it is there")),
            "reload" => drop(reload(&stage, "frail").await.expect("it is there")),
            "enable" => {
                stage
                    .layer(beats.clone(), json!({"frail": {"enabled": true}}))
                    .await;
            }
            "configure" => {
                let configured = json!({"frail": {"enabled": true, "config": {"limit": 1}}});
                stage.layer(beats.clone(), configured).await;
            }
            _ => stage.plugin("frail.py", &(frail("frail", &broken, &starts) + "# mended\n")),
        }
    }
    stage.vote("frail", VoteState::Idle).await;
    runner.stop().await;
}

/// One that ends at its next question, once for each time that there is this file.
fn stumbling(name: &str, stumble: &Path) -> String {
    python_plugin(name, r#"{"is_idle": True}"#).replacen(
        "for line in sys.stdin:\n",
        &format!(
            "for line in sys.stdin:\n    if os.path.exists({stumble:?}):\n        os.remove({stumble:?})\n        os._exit(1)\n"
        ),
        1,
    )
}

#[tokio::test]
async fn t3_whoever_loads_one_that_runs_forgives_it_all_failures() {
    let stage = Stage::set().await;
    let stumble = stage.file("stumble");
    stage.layer(json!({"heartbeat_seconds": 0.2}), json!({})).await;
    stage.plugin("frail.py", &stumbling("frail", &stumble));
    let runner = stage.runner_with(config(&stage)).await;
    let mut restarts = 0;
    let mut stumbles = async |times: usize| {
        for _ in 0..times {
            fs::write(&stumble, "").expect("writes");
            restarts += 1;
            listed(&stage, "frail", |status| {
                status.stats.restarts == restarts
                    && ["running", "quarantined"].contains(&status.state.as_str())
            })
            .await;
        }
        listed(&stage, "frail", |_| true).await.state
    };
    assert_eq!(stumbles(CRASHES - 1).await, "running");
    let loaded = load(&stage, "frail").await.expect("it is there");
    assert_eq!(loaded.plugins[0].state, "running", "it goes on");
    assert_eq!(
        stumbles(CRASHES - 1).await,
        "running",
        "what was before is forgiven"
    );
    assert_eq!(stumbles(1).await, "quarantined", "and nothing else is");
    runner.stop().await;
}

#[tokio::test]
async fn t3_whoever_loads_one_that_waits_to_be_started_again_has_it_started_at_once() {
    let mut stage = Stage::set().await;
    let stumble = stage.file("stumble");
    stage.layer(json!({"heartbeat_seconds": 0.2}), json!({})).await;
    stage.plugin("frail.py", &stumbling("frail", &stumble));
    let mut config = config(&stage);
    let an_hour = Duration::from_secs(3600);
    (config.restarts.first, config.restarts.longest) = (an_hour, an_hour);
    let runner = stage.runner_with(config).await;
    stage.vote("frail", VoteState::Idle).await;
    fs::write(&stumble, "").expect("writes");
    listed(&stage, "frail", |status| status.state == "restarting").await;
    load(&stage, "frail").await.expect("it is there");
    listed(&stage, "frail", |status| status.state == "running").await;
    runner.stop().await;
}

#[tokio::test]
async fn s2_whoever_depends_on_one_in_quarantine_does_not_run_or_vote() {
    let mut stage = Stage::set().await;
    let (broken, starts) = (stage.file("broken"), stage.file("starts"));
    let manifest = |name: &str, needed: &[&str]| {
        let needs = needed
            .iter()
            .map(|needed| json!({"name": needed, "version": "*"}));
        json!({"name": name, "version": "1.0.0", "entry_point": "run", "dependencies": needs.collect::<Vec<_>>()})
    };
    described(
        &stage,
        "base",
        &frail("base", &broken, &starts),
        &manifest("base", &[]),
    );
    let top = python_plugin("top", r#"{"is_idle": True}"#);
    described(&stage, "top", &top, &manifest("top", &["base"]));
    stage.policy(json!({"heartbeat_seconds": 0.2})).await;
    let runner = stage.runner_with(config(&stage)).await;
    stage.vote("top", VoteState::Idle).await;
    fs::write(&broken, "").expect("writes");
    let vote = stage.vote("top", VoteState::Unknown).await;
    assert!(
        vote.reason.contains("depends on base") && vote.reason.contains("quarantined"),
        "{}",
        vote.reason
    );
    fs::remove_file(&broken).expect("removes");
    load(&stage, "base").await.expect("it is there");
    stage.vote("top", VoteState::Idle).await;
    runner.stop().await;
}

#[tokio::test]
async fn t3_one_whose_interpreter_is_not_there_has_not_crashed_and_names_it() {
    let mut stage = Stage::set().await;
    let beats = json!({"heartbeat_seconds": 0.2});
    stage.layer(beats, json!({})).await;
    stage.plugin("lost.py", "#!/usr/bin/env nonesuch\n");
    let runner = stage.runner_with(config(&stage)).await;
    listed(&stage, "lost", |status| {
        status.stats.restarts > 2 * CRASHES as u64
    })
    .await;
    let verdict = stage
        .verdict("it says what is missing", |verdict| {
            of(verdict, "lost").is_some_and(|vote| {
                vote.reason
                    .contains("takes the interpreter nonesuch, which is not in ")
            })
        })
        .await;
    assert_eq!(of(&verdict, "lost").expect("it votes").state, VoteState::Unknown);
    let status = listed(&stage, "lost", |_| true).await;
    assert_ne!(status.state, "quarantined");
    runner.stop().await;
}
