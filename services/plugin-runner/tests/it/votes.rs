//! Votes over time, as those see them who listen on the bus.

use crate::stage::{SOON, Stage, of};
use serde_json::json;
use snooze_bus::{Subject, User};
use snooze_plugin_runner::RunnerError;
use snooze_schemas::{
    sample::Sample,
    verdict::{Verdict, VoteState},
};
use snooze_service_runtime::CancellationToken;
use snooze_test_harness::wait_for;
use std::{collections::BTreeMap, time::Duration};

#[tokio::test]
async fn i2_a_verdict_says_which_boot_which_runner_and_under_which_policy() {
    let mut stage = Stage::set().await;
    let runner = stage.runner().await;
    let first = stage
        .verdict("the policy is the bus's", |verdict| {
            verdict.policy_revision == "1/0/0"
        })
        .await;
    assert_eq!(first.boot_id, stage.boot_id);
    stage.collector.cpu(Some(99.0));
    let second = stage
        .verdict("something changed", |verdict| verdict.seq > first.seq)
        .await;
    assert_eq!(second.agent, first.agent);
    runner.stop().await;
    let runner = stage.runner().await;
    let other = stage
        .verdict("another runner speaks", |verdict| verdict.agent != first.agent)
        .await;
    assert_eq!(other.host, stage.host);
    runner.stop().await;
}

#[tokio::test]
async fn t6_a_change_the_naptime_and_a_heartbeat_are_what_is_published() {
    let mut stage = Stage::set().await;
    stage.policy(json!({"heartbeat_seconds": 3})).await;
    let runner = stage.runner().await;
    stage.vote("cpu", VoteState::Idle).await;
    let mut before = stage
        .verdict("the run reached the naptime", |verdict| {
            of(verdict, "cpu").is_some_and(|vote| vote.idle_ms >= 600)
        })
        .await;
    // Ten samples a second change figures all the time; none of that is a verdict. What changed on a machine that
    // was busy for a moment, as a sample that came late, is one.
    let shape = |verdict: &Verdict| {
        let votes = verdict.votes.iter();
        let votes = votes.map(|vote| (vote.voter.clone(), vote.state, vote.raw, vote.idle_ms >= 600));
        votes.collect::<Vec<_>>()
    };
    let distance = loop {
        let next = stage.verdict("it is the next one", |_| true).await;
        assert_eq!(next.seq, before.seq + 1);
        if shape(&next) == shape(&before) {
            break next.uptime_ms - before.uptime_ms;
        }
        before = next;
    };
    assert!(distance >= 2_900, "the heartbeat came after {distance} ms");
    stage.collector.cpu(Some(50.0));
    let busy = stage.vote("cpu", VoteState::Busy).await;
    assert_eq!(busy.idle_ms, 0);
    runner.stop().await;
}

#[tokio::test]
async fn s2_an_unreadable_sensor_is_unknown_and_breaks_the_run() {
    let mut stage = Stage::set().await;
    let runner = stage.runner().await;
    stage.vote("cpu", VoteState::Idle).await;
    stage.collector.cpu(None);
    let vote = stage.vote("cpu", VoteState::Unknown).await;
    assert!(vote.reason.contains("the sensor is gone"), "{}", vote.reason);
    stage.collector.cpu(Some(1.0));
    let again = stage.vote("cpu", VoteState::Idle).await;
    assert!(again.idle_ms < 500, "the run began anew: {}", again.idle_ms);
    runner.stop().await;
}

#[tokio::test]
async fn a_denial_ends_the_runner_with_an_error() {
    let stage = Stage::set().await;
    let stranger = "h2".parse().expect("a host id");
    let bus = stage.server.bus(&User::host(&stranger)).await;
    let run = snooze_plugin_runner::run(stage.config(), bus, CancellationToken::new());
    let ended = tokio::time::timeout(SOON, run).await.expect("it ends by itself");
    let error = ended.expect_err("with an error");
    assert!(matches!(error, RunnerError::Denied(_)), "{error}");
}

#[tokio::test]
async fn t3_a_threshold_that_is_changed_on_the_bus_breaks_the_run() {
    let mut stage = Stage::set().await;
    let runner = stage.runner().await;
    stage
        .verdict("it has been idle", |verdict| {
            of(verdict, "cpu").is_some_and(|vote| vote.idle_ms >= 600)
        })
        .await;
    stage
        .policy(json!({"cpu_threshold_percent": 20, "heartbeat_seconds": 0.2}))
        .await;
    let changed = stage
        .verdict("the policy is the second", |verdict| {
            verdict.policy_revision == "2/0/0"
        })
        .await;
    let next = stage
        .verdict("a sample came under it", |verdict| {
            of(verdict, "cpu").is_some_and(|vote| vote.evidence["threshold"] == 20.0)
        })
        .await;
    let passed = next.uptime_ms - changed.uptime_ms;
    let idle_ms = of(&next, "cpu").expect("it votes").idle_ms;
    assert!(
        idle_ms <= passed + 500,
        "{idle_ms} ms of idleness {passed} ms after the change"
    );
    runner.stop().await;
}

#[tokio::test]
async fn i2_two_collectors_under_one_id_make_nobody_idle_and_that_is_said() {
    let mut stage = Stage::set().await;
    let runner = stage.runner().await;
    stage.vote("cpu", VoteState::Idle).await;
    let bus = stage.server.bus(&User::host(&stage.host)).await;
    let second = crate::collector::Collector::start(bus, stage.host.clone(), stage.boot_id.clone()).await;
    let vote = stage.vote("cpu", VoteState::Unknown).await;
    assert!(vote.reason.contains("two collectors"), "{}", vote.reason);
    drop(second);
    stage.vote("cpu", VoteState::Idle).await;
    runner.stop().await;
}

#[tokio::test]
async fn i2_a_sample_of_another_boot_makes_nobody_idle_and_that_is_said() {
    let mut stage = Stage::set().await;
    let runner = stage.runner().await;
    stage.vote("cpu", VoteState::Idle).await;
    let bus = stage.server.bus(&User::host(&stage.host)).await;
    let clone = Sample {
        host: stage.host.clone(),
        boot_id: "00000000-0000-0000-0000-000000000000".to_owned(),
        agent: "clone".to_owned(),
        seq: 1,
        taken_at: snooze_schemas::Timestamp::UNIX_EPOCH,
        covers_ms: 1,
        ends_monotonic_ms: 1,
        ends_boottime_ms: 1,
        readings: BTreeMap::new(),
        gpus: Vec::new(),
    };
    let subject = Subject::Metrics(stage.host.clone());
    let vote = wait_for(SOON, "the runner objects", async || {
        bus.publish(&subject, &clone).await.expect("the sample goes");
        let vote =
            tokio::time::timeout(Duration::from_millis(500), stage.vote("cpu", VoteState::Unknown)).await;
        vote.ok()
    })
    .await;
    assert!(vote.reason.contains("another boot"), "{}", vote.reason);
    runner.stop().await;
}

#[tokio::test]
async fn s3_without_samples_nothing_stays_idle() {
    let mut stage = Stage::set().await;
    let runner = stage.runner().await;
    stage.vote("cpu", VoteState::Idle).await;
    let bus = stage.server.bus(&User::host(&stage.host)).await;
    let silent = crate::collector::Collector::start(bus, "other".parse().expect("a host id"), String::new());
    drop(std::mem::replace(&mut stage.collector, silent.await));
    let vote = stage.vote("cpu", VoteState::Unknown).await;
    assert!(vote.reason.contains("old"), "{}", vote.reason);
    runner.stop().await;
}
