//! A claim from the first verdict to the free host, and what takes one back on the way.

use crate::host::{Answers, Asked};
use crate::support::{LONG, World, quick, quick_but};
use serde_json::json;
use snooze_executor::provider::{InstanceState, simulated::Verb};
use snooze_schemas::{ErrorCode, audit::AuditKind, host::PrepareState, state::Phase, verdict::VoteState};
use snooze_test_harness::wait_until;
use std::time::Duration;

#[tokio::test]
async fn p4_an_idle_host_is_noticed_prepared_verified_committed_stopped_and_tagged_in_this_order() {
    let world = World::with(quick()).await;
    world.enroll("h1", json!({})).await;
    let _executor = world.executor("one").await;
    let host = world.host("h1").await;
    world.wait_until_stopped("h1").await;

    use AuditKind::{Call, Committed, Intent, Notice, Stopped, Verified};
    let kinds = world.audit_kinds("h1").await;
    assert_eq!(
        kinds[..6],
        [Intent, Notice, Verified, Committed, Call, Stopped],
        "{kinds:?}"
    );
    assert_eq!(world.cloud.stop_calls("i-h1"), 1);
    assert_eq!(world.cloud.state_of("i-h1"), InstanceState::Stopped);
    let tags = world.cloud.tags_of("i-h1");
    assert_eq!(tags["CloudSnooze:Status"], "Stopped");
    assert_eq!(tags["CloudSnooze:CPUPercent"], "1.50");
    assert!(
        tags["CloudSnooze:StopReason"].starts_with("idle for 1 min"),
        "{tags:?}"
    );
    let last = world.cloud.calls().last().cloned().expect("there were calls");
    assert!(
        matches!(last.verb, Verb::Tag(_)),
        "tags come after the confirmation: {last:?}"
    );

    let asked = host.asked();
    let [Asked::Prepare(prepare), .., Asked::Verify(verify)] = &asked[..] else {
        panic!("prepare, then verify: {asked:?}");
    };
    assert_eq!(prepare.notice_ms, 200);
    assert_eq!(prepare.claim, verify.claim);
    let decided = world
        .audit("h1")
        .await
        .into_iter()
        .find(|record| record.kind == AuditKind::Decision);
    assert!(decided.is_some(), "S23: the decision is in the trail");
}

#[tokio::test]
async fn s23_every_entry_of_a_claim_carries_its_number_and_a_sentence() {
    let world = World::with(quick()).await;
    world.enroll("h1", json!({})).await;
    let _executor = world.executor("one").await;
    let host = world.host("h1").await;
    world.wait_until_stopped("h1").await;
    let Some(Asked::Prepare(prepare)) = host.asked().first().cloned() else {
        panic!("it was prepared")
    };
    for record in world.audit("h1").await {
        assert!(
            !record.message.is_empty() && record.actor.starts_with("executor "),
            "{record:?}"
        );
        if record.kind != AuditKind::Decision {
            assert_eq!(record.claim, Some(prepare.claim), "{record:?}");
        }
    }
}

#[tokio::test]
async fn s12_a_busy_verdict_takes_the_claim_back_and_the_host_is_told() {
    let world = World::with(quick_but(json!({"notice_seconds": 20}))).await;
    world.enroll("h1", json!({})).await;
    let _executor = world.executor("one").await;
    let host = world.host("h1").await;
    world.wait_for_audit("h1", AuditKind::Notice).await;
    host.script(|script| script.vote = VoteState::Busy);
    world.wait_for_audit("h1", AuditKind::Cancelled).await;
    wait_until(LONG, "the host is told", async || {
        host.asked().iter().any(|asked| matches!(asked, Asked::Cancel(_)))
    })
    .await;
    world
        .wait_for_record("h1", "the host is free", |record| record.claim.is_none())
        .await;
    assert_eq!(world.cloud.stop_calls("i-h1"), 0);
}

#[tokio::test]
async fn s12_a_busy_vote_in_the_verification_is_a_veto() {
    let world = World::with(quick()).await;
    world.enroll("h1", json!({})).await;
    let _executor = world.executor("one").await;
    let host = world.host("h1").await;
    host.script(|script| script.verify_vote = Some(VoteState::Busy));
    let cancelled = world.wait_for_audit("h1", AuditKind::Cancelled).await;
    assert!(cancelled.message.contains("cpu is busy"), "{}", cancelled.message);
    assert_eq!(world.cloud.stop_calls("i-h1"), 0);
}

