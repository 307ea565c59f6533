//! Preparing, verifying, cancelling, as an executor does it.

use crate::stage::{SOON, Stage, of, python_plugin};
use serde_json::{Value, json};
use snooze_bus::{RequestError, RunnerVerb, Stream};
use snooze_schemas::{
    ErrorCode,
    audit::AuditRecord,
    host::{Action, Cancel, Prepare, PrepareState, Prepared, Verified, Verify},
    verdict::VoteState,
};
use snooze_test_harness::wait_for;
use std::{fs, time::Duration};

const WITHIN: Duration = Duration::from_secs(10);

fn claim(claim: u64) -> Prepare {
    Prepare {
        claim,
        duration_ms: 60_000,
        notice_ms: 50,
        action: Action::Stop,
        reason: "idle for 30 minutes".to_owned(),
    }
}

async fn prepare(stage: &Stage, request: &Prepare) -> Result<Prepared, RequestError> {
    stage
        .executor
        .request(&stage.verb(RunnerVerb::Prepare), request, WITHIN)
        .await
}

/// Polls until the preparation is over.
async fn prepared(stage: &Stage, request: &Prepare) -> Prepared {
    wait_for(SOON, "the preparation is over", async || {
        let prepared = prepare(stage, request).await.ok()?;
        matches!(prepared.state, PrepareState::Done | PrepareState::Failed).then_some(prepared)
    })
    .await
}

async fn verify(stage: &Stage, claim: u64) -> Verified {
    let question = Verify {
        claim,
        nonce: format!("nonce {claim}"),
        prolong_ms: 900_000,
    };
    let verified: Verified = stage
        .executor
        .request(&stage.verb(RunnerVerb::Verify), &question, WITHIN)
        .await
        .expect("an answer");
    assert_eq!((verified.claim, &verified.nonce), (claim, &question.nonce));
    verified
}

async fn cancel(stage: &Stage, claim: u64) -> Result<Value, RequestError> {
    let request = Cancel {
        claim,
        reason: "a lease".to_owned(),
    };
    stage
        .executor
        .request(&stage.verb(RunnerVerb::Cancel), &request, WITHIN)
        .await
}

fn state_of(verified: &Verified, voter: &str) -> (VoteState, VoteState) {
    let vote = of(&verified.verdict, voter).expect("it votes");
    (vote.state, vote.raw)
}

/// A handler that writes what it gets to a file, one line an event.
fn handler(stage: &Stage, result: &str) -> String {
    let file = stage.file("handled");
    python_plugin("handler", r#"{"is_idle": True}"#).replace(
        "    else:\n",
        &format!(
            "    elif method == \"GetSupportedEvents\":\n        result = {{\"events\": [\"snooze.pending\", \"snooze.cancelled\"]}}\n    elif method == \"HandleEvent\":\n        event = request[\"params\"][\"event\"]\n        open({file:?}, \"a\").write(event[\"type\"] + \"\\n\")\n        result = {result}\n    else:\n"
        ),
    )
}

