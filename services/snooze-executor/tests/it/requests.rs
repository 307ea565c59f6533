//! What people ask: postponements, questions, and what is refused.

use crate::support::{ANSWER, World, quick, quick_but};
use serde_json::json;
use snooze_bus::{OpsVerb, Subject};
use snooze_schemas::{
    ErrorCode,
    audit::AuditKind,
    ops::{PostponeRequest, Query, QueryResult},
    reply::Empty,
    verdict::VoteState,
};
use snooze_test_harness::wait_until;
use std::time::Duration;

use crate::support::{LONG, id};

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
    // S23: it stands in the trail as well, once.
    let decided = world.wait_for_audit("h1", AuditKind::Decision).await;
    assert!(decided.message.contains("quarantine"), "{}", decided.message);
    let before = world.last_verdict("h1").await;
    wait_until(LONG, "another verdict is heard", async || {
        world.last_verdict("h1").await != before
    })
    .await;
    assert_eq!(world.audit("h1").await.len(), 1);
}

#[tokio::test]
async fn s23_a_question_about_a_host_that_says_very_much_is_answered() {
    let world = World::with(quick()).await;
    world.enroll("h1", json!({})).await;
    let _executor = world.executor("one").await;
    let host = world.host("h1").await;
    host.script(|script| {
        script.vote = VoteState::Busy;
        script.reason = "x".repeat(600_000);
    });
    wait_until(LONG, "it is busy", async || {
        world.report("h1").await.decision.summary.contains("busy")
    })
    .await;
    let all: QueryResult = world
        .ask(OpsVerb::Query, &Query::default())
        .await
        .expect("it is answered");
    assert_eq!((all.hosts.len(), all.truncated), (1, false));
}

#[tokio::test]
async fn s23_a_decision_that_the_trail_did_not_take_stands_there_in_the_end() {
    let world = World::with(quick_but(json!({"mode": "observe"}))).await;
    world.enroll("h1", json!({})).await;
    world.refuse_audit(&[AuditKind::Decision]).await;
    let _executor = world.executor("one").await;
    let _host = world.host("h1").await;
    wait_until(LONG, "it is decided", async || {
        world.report("h1").await.decision.decision == "observe"
    })
    .await;
    let before = world.last_verdict("h1").await;
    wait_until(LONG, "another verdict is decided", async || {
        world.last_verdict("h1").await != before
    })
    .await;
    assert!(world.audit("h1").await.is_empty());
    world.accept_audit().await;
    let decided = world.wait_for_audit("h1", AuditKind::Decision).await;
    assert!(decided.message.starts_with("observe"), "{}", decided.message);
}
