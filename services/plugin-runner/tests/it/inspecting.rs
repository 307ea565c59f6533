//! What people are told of plugins when they ask, over a real bus.

use crate::stage::{SOON, Stage, python_plugin};
use serde::de::DeserializeOwned;
use snooze_bus::{Bus, RequestError, Role, RunnerVerb, User};
use snooze_schemas::{
    ErrorCode, Message, PluginName,
    metrics::Metrics,
    plugin::inspection::{CheckPlugins, Limit, PluginChecks, PluginLog, ReadLog, ReadStats, StatsReport},
    verdict::VoteState,
};
use snooze_test_harness::wait_until;

/// Idle while the processor is; complains of every question, and loudly of some.
const WATCHER: &str = r#"{"is_idle": metrics["cpu_usage"] < 5, "details": {"cpu": metrics["cpu_usage"]}} if not print("asked about", metrics["cpu_usage"], file=sys.stderr, flush=True) else {}"#;

struct Operator {
    bus: Bus,
}

impl Operator {
    async fn of(stage: &Stage) -> Operator {
        let operator = User::named(Role::Operator, "ann").expect("a name");
        Operator {
            bus: stage.server.bus(&operator).await,
        }
    }

    async fn ask<M: Message, R: DeserializeOwned>(
        &self,
        stage: &Stage,
        verb: RunnerVerb,
        question: &M,
    ) -> Result<R, ErrorCode> {
        let answer = self.bus.request(&stage.verb(verb), question, SOON).await;
        answer.map_err(|error| match error {
            RequestError::Refused { source, .. } => source.code,
            other => panic!("{verb}: {other}"),
        })
    }
}

fn name(text: &str) -> PluginName {
    text.parse().expect("a name")
}

#[tokio::test]
async fn plugins_say_what_they_think_of_made_up_readings_and_their_votes_stand() {
    let mut stage = Stage::set().await;
    stage.plugin("watcher", &python_plugin("watcher", WATCHER));
    stage.plugin("broken", &python_plugin("broken", "1 / 0"));
    let runner = stage.runner().await;
    stage.vote("watcher", VoteState::Idle).await;
    let operator = Operator::of(&stage).await;
    let busy = Metrics {
        cpu_usage: Some(99.0),
        ..Metrics::default()
    };
    let question = CheckPlugins {
        metrics: Some(busy.clone()),
        ..CheckPlugins::default()
    };
    let found: PluginChecks = operator
        .ask(&stage, RunnerVerb::Check, &question)
        .await
        .expect("answered");
    assert_eq!(found.metrics, busy);
    let said: Vec<_> = found
        .results
        .iter()
        .map(|check| (check.plugin.as_str(), check.state))
        .collect();
    assert_eq!(
        said,
        [("broken", VoteState::Unknown), ("watcher", VoteState::Busy)]
    );
    assert!(!found.results[0].reason.is_empty(), "{found:?}");
    assert_eq!(found.results[1].details["cpu"], 99.0);
    // The runs go on as if nobody had asked.
    let verdict = stage
        .verdict("the watcher reaches the naptime", |verdict| {
            verdict
                .votes
                .iter()
                .any(|vote| vote.voter.as_str() == "watcher" && vote.idle_ms >= 600)
        })
        .await;
    let seen = verdict
        .votes
        .iter()
        .filter(|vote| vote.voter.as_str() == "watcher");
    assert!(seen.into_iter().all(|vote| vote.state == VoteState::Idle));
    runner.stop().await;
}

#[tokio::test]
async fn without_readings_of_ones_own_plugins_are_asked_about_the_newest_sample() {
    let mut stage = Stage::set().await;
    stage.plugin("watcher", &python_plugin("watcher", WATCHER));
    let runner = stage.runner().await;
    stage.collector.cpu(Some(7.0));
    stage.vote("watcher", VoteState::Busy).await;
    let operator = Operator::of(&stage).await;
    let question = CheckPlugins {
        plugin: Some(name("watcher")),
        metrics: None,
    };
    let found: PluginChecks = operator
        .ask(&stage, RunnerVerb::Check, &question)
        .await
        .expect("answered");
    assert_eq!(found.metrics.cpu_usage, Some(7.0));
    assert_eq!(found.results[0].state, VoteState::Busy);
    runner.stop().await;
}

/// Asks about a processor at 99 %.
async fn check_by_hand(operator: &Operator, stage: &Stage) -> PluginChecks {
    let question = CheckPlugins {
        metrics: Some(Metrics {
            cpu_usage: Some(99.0),
            ..Metrics::default()
        }),
        ..CheckPlugins::default()
    };
    let checks = operator.ask(stage, RunnerVerb::Check, &question).await;
    checks.expect("answered")
}

async fn stats_of(operator: &Operator, stage: &Stage) -> snooze_schemas::host::PluginStats {
    let report: StatsReport = operator
        .ask(stage, RunnerVerb::Stats, &ReadStats::default())
        .await
        .expect("answered");
    report.plugins[0].stats.clone()
}

#[tokio::test]
async fn who_is_asked_by_hand_has_as_long_as_for_its_vote() {
    let mut stage = Stage::set().await;
    stage
        .policy(serde_json::json!({"plugin_timeout_seconds": 0.7}))
        .await;
    let hangs = r#"linger(3600) if metrics["cpu_usage"] == 99 else {"is_idle": True}"#;
    stage.plugin("watcher", &python_plugin("watcher", hangs));
    let runner = stage.runner().await;
    stage.vote("watcher", VoteState::Idle).await;
    let operator = Operator::of(&stage).await;
    let found = check_by_hand(&operator, &stage).await;
    assert_eq!(found.results[0].reason, "it did not answer within 700 ms");
    runner.stop().await;
}

