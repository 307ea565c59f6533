//! What people ask: wakes, postponements, questions, and what is refused.

use crate::support::{ANSWER, World, quick, quick_but};
use serde_json::json;
use snooze_bus::{OpsVerb, Subject};
use snooze_executor::provider::InstanceState;
use snooze_schemas::{
    ErrorCode,
    audit::AuditKind,
    ops::{PostponeRequest, Query, QueryResult, WakeRequest, WakeResult},
    reply::Empty,
    state::Phase,
};
use snooze_test_harness::wait_until;
use std::time::Duration;

use crate::support::{LONG, id};

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
async fn p5_a_postponement_takes_the_claim_back_and_holds() {
    let world = World::with(quick_but(json!({"notice_seconds": 20}))).await;
    world.enroll("h1", json!({})).await;
    let _executor = world.executor("one").await;
    let _host = world.host("h1").await;
    world.wait_for_audit("h1", AuditKind::Notice).await;
    let request = PostponeRequest {
        host: id("h1"),
        duration_ms: 60_000,
        reason: "not now".to_owned(),
    };
    let _: Empty = world
        .ask(OpsVerb::Postpone, &request)
        .await
        .expect("it is before the commit");
    world
        .wait_for_record("h1", "the host is free", |record| record.claim.is_none())
        .await;
    let report = world.report("h1").await;
    assert!(
        report.keeps_awake[0].contains("not now"),
        "{:?}",
        report.keeps_awake
    );
    assert_eq!(report.decision.decision, "wait");
}

#[tokio::test]
async fn a_lease_for_a_host_that_is_not_enrolled_or_for_no_time_is_refused() {
    let world = World::with(quick()).await;
    world.enroll("h1", json!({})).await;
    let _executor = world.executor("one").await;
    let refused = world
        .lease("nobody", Duration::from_secs(1))
        .await
        .expect_err("no such host");
    assert_eq!(refused.code, ErrorCode::NotFound);
    let refused = world.lease("h1", Duration::ZERO).await.expect_err("no time");
    assert_eq!(refused.code, ErrorCode::BadRequest);
}

#[tokio::test]
async fn i3_a_freeze_without_its_header_is_refused() {
    let world = World::with(quick()).await;
    let _executor = world.executor("one").await;
    let body = br#"{"reason":"forged","by":"nobody"}"#;
    let subject = Subject::Ops(OpsVerb::Freeze).to_string();
    let answer = world
        .admin
        .raw_request(&subject, &[], body, ANSWER)
        .await
        .expect("an answer");
    let answer: serde_json::Value = serde_json::from_slice(&answer.payload).expect("JSON, as it was asked");
    assert_eq!(answer["ok"], json!(false));
    let result: QueryResult = world
        .ask(OpsVerb::Query, &Query::default())
        .await
        .expect("answers");
    assert_eq!(result.frozen, None);
}

#[tokio::test]
async fn s23_a_question_is_answered_with_everything_that_keeps_a_host_up() {
    let world = World::with(quick_but(
        json!({"naptime_minutes": 60, "voters": {"db": {"role": "required"}}}),
    ))
    .await;
    world.enroll("h1", json!({"instance_type": "t3.medium"})).await;
    let _executor = world.executor("one").await;
    let report = world.report("h1").await;
    assert!(
        report
            .decision
            .obstacles
            .iter()
            .any(|one| one.contains("Nothing was heard")),
        "{:?}",
        report.decision
    );
    let _host = world.host("h1").await;
    wait_until(LONG, "its verdict is known", async || {
        world.report("h1").await.verdict.is_some()
    })
    .await;
    let report = world.report("h1").await;
    assert_eq!(
        (report.group.as_str(), report.provider.as_str()),
        ("default", "simulated")
    );
    assert_eq!(report.phase, "free");
    let missing = report
        .decision
        .obstacles
        .iter()
        .any(|one| one.contains("db is missing"));
    assert!(
        missing,
        "a plugin that does not vote is named: {:?}",
        report.decision.obstacles
    );
    let all: QueryResult = world
        .ask(OpsVerb::Query, &Query::default())
        .await
        .expect("answers");
    assert_eq!(all.hosts.len(), 1);
    assert!(all.hosts[0].verdict_age_ms.is_some());
}

#[tokio::test]
async fn a_policy_that_cannot_be_used_stops_nothing_and_says_every_mistake() {
    let world = World::with(quick_but(
        json!({"quarantine_seconds": 1, "max_concurrent_stops": 0}),
    ))
    .await;
    world.enroll("h1", json!({})).await;
    let _executor = world.executor("one").await;
    let _host = world.host("h1").await;
    wait_until(LONG, "its verdict is known", async || {
        world.report("h1").await.verdict.is_some()
    })
    .await;
    let report = world.report("h1").await;
    let text = &report.decision.summary;
    assert!(
        text.contains("quarantine") && text.contains("max_concurrent_stops"),
        "{text}"
    );
    assert!(world.record("h1").await.claim.is_none());
}