fn handled(stage: &Stage) -> Vec<String> {
    let text = fs::read_to_string(stage.file("handled")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

async fn handled_until(stage: &Stage, expected: &[&str]) {
    let what = format!("the handler got {expected:?}");
    snooze_test_harness::wait_until(SOON, &what, async || handled(stage) == expected).await;
}

#[tokio::test]
async fn p3_a_verification_is_a_look_that_begins_after_the_question() {
    let mut stage = Stage::set().await;
    stage.plugin("quiet.py", &python_plugin("quiet", r#"{"is_idle": True}"#));
    let runner = stage.runner().await;
    stage
        .verdict("it has been idle", |verdict| {
            of(verdict, "quiet").is_some_and(|vote| vote.idle_ms >= 600)
        })
        .await;
    assert_eq!(prepared(&stage, &claim(7)).await.state, PrepareState::Done);
    let verified = verify(&stage, 7).await;
    assert!(verified.prepared);
    for voter in ["cpu", "quiet"] {
        assert_eq!(
            state_of(&verified, voter),
            (VoteState::Idle, VoteState::Idle),
            "{voter}"
        );
        assert!(
            of(&verified.verdict, voter).expect("it votes").idle_ms >= 600,
            "{voter}"
        );
    }
    // What is busy only now shows as raw, whatever has stood until now.
    stage.collector.cpu(Some(80.0));
    let busy = verify(&stage, 7).await;
    assert_eq!(state_of(&busy, "cpu").1, VoteState::Busy);
    assert_eq!(of(&busy.verdict, "cpu").expect("it votes").idle_ms, 0);
    assert!(
        busy.verdict.seq > verified.verdict.seq,
        "no verdict's number comes twice"
    );
    runner.stop().await;
}

#[tokio::test]
async fn p3_without_this_claims_preparation_nothing_is_idle() {
    let mut stage = Stage::set().await;
    let runner = stage.runner().await;
    stage.vote("cpu", VoteState::Idle).await;
    let unprepared = verify(&stage, 7).await;
    prepared(&stage, &claim(7)).await;
    let another = verify(&stage, 6).await;
    cancel(&stage, 7).await.expect("it is cancelled");
    let cancelled = verify(&stage, 7).await;
    for verified in [unprepared, another, cancelled] {
        assert!(!verified.prepared);
        for vote in &verified.verdict.votes {
            assert_eq!(
                (vote.state, vote.raw, vote.idle_ms),
                (VoteState::Unknown, VoteState::Unknown, 0),
                "{vote:?}"
            );
        }
    }
    runner.stop().await;
}

#[tokio::test]
async fn p3_an_idle_answer_prolongs_the_preparation_and_no_other_does() {
    let mut stage = Stage::set().await;
    let runner = stage.runner().await;
    stage.vote("cpu", VoteState::Idle).await;
    let short = Prepare {
        duration_ms: 2_500,
        ..claim(7)
    };
    prepared(&stage, &short).await;
    assert!(verify(&stage, 7).await.prepared);
    let journal = || fs::read_to_string(stage.state().join("prepare.json")).expect("a journal");
    let until = |text: &str| -> u64 {
        let journal: Value = serde_json::from_str(text).expect("JSON");
        journal["current"]["expires_boottime_ms"]
            .as_u64()
            .expect("a time")
    };
    let prolonged = until(&journal());
    assert!(prolonged > snooze_service_runtime::Clocks::real().boottime_ms() + 600_000);
    let short = Prepare {
        duration_ms: 3_000,
        ..claim(8)
    };
    prepared(&stage, &short).await;
    let before = until(&journal());
    stage.collector.cpu(Some(80.0));
    verify(&stage, 8).await;
    assert_eq!(until(&journal()), before);
    runner.stop().await;
}

#[tokio::test]
async fn s3_a_collector_that_does_not_answer_makes_the_look_unknown() {
    let mut stage = Stage::set().await;
    let runner = stage.runner().await;
    stage.vote("cpu", VoteState::Idle).await;
    prepared(&stage, &claim(7)).await;
    let bus = stage.server.bus(&snooze_bus::User::host(&stage.host)).await;
    let elsewhere =
        crate::collector::Collector::start(bus, "other".parse().expect("a host id"), String::new());
    drop(std::mem::replace(&mut stage.collector, elsewhere.await));
    let verified = verify(&stage, 7).await;
    assert_eq!(state_of(&verified, "cpu").1, VoteState::Unknown);
    runner.stop().await;
}

#[tokio::test]
async fn p7_a_lower_claim_is_refused_also_by_the_next_runner() {
    let stage = Stage::set().await;
    let runner = stage.runner().await;
    stage.until_it_answers().await;
    prepared(&stage, &claim(7)).await;
    let refused = prepare(&stage, &claim(6)).await.expect_err("refused");
    assert_eq!(
        refused.refusal().expect("by the runner").code,
        ErrorCode::Conflict
    );
    runner.stop().await;
    let runner = stage.runner().await;
    stage.until_it_answers().await;
    let refused = [
        prepare(&stage, &claim(6)).await.map(drop),
        cancel(&stage, 6).await.map(drop),
    ];
    for refused in refused {
        assert_eq!(
            refused
                .expect_err("refused")
                .refusal()
                .expect("by the runner")
                .code,
            ErrorCode::Conflict
        );
    }
    assert_eq!(
        prepared(&stage, &claim(7)).await.state,
        PrepareState::Done,
        "a restart alone undoes nothing"
    );
    assert!(verify(&stage, 7).await.prepared);
    runner.stop().await;
}

#[tokio::test]
async fn p7_a_cancelled_preparation_is_undone_and_plugins_are_told_once() {
    let stage = Stage::set().await;
    stage.plugin(
        "handler.py",
        &handler(&stage, r#"{"handled": True, "succeeded": True}"#),
    );
    let runner = stage.runner().await;
    stage.until_it_answers().await;
    assert_eq!(prepared(&stage, &claim(7)).await.state, PrepareState::Done);
    assert_eq!(handled(&stage), ["snooze.pending"]);
    cancel(&stage, 7).await.expect("it is cancelled");
    cancel(&stage, 7).await.expect("it still is");
    handled_until(&stage, &["snooze.pending", "snooze.cancelled"]).await;
    assert_eq!(
        prepared(&stage, &claim(7)).await.state,
        PrepareState::Failed,
        "a late poll revives nothing"
    );
    assert_eq!(handled(&stage).len(), 2);
    runner.stop().await;
}

#[tokio::test]
async fn p7_a_preparation_is_undone_when_its_time_runs_out() {
    let stage = Stage::set().await;
    stage.plugin(
        "handler.py",
        &handler(&stage, r#"{"handled": True, "succeeded": True}"#),
    );
    let runner = stage.runner().await;
    stage.until_it_answers().await;
    prepared(
        &stage,
        &Prepare {
            duration_ms: 3_000,
            ..claim(7)
        },
    )
    .await;
    handled_until(&stage, &["snooze.pending", "snooze.cancelled"]).await;
    assert!(!verify(&stage, 7).await.prepared);
    runner.stop().await;
}

#[tokio::test]
async fn p7_a_preparation_is_undone_under_another_boot_id() {
    let stage = Stage::set().await;
    stage.plugin(
        "handler.py",
        &handler(&stage, r#"{"handled": True, "succeeded": True}"#),
    );
    let runner = stage.runner().await;
    stage.until_it_answers().await;
    prepared(&stage, &claim(7)).await;
    runner.stop().await;
    let mut config = stage.config();
    config.boot_id = "11111111-1111-1111-1111-111111111111".to_owned();
    let runner = stage.runner_with(config).await;
    stage.until_it_answers().await;
    handled_until(&stage, &["snooze.pending", "snooze.cancelled"]).await;
    assert!(!verify(&stage, 7).await.prepared);
    runner.stop().await;
}

#[tokio::test]
async fn s13_a_handler_that_fails_before_a_stop_fails_the_preparation() {
    for (result, expected) in [
        (
            r#"{"handled": True, "succeeded": False, "message": "disk full"}"#,
            "disk full",
        ),
        ("linger(3600)", "did not answer"),
        ("os._exit(1)", "stdout"),
    ] {
        let stage = Stage::set().await;
        stage.policy(json!({"pre_snooze_seconds": 1})).await;
        stage.plugin("handler.py", &handler(&stage, result));
        let runner = stage.runner().await;
        stage.until_it_answers().await;
        // The plugin has to be there; one that is not has nothing to do before a stop.
        handled_after_start(&stage).await;
        let prepared = prepared(&stage, &claim(7)).await;
        assert_eq!(prepared.state, PrepareState::Failed, "{result}");
        assert!(
            prepared.message.contains(expected),
            "{result}: {}",
            prepared.message
        );
        assert!(!verify(&stage, 7).await.prepared);
        runner.stop().await;
    }
}

async fn handled_after_start(stage: &Stage) {
    let subject = stage.verb(RunnerVerb::Plugins);
    let question = snooze_schemas::host::ListPlugins::default();
    wait_for(SOON, "the plugin runs", async || {
        let list: snooze_schemas::host::PluginList = stage
            .administrator
            .request(&subject, &question, WITHIN)
            .await
            .ok()?;
        list.plugins
            .iter()
            .all(|plugin| plugin.state == "running")
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn s23_the_outcome_of_pre_snooze_work_is_in_the_audit_trail() {
    let stage = Stage::set().await;
    stage.plugin(
        "handler.py",
        &handler(
            &stage,
            r#"{"handled": True, "succeeded": True, "message": "saved"}"#,
        ),
    );
    let runner = stage.runner().await;
    stage.until_it_answers().await;
    handled_after_start(&stage).await;
    prepared(&stage, &claim(7)).await;
    let scope = snooze_schemas::event::Scope::Host(stage.host.clone());
    let filter = snooze_bus::SubjectFilter::AuditOf(scope);
    let record = wait_for(SOON, "the outcome is filed", async || {
        let trail = stage
            .executor
            .history::<AuditRecord>(Stream::Audit, &filter, 10)
            .await
            .ok()?;
        trail.into_iter().next().map(|stored| stored.message)
    })
    .await;
    assert_eq!(record.details["type"], "snooze.pending");
    assert_eq!(record.details["handlers"][0]["message"], "saved");
    runner.stop().await;
}
