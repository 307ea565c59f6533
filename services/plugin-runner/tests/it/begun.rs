//! When a handler has begun: once it is its turn and it is asked, and no earlier.

use crate::{
    events::{SUCCESS, all_run, config, event, handler, outcomes, send},
    stage::{Runner, SOON, Stage},
};
use serde_json::json;
use snooze_bus::{RequestError, RunnerVerb};
use snooze_schemas::{
    ErrorCode,
    event::{Event, EventOutcome, EventProgress, HandlerOutcome, ReadProgress, Severity},
};
use snooze_service_runtime::Clocks;
use snooze_test_harness::wait_until;
use std::fs;

/// A runner whose `worker` is at work on the first event until there is the file `go`, while `other` has done its part
/// of the second, for which `worker` waits.
async fn one_waits(stage: &Stage) -> Runner {
    let go = stage.file("go");
    let is_held = format!(r#"(event["id"] == "e1" and not os.path.exists({go:?}))"#);
    let works =
        format!("note(event['id']) or [linger(0.01) for _ in iter(lambda: {is_held}, False)] and None");
    stage.plugin(
        "worker.py",
        &handler(stage, "worker", &format!("{works} or {SUCCESS}")),
    );
    stage.plugin("other.py", &handler(stage, "other", SUCCESS));
    let runner = again(stage).await;
    stage.until_it_answers().await;
    all_run(stage).await;
    send(stage, event("e1"), None).await.expect("accepted");
    wait_until(SOON, "the first is at work", async || has_begun(stage, "e1")).await;
    let critical = Event {
        severity: Severity::Critical,
        deadline: Some("2100-01-01T00:00:00Z".parse().expect("a time")),
        ..event("e2")
    };
    send(stage, critical, Some(60_000)).await.expect("accepted");
    wait_until(SOON, "the other has done its part of the second", async || {
        journal(stage).contains(r#"{"ended":{"id":"e2""#)
    })
    .await;
    runner
}

async fn again(stage: &Stage) -> Runner {
    let handlers = [("worker", json!({})), ("other", json!({}))];
    stage.runner_with(config(stage, &handlers)).await
}

fn has_begun(stage: &Stage, id: &str) -> bool {
    let order = fs::read_to_string(stage.file("order")).unwrap_or_default();
    order.lines().any(|line| line == id)
}

fn journal(stage: &Stage) -> String {
    fs::read_to_string(stage.state().join("events.jsonl")).unwrap_or_default()
}

/// What became of `worker`, once both events are reported.
async fn worker_of(stage: &Stage, id: &str) -> HandlerOutcome {
    wait_until(SOON, "both are reported", async || {
        outcomes(stage).await.len() == 2
    })
    .await;
    let is_it = |outcome: &EventOutcome| outcome.id.as_str() == id;
    let outcome = outcomes(stage)
        .await
        .into_iter()
        .find(is_it)
        .expect("it is reported");
    let mut handlers = outcome.handlers.into_iter();
    handlers
        .find(|handler| handler.plugin.as_str() == "worker")
        .expect("it is told of")
}

#[tokio::test]
async fn e6_who_still_waited_for_its_turn_when_the_runner_ended_is_asked_after_the_restart() {
    let stage = Stage::set().await;
    one_waits(&stage).await.stop().await;
    assert!(
        !journal(&stage).contains(r#"{"started":{"id":"e2","plugin":"worker""#),
        "it was not asked"
    );
    fs::write(stage.file("go"), "").expect("writes");
    let runner = again(&stage).await;
    let waited = worker_of(&stage, "e2").await;
    assert!(waited.result.succeeded, "{waited:?}");
    assert!(has_begun(&stage, "e2"));
    let interrupted = worker_of(&stage, "e1").await;
    assert!(
        interrupted.interrupted && interrupted.result.message.contains("before a restart"),
        "{interrupted:?}"
    );
    assert!(
        interrupted.started_at.is_some() && interrupted.within_ms.is_some(),
        "{interrupted:?}"
    );
    runner.stop().await;
}

#[tokio::test]
async fn who_is_at_work_on_an_event_is_told_and_who_waits_for_its_turn_is_not_at_work() {
    let stage = Stage::set().await;
    let runner = one_waits(&stage).await;
    let first = progress(&stage, "e1").await.expect("it is not over");
    let worker = &first.at_work[0];
    let begun = worker.begun.expect("it was asked");
    assert_eq!(worker.plugin.as_str(), "worker");
    assert!(first.accepted_at.expect("it was accepted") <= begun.started_at);
    assert!(begun.within_ms <= begun.left_ms, "{begun:?}");
    let second = progress(&stage, "e2").await.expect("it is not over");
    assert!(second.at_work.is_empty(), "{second:?}");
    assert_eq!(second.ended.len(), 1, "{second:?}");
    assert_eq!(second.ended[0].plugin.as_str(), "other");
    fs::write(stage.file("go"), "").expect("writes");
    worker_of(&stage, "e2").await;
    for id in ["e1", "unheard-of"] {
        let refused = progress(&stage, id)
            .await
            .expect_err("it is over, or was never there");
        assert_eq!(
            refused.refusal().map(|refusal| refusal.code),
            Some(ErrorCode::NotFound)
        );
    }
    runner.stop().await;
}

async fn progress(stage: &Stage, id: &str) -> Result<EventProgress, RequestError> {
    let asked = ReadProgress {
        id: id.parse().expect("an id"),
    };
    let subject = stage.verb(RunnerVerb::Progress);
    stage.administrator.request(&subject, &asked, SOON).await
}

#[tokio::test]
async fn a_handler_counts_as_asked_from_when_it_was_its_turn() {
    let stage = Stage::set().await;
    let runner = one_waits(&stage).await;
    // It is sent before the other does its part.
    let go_at = Clocks::real().wall();
    fs::write(stage.file("go"), "").expect("writes");
    let waited = worker_of(&stage, "e2").await;
    assert!(waited.result.succeeded, "{waited:?}");
    assert!(
        waited.started_at >= Some(go_at),
        "{waited:?}, and not before {go_at}"
    );
    let other = outcomes(&stage)
        .await
        .into_iter()
        .flat_map(|outcome| outcome.handlers);
    let other = other.filter(|handler| handler.plugin.as_str() == "other");
    let left = other.filter_map(|handler| handler.left_ms).min();
    assert!(
        waited.left_ms < left,
        "{waited:?}, and less than the {left:?} ms of who did not wait"
    );
    runner.stop().await;
}
