//! Runs of idleness over what is away for a moment: samples, the broker, plugins on the bus, the runner.

use crate::stage::{SOON, Stage, of, python_plugin};
use serde_json::{Value, json};
use snooze_bus::{Bus, RunnerVerb, SubjectFilter, User};
use snooze_schemas::{
    host::{ListPlugins, PluginList},
    verdict::{Verdict, VoteState},
};
use snooze_test_harness::wait_until;
use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// A plugin `remote` on the bus that is idle, or one that hears questions and does not answer.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Answers,
    Silent,
}

/// Ends with the task.
async fn remote(
    bus: Bus,
    stage: &Stage,
    manner: Manner,
    asked: Arc<AtomicUsize>,
) -> tokio::task::JoinHandle<()> {
    let filter = SubjectFilter::PluginOnHost {
        host: stage.host.clone(),
        plugin: "remote".parse().expect("a name"),
    };
    let mut questions = bus.subscribe(&filter, None).await.expect("it listens");
    tokio::spawn(async move {
        while let Some(question) = questions.next().await {
            asked.fetch_add(1, Ordering::SeqCst);
            if manner == Manner::Answers {
                let idle = json!({"is_idle": true, "events": []});
                question.answer_bare(&idle).await.expect("the answer goes");
            }
        }
    })
}

#[tokio::test]
async fn t2_a_plugin_on_the_bus_that_comes_back_after_the_runner_keeps_its_run() {
    let mut stage = Stage::set().await;
    // An answer counts for two intervals and more; plugins are asked at every sample all the same.
    let policy = json!({"check_interval_seconds": 60, "heartbeat_seconds": 0.2});
    stage.layer(policy, json!({"remote": {"enabled": true}})).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let bus = stage.server.bus(&User::host(&stage.host)).await;
    let plugin = remote(bus.clone(), &stage, Manner::Answers, asked.clone()).await;
    let runner = stage.runner().await;
    let idle_ms = |verdict: &Verdict| of(verdict, "remote").map_or(0, |vote| vote.idle_ms);
    let before = stage
        .verdict("it has been idle", |verdict| idle_ms(verdict) >= 500)
        .await;
    // A question is open when the broker dies, and nobody answers the first ones when it is back.
    plugin.abort();
    asked.store(0, Ordering::SeqCst);
    let silent = remote(bus, &stage, Manner::Silent, asked.clone()).await;
    wait_until(SOON, "it is asked", async || asked.load(Ordering::SeqCst) >= 1).await;
    stage.server.kill();
    silent.abort();
    stage.server.restart().await;
    let subject = stage.verb(RunnerVerb::Plugins);
    wait_until(SOON, "it was missed", async || {
        let list: Option<PluginList> = stage
            .administrator
            .request(&subject, &ListPlugins::default(), Duration::from_secs(5))
            .await
            .ok();
        let error = list.and_then(|list| list.plugins.into_iter().next()?.stats.last_error);
        error.is_some_and(|error| error.contains("nobody answers"))
    })
    .await;
    let bus = stage.server.bus(&User::host(&stage.host)).await;
    asked.store(0, Ordering::SeqCst);
    let plugin = remote(bus, &stage, Manner::Answers, asked.clone()).await;
    wait_until(SOON, "it is asked again", async || {
        asked.load(Ordering::SeqCst) >= 3
    })
    .await;
    let since = snooze_service_runtime::Clocks::real().boottime_ms();
    let after = stage
        .verdict("it has answered", |verdict| verdict.uptime_ms >= since)
        .await;
    let (passed, grown) = (
        after.uptime_ms - before.uptime_ms,
        idle_ms(&after).saturating_sub(idle_ms(&before)),
    );
    assert!(grown > passed / 2, "it grew by {grown} ms in {passed} ms");
    plugin.abort();
    runner.stop().await;
}

#[tokio::test]
async fn t2_samples_that_reach_nobody_are_asked_for_and_no_run_breaks() {
    let mut stage = Stage::set().await;
    stage
        .policy(json!({"naptime_minutes": 0.05, "heartbeat_seconds": 0.2}))
        .await;
    let runner = stage.runner().await;
    let idle = |verdict: &Verdict| of(verdict, "cpu").map_or(0, |vote| vote.idle_ms);
    let before = stage.verdict("the CPU is idle for a while", |verdict| idle(verdict) > 500);
    let before = before.await;
    stage.collector.lose(3);
    wait_until(SOON, "they are lost", async || stage.collector.has_lost_all()).await;
    let after = stage
        .verdict("a second has passed", |verdict| {
            verdict.uptime_ms >= before.uptime_ms + 1_000
        })
        .await;
    let passed = after.uptime_ms - before.uptime_ms;
    let grown = idle(&after).saturating_sub(idle(&before));
    assert!(grown > passed / 2, "it grew by {grown} ms in {passed} ms");
    runner.stop().await;
}

