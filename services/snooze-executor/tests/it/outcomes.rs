//! What becomes of a call whose answer never comes, or is no.

use crate::support::{World, quick};
use serde_json::json;
use snooze_executor::provider::{InstanceState, simulated::Fault};
use snooze_schemas::{audit::AuditKind, state::Phase};
use std::time::Duration;

#[tokio::test]
async fn p1_a_call_whose_answer_is_lost_is_not_repeated_and_its_effect_is_seen() {
    let world = World::with(quick()).await;
    world.enroll("h1", json!({})).await;
    world.cloud.fail_next_stop(Fault::ApplyWithoutAnswer);
    let _executor = world.executor("one").await;
    let _host = world.host("h1").await;
    world.wait_until_stopped("h1").await;
    assert_eq!(world.cloud.stop_calls("i-h1"), 1);
    assert!(
        world.audit_kinds("h1").await.contains(&AuditKind::Alarm),
        "an unknown outcome is an alarm"
    );
}

#[tokio::test]
async fn p2_a_host_whose_call_got_lost_is_held_until_it_was_seen_running_for_the_quarantine() {
    let world = World::with(quick()).await;
    world.enroll("h1", json!({})).await;
    world.cloud.fail_next_stop(Fault::LoseRequest);
    let _executor = world.executor("one").await;
    let _host = world.host("h1").await;
    world.wait_for_phase("h1", Phase::Unknown).await;
    let report = world.report("h1").await;
    assert_eq!(report.phase, "unknown");
    let cancelled = world.wait_for_audit("h1", AuditKind::Cancelled).await;
    assert!(
        cancelled.message.contains("seen running throughout"),
        "{}",
        cancelled.message
    );
    assert_eq!(world.cloud.stop_calls("i-h1"), 1);
    assert_eq!(world.cloud.state_of("i-h1"), InstanceState::Running);
}

#[tokio::test]
async fn p1_a_call_that_is_applied_late_is_still_the_only_one() {
    let world = World::with(quick()).await;
    world.enroll("h1", json!({})).await;
    world
        .cloud
        .fail_next_stop(Fault::ApplyLate(Duration::from_secs(3)));
    let _executor = world.executor("one").await;
    let _host = world.host("h1").await;
    world.wait_for_phase("h1", Phase::Unknown).await;
    world.wait_until_stopped("h1").await;
    assert_eq!(world.cloud.stop_calls("i-h1"), 1);
}

#[tokio::test]
async fn p1_a_refused_call_frees_the_host() {
    let world = World::with(quick()).await;
    world.enroll("h1", json!({})).await;
    world.cloud.fail_next_stop(Fault::Refuse);
    let _executor = world.executor("one").await;
    let _host = world.host("h1").await;
    let cancelled = world.wait_for_audit("h1", AuditKind::Cancelled).await;
    assert!(
        cancelled.message.contains("UnauthorizedOperation"),
        "{}",
        cancelled.message
    );
    world
        .wait_for_record("h1", "the host is free", |record| record.claim.is_none())
        .await;
    assert_eq!(world.cloud.stop_calls("i-h1"), 1);
}
