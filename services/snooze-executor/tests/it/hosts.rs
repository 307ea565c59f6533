//! What an instance is when it is looked at right before a stop.

use crate::support::{LONG, World, quick, quick_but};
use serde_json::json;
use snooze_executor::provider::Protection;
use snooze_schemas::{audit::AuditKind, state::Phase};
use snooze_test_harness::wait_until;

#[tokio::test]
async fn s8_an_opt_out_tag_that_was_set_after_the_claim_is_seen_right_before_the_stop() {
    let world = World::with(quick_but(json!({"notice_seconds": 1}))).await;
    world.enroll("h1", json!({})).await;
    let _executor = world.executor("one").await;
    let _host = world.host("h1").await;
    world.wait_for_audit("h1", AuditKind::Notice).await;
    world.cloud.set_tag("i-h1", "cloudsnooze:disable", "");
    let cancelled = world.wait_for_audit("h1", AuditKind::Cancelled).await;
    assert!(
        cancelled.message.contains("cloudsnooze:disable"),
        "{}",
        cancelled.message
    );
    assert_eq!(world.cloud.stop_calls("i-h1"), 0);
}

#[tokio::test]
async fn s8_a_host_that_was_found_to_have_opted_out_is_not_claimed_again() {
    let world = World::with(quick_but(json!({"cooldown_minutes": 0}))).await;
    // Enrolled after the executor has begun, which looks at some hosts then.
    let _executor = world.executor("one").await;
    world.enroll("h1", json!({})).await;
    world.cloud.set_tag("i-h1", "cloudsnooze:disable", "");
    let _host = world.host("h1").await;
    world.wait_for_audit("h1", AuditKind::Cancelled).await;
    world
        .wait_for_roster("h1", "the tag is remembered", |record| {
            record.tags.contains_key("cloudsnooze:disable")
        })
        .await;
    // Decided anew, it stays up for the tag and nothing else.
    world
        .wait_for_record("h1", "the host is free", |record| record.claim.is_none())
        .await;
    wait_until(LONG, "the tag keeps it up", async || {
        let decision = world.report("h1").await.decision;
        decision.obstacles == ["It has the tag cloudsnooze:disable."]
    })
    .await;
    let before = world.last_verdict("h1").await;
    wait_until(LONG, "another verdict is decided", async || {
        world.last_verdict("h1").await != before
    })
    .await;
    let kinds = world.audit_kinds("h1").await;
    let intents = kinds.iter().filter(|kind| **kind == AuditKind::Intent).count();
    assert_eq!(intents, 1, "{kinds:?}");
}

#[tokio::test]
async fn s8_where_the_policy_names_an_opt_in_tag_only_its_hosts_are_stopped() {
    let world = World::with(quick_but(json!({"opt_in_tag": "snooze"}))).await;
    world.enroll("h1", json!({"tags": {"snooze": "yes"}})).await;
    world.enroll("h2", json!({})).await;
    world.cloud.set_tag("i-h1", "snooze", "yes");
    let _executor = world.executor("one").await;
    let _hosts = (world.host("h1").await, world.host("h2").await);
    world.wait_until_stopped("h1").await;
    let decided = world.wait_for_audit("h2", AuditKind::Decision).await;
    assert!(decided.message.contains("tag snooze"), "{}", decided.message);
    assert_eq!(world.cloud.stop_calls("i-h2"), 0);
}

#[tokio::test]
async fn p8_s19_a_protected_instance_is_not_stopped_unless_the_policy_says_so() {
    let protections = [
        ("protected", Protection::StopProtected, "stop protection"),
        ("root", Protection::InstanceStoreRoot, "instance store"),
        ("spot", Protection::OneTimeSpot, "one-time spot"),
        (
            "member",
            Protection::AutoScalingMember {
                group: "web".to_owned(),
            },
            "Auto Scaling group web",
        ),
    ];
    let mut world = World::with(quick()).await;
    let _executor = world.executor("one").await;
    for (name, protection, says) in &protections {
        world.enroll(name, json!({})).await;
        world.cloud.protect(&format!("i-{name}"), protection.clone());
        let _host = world.host(name).await;
        let cancelled = world.wait_for_audit(name, AuditKind::Cancelled).await;
        assert!(cancelled.message.contains(says), "{}", cancelled.message);
        assert_eq!(world.cloud.stop_calls(&format!("i-{name}")), 0);
    }
    let told = quick_but(json!({"stop_despite": ["stop_protected"]}));
    world.set_policy(told).await;
    world.enroll("told", json!({})).await;
    world.cloud.protect("i-told", Protection::StopProtected);
    let _host = world.host("told").await;
    world.wait_until_stopped("told").await;
}

