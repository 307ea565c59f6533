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
    plugin::{Info, approval::Grantor},
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
pub(crate) fn asking(stage: &Stage, name: &str) {
    let manifest = json!({
        "name": name, "version": "1.0.0", "entry_point": "run",
        "permissions": {"events": ["custom", "snooze.pending"]}, "events": {"custom": {}, "snooze.pending": {}},
    });
    described(stage, name, &script(name), &manifest);
}

/// The layer's entry that approves these events for a plugin's files.
pub(crate) fn approved(stage: &Stage, name: &str, events: &Value) -> Value {
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
pub(crate) async fn who_handles(stage: &Stage, id: &str) -> Vec<String> {
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

/// Waits until it is told that these events, which it handles, are kept from it.
async fn keeps(stage: &Stage, name: &str, kept: &[&str]) {
    let is_told = |status: &PluginStatus| status.rights.is_some() && withheld(status) == kept;
    listed(stage, name, is_told).await;
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
async fn i4_an_event_is_given_from_when_it_is_approved_and_a_configuration_on_the_bus_gives_none() {
    let mut stage = Stage::set().await;
    asking(&stage, "plain");
    asking(&stage, "told");
    stage.plugin("bare.py", &script("bare"));
    let beats = json!({"heartbeat_seconds": 0.2});
    let named = json!({"config": {"events": {"custom": {}}}});
    let all_named = json!({"plain": named, "told": named, "bare": named});
    stage.layer(beats.clone(), all_named.clone()).await;
    // Its host's own file has the last word.
    let config = with(stage.config(), "told", &json!({"permissions": {}}));
    let runner = stage.runner_as(config).await;
    let all_vote = async |stage: &mut Stage| {
        stage
            .verdict("all vote", |verdict| {
                let votes = |name| of(verdict, name).is_some_and(|vote| vote.state == VoteState::Idle);
                ["plain", "told", "bare"].into_iter().all(votes)
            })
            .await;
    };
    all_vote(&mut stage).await;
    assert!(who_handles(&stage, "e1").await.is_empty(), "nobody approved it");
    for name in ["plain", "told", "bare"] {
        keeps(&stage, name, &["custom"]).await;
    }
    let mut approvals = all_named.clone();
    for name in ["plain", "told"] {
        approvals[name]["approved"] = approved(&stage, name, &json!(["custom"]))["approved"].clone();
    }
    // One without a manifest is approved for its file.
    let file = stage.plugin_folder().join("bare.py");
    approvals["bare"]["approved"] = json!({
        "by": "alice", "at": "2026-11-26T12:00:00Z", "permissions": {"events": ["custom"]},
        "entry_sha256": sha256_of(&file).expect("it can be read"),
    });
    stage.layer(beats.clone(), approvals.clone()).await;
    for name in ["plain", "bare"] {
        let status = listed(&stage, name, |status| {
            status.rights.is_some() && withheld(status).is_empty()
        })
        .await;
        let by = status.rights.expect("it has").granted_by;
        let Some(Grantor::Approval { by, at }) = by else {
            panic!("{name}: {by:?}");
        };
        assert_eq!(
            (by.as_str(), at.to_string().as_str()),
            ("alice", "2026-11-26T12:00:00Z")
        );
    }
    all_vote(&mut stage).await;
    assert_eq!(who_handles(&stage, "e2").await, ["bare", "plain"]);
    keeps(&stage, "told", &["custom"]).await;
    // What was approved is narrowed and switched off by what the configuration says of it.
    approvals["plain"]["config"]["events"] = json!({"custom.other": {}});
    approvals["bare"]["config"]["events"] = json!({"custom": {"enabled": false}});
    stage.layer(beats.clone(), approvals).await;
    // It is the last of all that changes, and tells that the rest holds.
    let mut known = 3;
    wait_for(SOON, "the configuration is another", async || {
        known += 1;
        who_handles(&stage, &format!("e{known}"))
            .await
            .is_empty()
            .then_some(())
    })
    .await;
    stage.layer(beats, all_named).await;
    for name in ["plain", "bare"] {
        keeps(&stage, name, &["custom"]).await;
    }
    assert!(who_handles(&stage, "last").await.is_empty());
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
    let granted = json!({"permissions": {"events": ["custom"]}});
    let config = with(with(stage.config(), stated, &granted), bare, &granted);
    let runner = stage.runner_as(config).await;
    stage.layer(json!({}), layers(json!({"custom": {}}))).await;
    for name in [stated, bare] {
        // By the layer it handles what it was granted, and nothing else.
        listed(&stage, name, |status| {
            status.rights.is_some() && withheld(status).is_empty()
        })
        .await;
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
