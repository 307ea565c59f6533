//! The kill switch.

use crate::support::{LONG, World, quick, quick_but};
use serde_json::json;
use snooze_bus::{OpsVerb, Subject};
use snooze_schemas::{
    audit::AuditKind,
    ops::{Query, QueryResult},
};
use std::time::{Duration, Instant};

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the law is about real time")]
async fn s22_a_freeze_takes_back_what_is_on_its_way_within_a_second_and_survives_a_restart() {
    let world = World::with(quick_but(json!({"notice_seconds": 20}))).await;
    world.enroll("h1", json!({})).await;
    let executor = world.executor("one").await;
    let _host = world.host("h1").await;
    world.wait_for_audit("h1", AuditKind::Notice).await;
    let begun = Instant::now();
    world.freeze().await;
    world
        .wait_for_record("h1", "the claim is given up", |record| {
            record
                .claim
                .as_ref()
                .is_none_or(|claim| !claim.cancelled_because.is_empty())
        })
        .await;
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    world
        .wait_for_record("h1", "the host is free", |record| record.claim.is_none())
        .await;
    executor.end().await;

    let _executor = world.executor("two").await;
    let report = world.report("h1").await;
    assert!(
        report.decision.summary.contains("frozen by ada"),
        "{}",
        report.decision.summary
    );
    assert!(world.record("h1").await.claim.is_none());
    assert_eq!(world.cloud.stop_calls("i-h1"), 0);
}

#[tokio::test]
async fn l3_a_freeze_that_is_thawed_at_once_still_takes_back_what_was_claimed_before_it() {
    let world = World::with(quick_but(json!({"notice_seconds": 1.5}))).await;
    world.enroll("h1", json!({})).await;
    let _executor = world.executor("one").await;
    let host = world.host("h1").await;
    let claim = world.wait_for_audit("h1", AuditKind::Notice).await.claim;
    world.freeze().await;
    world.thaw().await;
    let cancelled = world.wait_for_audit("h1", AuditKind::Cancelled).await;
    assert_eq!(cancelled.claim, claim);
    assert!(cancelled.message.contains("frozen"), "{}", cancelled.message);
    drop(host);
}

#[tokio::test]
async fn s22_a_thaw_lets_stops_go_on() {
    let world = World::with(quick()).await;
    world.enroll("h1", json!({})).await;
    let _executor = world.executor("one").await;
    world.freeze().await;
    let _host = world.host("h1").await;
    let decided = world.wait_for_audit("h1", AuditKind::Decision).await;
    assert!(decided.message.contains("frozen"), "{}", decided.message);
    world.thaw().await;
    world.wait_until_stopped("h1").await;
    assert_eq!(world.cloud.stop_calls("i-h1"), 1);
}

#[tokio::test]
async fn s22_a_flood_of_questions_turns_no_freeze_away() {
    let world = World::with(quick()).await;
    world.enroll("h1", json!({})).await;
    let _executor = world.executor("one").await;
    let question = Query::default();
    let subject = Subject::Ops(OpsVerb::Query);
    let questions = (0..600).map(|_| world.admin.request::<_, QueryResult>(&subject, &question, LONG));
    let questions = futures_util::future::join_all(questions);
    // Sent after all the questions, over the same connection; it panics where it is refused.
    let (answers, ()) = tokio::join!(questions, world.freeze());
    let refused = answers.iter().filter(|answer| answer.is_err()).count();
    assert!(refused > 0, "the questions were too few to fill their places");
    let result: QueryResult = world.ask(OpsVerb::Query, &question).await.expect("answers");
    assert!(result.frozen.is_some());
}