#[tokio::test]
async fn who_is_busy_when_it_is_asked_by_hand_is_neither_ended_nor_blamed() {
    let mut stage = Stage::set().await;
    stage
        .policy(serde_json::json!({"plugin_timeout_seconds": 9.8}))
        .await;
    let (began, go) = (stage.file("began"), stage.file("go"));
    let waits = format!(
        r#"{{"is_idle": True}} if metrics["cpu_usage"] != 99 or os.path.exists({go:?}) else open({began:?}, "w").close() or [linger(0.01) for _ in iter(lambda: os.path.exists({go:?}), True)] and {{"is_idle": True}}"#
    );
    stage.plugin("watcher", &python_plugin("watcher", &waits));
    let runner = stage.runner().await;
    stage.vote("watcher", VoteState::Idle).await;
    let operator = Operator::of(&stage).await;
    let first = check_by_hand(&operator, &stage);
    let second = async {
        wait_until(SOON, "it is being asked", async || began.exists()).await;
        let second = check_by_hand(&operator, &stage).await;
        std::fs::write(&go, "").expect("writes");
        second
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!(first.results[0].state, VoteState::Idle);
    assert!(
        second.results[0]
            .reason
            .contains("it was busy with an earlier request"),
        "{second:?}"
    );
    let stats = stats_of(&operator, &stage).await;
    assert_eq!(
        (stats.time_outs, stats.errors, stats.restarts),
        (0, 0, 0),
        "{stats:?}"
    );
    runner.stop().await;
}

#[tokio::test]
async fn the_newest_lines_of_a_plugins_log_are_shown_and_those_of_others_are_not() {
    let mut stage = Stage::set().await;
    stage.plugin("watcher", &python_plugin("watcher", WATCHER));
    stage.plugin("quiet", &python_plugin("quiet", r#"{"is_idle": True}"#));
    let runner = stage.runner().await;
    stage.vote("watcher", VoteState::Idle).await;
    stage.vote("quiet", VoteState::Idle).await;
    let operator = Operator::of(&stage).await;
    let read = async |plugin: &str| {
        let question = ReadLog {
            plugin: name(plugin),
            lines: 2,
        };
        operator
            .ask::<_, PluginLog>(&stage, RunnerVerb::Logs, &question)
            .await
    };
    wait_until(SOON, "two lines are there", async || {
        read("watcher").await.expect("answered").lines.len() == 2
    })
    .await;
    let log = read("watcher").await.expect("answered");
    assert!(
        log.lines.iter().all(|line| line.text.starts_with("asked about")),
        "{log:?}"
    );
    assert!(read("quiet").await.expect("answered").lines.is_empty());
    assert_eq!(
        read("nosuch").await.expect_err("there is none"),
        ErrorCode::NotFound
    );
    runner.stop().await;
}

#[tokio::test]
async fn statistics_tell_calls_latency_and_what_the_processes_hold() {
    let mut stage = Stage::set().await;
    stage.plugin("watcher", &python_plugin("watcher", WATCHER));
    stage.plugin("broken", &python_plugin("broken", "1 / 0"));
    let runner = stage.runner().await;
    stage.vote("watcher", VoteState::Idle).await;
    stage.vote("broken", VoteState::Unknown).await;
    let operator = Operator::of(&stage).await;
    let report: StatsReport = operator
        .ask(&stage, RunnerVerb::Stats, &ReadStats::default())
        .await
        .expect("answered");
    let [broken, watcher] = report.plugins.as_slice() else {
        panic!("two plugins: {report:?}");
    };
    assert!(
        broken.stats.errors >= 1 && broken.stats.last_error.is_some(),
        "{broken:?}"
    );
    assert_eq!(watcher.stats.errors, 0);
    let (latency, usage) = (
        watcher.latency.expect("asked"),
        watcher.usage.as_ref().expect("it runs"),
    );
    assert!(
        0 < latency.p50_us && latency.p50_us <= latency.p99_us,
        "{latency:?}"
    );
    // An interpreter holds some megabytes.
    assert!(
        usage.processes == 1 && usage.memory_bytes > 2_000_000,
        "{usage:?}"
    );
    runner.stop().await;
}

#[tokio::test]
async fn a_plugin_that_nears_a_limit_for_some_time_is_shown_to() {
    let mut stage = Stage::set().await;
    let busy = r#"{"is_idle": True} if config.setdefault("thread", threading.Thread(
        target=lambda: exec("while True: pass"), daemon=True)).ident or config["thread"].start() or True else {}"#;
    stage.plugin("burner", &python_plugin("burner", busy));
    stage.plugin("quiet", &python_plugin("quiet", r#"{"is_idle": True}"#));
    let mut config = stage.config();
    let own = serde_json::json!({"permissions": {"cpu_percent": 20}});
    let own = own.as_object().expect("a map").clone();
    config.plugin_configs.insert("burner".to_owned(), own);
    let runner = stage.runner_with(config).await;
    stage.vote("quiet", VoteState::Idle).await;
    let operator = Operator::of(&stage).await;
    wait_until(SOON, "it is shown", async || {
        let report: Result<StatsReport, _> = operator
            .ask(&stage, RunnerVerb::Stats, &ReadStats::default())
            .await;
        let over = |plugin: &str| {
            let mut reports = report.iter().flat_map(|report| &report.plugins);
            let usage = reports.find(|one| one.plugin.as_str() == plugin)?.usage.clone()?;
            Some(usage.over)
        };
        over("burner") == Some([Limit::CpuPercent].into()) && over("quiet") == Some([].into())
    })
    .await;
    runner.stop().await;
}
