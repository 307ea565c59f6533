//! Whether a host would take a changed configuration: judged as what comes out for it in the end, over a real bus.

use crate::{
    manifests::{described, listed},
    stage::{SOON, Stage, python_plugin},
};
use serde_json::{Value, json};
use snooze_bus::{Bucket, RunnerVerb, keys};
use snooze_schemas::host::{Validate, Validated};

/// What a host says of a change: nothing where it would take it.
async fn said(stage: &Stage, change: Value) -> Option<String> {
    let change: Validate = serde_json::from_value(change).expect("a question");
    let asked = stage
        .administrator
        .request::<_, Validated>(&stage.verb(RunnerVerb::Validate), &change, SOON)
        .await;
    match asked {
        Ok(told) => {
            assert!(told.checked);
            None
        }
        Err(error) => Some(error.refusal().expect("by the runner").message.clone()),
    }
}

#[tokio::test]
async fn a_change_of_a_wider_level_is_judged_as_the_host_would_have_it_in_the_end() {
    let stage = Stage::set().await;
    let manifest = json!({
        "name": "redis", "version": "1.0.0", "entry_point": "run",
        "config_schema": {"limit": {"type": "int", "default": 5, "constraints": "min=1"}},
    });
    let script = python_plugin("redis", r#"{"is_idle": True}"#);
    described(&stage, "redis", &script, &manifest);
    let runner = stage.runner().await;
    let host = async |limit: i32| {
        let layer = json!({"plugins": {"redis": {"config": {"limit": limit}}}});
        let bucket = stage.administrator.bucket(Bucket::Config);
        bucket
            .put(&keys::host_key(&stage.host), &layer)
            .await
            .expect("written");
    };
    let ask = async |level: &str, config: Value, unset: &[&str]| {
        let change = json!({"plugin": "redis", "level": level, "config": config, "unset": unset});
        said(&stage, change).await
    };
    host(0).await;
    listed(&stage, "redis", |status| status.config_refused.is_some()).await;
    let wrong = "limit: expected at least 1, found 0";
    let of_the_fleet = ask("fleet", json!({"limit": 7}), &[]).await;
    assert!(
        of_the_fleet.is_some_and(|why| why.contains(wrong)),
        "the host's own layer still says 0"
    );
    assert_eq!(
        ask("host", json!({}), &["limit"]).await,
        None,
        "the default holds"
    );
    assert_eq!(ask("host", json!({"limit": 7}), &[]).await, None);
    let unlevelled = json!({"plugin": "redis", "config": {"limit": 7}});
    assert_eq!(said(&stage, unlevelled).await, None, "laid over all levels");

    host(3).await;
    listed(&stage, "redis", |status| status.config_refused.is_none()).await;
    assert_eq!(
        ask("fleet", json!({"limit": 0}), &[]).await,
        None,
        "the host overrides it"
    );
    let of_the_host = ask("host", json!({"limit": 0}), &[]).await;
    assert!(of_the_host.is_some_and(|why| why.contains(wrong)));
    runner.stop().await;
}
