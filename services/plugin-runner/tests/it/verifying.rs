//! Verifying, as an executor does it: a look that begins after the question.

use crate::{
    preparing::{WITHIN, cancel, claim, prepared, verify},
    stage::{SOON, Stage, of, python_plugin},
};
use serde_json::{Value, json};
use snooze_bus::RunnerVerb;
use snooze_schemas::{
    host::{Prepare, PrepareState, Verified},
    plugin::management::ReloadPlugins,
    verdict::VoteState,
};
use snooze_test_harness::wait_until;
use std::fs;

fn state_of(verified: &Verified, voter: &str) -> (VoteState, VoteState) {
    let vote = of(&verified.verdict, voter).expect("it votes");
    (vote.state, vote.raw)
}

/// Samples are far apart: for the rest of the test none comes by itself, and no plugin is asked by itself.
async fn between_two_samples(stage: &mut Stage, voter: &str) {
    let slow = json!({"check_interval_seconds": 600, "plugin_timeout_seconds": 5});
    stage.policy(slow).await;
    stage
        .verdict("it has been idle under that policy", |verdict| {
            verdict.policy_revision == "2/0/0" && of(verdict, voter).is_some_and(|vote| vote.idle_ms >= 600)
        })
        .await;
    stage.collector.rest();
    assert_eq!(prepared(stage, &claim(7)).await.state, PrepareState::Done);
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
async fn p3_the_age_in_an_answer_is_that_of_the_sample_taken_for_it() {
    let mut stage = Stage::set().await;
    let runner = stage.runner().await;
    between_two_samples(&mut stage, "cpu").await;
    let clocks = snooze_service_runtime::Clocks::real();
    let asked_at = clocks.boottime_ms();
    let verified = verify(&stage, 7).await;
    let passed = clocks.boottime_ms() - asked_at;
    let age = verified.verdict.sample_age_ms;
    assert!(
        age <= passed,
        "a sample {age} ms old answers a question that is {passed} ms old"
    );
    assert!(
        age >= 150,
        "{age} ms is not the age of the beginning of a window of 200 ms"
    );
    assert_eq!(state_of(&verified, "cpu"), (VoteState::Idle, VoteState::Idle));
    runner.stop().await;
}

#[tokio::test]
async fn p3_a_sample_that_began_before_the_question_answers_nothing_and_breaks_no_run() {
    let mut stage = Stage::set().await;
    let runner = stage.runner().await;
    between_two_samples(&mut stage, "cpu").await;
    stage.collector.be_stale();
    let clocks = snooze_service_runtime::Clocks::real();
    let asked_at = clocks.boottime_ms();
    let verified = verify(&stage, 7).await;
    let passed = clocks.boottime_ms() - asked_at;
    assert_eq!(state_of(&verified, "cpu").1, VoteState::Unknown);
    let reason = &of(&verified.verdict, "cpu").expect("it votes").reason;
    assert!(reason.contains("not of the time after the question"), "{reason}");
    assert!(
        verified.verdict.sample_age_ms > passed,
        "the age is that of the last regular sample"
    );
    let subject = stage.verb(RunnerVerb::Plugins);
    let list = snooze_schemas::host::ListPlugins::default();
    let _: Value = stage
        .administrator
        .request(&subject, &list, WITHIN)
        .await
        .expect("the runner lives");
    let runs = fs::read_to_string(stage.runs()).expect("runs are kept");
    let runs: Value = serde_json::from_str(&runs).expect("JSON");
    assert!(
        runs["tally"]["runs"]["voters"]["cpu"]["idle_ms"]
            .as_u64()
            .is_some_and(|idle| idle >= 600),
        "{runs}"
    );
    runner.stop().await;
}

#[tokio::test]
async fn p3_a_plugin_is_asked_anew_for_a_verification() {
    let mut stage = Stage::set().await;
    let flag = stage.file("client");
    let answer = format!(r#"{{"is_idle": not os.path.exists({flag:?}), "reason": "a client"}}"#);
    stage.plugin("quiet.py", &python_plugin("quiet", &answer));
    let runner = stage.runner().await;
    between_two_samples(&mut stage, "quiet").await;
    fs::write(&flag, "").expect("writes");
    let verified = verify(&stage, 7).await;
    let quiet = of(&verified.verdict, "quiet").expect("it votes");
    assert_eq!((quiet.raw, quiet.idle_ms), (VoteState::Busy, 0));
    assert_eq!(state_of(&verified, "cpu").1, VoteState::Idle);
    runner.stop().await;
}

#[tokio::test]
async fn t3_what_one_said_that_was_started_anew_during_the_look_is_no_answer() {
    let mut stage = Stage::set().await;
    let (hold, asked, go) = (stage.file("hold"), stage.file("asked"), stage.file("go"));
    stage.plugin("quick.py", &python_plugin("quick", r#"{"is_idle": True}"#));
    let waits = format!(
        r#"{{"is_idle": True}} if not os.path.exists({hold:?}) else open({asked:?}, "w").close() or [linger(0.01) for _ in iter(lambda: os.path.exists({go:?}), True)] and {{"is_idle": True}}"#
    );
    stage.plugin("slow.py", &python_plugin("slow", &waits));
    let runner = stage.runner().await;
    between_two_samples(&mut stage, "quick").await;
    fs::write(&hold, "").expect("writes");
    let look = verify(&stage, 7);
    let meanwhile = async {
        wait_until(SOON, "the slow one is asked", async || asked.exists()).await;
        let plugin = Some("quick".parse().expect("a name"));
        let reloaded: Value = stage
            .administrator
            .request(&stage.verb(RunnerVerb::Reload), &ReloadPlugins { plugin }, WITHIN)
            .await
            .expect("it is there");
        assert!(reloaded["plugins"].is_array(), "{reloaded}");
        fs::write(&go, "").expect("writes");
    };
    let (verified, ()) = tokio::join!(look, meanwhile);
    assert_eq!(state_of(&verified, "slow").1, VoteState::Idle);
    let quick = of(&verified.verdict, "quick").expect("it is unknown, and not absent");
    assert_eq!((quick.raw, quick.idle_ms), (VoteState::Unknown, 0), "{quick:?}");
    assert!(verified.prepared);
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
