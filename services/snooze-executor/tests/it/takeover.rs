//! Executors that vanish, a broker that vanishes, and who looks after what they leave.

use crate::host::Asked;
use crate::support::{LONG, World, quick, quick_but};
use serde_json::json;
use snooze_executor::provider::InstanceState;
use snooze_schemas::{audit::AuditKind, state::Phase};
use snooze_test_harness::wait_until;
use std::time::Duration;

#[tokio::test]
async fn p6_a_claim_whose_holder_vanished_before_the_commit_is_freed_after_the_takeover_time() {
    let world = World::with(quick_but(json!({"notice_seconds": 20}))).await;
    world.enroll("h1", json!({})).await;
    let first = world.executor("one").await;
    let host = world.host("h1").await;
    world.wait_for_audit("h1", AuditKind::Notice).await;
    let _second = world.executor("two").await;
    first.crash().await;
    world.wait_for_audit("h1", AuditKind::Takeover).await;
    world
        .wait_for_record("h1", "the host is free", |record| record.claim.is_none())
        .await;
    wait_until(LONG, "the host is told", async || {
        host.asked().iter().any(|asked| matches!(asked, Asked::Cancel(_)))
    })
    .await;
    assert_eq!(world.cloud.stop_calls("i-h1"), 0);
}

#[tokio::test]
async fn p2_whoever_takes_over_after_the_call_watches_and_never_calls() {
    let world = World::with(quick_but(
        json!({"application_seconds": 1.5, "quarantine_seconds": 7}),
    ))
    .await;
    world.enroll("h1", json!({})).await;
    world.cloud.stop_takes(Duration::from_secs(4));
    let first = world.executor("one").await;
    let _host = world.host("h1").await;
    world.wait_for_phase("h1", Phase::Stopping).await;
    let _second = world.executor("two").await;
    first.crash().await;
    world.wait_for_audit("h1", AuditKind::Takeover).await;
    world.wait_until_stopped("h1").await;
    assert_eq!(world.cloud.stop_calls("i-h1"), 1);
    assert_eq!(world.cloud.state_of("i-h1"), InstanceState::Stopped);
    assert_eq!(world.cloud.tags_of("i-h1")["CloudSnooze:Status"], "Stopped");
}

#[tokio::test]
async fn p5_an_executor_that_is_asked_to_end_gives_its_claims_up() {
    let world = World::with(quick_but(json!({"notice_seconds": 20}))).await;
    world.enroll("h1", json!({})).await;
    let executor = world.executor("one").await;
    let _host = world.host("h1").await;
    world.wait_for_audit("h1", AuditKind::Notice).await;
    executor.end().await;
    assert!(world.record("h1").await.claim.is_none());
    let cancelled = world.wait_for_audit("h1", AuditKind::Cancelled).await;
    assert!(
        cancelled.message.contains("shutting down"),
        "{}",
        cancelled.message
    );
}

#[tokio::test]
async fn l7_a_broker_that_vanishes_under_a_claim_leads_to_one_call_at_most() {
    let mut world = World::with(quick_but(json!({"notice_seconds": 3, "takeover_seconds": 4}))).await;
    world.enroll("h1", json!({})).await;
    let _executor = world.executor("one").await;
    let _host = world.host("h1").await;
    world.wait_for_audit("h1", AuditKind::Notice).await;
    world.server.kill();
    world.server.restart().await;
    world.wait_until_stopped("h1").await;
    assert_eq!(world.cloud.stop_calls("i-h1"), 1);
}

#[tokio::test]
async fn p2_a_machine_that_somebody_starts_while_it_is_watched_is_not_stopped_again() {
    let world = World::with(quick()).await;
    world.enroll("h1", json!({})).await;
    world.cloud.stop_takes(Duration::from_secs(2));
    let _executor = world.executor("one").await;
    let _host = world.host("h1").await;
    world.wait_for_phase("h1", Phase::Stopping).await;
    world.cloud.start_by_hand("i-h1");
    world
        .wait_for_record("h1", "the host is free", |record| record.claim.is_none())
        .await;
    assert_eq!(world.cloud.stop_calls("i-h1"), 1);
    assert_eq!(world.cloud.state_of("i-h1"), InstanceState::Running);
}

#[tokio::test]
async fn l7_quick_claims_survive_a_broker_that_comes_and_goes() {
    let mut world = World::with(quick()).await;
    world.enroll("h1", json!({})).await;
    let _executor = world.executor("one").await;
    let _host = world.host("h1").await;
    for _ in 0..2 {
        world.server.kill();
        world.server.restart().await;
    }
    world.wait_until_stopped("h1").await;
    assert_eq!(world.cloud.stop_calls("i-h1"), 1);
}

#[tokio::test]
async fn p8_the_tags_of_a_stop_name_the_region_of_the_claim_and_not_that_of_the_roster() {
    let world = World::with(quick()).await;
    let elsewhere = json!({"region": "ap-south-1", "instance_type": "t3.medium"});
    world.enroll("h1", elsewhere).await;
    world.cloud.stop_by_hand("i-h1");
    let target = json!({"provider": "simulated", "region": "eu-central-1", "instance": "i-h1"});
    world
        .leave_claim("h1", json!({"phase": "stopping", "target": target}))
        .await;
    let _executor = world.executor("one").await;
    world.wait_until_stopped("h1").await;
    let tags = world.cloud.tags_of("i-h1");
    assert_eq!(tags["CloudSnooze:Region"], "eu-central-1");
    assert!(
        !tags.contains_key("CloudSnooze:InstanceType"),
        "the roster speaks of another instance: {tags:?}"
    );
}
