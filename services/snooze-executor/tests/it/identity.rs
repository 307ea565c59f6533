//! Who a host is: which instance is stopped in its name, and which agent speaks for it.

use crate::host::Asked;
use crate::support::{LONG, World, quick, quick_but};
use serde_json::json;
use snooze_bus::Subject;
use snooze_executor::provider::InstanceState;
use snooze_schemas::{audit::AuditKind, verdict::VoteState};
use snooze_test_harness::wait_until;
use std::time::Duration;

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
    // Two agents are remembered for three heartbeats.
    let world = World::with(quick_but(json!({"heartbeat_seconds": 10}))).await;
    world.enroll("h1", json!({})).await;
    let _executor = world.executor("one").await;
    // Neither can be claimed before the other is heard.
    world
        .lease("h1", Duration::from_secs(2))
        .await
        .expect("nothing is under way");
    let _host = world.host("h1").await;
    let _twin = world
        .scripted_host("h1", &world.revision, |script| script.agent = "twin".to_owned())
        .await;
    wait_until(LONG, "a decision names them", async || {
        let trail = world.audit("h1").await;
        trail
            .iter()
            .any(|record| record.message.contains("Two agents speak under this host's id"))
    })
    .await;
    wait_until(LONG, "the lease is over", async || {
        world.report("h1").await.keeps_awake.is_empty()
    })
    .await;
    // Each idle for long enough: were they one, the next verdict would open a claim.
    for _ in 0..5 {
        let before = world.last_verdict("h1").await;
        wait_until(LONG, "another verdict is heard", async || {
            world.last_verdict("h1").await != before
        })
        .await;
    }
    let kinds = world.audit_kinds("h1").await;
    assert!(!kinds.contains(&AuditKind::Intent), "{kinds:?}");
    assert_eq!(world.cloud.stop_calls("i-h1"), 0);
}

#[tokio::test]
async fn i2_a_twin_that_is_heard_while_the_quicker_one_verifies_is_a_reason_to_stay_up() {
    let world = World::with(quick_but(json!({"notice_seconds": 1}))).await;
    world.enroll("h1", json!({})).await;
    let _executor = world.executor("one").await;
    let host = world.host("h1").await;
    world.wait_for_audit("h1", AuditKind::Notice).await;
    host.script(|script| {
        script.agent = "twin".to_owned();
        script.verify_agent = Some("agent-1".to_owned());
    });
    let cancelled = world.wait_for_audit("h1", AuditKind::Cancelled).await;
    assert!(
        cancelled.message.contains("another agent speaks"),
        "{}",
        cancelled.message
    );
    // It is proof, and no answer that might be a better one the next time.
    let verifications = host.asked().into_iter();
    let verifications = verifications.filter(|asked| matches!(asked, Asked::Verify(_)));
    assert_eq!(verifications.count(), 1);
    assert_eq!(world.cloud.stop_calls("i-h1"), 0);
}