#[tokio::test]
async fn t2_a_brokers_blip_resets_nobodys_naptime() {
    let mut stage = Stage::set().await;
    let count = stage.file("asked");
    let answer = format!(r#"open({count:?}, "a").write(".") and {{"is_idle": True}}"#);
    stage.plugin("quiet.py", &python_plugin("quiet", &answer));
    stage
        .policy(json!({"naptime_minutes": 0.05, "heartbeat_seconds": 1}))
        .await;
    let runner = stage.runner().await;
    stage.vote("quiet", VoteState::Idle).await;
    let before = stage.verdict("it goes on for a while", |verdict| {
        ["cpu", "quiet"]
            .iter()
            .all(|voter| of(verdict, voter).is_some_and(|vote| vote.idle_ms > 1_000))
    });
    let before = before.await;
    let asked = || fs::read(&count).map_or(0, |marks| marks.len());
    stage.server.kill();
    let until = asked() + 10;
    wait_until(
        SOON,
        "the plugin is asked all the same, again and again",
        async || asked() >= until,
    )
    .await;
    stage.server.restart().await;
    let after = stage
        .verdict("both are idle again", |verdict| {
            ["cpu", "quiet"]
                .iter()
                .all(|voter| of(verdict, voter).is_some_and(|vote| vote.state == VoteState::Idle))
        })
        .await;
    let passed = after.uptime_ms - before.uptime_ms;
    for voter in ["cpu", "quiet"] {
        let idle = |verdict| of(verdict, voter).expect("it votes").idle_ms;
        let grown = idle(&after) - idle(&before);
        assert!(
            grown > passed / 2 && grown <= passed + 500,
            "{voter} grew by {grown} ms in {passed} ms"
        );
    }
    runner.stop().await;
}

#[tokio::test]
async fn t4_a_quick_restart_of_the_runner_costs_no_naptime() {
    let mut stage = Stage::set().await;
    // Room for a restart on a machine that compiles meanwhile: the hole must be below two intervals.
    stage
        .policy(json!({"check_interval_seconds": 5, "heartbeat_seconds": 1}))
        .await;
    let runner = stage.runner().await;
    let before = stage
        .verdict("it has been idle for a second", |verdict| {
            of(verdict, "cpu").is_some_and(|vote| vote.idle_ms > 1_000)
        })
        .await;
    runner.stop().await;
    let runner = stage.runner().await;
    let after = stage
        .verdict("the next runner has votes", |verdict| {
            verdict.agent != before.agent
                && of(verdict, "cpu").is_some_and(|vote| vote.state == VoteState::Idle)
        })
        .await;
    let idle_ms = of(&after, "cpu").expect("it votes").idle_ms;
    assert!(idle_ms > 1_000, "it went on from {idle_ms} ms");
    runner.stop().await;
    // Under another policy nothing goes on.
    stage
        .policy(json!({"check_interval_seconds": 5, "heartbeat_seconds": 2}))
        .await;
    let runner = stage.runner().await;
    let anew = stage
        .verdict("the third runner has votes", |verdict| {
            verdict.agent != after.agent
                && of(verdict, "cpu").is_some_and(|vote| vote.state == VoteState::Idle)
        })
        .await;
    assert!(of(&anew, "cpu").expect("it votes").idle_ms < 1_000);
    runner.stop().await;
}

#[tokio::test]
async fn t4_a_restart_costs_no_naptime_with_plugins_of_other_names_and_of_other_kinds() {
    let mut stage = Stage::set().await;
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins");
    let handler = fs::read_to_string(plugins.join("examples/spot-checkpoint.py")).expect("it is there");
    stage.plugin("spot.py", &handler);
    stage.plugin("quiet.py", &python_plugin("quiet", r#"{"is_idle": True}"#));
    stage
        .policy(json!({"check_interval_seconds": 15, "heartbeat_seconds": 0.5}))
        .await;
    let runner = stage.runner().await;
    let both = ["cpu", "quiet"];
    let idle_ms = |verdict: &Verdict, voter| of(verdict, voter).map_or(0, |vote| vote.idle_ms);
    let before = stage
        .verdict("both have been idle for a second", |verdict| {
            both.iter().all(|voter| idle_ms(verdict, voter) > 1_000)
        })
        .await;
    runner.stop().await;
    let runner = stage.runner().await;
    let after = stage
        .verdict("the next runner has heard both", |verdict| {
            let said = |voter| of(verdict, voter).is_some_and(|vote| vote.state == VoteState::Idle);
            verdict.agent != before.agent && both.iter().all(|voter| said(voter))
        })
        .await;
    for voter in both {
        assert!(
            idle_ms(&after, voter) > idle_ms(&before, voter),
            "{voter}: {after:#?}"
        );
    }
    runner.stop().await;
}

#[tokio::test]
async fn t4_a_run_that_broke_is_broken_for_the_next_runner_before_anybody_hears_of_it() {
    let mut stage = Stage::set().await;
    let flag = stage.file("client");
    let answer = format!(r#"{{"is_idle": not os.path.exists({flag:?})}}"#);
    stage.plugin("quiet.py", &python_plugin("quiet", &answer));
    // No sample comes any more, after which runs would be kept in any case.
    let policy = json!({"check_interval_seconds": 1, "heartbeat_seconds": 0.2});
    stage.policy(policy).await;
    let runner = stage.runner().await;
    stage
        .verdict("it has been idle", |verdict| {
            of(verdict, "quiet").is_some_and(|vote| vote.idle_ms >= 600)
        })
        .await;
    stage.collector.rest();
    fs::write(&flag, "").expect("writes");
    stage.vote("quiet", VoteState::Busy).await;
    let kept = fs::read_to_string(stage.runs()).expect("runs are kept");
    let kept: Value = serde_json::from_str(&kept).expect("JSON");
    assert_eq!(kept["tally"]["runs"]["voters"]["quiet"]["idle"], false, "{kept}");
    runner.stop().await;
}
