//! Hosts that somebody wants started (P2).

use crate::support::{LONG, World, id, quick, quick_but};
use serde_json::json;
use snooze_bus::OpsVerb;
use snooze_executor::provider::{InstanceState, simulated::Verb};
use snooze_schemas::{
    audit::{AuditKind, AuditRecord},
    ops::{WakeRequest, WakeResult},
    state::Phase,
};
use snooze_test_harness::{wait_for, wait_until};
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

#[tokio::test]
async fn p2_of_many_executors_one_at_a_time_asks_for_a_start() {
    let world = World::with(quick()).await;
    world.enroll("h1", json!({})).await;
    world.cloud.stop_by_hand("i-h1");
    world.cloud.refuse_starts(1);
    let _executors = (world.executor("one").await, world.executor("two").await);
    let _: WakeResult = world
        .ask(OpsVerb::Wake, &wake("h1"))
        .await
        .expect("a wake is never refused");
    let entry = async |says: &str| {
        let trail = world.audit("h1").await;
        trail.into_iter().find(|record| record.message.contains(says))
    };
    let refused = wait_for(LONG, "a start was refused", async || {
        entry("refused the start").await
    })
    .await;
    let accepted = wait_for(LONG, "a start was accepted", async || {
        entry("accepted the start").await
    })
    .await;
    let apart = accepted.at.duration_since(refused.at).unsigned_abs();
    assert!(apart >= Duration::from_millis(1_500), "{apart:?}");
    world
        .wait_for_record("h1", "the wish is cleared", |record| record.wake.is_none())
        .await;
    assert_eq!(world.cloud.state_of("i-h1"), InstanceState::Running);
    let starts = world.cloud.calls();
    let starts = starts.iter().filter(|call| call.verb == Verb::Start).count();
    assert_eq!(starts, 2);
    let says = |record: &&AuditRecord| record.message == "The machine runs.";
    wait_until(LONG, "it is said", async || {
        world.audit("h1").await.iter().any(|record| says(&record))
    })
    .await;
    assert_eq!(world.audit("h1").await.iter().filter(says).count(), 1);
}

#[tokio::test]
async fn p2_a_wish_for_a_machine_that_is_gone_ends_and_that_is_said() {
    let world = World::with(quick()).await;
    world.enroll("h1", json!({})).await;
    world.cloud.terminate_by_hand("i-h1");
    let _executor = world.executor("one").await;
    let _: WakeResult = world
        .ask(OpsVerb::Wake, &wake("h1"))
        .await
        .expect("a wake is never refused");
    world
        .wait_for_record("h1", "the wish has ended", |record| record.wake.is_none())
        .await;
    wait_until(LONG, "it is said", async || {
        let trail = world.audit("h1").await;
        trail
            .iter()
            .any(|record| record.kind == AuditKind::Wake && record.message.contains("terminated"))
    })
    .await;
}
