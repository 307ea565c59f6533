//! Events that were granted and events that were not: what a plugin states and says of itself grants it nothing (I4).

use crate::{
    events::{event, outcomes, send},
    manifests::{described, listed},
    preparing::{claim, prepared},
    stage::{SOON, Stage, of, python_plugin},
};
use serde_json::{Value, json};
use snooze_bus::{PluginMethod, RunnerVerb, Subject, User};
use snooze_plugin_runner::{Config, sha256_of};
use snooze_schemas::{
    ErrorCode, EventType,
    event::{EventOutcome, HandleEvent},
    host::{PluginStatus, PrepareState, Validate, Validated},
    plugin::Info,
    verdict::VoteState,
};
use snooze_test_harness::wait_for;
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(5);

/// A plugin that votes idle, says that it handles all that people send and every stop, and does.
fn script(name: &str) -> String {
    let does = r#"    elif method == "GetSupportedEvents":
        result = {"events": ["custom", "snooze.pending"]}
    elif method == "HandleEvent":
        result = {"handled": True, "succeeded": True}
    else:
"#;
    python_plugin(name, r#"{"is_idle": True}"#).replace("    else:\n", does)
}

/// Puts one with a manifest that asks for these events into the folder of plugins.
fn asking(stage: &Stage, name: &str) {
    let manifest = json!({
        "name": name, "version": "1.0.0", "entry_point": "run",
        "permissions": {"events": ["custom", "snooze.pending"]}, "events": {"custom": {}, "snooze.pending": {}},
    });
    described(stage, name, &script(name), &manifest);
}

/// The layer's entry that approves these events for a plugin's files.
fn approved(stage: &Stage, name: &str, events: &Value) -> Value {
    let folder = stage.plugin_folder().join(name);
    let digest = |file: &str| sha256_of(&folder.join(file)).expect("it can be read");
    json!({"approved": {
        "by": "alice", "at": "2026-11-26T12:00:00Z", "permissions": {"events": events},
        "manifest_sha256": digest("plugin.json"), "entry_sha256": digest("run"),
    }})
}

fn with(mut config: Config, name: &str, own: &Value) -> Config {
    let own = own.as_object().expect("a map").clone();
    config.plugin_configs.insert(name.to_owned(), own);
    config
}

/// Sends an event, and says who handled it.
async fn who_handles(stage: &Stage, id: &str) -> Vec<String> {
    send(stage, event(id), None).await.expect("accepted");
    let outcome: EventOutcome = wait_for(SOON, "its outcome is in the trail", async || {
        let all = outcomes(stage).await;
        all.into_iter().find(|outcome| outcome.id.as_str() == id)
    })
    .await;
    let handlers = outcome.handlers.into_iter();
    let mut handlers: Vec<String> = handlers.map(|handler| handler.plugin.to_string()).collect();
    handlers.sort();
    handlers
}

fn withheld(status: &PluginStatus) -> Vec<&str> {
    let rights = status.rights.as_ref().expect("it has");
    rights.withheld.iter().map(EventType::as_str).collect()
}

#[tokio::test]
async fn i4_an_event_that_was_not_granted_is_not_given() {
    let mut stage = Stage::set().await;
    for name in ["by-file", "by-name", "approved", "narrow", "nobodys"] {
        asking(&stage, name);
    }
    stage.plugin("bare.py", &script("bare"));
    stage.plugin("original.py", &script("original"));
    let mut config = stage.config();
    for (name, own) in [
        ("by-file", json!({"permissions": {"events": ["custom"]}})),
        ("by-name", json!({"events": {"custom.backup": {}}})),
        (
            "original",
            json!({"events": {"custom": {"priority": 10, "enabled": true}}}),
        ),
    ] {
        config = with(config, name, &own);
    }
    let layers = json!({
        "approved": approved(&stage, "approved", &json!(["custom"])),
        "narrow": approved(&stage, "narrow", &json!(["custom.other", "snooze.pending"])),
    });
    stage.layer(json!({"heartbeat_seconds": 0.2}), layers).await;
    let runner = stage.runner_as(config).await;
    let all = [
        "approved", "bare", "by-file", "by-name", "narrow", "nobodys", "original",
    ];
    stage
        .verdict("all of them vote, whatever they were granted", |verdict| {
            let votes = |name| of(verdict, name).is_some_and(|vote| vote.state == VoteState::Idle);
            all.into_iter().all(votes)
        })
        .await;
    assert_eq!(
        who_handles(&stage, "e1").await,
        ["approved", "by-file", "by-name", "original"]
    );
    for (name, kept) in [
        ("nobodys", &["custom", "snooze.pending"][..]),
        ("bare", &["custom", "snooze.pending"]),
        ("narrow", &["custom"]),
        ("by-file", &["snooze.pending"]),
        ("original", &[]),
    ] {
        let status = listed(&stage, name, |status| status.rights.is_some()).await;
        assert_eq!(withheld(&status), kept, "{name}");
    }
    // Nor is it given on another way.
    let bus = stage.server.bus(&User::host(&stage.host)).await;
    let subject = |plugin: &str, method| Subject::HostPlugin {
        host: stage.host.clone(),
        plugin: plugin.parse().expect("a name"),
        method,
    };
    let ask = async |plugin: &str| {
        wait_for(SOON, "it is served", async || {
            let info = subject(plugin, PluginMethod::Info);
            bus.request_bare::<_, Value>(&info, &Info {}, WITHIN).await.ok()
        })
        .await;
        let request = HandleEvent {
            event: event("e2"),
            left_ms: None,
        };
        let subject = subject(plugin, PluginMethod::HandleEvent);
        bus.request_bare::<_, Value>(&subject, &request, WITHIN).await
    };
    ask("by-file").await.expect("it handles it");
    let refused = ask("nobodys").await.expect_err("it is not given it");
    assert_eq!(
        refused.refusal().expect("by the runner").code,
        ErrorCode::Forbidden
    );
    runner.stop().await;
}

#[tokio::test]
async fn i4_an_event_is_given_from_when_it_is_granted_and_no_longer_than_it_is() {
    let mut stage = Stage::set().await;
    asking(&stage, "plain");
    asking(&stage, "told");
    let beats = json!({"heartbeat_seconds": 0.2});
    stage.layer(beats.clone(), json!({})).await;
    // Its host's own file has the last word.
    let config = with(stage.config(), "told", &json!({"permissions": {}}));
    let runner = stage.runner_as(config).await;
    let both_vote = async |stage: &mut Stage| {
        let votes = |verdict: &snooze_schemas::verdict::Verdict, name| {
            of(verdict, name).is_some_and(|vote| vote.state == VoteState::Idle)
        };
        stage
            .verdict("both vote", |verdict| {
                votes(verdict, "plain") && votes(verdict, "told")
            })
            .await;
    };
    both_vote(&mut stage).await;
    assert!(who_handles(&stage, "e1").await.is_empty());
    let named = json!({"config": {"events": {"custom": {}}}});
    stage
        .layer(beats.clone(), json!({"plain": named, "told": named}))
        .await;
    listed(&stage, "plain", |status| {
        let rights = status.rights.as_ref();
        rights.is_some_and(|rights| !rights.granted.is_empty() && rights.withheld.is_empty())
    })
    .await;
    both_vote(&mut stage).await;
    assert_eq!(who_handles(&stage, "e2").await, ["plain"]);
    let told = listed(&stage, "told", |status| status.rights.is_some()).await;
    assert_eq!(withheld(&told), ["custom"]);
    stage.layer(beats, json!({})).await;
    listed(&stage, "plain", |status| {
        let rights = status.rights.as_ref();
        rights.is_some_and(|rights| rights.withheld.len() == 2)
    })
    .await;
    assert!(who_handles(&stage, "e3").await.is_empty());
    runner.stop().await;
}

#[tokio::test]
async fn i4_the_work_before_a_stop_is_an_event_as_any_other_and_nobody_unvouched_holds_a_stop_up() {
    let mut stage = Stage::set().await;
    let fails = script("unvouched").replace("\"succeeded\": True", "\"succeeded\": False");
    stage.plugin("unvouched.py", &fails);
    stage.policy(json!({"heartbeat_seconds": 0.2})).await;
    let runner = stage.runner_as(stage.config()).await;
    stage.vote("unvouched", VoteState::Idle).await;
    assert_eq!(prepared(&stage, &claim(7)).await.state, PrepareState::Done);
    runner.stop().await;
    // Granted, its failure keeps the host running (S13).
    let granted = json!({"permissions": {"events": ["snooze.pending"]}});
    let runner = stage.runner_as(with(stage.config(), "unvouched", &granted)).await;
    stage.vote("unvouched", VoteState::Idle).await;
    assert_eq!(prepared(&stage, &claim(8)).await.state, PrepareState::Failed);
    runner.stop().await;
}

#[tokio::test]
async fn events_that_cannot_be_are_refused_and_the_plugin_is_given_what_it_was() {
    let stage = Stage::set().await;
    let (stated, bare) = ("stated", "bare");
    asking(&stage, stated);
    stage.plugin("bare.py", &script(bare));
    let layers = |events: Value| {
        let one = json!({"config": {"events": events}});
        json!({stated: one, bare: one})
    };
    let runner = stage.runner_as(stage.config()).await;
    stage.layer(json!({}), layers(json!({"custom": {}}))).await;
    for name in [stated, bare] {
        let has_it = |status: &PluginStatus| {
            let granted = status.rights.iter().flat_map(|rights| &rights.granted.events);
            granted.into_iter().any(|event| event.as_str() == "custom")
        };
        listed(&stage, name, has_it).await;
        let question = Validate {
            plugin: name.parse().expect("a name"),
            config: serde_json::from_value(json!({"events": ["custom"]})).expect("a map"),
            unset: Vec::new(),
            level: None,
        };
        let verb = stage.verb(RunnerVerb::Validate);
        let said = stage
            .administrator
            .request::<_, Validated>(&verb, &question, WITHIN)
            .await;
        let error = said.expect_err("it is refused");
        let refusal = error.refusal().expect("by the runner");
        assert_eq!(refusal.code, ErrorCode::BadRequest);
        assert!(
            refusal
                .message
                .contains("events: expected a map by type of event"),
            "{refusal:?}"
        );
    }
    stage.layer(json!({}), layers(json!(["custom"]))).await;
    for name in [stated, bare] {
        listed(&stage, name, |status| {
            status.state == "running" && status.config_refused.is_some()
        })
        .await;
    }
    assert_eq!(who_handles(&stage, "e-1").await, [bare, stated]);
    runner.stop().await;
}