#[tokio::test]
async fn s20_an_instance_that_somebody_else_is_stopping_is_success_without_a_call() {
    let world = World::with(quick_but(json!({"notice_seconds": 1}))).await;
    world.enroll("h1", json!({})).await;
    let _executor = world.executor("one").await;
    let _host = world.host("h1").await;
    world.wait_for_audit("h1", AuditKind::Notice).await;
    world.cloud.stop_by_hand("i-h1");
    world.wait_for_audit("h1", AuditKind::Stopped).await;
    assert_eq!(world.cloud.stop_calls("i-h1"), 0);
    assert!(
        !world.cloud.tags_of("i-h1").contains_key("CloudSnooze:Status"),
        "it was not us"
    );
}

#[tokio::test]
async fn s20_only_a_running_instance_is_stopped() {
    let world = World::with(quick_but(json!({"notice_seconds": 1}))).await;
    world.enroll("h1", json!({})).await;
    let _executor = world.executor("one").await;
    let _host = world.host("h1").await;
    world.wait_for_audit("h1", AuditKind::Notice).await;
    world.cloud.terminate_by_hand("i-h1");
    world.wait_for_audit("h1", AuditKind::Cancelled).await;
    assert_eq!(world.cloud.stop_calls("i-h1"), 0);
}

#[tokio::test]
async fn p8_a_roster_that_changed_after_the_claim_forbids_the_stop() {
    let world = World::with(quick_but(json!({"notice_seconds": 1}))).await;
    world.enroll("h1", json!({})).await;
    let _executor = world.executor("one").await;
    let _host = world.host("h1").await;
    world.wait_for_audit("h1", AuditKind::Notice).await;
    world.enroll("h1", json!({"instance": "i-other"})).await;
    let cancelled = world.wait_for_audit("h1", AuditKind::Cancelled).await;
    assert!(cancelled.message.contains("roster"), "{}", cancelled.message);
    assert!(world.cloud.calls().is_empty(), "{:?}", world.cloud.calls());
}

#[tokio::test]
async fn s24_a_stop_that_is_not_seen_in_time_is_an_alarm() {
    let world = World::with(quick()).await;
    world.enroll("h1", json!({})).await;
    world.cloud.stop_takes(std::time::Duration::from_secs(3));
    let _executor = world.executor("one").await;
    let _host = world.host("h1").await;
    world.wait_for_phase("h1", Phase::Stopping).await;
    let alarm = world.wait_for_audit("h1", AuditKind::Alarm).await;
    assert!(alarm.message.contains("Not seen stopped"), "{}", alarm.message);
    world.wait_until_stopped("h1").await;
}

#[tokio::test]
async fn s23_a_report_says_of_a_claimed_host_what_the_trail_says() {
    let world = World::with(quick_but(json!({"notice_seconds": 20}))).await;
    world.enroll("h1", json!({})).await;
    let _executor = world.executor("one").await;
    let _host = world.host("h1").await;
    world.wait_for_audit("h1", AuditKind::Notice).await;
    let report = world.report("h1").await.decision;
    assert_eq!(report.decision, "claimed");
    assert!(
        report
            .summary
            .starts_with("It is being stopped (claimed): idle for"),
        "{report:?}"
    );
    let names_it = |obstacle: &String| obstacle.contains("being stopped");
    assert!(
        !report.obstacles.iter().any(names_it),
        "a stop is no obstacle to itself: {report:?}"
    );
    wait_until(LONG, "the trail says so", async || {
        let said = format!("{}: {}", report.decision, report.summary);
        world
            .audit("h1")
            .await
            .iter()
            .any(|record| record.message == said)
    })
    .await;
}
