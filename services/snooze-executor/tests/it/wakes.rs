//! Hosts that somebody wants started (P2).

use crate::support::{World, id, quick_but};
use serde_json::json;
use snooze_bus::OpsVerb;
use snooze_executor::provider::InstanceState;
use snooze_schemas::{
    audit::AuditKind,
    ops::{WakeRequest, WakeResult},
    state::Phase,
};
use std::time::Duration;

fn wake(host: &str) -> WakeRequest {
    WakeRequest {
        host: id(host),
        reason: "it is needed".to_owned(),
        by: "ada".to_owned(),
    }
}

#[tokio::test]
async fn p2_a_wake_after_the_commit_waits_and_then_starts_the_machine() {
    let world = World::with(quick_but(
        json!({"application_seconds": 2, "quarantine_seconds": 7}),
    ))
    .await;
    world.enroll("h1", json!({})).await;
    world.cloud.stop_takes(Duration::from_secs(1));
    let _executor = world.executor("one").await;
    let host = world.host("h1").await;
    world.wait_for_phase("h1", Phase::Stopping).await;
    drop(host);
    let answer: WakeResult = world
        .ask(OpsVerb::Wake, &wake("h1"))
        .await
        .expect("a wake is never refused");
    assert!(
        answer.waits_since.is_some(),
        "it is said that a stop has to end first"
    );
    world
        .wait_for_record("h1", "the wish is cleared", |record| {
            record.claim.is_none() && record.wake.is_none()
        })
        .await;
    assert_eq!(world.cloud.state_of("i-h1"), InstanceState::Running);
    assert_eq!(world.cloud.stop_calls("i-h1"), 1);
}

#[tokio::test]
async fn p2_a_wake_before_the_commit_takes_the_claim_back() {
    let world = World::with(quick_but(json!({"notice_seconds": 20}))).await;
    world.enroll("h1", json!({})).await;
    let _executor = world.executor("one").await;
    let _host = world.host("h1").await;
    world.wait_for_audit("h1", AuditKind::Notice).await;
    let answer: WakeResult = world
        .ask(OpsVerb::Wake, &wake("h1"))
        .await
        .expect("a wake is never refused");
    assert_eq!(answer.waits_since, None);
    world
        .wait_for_record("h1", "the host is free", |record| record.claim.is_none())
        .await;
    assert_eq!(world.cloud.stop_calls("i-h1"), 0);
}
