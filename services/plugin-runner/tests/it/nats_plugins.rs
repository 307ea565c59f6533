//! Plugins on the bus are told what they are configured with, and what has an effect on them says so.

use crate::{
    preparing::{claim, prepared, verify},
    remote::{METHODS, Remote},
    stage::{SOON, Stage, of},
};
use serde_json::{Value, json};
use snooze_bus::{KIND, RunnerVerb, VERSION};
use snooze_schemas::{
    event::{Accepted, HandleEvent},
    host::{ListPlugins, PluginList, PrepareState},
    verdict::VoteState,
};
use snooze_test_harness::{wait_for, wait_until};
use std::{fs, time::Duration};

const WITHIN: Duration = Duration::from_secs(5);

pub(crate) async fn configured(stage: &Stage, config: Value) {
    let plugin = json!({"remote": {"enabled": true, "config": config}});
    stage.layer(json!({"heartbeat_seconds": 0.2}), plugin).await;
}

#[tokio::test]
async fn i3_what_has_an_effect_on_a_plugin_says_its_kind_and_version() {
    let mut stage = Stage::set().await;
    configured(&stage, json!({"limit": 7})).await;
    let runner = stage.runner().await;
    let remote = Remote::start(&stage, &METHODS).await;
    assert_eq!(
        stage.vote("remote", VoteState::Idle).await.reason,
        r#"{"limit":7}"#
    );
    let order: Vec<String> = {
        let heard = remote.heard.lock().expect("no panic");
        heard.iter().map(|heard| heard.method.clone()).collect()
    };
    let first = |method| {
        order
            .iter()
            .position(|heard| heard == method)
            .expect("it was asked")
    };
    assert!(
        first("configure") < first("initialize") && first("initialize") < first("check_idle"),
        "{order:?}"
    );
    let event = serde_json::from_value(json!({
        "id": "e1", "type": "custom.backup", "severity": 1, "source": "custom.test", "host": "h1",
        "noticed_at": "2026-01-01T00:00:00Z", "data": {},
    }));
    let request = HandleEvent {
        event: event.expect("an event"),
        left_ms: None,
    };
    let subject = stage.verb(RunnerVerb::HandleEvent);
    let _: Accepted = stage
        .gateway
        .request(&subject, &request, WITHIN)
        .await
        .expect("it is accepted");
    wait_until(SOON, "it handles the event", async || {
        !remote.heard("handle_event").is_empty()
    })
    .await;
    for method in ["configure", "initialize", "handle_event"] {
        let headers = &remote.heard(method)[0].headers;
        for (name, value) in [(KIND, method), (VERSION, "1")] {
            assert!(
                headers.contains(&(name.to_owned(), value.to_owned())),
                "{method}: {headers:?}"
            );
        }
    }
    runner.stop().await;
}

