//! Plugins of both kinds, as votes on the bus.

use crate::stage::{SOON, Stage, of, python_plugin};
use serde_json::{Value, json};
use snooze_bus::{PluginMethod, RunnerVerb, Subject, User};
use snooze_schemas::{
    host::{ListPlugins, PluginList},
    metrics::Metrics,
    plugin::{CheckIdle, Info},
    verdict::{Role, VoteState},
};
use snooze_test_harness::{Process, Redis, python, wait_for, wait_until};
use std::{fs, path::Path, time::Duration};

pub(crate) fn in_tree(path: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../plugins")
        .join(path);
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Where `#!/usr/bin/env python3` finds the interpreter that has the packages that tests need.
fn search_path() -> String {
    let folder = fs::canonicalize(python().parent().expect("a folder")).expect("it exists");
    format!("{}:{}", folder.display(), snooze_plugin_runner::SEARCH_PATH)
}

#[tokio::test]
async fn a_process_votes_and_its_details_are_evidence() {
    let mut stage = Stage::set().await;
    let answer = r#"{"is_idle": metrics["cpu_usage"] < 5, "reason": "cpu " + str(metrics["cpu_usage"]), "details": {"gpu": metrics["gpu_usage"]}}"#;
    stage.plugin("cpu_watcher.py", &python_plugin("another-name", answer));
    let runner = stage.runner().await;
    let vote = stage.vote("cpu-watcher", VoteState::Idle).await;
    assert_eq!((vote.reason.as_str(), vote.role), ("cpu 1.0", Role::Required));
    assert_eq!(vote.evidence["gpu"], Value::Null);
    stage.collector.cpu(Some(7.0));
    assert_eq!(stage.vote("cpu-watcher", VoteState::Busy).await.reason, "cpu 7.0");
    // An unknown reading is null, which this plugin cannot compare: its failure is unknown, not idle.
    stage.collector.cpu(None);
    stage.vote("cpu-watcher", VoteState::Unknown).await;
    runner.stop().await;
}

#[tokio::test]
async fn a_plugin_that_spins_delays_nobody() {
    let mut stage = Stage::set().await;
    stage.plugin(
        "spinner.py",
        &python_plugin("spinner", "[None for _ in iter(int, 1)]"),
    );
    stage.plugin("quiet.py", &python_plugin("quiet", r#"{"is_idle": True}"#));
    let runner = stage.runner().await;
    let verdict = stage
        .verdict("the others reached the naptime while one spins", |verdict| {
            let long = |voter| of(verdict, voter).is_some_and(|vote| vote.idle_ms >= 600);
            long("cpu")
                && long("quiet")
                && of(verdict, "spinner").is_some_and(|vote| vote.state == VoteState::Unknown)
        })
        .await;
    assert!(of(&verdict, "spinner").expect("it votes").idle_ms == 0);
    runner.stop().await;
}

#[tokio::test]
async fn s2_a_plugin_that_crashes_is_unknown_until_it_answers_again() {
    let mut stage = Stage::set().await;
    let flag = stage.file("crash");
    let answer = format!(r#"os._exit(1) if os.path.exists({flag:?}) else {{"is_idle": True}}"#);
    stage.plugin("fragile.py", &python_plugin("fragile", &answer));
    let runner = stage.runner().await;
    stage.vote("fragile", VoteState::Idle).await;
    fs::write(&flag, "").expect("writes");
    stage.vote("fragile", VoteState::Unknown).await;
    fs::remove_file(&flag).expect("removes");
    let again = stage.vote("fragile", VoteState::Idle).await;
    assert!(again.idle_ms < 500);
    runner.stop().await;
}

#[tokio::test]
async fn redis_five_connections_are_busy_fewer_idle_and_a_dead_server_unknown() {
    let mut redis = Redis::start().await;
    let mut stage = Stage::set().await;
    stage.plugin("redis_monitor.py", &in_tree("examples/redis-monitor.py"));
    let mut config = stage.config();
    let own = json!({
        "redis_url": format!("redis://{}", redis.address()), "connection_threshold": 5,
        "permissions": {"tcp": [{"port": redis.address().port()}]},
    });
    config.plugin_configs.insert(
        "redis_monitor".to_owned(),
        own.as_object().expect("a map").clone(),
    );
    config.search_path = search_path();
    let runner = stage.runner_with(config).await;
    stage.vote("redis-monitor", VoteState::Idle).await;
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(
            tokio::net::TcpStream::connect(redis.address())
                .await
                .expect("a client connects"),
        );
    }
    let busy = stage.vote("redis-monitor", VoteState::Busy).await;
    assert_eq!(busy.evidence["connection_count"], 5, "its own connection counts");
    clients.pop();
    stage.vote("redis-monitor", VoteState::Idle).await;
    redis.kill();
    stage.vote("redis-monitor", VoteState::Unknown).await;
    runner.stop().await;
}

#[tokio::test]
async fn a_plugin_on_nats_that_imports_nothing_of_ours_votes() {
    // With roles it would need the package that signs for its credentials, which PyPI has as source only.
    let mut stage = Stage::without_roles().await;
    let file = stage.file("busy");
    let script = stage.file("file-watch-nats.py");
    fs::write(&script, in_tree("examples/file-watch-nats.py")).expect("writes");
    stage
        .layer(
            json!({"heartbeat_seconds": 1}),
            json!({"file-watch": {"enabled": true}}),
        )
        .await;
    let runner = stage.runner().await;
    let absent = stage.vote("file-watch", VoteState::Unknown).await;
    stage
        .verdict("it is said that nobody answers", |verdict| {
            of(verdict, "file-watch").is_some_and(|vote| vote.reason.contains("nobody answers"))
        })
        .await;
    assert_eq!(absent.role, Role::Required);
    let arguments = [
        &script.display().to_string(),
        "h1",
        "file-watch",
        &file.display().to_string(),
    ]
    .map(str::to_owned);
    let environment = [("NATS_URL".to_owned(), stage.server.url().into())].into();
    let log = stage.file("plugin.log");
    let mut plugin =
        Process::start_apart(&python(), &arguments, &environment, &log, &log).expect("python runs");
    stage.vote("file-watch", VoteState::Idle).await;
    fs::write(&file, "").expect("writes");
    stage.vote("file-watch", VoteState::Busy).await;
    plugin.kill();
    stage.vote("file-watch", VoteState::Unknown).await;
    runner.stop().await;
}

#[tokio::test]
async fn t3_a_configuration_from_the_bus_reaches_the_plugin_and_breaks_every_run() {
    let mut stage = Stage::set().await;
    let answer = r#"{"is_idle": True, "reason": str(config.get("limit"))}"#;
    stage.plugin("quiet.py", &python_plugin("quiet", answer));
    let runner = stage.runner().await;
    stage
        .verdict("it has been idle", |verdict| {
            of(verdict, "cpu").is_some_and(|vote| vote.idle_ms >= 600)
        })
        .await;
    stage
        .layer(
            json!({"heartbeat_seconds": 0.2}),
            json!({"quiet": {"config": {"limit": 7}}}),
        )
        .await;
    let told = stage
        .verdict("the plugin was told", |verdict| {
            of(verdict, "quiet").is_some_and(|vote| vote.reason == "7")
        })
        .await;
    assert!(of(&told, "cpu").expect("it votes").idle_ms < 600, "{told:?}");
    runner.stop().await;
}

#[tokio::test]
async fn the_demonstrations_plugins_vote() {
    let mut stage = Stage::set().await;
    for name in ["keep-awake.sh", "load-average.py"] {
        stage.plugin(name, &in_tree(&format!("demonstration/{name}")));
    }
    let mut config = stage.config();
    let own = json!({"permissions": {"run": ["sed"]}});
    let own = own.as_object().expect("a map").clone();
    config.plugin_configs.insert("keep-awake".to_owned(), own);
    let runner = stage.runner_with(config).await;
    stage.vote("keep-awake", VoteState::Idle).await;
    let file = stage.state().join("plugins/keep-awake/keep-awake");
    fs::write(&file, "").expect("writes");
    stage.vote("keep-awake", VoteState::Busy).await;
    fs::remove_file(&file).expect("removes");
    stage.vote("keep-awake", VoteState::Idle).await;
    runner.stop().await;
}

#[tokio::test]
async fn a_process_answers_on_the_bus_like_any_other_plugin() {
    let stage = Stage::set().await;
    stage.plugin(
        "quiet.py",
        &python_plugin("quiet", r#"{"is_idle": True, "reason": "so it is"}"#),
    );
    let runner = stage.runner().await;
    let bus = stage.server.bus(&User::host(&stage.host)).await;
    let subject = |method| Subject::HostPlugin {
        host: stage.host.clone(),
        plugin: "quiet".parse().expect("a name"),
        method,
    };
    let within = Duration::from_secs(2);
    wait_until(SOON, "it answers", async || {
        let said = bus
            .request_bare::<_, Value>(&subject(PluginMethod::Info), &Info {}, within)
            .await;
        said.is_ok_and(|info| info["version"] == "1.2.3")
    })
    .await;
    let question = CheckIdle {
        metrics: Metrics::default(),
        host: None,
    };
    // It has said who it is before it is ready to be asked.
    let said = wait_for(SOON, "it says whether the host is idle", async || {
        let said: Value = bus
            .request_bare(&subject(PluginMethod::CheckIdle), &question, within)
            .await
            .expect("an answer");
        said.get("is_idle").is_some().then_some(said)
    })
    .await;
    assert_eq!(
        (&said["is_idle"], &said["reason"]),
        (&json!(true), &json!("so it is"))
    );
    runner.stop().await;
}

#[tokio::test]
async fn the_list_of_plugins_says_how_each_one_is() {
    let stage = Stage::set().await;
    stage.plugin("quiet.py", &python_plugin("quiet", r#"{"is_idle": True}"#));
    stage.plugin("broken", "#!/nonexistent\n");
    stage.layer(json!({}), json!({"remote": {"enabled": true}})).await;
    let runner = stage.runner().await;
    let subject = stage.verb(RunnerVerb::Plugins);
    let mut list = PluginList { plugins: Vec::new() };
    wait_until(
        SOON,
        "all three are listed, one has voted and one failed",
        async || {
            let asked = stage
                .administrator
                .request(&subject, &ListPlugins::default(), Duration::from_secs(4))
                .await;
            if let Ok(answer) = asked {
                list = answer;
            }
            list.plugins.len() == 3
                && list.plugins[0].stats.last_error.is_some()
                && list.plugins[1]
                    .vote
                    .as_ref()
                    .is_some_and(|vote| vote.state == VoteState::Idle)
        },
    )
    .await;
    let names: Vec<&str> = list
        .plugins
        .iter()
        .map(|plugin| plugin.info.name.as_str())
        .collect();
    assert_eq!(names, ["broken", "quiet", "remote"]);
    assert_eq!(list.plugins[1].state, "running");
    assert_eq!(list.plugins[2].state, "absent");
    assert!(list.plugins[0].stats.last_error_age_ms.is_some());
    assert!(list.plugins[1].stats.calls > 0);
    let one = ListPlugins {
        plugin: Some("nobody".parse().expect("a name")),
    };
    let error = stage
        .administrator
        .request::<_, PluginList>(&subject, &one, Duration::from_secs(4))
        .await;
    assert_eq!(
        error.expect_err("refused").refusal().expect("by the runner").code,
        snooze_schemas::ErrorCode::NotFound
    );
    runner.stop().await;
}
