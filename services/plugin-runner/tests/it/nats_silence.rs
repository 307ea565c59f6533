//! Plugins on the bus that say nothing to a question, take long, or say a thing twice: none of it counts for them.

use crate::{
    nats_plugins::{configured, listed},
    remote::{METHODS, Remote},
    stage::{SOON, Stage, of},
};
use serde_json::json;
use snooze_bus::RunnerVerb;
use snooze_schemas::{
    host::{PluginList, PluginStats},
    plugin::inspection::{ReadStats, StatsReport},
    verdict::VoteState,
};
use snooze_test_harness::wait_until;
use std::time::Duration;

/// What is counted of the plugin.
async fn counted(stage: &Stage) -> PluginStats {
    let question = ReadStats::default();
    let subject = stage.verb(RunnerVerb::Stats);
    let report = stage
        .administrator
        .request(&subject, &question, Duration::from_secs(15));
    let report: StatsReport = report.await.expect("it is answered");
    report.plugins[0].stats.clone()
}

/// Has the plugin asked only when the test says so, after it was idle, and returns how often it was by then.
async fn asked_at_will(stage: &mut Stage, remote: &Remote) -> u64 {
    stage.vote("remote", VoteState::Idle).await;
    stage.collector.rest();
    // Every sample before this one has been taken when this one is.
    stage.collector.cpu(Some(99.0));
    stage.collector.one_more();
    stage.vote("cpu", VoteState::Busy).await;
    let all = u64::try_from(remote.heard("check_idle").len()).expect("few");
    wait_until(SOON, "all questions are answered", async || {
        counted(stage).await.calls >= all
    })
    .await;
    counted(stage).await.calls
}

#[tokio::test]
async fn s2_a_plugin_on_the_bus_that_dies_is_unknown_within_one_check() {
    // One that is gone is away for the server as well; one whose machine is gone hears, as far as that knows.
    for is_gone in [true, false] {
        let mut stage = Stage::set().await;
        // No sample is missed for so long, and nobody is asked without one.
        let seldom =
            json!({"check_interval_seconds": 3600, "plugin_timeout_seconds": 0.5, "naptime_minutes": 600});
        stage.layer(seldom, json!({"remote": {"enabled": true}})).await;
        let mut remote = Remote::start(&stage, &METHODS).await;
        let runner = stage.runner().await;
        let asked = asked_at_will(&mut stage, &remote).await;
        match is_gone {
            true => remote.listening.shutdown().await,
            false => drop(remote.mute.send_replace(true)),
        }
        stage.collector.one_more();
        let vote = stage.vote("remote", VoteState::Unknown).await;
        assert_eq!((vote.raw, vote.idle_ms), (VoteState::Unknown, 0), "{vote:?}");
        let why = match is_gone {
            true => "nobody answers for it on the bus",
            false => "it did not answer within",
        };
        assert!(vote.reason.contains(why), "{}", vote.reason);
        assert_eq!(counted(&stage).await.calls, asked + 1, "one check was enough");
        runner.stop().await;
    }
}

#[tokio::test]
async fn t3_who_never_listened_to_its_configuration_has_not_consented_to_it() {
    let mut stage = Stage::set().await;
    configured(&stage, json!({"limit": 7})).await;
    let mut remote = Remote::start(&stage, &["check_idle"]).await;
    let runner = stage.runner().await;
    let deaf = stage
        .verdict("it is said that nobody listens", |verdict| {
            of(verdict, "remote").is_some_and(|vote| {
                vote.state == VoteState::Unknown && vote.reason.contains("nobody listens to `configure`")
            })
        })
        .await;
    assert_eq!(of(&deaf, "remote").expect("it votes").idle_ms, 0);
    assert!(remote.heard("check_idle").len() >= 2, "it was there all the time");
    remote.listen("configure").await;
    assert_eq!(
        stage.vote("remote", VoteState::Idle).await.reason,
        r#"{"limit":7}"#
    );
    // Where nothing is left to be taken back, silence says that it has nothing.
    remote.listening.shutdown().await;
    stage.vote("remote", VoteState::Unknown).await;
    configured(&stage, json!({})).await;
    let _another = Remote::start(&stage, &["check_idle"]).await;
    assert_eq!(stage.vote("remote", VoteState::Idle).await.reason, "null");
    runner.stop().await;
}

#[tokio::test]
async fn who_takes_long_to_say_who_it_is_is_slow_and_not_absent_and_keeps_its_configuration() {
    let mut stage = Stage::set().await;
    configured(&stage, json!({"limit": 7})).await;
    let remote = Remote::start(&stage, &METHODS).await;
    let runner = stage.runner().await;
    stage.vote("remote", VoteState::Idle).await;
    let shown = |list: PluginList| {
        (
            list.plugins[0].state.clone(),
            list.plugins[0].info.version.clone(),
        )
    };
    let (running, version) = ("running".to_owned(), "2.0.0".to_owned());
    assert_eq!(shown(listed(&stage).await), (running.clone(), version.clone()));
    let told = remote.heard("configure").len();
    remote.shy.send_replace(true);
    assert_eq!(
        shown(listed(&stage).await),
        ("slow".to_owned(), version.clone()),
        "what it said before is known"
    );
    // It is asked as before, and is told nothing anew because somebody looked.
    let asked = remote.heard("check_idle").len();
    wait_until(SOON, "it is asked again", async || {
        remote.heard("check_idle").len() > asked + 2
    })
    .await;
    assert_eq!(remote.heard("configure").len(), told);
    remote.shy.send_replace(false);
    assert_eq!(shown(listed(&stage).await), (running, version));
    runner.stop().await;
}

#[tokio::test]
async fn s2_an_answer_on_the_bus_that_says_a_thing_twice_is_unknown_and_says_why() {
    let mut stage = Stage::set().await;
    configured(&stage, json!({})).await;
    let remote = Remote::start(&stage, &METHODS).await;
    let runner = stage.runner().await;
    let says = |answer: Option<&[u8]>| {
        *remote.verbatim.lock().expect("no panic") = answer.map(<[u8]>::to_vec);
    };
    for (answer, key) in [
        (&br#"{"is_idle":false,"is_idle":true}"#[..], "is_idle"),
        (&br#"{"is_idle":true,"details":{"a":{"b":1,"b":2}}}"#[..], "b"),
        (&b"\x82\xa7is_idle\xc2\xa7is_idle\xc3"[..], "is_idle"),
        (&b"\x82\xa7is_idle\xc3\xa7details\x82\xa1a\x01\xa1a\x02"[..], "a"),
    ] {
        says(None);
        stage.vote("remote", VoteState::Idle).await;
        says(Some(answer));
        let vote = stage.vote("remote", VoteState::Unknown).await;
        let told = format!("the key {key:?} stands there twice");
        assert!(vote.reason.contains(&told), "{}", vote.reason);
    }
    runner.stop().await;
}