#[tokio::test]
async fn t3_a_plugin_on_the_bus_is_unknown_until_it_has_taken_its_new_configuration() {
    let mut stage = Stage::set().await;
    configured(&stage, json!({"limit": 7})).await;
    let remote = Remote::start(&stage, &METHODS).await;
    let runner = stage.runner().await;
    stage
        .verdict("it has been idle", |verdict| {
            of(verdict, "remote").is_some_and(|vote| vote.idle_ms >= 600)
        })
        .await;
    remote.held.send_replace(true);
    configured(&stage, json!({"limit": 8})).await;
    stage
        .verdict("it is said that it is on its way", |verdict| {
            of(verdict, "remote").is_some_and(|vote| {
                vote.state == VoteState::Unknown && vote.reason == "its new configuration is on its way"
            })
        })
        .await;
    remote.held.send_replace(false);
    let taken = stage.vote("remote", VoteState::Idle).await;
    assert_eq!(taken.reason, r#"{"limit":8}"#);
    assert!(taken.idle_ms < 600, "{taken:?}");
    assert_eq!(remote.told(), [json!({"limit": 7}), json!({"limit": 8})]);
    // What is taken away is taken back.
    configured(&stage, json!({})).await;
    stage
        .verdict("it has none any more", |verdict| {
            of(verdict, "remote").is_some_and(|vote| vote.reason == "{}")
        })
        .await;
    runner.stop().await;
}

#[tokio::test]
async fn s2_a_plugin_on_the_bus_that_refuses_its_configuration_is_unknown_and_says_why() {
    let mut stage = Stage::set().await;
    configured(&stage, json!({"limit": 7})).await;
    let remote = Remote::start(&stage, &METHODS).await;
    *remote.refusal.lock().expect("no panic") = Some("limit is odd");
    let runner = stage.runner().await;
    stage
        .verdict("it is said why", |verdict| {
            of(verdict, "remote").is_some_and(|vote| {
                vote.state == VoteState::Unknown
                    && vote.reason == "it does not take its configuration: limit is odd"
            })
        })
        .await;
    let status = listed(&stage).await;
    let refused = status.plugins[0].config_refused.as_deref();
    assert!(
        refused.is_some_and(|why| why.contains("limit is odd")),
        "{status:?}"
    );
    *remote.refusal.lock().expect("no panic") = None;
    assert_eq!(
        stage.vote("remote", VoteState::Idle).await.reason,
        r#"{"limit":7}"#
    );
    runner.stop().await;
}

pub(crate) async fn listed(stage: &Stage) -> PluginList {
    let subject = stage.verb(RunnerVerb::Plugins);
    let question = ListPlugins::default();
    let listed = wait_for(SOON, "the plugins are listed", async || {
        let asked = stage.administrator.request(&subject, &question, WITHIN).await;
        asked.ok().filter(|list: &PluginList| !list.plugins.is_empty())
    });
    listed.await
}

#[tokio::test]
async fn a_plugin_on_the_bus_that_says_it_knows_no_configuration_needs_none() {
    let mut stage = Stage::set().await;
    configured(&stage, json!({"limit": 7})).await;
    let remote = Remote::start(&stage, &METHODS).await;
    *remote.refusal.lock().expect("no panic") = Some("Unknown method: configure");
    let runner = stage.runner().await;
    assert_eq!(stage.vote("remote", VoteState::Idle).await.reason, "null");
    runner.stop().await;
}

#[tokio::test]
async fn where_nothing_is_configured_nothing_is_told() {
    let mut stage = Stage::set().await;
    stage.layer(json!({}), json!({"remote": {"enabled": true}})).await;
    let remote = Remote::start(&stage, &METHODS).await;
    let runner = stage.runner().await;
    stage.vote("remote", VoteState::Idle).await;
    assert!(remote.heard("configure").is_empty());
    assert!(!remote.heard("initialize").is_empty());
    runner.stop().await;
}

#[tokio::test]
async fn a_plugin_on_the_bus_that_comes_back_is_configured_anew() {
    let mut stage = Stage::set().await;
    configured(&stage, json!({"limit": 7})).await;
    let mut remote = Remote::start(&stage, &METHODS).await;
    let runner = stage.runner().await;
    stage.vote("remote", VoteState::Idle).await;
    remote.listening.shutdown().await;
    stage.vote("remote", VoteState::Unknown).await;
    let another = Remote::start(&stage, &METHODS).await;
    assert_eq!(
        stage.vote("remote", VoteState::Idle).await.reason,
        r#"{"limit":7}"#
    );
    assert!(!another.heard("initialize").is_empty());
    runner.stop().await;
}

#[tokio::test]
async fn p3_for_a_stop_a_plugin_on_the_bus_is_configured_again_before_it_is_asked() {
    let mut stage = Stage::set().await;
    configured(&stage, json!({"busy": true})).await;
    let remote = Remote::start(&stage, &METHODS).await;
    let runner = stage.runner().await;
    stage.vote("remote", VoteState::Busy).await;
    remote.lose_its_configuration();
    stage.vote("remote", VoteState::Idle).await;
    assert_eq!(prepared(&stage, &claim(7)).await.state, PrepareState::Done);
    let verified = verify(&stage, 7).await;
    let vote = of(&verified.verdict, "remote").expect("it votes");
    assert_eq!(vote.raw, VoteState::Busy, "{vote:?}");
    runner.stop().await;
}

#[tokio::test]
async fn a_plugin_on_the_bus_is_told_only_what_its_manifest_allows() {
    let mut stage = Stage::set().await;
    let folder = stage.plugin_folder().join("remote");
    let manifest = json!({
        "name": "remote", "version": "1.0.0", "entry_point": "run", "process_model": "nats",
        "config_schema": {"limit": {"type": "int", "default": 5, "constraints": "min=1"}},
    });
    fs::create_dir(&folder).expect("makes the folder");
    fs::write(folder.join("run"), "").expect("writes the entry point");
    fs::write(folder.join("plugin.json"), manifest.to_string()).expect("writes the manifest");
    let remote = Remote::start(&stage, &METHODS).await;
    let runner = stage.runner().await;
    assert_eq!(
        stage.vote("remote", VoteState::Idle).await.reason,
        r#"{"limit":5}"#
    );
    configured(&stage, json!({"limit": 0})).await;
    wait_until(SOON, "the refusal is listed", async || {
        let refused = listed(&stage).await.plugins[0].config_refused.clone();
        refused.is_some_and(|why| why.contains("at least 1"))
    })
    .await;
    configured(&stage, json!({"limit": 2})).await;
    stage
        .verdict("it has the newest", |verdict| {
            of(verdict, "remote").is_some_and(|vote| vote.reason == r#"{"limit":2}"#)
        })
        .await;
    assert_eq!(remote.told(), [json!({"limit": 5}), json!({"limit": 2})]);
    runner.stop().await;
}
