//! What an executor cannot do anything about it leaves to others: hosts of a cloud that it was not
//! configured for, claims of hosts that left the roster, claims under a policy that cannot be used.

use crate::support::{World, quick, quick_but};
use serde_json::json;
use snooze_executor::{Config, provider::Clouds};
use snooze_schemas::{
    audit::{AuditKind, AuditRecord},
    event::Scope,
    state::Phase,
};
use std::time::Duration;

use crate::support::id;
use snooze_bus::{Expect, Subject};

#[tokio::test]
async fn a_host_whose_cloud_cannot_be_reached_is_not_claimed_but_left_to_an_executor_that_can() {
    let world = World::with(quick()).await;
    world.enroll("h1", json!({})).await;
    let without = world.executor_with("one", Config::new(Clouds::default())).await;
    let host = world.host("h1").await;
    let decided = world.wait_for_audit("h1", AuditKind::Decision).await;
    assert!(
        decided.message.contains("without the provider simulated"),
        "{}",
        decided.message
    );
    assert!(world.audit_kinds("h1").await.is_empty() && host.asked().is_empty());
    let _with = world.executor("two").await;
    world.wait_until_stopped("h1").await;
    assert_eq!(world.cloud.stop_calls("i-h1"), 1);
    without.end().await;
}

#[tokio::test]
async fn p6_an_executor_that_cannot_reach_the_cloud_does_not_take_a_claim_over() {
    let world = World::with(quick_but(
        json!({"application_seconds": 1.5, "quarantine_seconds": 7}),
    ))
    .await;
    world.enroll("h1", json!({})).await;
    world.cloud.stop_takes(Duration::from_secs(4));
    let first = world.executor("one").await;
    let _host = world.host("h1").await;
    world.wait_for_phase("h1", Phase::Stopping).await;
    // It sees the claim abandoned before the one that is started after it.
    let _without = world.executor_with("two", Config::new(Clouds::default())).await;
    first.crash().await;
    let _with = world.executor("three").await;
    world.wait_until_stopped("h1").await;
    assert_eq!(world.cloud.stop_calls("i-h1"), 1);
}

#[tokio::test]
async fn p2_a_claim_of_a_host_that_left_the_roster_ends_after_the_quarantine() {
    let world = World::with(quick()).await;
    world.leave_claim("h1", json!({"phase": "unknown"})).await;
    let _executor = world.executor("one").await;
    world
        .wait_for_record("h1", "the claim has ended", |record| record.claim.is_none())
        .await;
    assert!(world.cloud.calls().is_empty(), "{:?}", world.cloud.calls());
}

#[tokio::test]
async fn p6_a_claim_on_an_instance_of_a_cloud_that_is_not_known_here_is_left_to_others() {
    let world = World::with(quick()).await;
    world.enroll("h1", json!({})).await;
    world.enroll("h2", json!({})).await;
    let other = json!({"provider": "another", "region": "r", "instance": "i-h1"});
    world
        .leave_claim("h1", json!({"phase": "stopping", "target": other}))
        .await;
    let claimed = json!({"phase": "claimed", "progress": "noticing", "committed_at": null, "slots": [1]});
    world.leave_claim("h2", claimed).await;
    let _executor = world.executor("one").await;
    // Both were abandoned for as long.
    world
        .wait_for_record("h2", "the host is free", |record| record.claim.is_none())
        .await;
    let claim = world.record("h1").await.claim.expect("it is still claimed");
    assert_eq!(claim.holder, "gone");
}

#[tokio::test]
async fn p2_a_takeover_under_the_default_policy_writes_no_tags() {
    let world = World::with(quick_but(
        json!({"quarantine_seconds": 1, "enable_instance_tags": false}),
    ))
    .await;
    world.enroll("h1", json!({})).await;
    world.cloud.stop_by_hand("i-h1");
    world.leave_claim("h1", json!({"phase": "stopping"})).await;
    let _executor = world.executor("one").await;
    world.wait_until_stopped("h1").await;
    assert!(world.cloud.tags_of("i-h1").is_empty());
}

#[tokio::test]
async fn p6_an_abandoned_claim_is_freed_though_its_policy_cannot_be_used() {
    let world = World::with(quick_but(json!({"quarantine_seconds": 1}))).await;
    world.enroll("h1", json!({})).await;
    let claimed = json!({"phase": "claimed", "progress": "noticing", "committed_at": null});
    world.leave_claim("h1", claimed).await;
    let _executor = world.executor("one").await;
    let cancelled = world.wait_for_audit("h1", AuditKind::Cancelled).await;
    assert!(
        cancelled.message.contains("lost at noticing"),
        "{}",
        cancelled.message
    );
    world
        .wait_for_record("h1", "the host is free", |record| record.claim.is_none())
        .await;
}

#[tokio::test]
async fn s23_what_a_holder_filed_before_it_was_lost_is_not_filed_again() {
    let world = World::with(quick()).await;
    world.enroll("h1", json!({})).await;
    world.cloud.stop_by_hand("i-h1");
    let claim = world.leave_claim("h1", json!({"phase": "stopped"})).await;
    let filed = AuditRecord {
        at: "2026-01-01T00:00:02Z".parse().expect("a time"),
        host: Scope::Host(id("h1")),
        kind: AuditKind::Stopped,
        actor: "executor gone".to_owned(),
        claim: Some(claim),
        message: "The instance was seen stopped.".to_owned(),
        details: serde_json::Map::new(),
    };
    let subject = Subject::Audit {
        scope: Scope::Host(id("h1")),
        kind: AuditKind::Stopped,
    };
    let lost = world.reader().await;
    let filing = lost
        .file(&subject, &filed, Expect::Anything, Duration::from_secs(5))
        .await;
    filing.expect("an executor files");
    let _executor = world.executor("one").await;
    world
        .wait_for_record("h1", "the host is free", |record| record.claim.is_none())
        .await;
    let kinds = world.audit_kinds("h1").await;
    let stops = kinds.iter().filter(|kind| **kind == AuditKind::Stopped).count();
    assert_eq!(stops, 1, "{kinds:?}");
}