#[tokio::test]
async fn s13_a_preparation_that_fails_ends_the_claim() {
    let world = World::with(quick()).await;
    world.enroll("h1", json!({})).await;
    let _executor = world.executor("one").await;
    let host = world.host("h1").await;
    host.script(|script| script.prepare = PrepareState::Failed);
    world.wait_for_audit("h1", AuditKind::Cancelled).await;
    assert_eq!(world.cloud.stop_calls("i-h1"), 0);
}

#[tokio::test]
async fn p3_a_verification_that_is_not_answered_or_comes_late_stops_nothing() {
    let world = World::with(quick_but(json!({"freshness_seconds": 0.6}))).await;
    for name in ["silent", "late"] {
        world.enroll(name, json!({})).await;
    }
    let _executor = world.executor("one").await;
    let late = world.host("late").await;
    late.script(|script| script.verify_takes = Duration::from_millis(700));
    let silent = world.host("silent").await;
    silent.script(|script| script.verifies = Answers::Never);
    for name in ["silent", "late"] {
        world.wait_for_audit(name, AuditKind::Cancelled).await;
        assert_eq!(world.cloud.stop_calls(&format!("i-{name}")), 0);
    }
}

#[tokio::test]
async fn p5_a_lease_wins_before_the_commit_and_is_too_late_after_it() {
    let mut world = World::with(quick_but(json!({"notice_seconds": 20}))).await;
    world.enroll("h1", json!({})).await;
    let _executor = world.executor("one").await;
    let host = world.host("h1").await;
    world.wait_for_audit("h1", AuditKind::Notice).await;
    world
        .lease("h1", Duration::from_secs(60))
        .await
        .expect("the lease wins");
    let record = world
        .wait_for_record("h1", "the host is free", |record| record.claim.is_none())
        .await;
    assert_eq!(record.leases.len(), 1);
    assert_eq!(world.cloud.stop_calls("i-h1"), 0);
    drop(host);

    world
        .set_policy(quick_but(
            json!({"application_seconds": 2, "quarantine_seconds": 7}),
        ))
        .await;
    world.enroll("h2", json!({})).await;
    world.cloud.stop_takes(Duration::from_secs(3));
    let _host = world.host("h2").await;
    world.wait_for_phase("h2", Phase::Stopping).await;
    let refused = world
        .lease("h2", Duration::from_secs(60))
        .await
        .expect_err("the call was made");
    assert_eq!(refused.code, ErrorCode::TooLate);
    assert!(
        refused.message.contains("committed at"),
        "it says when: {}",
        refused.message
    );
}

#[tokio::test]
async fn s1_a_policy_that_observes_claims_nothing_and_says_what_it_would_do() {
    let world = World::with(quick_but(json!({"mode": "observe"}))).await;
    world.enroll("h1", json!({})).await;
    let _executor = world.executor("one").await;
    let _host = world.host("h1").await;
    let decided = world.wait_for_audit("h1", AuditKind::Decision).await;
    assert!(decided.message.starts_with("observe"), "{}", decided.message);
    assert_eq!(world.report("h1").await.decision.decision, "observe");
    assert!(world.record("h1").await.claim.is_none());
}

#[tokio::test]
async fn p6_with_three_executors_every_host_is_stopped_by_one_call() {
    // Eight commits at once race for the one kill switch, and who loses often pauses for a second: neither
    // freshness nor takeover may end before that.
    let world = World::with(quick_but(json!({
        "max_concurrent_stops": 20, "freshness_seconds": 10, "quarantine_seconds": 13, "takeover_seconds": 10,
    })))
    .await;
    let names: Vec<String> = (0..8).map(|n| format!("h{n}")).collect();
    for name in &names {
        world.enroll(name, json!({})).await;
    }
    let mut executors = Vec::new();
    for name in ["one", "two", "three"] {
        executors.push(world.executor(name).await);
    }
    let mut hosts = Vec::new();
    for name in &names {
        hosts.push(world.host(name).await);
    }
    for name in &names {
        world.wait_until_stopped(name).await;
        assert_eq!(world.cloud.stop_calls(&format!("i-{name}")), 1, "{name}");
    }
    for executor in executors {
        executor.end().await;
    }
}
