//! What is said to whoever asks a plugin that is there and not run, over a real bus.

use crate::{
    manifests::listed,
    stage::{SOON, Stage, python_plugin},
};
use serde_json::{Value, json};
use snooze_bus::{RequestError, RunnerVerb};
use snooze_schemas::{
    ErrorCode, Message, Refusal,
    host::{PluginList, Validate, Validated},
    plugin::{
        inspection::{CheckPlugins, ReadLog, ReadStats},
        management::UnloadPlugin,
    },
    verdict::VoteState,
};

async fn refused<M: Message>(stage: &Stage, verb: RunnerVerb, question: &M) -> Refusal {
    let answer: Result<Value, RequestError> = stage
        .administrator
        .request(&stage.verb(verb), question, SOON)
        .await;
    let error = answer.expect_err("nobody can ask it");
    error.refusal().expect("by the runner").clone()
}

#[tokio::test]
async fn one_that_was_unloaded_is_not_said_to_be_none_and_what_loads_it_is_told() {
    let mut stage = Stage::set().await;
    stage.plugin("redis.py", &python_plugin("redis", r#"{"is_idle": True}"#));
    let runner = stage.runner().await;
    stage.vote("redis", VoteState::Idle).await;
    let plugin: snooze_schemas::PluginName = "redis".parse().expect("a name");
    let order = UnloadPlugin {
        plugin: plugin.clone(),
    };
    let verb = stage.verb(RunnerVerb::Unload);
    let done = stage
        .administrator
        .request::<_, PluginList>(&verb, &order, SOON)
        .await;
    done.expect("it is unloaded");
    listed(&stage, "redis", |status| status.state == "unloaded").await;
    let check = CheckPlugins {
        plugin: Some(plugin.clone()),
        metrics: Some(snooze_schemas::metrics::Metrics::default()),
    };
    let stats = ReadStats {
        plugin: Some(plugin.clone()),
    };
    let logs = ReadLog {
        plugin: plugin.clone(),
        lines: 1,
    };
    for refusal in [
        refused(&stage, RunnerVerb::Check, &check).await,
        refused(&stage, RunnerVerb::Stats, &stats).await,
        refused(&stage, RunnerVerb::Logs, &logs).await,
    ] {
        assert_eq!(refusal.code, ErrorCode::Unavailable, "{refusal:?}");
        for part in ["redis is unloaded on this host", "`snooze plugin load redis`"] {
            assert!(refusal.message.contains(part), "{part:?} in {refusal:?}");
        }
    }
    // Nobody says what it may be configured with, and nothing speaks against it.
    let change: Validate =
        serde_json::from_value(json!({"plugin": "redis", "config": {"limit": 1}})).expect("a change");
    let verb = stage.verb(RunnerVerb::Validate);
    let said = stage
        .administrator
        .request::<_, Validated>(&verb, &change, SOON)
        .await;
    assert!(!said.expect("it may be so").checked);
    let none = CheckPlugins {
        plugin: Some("nosuch".parse().expect("a name")),
        metrics: None,
    };
    let refusal = refused(&stage, RunnerVerb::Check, &none).await;
    assert_eq!(refusal.code, ErrorCode::NotFound, "{refusal:?}");
    runner.stop().await;
}
