//! What an executor cannot do anything about it leaves to others: hosts of a cloud that it was not
//! configured for, claims of hosts that left the roster, claims under a policy that cannot be used.

use crate::support::{World, quick};
use serde_json::json;
use snooze_schemas::{
    audit::{AuditKind, AuditRecord},
    event::Scope,
};
use std::time::Duration;

use crate::support::id;
use snooze_bus::{Expect, Subject};

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
