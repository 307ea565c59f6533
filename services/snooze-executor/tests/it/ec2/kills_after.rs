//! One of two executors is killed with SIGKILL at every step of a stop from its commit on: at most one call is
//! made, and what became of it is seen by the other.

use super::{
    pair::{Pair, policy, wait_until_freed},
    support::{Ec2World, REGION},
};
use crate::support::{LONG, quick_but};
use serde_json::json;
use snooze_schemas::{audit::AuditKind, state::Phase};
use snooze_test_harness::{Ec2Fault, wait_until};
use std::time::Duration;

#[tokio::test]
async fn p2_killed_between_its_commit_and_its_call_the_host_is_held_for_the_quarantine() {
    // Fresh for long enough to be killed before the verification is too old.
    let fresh = json!({"freshness_seconds": 8, "quarantine_seconds": 10.5});
    let ec2 = Ec2World::with(quick_but(fresh)).await;
    let mut pair = Pair::start(&ec2).await;
    // The call follows the acknowledgement of this entry.
    ec2.world.refuse_audit(&[AuditKind::Committed]).await;
    let instance = ec2.enroll("h1").await;
    let _host = ec2.world.host("h1").await;
    ec2.world.wait_for_phase("h1", Phase::Committed).await;
    pair.kill_holder(&ec2, "h1").await;
    let taken_over = ec2.world.wait_for_audit("h1", AuditKind::Takeover).await;
    assert!(
        taken_over.message.ends_with("it is unknown now."),
        "{}",
        taken_over.message
    );
    let why = wait_until_freed(&ec2, "h1").await;
    assert!(why.contains("seen running throughout"), "{why}");
    assert_eq!(ec2.proxy.count("StopInstances", &instance), 0);
    assert_eq!(ec2.moto.state_of(REGION, &instance).await, "running");
}

#[tokio::test]
async fn p2_killed_while_its_call_is_on_its_way_the_host_is_held_and_nobody_calls_again() {
    let ec2 = Ec2World::with(policy()).await;
    let mut pair = Pair::start(&ec2).await;
    let faults = [
        ("applied", Ec2Fault::DropAnswer, "stopped"),
        (
            "applied-late",
            Ec2Fault::ApplyLate(Duration::from_secs(2)),
            "stopped",
        ),
        ("lost", Ec2Fault::DropRequest, "running"),
    ];
    for (host, fault, state) in faults {
        let instance = ec2.enroll(host).await;
        ec2.proxy.spoil_next("StopInstances", fault);
        let _host = ec2.world.host(host).await;
        wait_until(LONG, "the call is on its way", async || {
            ec2.proxy.count("StopInstances", &instance) == 1
        })
        .await;
        pair.kill_holder(&ec2, host).await;
        let taken_over = ec2.world.wait_for_audit(host, AuditKind::Takeover).await;
        let text = &taken_over.message;
        assert!(text.ends_with("it is unknown now."), "{host}: {text}");
        ec2.world
            .wait_for_record(host, "the host is free", |record| record.claim.is_none())
            .await;
        if state == "running" {
            // Held for Q, counted anew from the takeover; both entries are of one machine's clock.
            let freed = ec2.world.wait_for_audit(host, AuditKind::Cancelled).await;
            let held = freed.at.duration_since(taken_over.at).unsigned_abs();
            assert!(
                freed.message.contains("seen running throughout"),
                "{}",
                freed.message
            );
            assert!(held >= Duration::from_secs(5), "held for {held:?}");
        }
        assert_eq!(ec2.proxy.count("StopInstances", &instance), 1, "{host}");
        assert_eq!(ec2.moto.state_of(REGION, &instance).await, state, "{host}");
        pair.fill_up(&ec2).await;
    }
}

#[tokio::test]
async fn p2_killed_after_its_call_was_accepted_the_other_confirms_the_stop_and_tags_it() {
    let ec2 = Ec2World::with(policy()).await;
    ec2.proxy.stopping_takes(Duration::from_secs(4));
    let mut pair = Pair::start(&ec2).await;
    let instance = ec2.enroll("h1").await;
    let _host = ec2.world.host("h1").await;
    ec2.world.wait_for_phase("h1", Phase::Stopping).await;
    pair.kill_holder(&ec2, "h1").await;
    let taken_over = ec2.world.wait_for_audit("h1", AuditKind::Takeover).await;
    assert!(
        taken_over.message.ends_with("it is stopping now."),
        "{}",
        taken_over.message
    );
    ec2.world.wait_until_stopped("h1").await;
    assert_eq!(ec2.proxy.count("StopInstances", &instance), 1);
    assert_eq!(
        ec2.moto.tags_of(REGION, &instance).await["CloudSnooze:Status"],
        "Stopped"
    );
}

#[tokio::test]
async fn p4_killed_between_the_confirmation_and_the_tags_the_other_writes_them() {
    let ec2 = Ec2World::with(policy()).await;
    let mut pair = Pair::start(&ec2).await;
    let instance = ec2.enroll("h1").await;
    ec2.proxy.spoil_next("CreateTags", Ec2Fault::DropRequest);
    let _host = ec2.world.host("h1").await;
    wait_until(LONG, "the tags are on their way", async || {
        ec2.proxy.count("CreateTags", &instance) == 1
    })
    .await;
    pair.kill_holder(&ec2, "h1").await;
    ec2.world.wait_until_stopped("h1").await;
    assert_eq!(ec2.proxy.count("StopInstances", &instance), 1);
    assert_eq!(
        ec2.moto.tags_of(REGION, &instance).await["CloudSnooze:Status"],
        "Stopped"
    );
}

#[tokio::test]
async fn p4_killed_between_the_tags_and_the_end_the_other_ends_it_once() {
    let ec2 = Ec2World::with(policy()).await;
    let mut pair = Pair::start(&ec2).await;
    ec2.world.refuse_audit(&[AuditKind::Stopped]).await;
    let instance = ec2.enroll("h1").await;
    let _host = ec2.world.host("h1").await;
    wait_until(LONG, "the tags are written", async || {
        let tags = ec2.moto.tags_of(REGION, &instance).await;
        tags.get("CloudSnooze:Status")
            .is_some_and(|status| status == "Stopped")
    })
    .await;
    let held = ec2.world.wait_for_phase("h1", Phase::Stopped).await;
    pair.kill_holder(&ec2, "h1").await;
    ec2.world.accept_audit().await;
    ec2.world.wait_until_stopped("h1").await;
    let taken_over = ec2.world.wait_for_audit("h1", AuditKind::Takeover).await;
    assert_eq!(taken_over.claim, Some(held.number));
    let kinds = ec2.world.audit_kinds("h1").await;
    let stops = kinds.iter().filter(|kind| **kind == AuditKind::Stopped).count();
    assert_eq!(stops, 1, "{kinds:?}");
    assert_eq!(ec2.proxy.count("StopInstances", &instance), 1);
}
