//! What a host is, and what its instance is when it is looked at right before a stop.

use crate::support::{LONG, World, quick, quick_but};
use serde_json::json;
use snooze_bus::Subject;
use snooze_executor::provider::{InstanceState, Protection};
use snooze_schemas::{audit::AuditKind, state::Phase, verdict::VoteState};
use snooze_test_harness::wait_until;

#[tokio::test]
async fn i1_the_roster_and_not_the_body_says_which_instance_is_stopped() {
    let world = World::with(quick()).await;
    world
        .enroll(
            "h1",
            json!({"instance": "i-of-the-roster", "region": "ap-south-1"}),
        )
        .await;
    world.enroll("h2", json!({})).await;
    let _executor = world.executor("one").await;
    let host = world.host("h1").await;
    // A verdict on h1's subject that names h2 is nobody's verdict.
    let mut forged = host.verdict(VoteState::Idle);
    forged.host = "h2".parse().expect("a host id");
    host.bus
        .publish(&Subject::Verdict(host.host.clone()), &forged)
        .await
        .expect("it may publish there");
    world.wait_until_stopped("h1").await;
    let calls = world.cloud.calls();
    assert!(
        calls
            .iter()
            .all(|call| call.instance == "i-of-the-roster" && call.region == "ap-south-1"),
        "{calls:?}"
    );
    assert_eq!(world.cloud.state_of("i-h2"), InstanceState::Running);
    assert!(world.audit("h2").await.is_empty());
}

#[tokio::test]
async fn i1_a_host_that_is_not_in_the_roster_is_explained_and_never_claimed() {
    let world = World::with(quick()).await;
    let _executor = world.executor("one").await;
    let _host = world.host("stranger").await;
    wait_until(LONG, "its verdict is known", async || {
        world.report("stranger").await.verdict.is_some()
    })
    .await;
    let report = world.report("stranger").await;
    assert_eq!(report.decision.decision, "stay");
    assert!(
        report.decision.obstacles.iter().any(|one| one.contains("roster")),
        "{:?}",
        report.decision
    );
    assert!(world.record("stranger").await.claim.is_none());
}

#[tokio::test]
async fn i2_a_verdict_under_another_policy_is_not_idle_and_said_so() {
    let mut world = World::with(quick()).await;
    world.enroll("h1", json!({})).await;
    let executor = world.executor("one").await;
    let host_bus_revision = world.revision.clone();
    world
        .set_policy(quick_but(json!({"naptime_minutes": 0.02})))
        .await;
    let ours = world.revision.clone();
    wait_until(LONG, "the executor has the new policy", async || {
        world.report("h1").await.decision.details["policy_revision"] == json!(ours)
    })
    .await;
    world.revision = host_bus_revision;
    let _host = world.host("h1").await;
    wait_until(LONG, "it is said", async || {
        world
            .report("h1")
            .await
            .decision
            .summary
            .contains("another policy")
            || world
                .report("h1")
                .await
                .decision
                .obstacles
                .iter()
                .any(|one| one.contains("under policy"))
    })
    .await;
    assert!(world.record("h1").await.claim.is_none());
    executor.end().await;
}

#[tokio::test]
async fn i2_two_agents_under_one_id_stop_nothing() {
    let world = World::with(quick_but(json!({"naptime_minutes": 0.05}))).await;
    world.enroll("h1", json!({})).await;
    let _executor = world.executor("one").await;
    let host = world.host("h1").await;
    host.script(|script| script.vote = VoteState::Busy);
    let publish = async |agent: &str, seq: u64| {
        let mut verdict = host.verdict(VoteState::Idle);
        verdict.agent = agent.to_owned();
        verdict.seq = seq;
        let subject = Subject::Verdict(host.host.clone());
        host.bus.publish(&subject, &verdict).await.expect("publishes");
    };
    // Only the two agents in turn, each idle for long enough: were they one, the host would be claimed.
    publish("agent-1", 1_000).await;
    for seq in 1..4 {
        publish("twin", 1_000 + seq).await;
        publish("agent-1", 1_000 + seq).await;
    }
    wait_until(LONG, "a verdict after them is heard", async || {
        world
            .audit("h1")
            .await
            .iter()
            .any(|record| record.message.contains("busy"))
    })
    .await;
    let stopped = world.audit_kinds("h1").await.contains(&AuditKind::Stopped);
    assert!(!stopped && world.cloud.stop_calls("i-h1") == 0);
}

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
async fn p4_a_tag_that_says_stopped_of_a_running_machine_is_mended_at_hello() {
    let world = World::with(quick_but(json!({"mode": "observe"}))).await;
    world.enroll("h1", json!({})).await;
    let _executor = world.executor("one").await;
    let host = world.host("h1").await;
    world.cloud.set_tag("i-h1", "CloudSnooze:Status", "Stopped");
    host.hello().await;
    world.wait_for_audit("h1", AuditKind::Tags).await;
    assert_eq!(world.cloud.tags_of("i-h1")["CloudSnooze:Status"], "Running");
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
