//! A handler whose process ends while there are events for it, and one that has more of them than it can at once.

use crate::{
    events::{SUCCESS, all_run, config, event, handler, noted, outcomes, send},
    stage::{SOON, Stage},
};
use serde_json::json;
use snooze_plugin_runner::{Config, Restarts};
use snooze_schemas::event::EventOutcome;
use snooze_test_harness::wait_for;
use std::time::Duration;

/// Succeeds, but for the first time, when the process ends in the middle.
fn once_in_vain(stage: &Stage) -> String {
    let flag = stage.file("crashed");
    format!("(os.path.exists({flag:?}) or (open({flag:?}, 'w').close(), os._exit(1))) and {SUCCESS}")
}

/// What became of so many events that are sent at once to a handler that crashes over the first.
async fn handled(stage: &Stage, idempotent: bool, count: usize) -> Vec<EventOutcome> {
    stage.plugin("saver.py", &handler(stage, "saver", &once_in_vain(stage)));
    let terms = json!({"idempotent": idempotent});
    let runner = stage.runner_with(config(stage, &[("saver", terms)])).await;
    stage.until_it_answers().await;
    all_run(stage).await;
    for number in 1..=count {
        send(stage, event(&format!("e{number}")), None)
            .await
            .expect("accepted");
    }
    let outcomes = wait_for(SOON, "all is reported", async || {
        Some(outcomes(stage).await).filter(|outcomes| outcomes.len() == count)
    })
    .await;
    runner.stop().await;
    outcomes
}

#[tokio::test]
async fn e6_a_handler_that_crashed_over_an_event_is_asked_again_where_it_is_idempotent() {
    let stage = Stage::set().await;
    let outcome = handled(&stage, true, 1).await.remove(0);
    let handler = &outcome.handlers[0];
    assert!(
        handler.result.succeeded && handler.asked_again == 1,
        "{outcome:?}"
    );
    assert_eq!(noted(&stage), ["saver begins", "saver begins", "saver ends"]);
}

#[tokio::test]
async fn e6_a_handler_that_crashed_over_an_event_and_is_not_idempotent_is_reported_as_interrupted() {
    let stage = Stage::set().await;
    let outcome = handled(&stage, false, 1).await.remove(0);
    let handler = &outcome.handlers[0];
    assert!(
        handler.interrupted && !handler.result.succeeded && handler.result.message.starts_with("interrupted"),
        "{outcome:?}"
    );
    assert_eq!(noted(&stage), ["saver begins"]);
}

#[tokio::test]
async fn e6_what_waited_while_a_handler_crashed_is_handled_when_it_is_back() {
    let stage = Stage::set().await;
    let outcomes = handled(&stage, false, 8).await;
    let failed = outcomes
        .iter()
        .filter(|outcome| !outcome.handlers[0].result.succeeded);
    assert_eq!(failed.count(), 1, "{outcomes:?}");
}

#[tokio::test]
async fn e6_the_pause_before_a_handler_is_back_is_longer_than_its_own_time_and_no_part_of_it() {
    let stage = Stage::set().await;
    stage.plugin("saver.py", &handler(&stage, "saver", &once_in_vain(&stage)));
    let config = config(&stage, &[("saver", json!({"timeout_seconds": 1}))]);
    let restarts = Restarts {
        first: Duration::from_secs(2),
        longest: Duration::from_secs(2),
        ..config.restarts
    };
    let runner = stage.runner_with(Config { restarts, ..config }).await;
    stage.until_it_answers().await;
    all_run(&stage).await;
    for id in ["crashes", "waits"] {
        send(&stage, event(id), None).await.expect("accepted");
    }
    let outcomes = wait_for(SOON, "both are reported", async || {
        Some(outcomes(&stage).await).filter(|outcomes| outcomes.len() == 2)
    })
    .await;
    runner.stop().await;
    let waited = outcomes
        .iter()
        .find(|outcome| outcome.id.as_str() == "waits")
        .expect("it is reported");
    let handler = &waited.handlers[0];
    assert!(handler.result.succeeded, "{outcomes:?}");
    let within = handler.within_ms.expect("it was asked");
    assert!(within <= 1_000, "{within} ms are more than its own");
}

#[tokio::test]
async fn e3_a_time_out_of_ages_is_no_more_than_the_event_has() {
    let stage = Stage::set().await;
    stage.plugin("saver.py", &handler(&stage, "saver", SUCCESS));
    let terms = json!({"timeout_seconds": 1e18});
    let runner = stage.runner_with(config(&stage, &[("saver", terms)])).await;
    stage.until_it_answers().await;
    all_run(&stage).await;
    send(&stage, event("e1"), None).await.expect("accepted");
    let outcome = wait_for(SOON, "it is reported", async || outcomes(&stage).await.pop()).await;
    runner.stop().await;
    assert!(outcome.handlers[0].result.succeeded, "{outcome:?}");
}

#[tokio::test]
async fn e3_what_an_event_waits_for_its_turn_is_none_of_its_handlers_time() {
    let stage = Stage::set().await;
    // All of them take longer than one of them may.
    let slow = format!("(linger(0.4), {SUCCESS})[1]");
    stage.plugin("saver.py", &handler(&stage, "saver", &slow));
    let terms = json!({"timeout_seconds": 2});
    let runner = stage.runner_with(config(&stage, &[("saver", terms)])).await;
    stage.until_it_answers().await;
    all_run(&stage).await;
    for number in 1..=8 {
        send(&stage, event(&format!("e{number}")), None)
            .await
            .expect("accepted");
    }
    let outcomes = wait_for(SOON, "all is reported", async || {
        Some(outcomes(&stage).await).filter(|outcomes| outcomes.len() == 8)
    })
    .await;
    runner.stop().await;
    assert!(
        outcomes
            .iter()
            .all(|outcome| outcome.handlers[0].result.succeeded),
        "{outcomes:?}"
    );
}
