//! A host that carries broker and executor itself (P10, S25).

use crate::support::{World, id, quick, quick_but};
use serde_json::json;
use snooze_bus::{BatchWrite, Bucket, keys};
use snooze_executor::{
    Config,
    provider::{Clouds, simulated::Verb},
};
use snooze_schemas::{
    audit::AuditKind,
    state::{HostRecord, Slot},
};
use std::time::Duration;

#[tokio::test]
async fn s25_the_machine_that_carries_the_executor_is_not_stopped_unless_the_policy_says_self_stop() {
    let world = World::with(quick()).await;
    world.enroll("h1", json!({"carries_executor": true})).await;
    world.enroll("own", json!({})).await;
    let clouds = Clouds::default().with_simulated(world.cloud.clone());
    let _executor = world
        .executor_with("one", Config::new(clouds).on_host(id("own")))
        .await;
    let _hosts = (world.host("h1").await, world.host("own").await);
    for name in ["h1", "own"] {
        let decided = world.wait_for_audit(name, AuditKind::Decision).await;
        assert!(decided.message.contains("self_stop"), "{}", decided.message);
        assert!(world.record(name).await.claim.is_none());
    }
}

#[tokio::test]
async fn p10_a_machine_that_stops_itself_is_tagged_before_the_call() {
    let world = World::with(quick_but(json!({"self_stop": true}))).await;
    world.enroll("own", json!({"carries_executor": true})).await;
    let clouds = Clouds::default().with_simulated(world.cloud.clone());
    let _executor = world
        .executor_with("one", Config::new(clouds).on_host(id("own")))
        .await;
    let _host = world.host("own").await;
    world.wait_until_stopped("own").await;
    let calls = world.cloud.calls();
    let stop = calls
        .iter()
        .position(|call| call.verb == Verb::Stop)
        .expect("it was stopped");
    let Verb::Tag(tags) = &calls[0].verb else {
        panic!("tags come first: {calls:?}")
    };
    assert_eq!(tags["CloudSnooze:Status"], "Stopped");
    assert!(stop > 0 && world.cloud.stop_calls("i-own") == 1, "{calls:?}");
}

#[tokio::test]
async fn p10_the_next_boot_settles_the_claim_and_puts_the_tags_right() {
    let world = World::with(quick_but(json!({"self_stop": true}))).await;
    world.enroll("own", json!({"carries_executor": true})).await;
    world.cloud.set_tag("i-own", "CloudSnooze:Status", "Stopped");
    // What a machine leaves behind that went down right after its call.
    let record: HostRecord = serde_json::from_value(json!({"claim": {
        "number": 0, "holder": "gone", "phase": "stopping", "beat": 9, "freezes": 0, "policy_revision": world.revision,
        "reason": "idle for 1 min", "action": "stop", "agent": "agent-1", "boot_id": "the boot before",
        "group": "default", "slots": [0], "claimed_at": "2026-01-01T00:00:00Z", "committed_at": "2026-01-01T00:00:01Z",
        "tagged": true,
    }}))
    .expect("a record");
    let slot = Slot {
        host: "own".to_owned(),
        holder: "gone".to_owned(),
    };
    let group = "default".parse().expect("a group");
    let batch = vec![
        BatchWrite::put(keys::slot_key(&group, 0), &slot, 0).expect("writes"),
        BatchWrite::put(keys::state_key(&id("own")), &record, 0).expect("writes"),
    ];
    let state = world.reader().await.bucket(Bucket::State);
    state
        .write_batch(batch, Duration::from_secs(5))
        .await
        .expect("an executor writes the state");

    let clouds = Clouds::default().with_simulated(world.cloud.clone());
    let _executor = world
        .executor_with("one", Config::new(clouds).on_host(id("own")))
        .await;
    let record = world
        .wait_for_record("own", "the claim is settled", |record| record.claim.is_none())
        .await;
    assert_eq!(record.last_stop.expect("it was a stop").reason, "idle for 1 min");
    assert_eq!(world.cloud.tags_of("i-own")["CloudSnooze:Status"], "Running");
    assert_eq!(world.cloud.stop_calls("i-own"), 0);
    let left = state
        .get::<Slot>(&keys::slot_key(&group, 0))
        .await
        .expect("reads");
    assert!(left.is_none(), "its slot is given back");
}
