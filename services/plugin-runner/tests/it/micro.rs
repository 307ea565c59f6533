//! What people see of hosted plugins with the public `nats` tool.

use crate::stage::{SOON, Stage, python_plugin};
use serde_json::{Value, json};
use snooze_bus::{Bus, PluginMethod, Role, Subject, User};
use snooze_plugin_runner::Config;
use snooze_schemas::{HostId, metrics::Metrics, plugin::CheckIdle};
use snooze_test_harness::{Process, nats_cli, wait_for, wait_until};
use std::{collections::BTreeMap, ffi::OsString, fs, time::Duration};

const SERVICE: &str = "snooze_plugin_runner";

/// What `nats micro … --json` prints for an operator.
async fn micro(stage: &Stage, words: &[&str]) -> Value {
    let operator = User::named(Role::Operator, "ann").expect("a name");
    let credentials = stage.server.credentials(&operator);
    let inbox = operator.role().inbox_prefix(operator.name());
    let options = [
        "--server".to_owned(),
        stage.server.url(),
        "--creds".to_owned(),
        credentials.display().to_string(),
        "--inbox-prefix".to_owned(),
        inbox,
        "micro".to_owned(),
    ];
    let words = words.iter().map(|word| (*word).to_owned());
    let arguments: Vec<String> = options
        .into_iter()
        .chain(words)
        .chain(["--json".to_owned()])
        .collect();
    // No settings of whoever runs the test, and no files of the tool's in their home.
    let home = tempfile::tempdir().expect("a folder");
    let environment: BTreeMap<String, OsString> = ["HOME", "XDG_CONFIG_HOME"]
        .map(|name| (name.to_owned(), home.path().into()))
        .into();
    let [out, errors] = ["out", "errors"].map(|name| home.path().join(name));
    let mut tool =
        Process::start_apart(&nats_cli(), &arguments, &environment, &out, &errors).expect("nats starts");
    let ended = wait_for(SOON, "nats ends", async || tool.ended()).await;
    let said = fs::read_to_string(&errors).expect("its words can be read");
    assert!(ended.success(), "nats {arguments:?}: {ended}: {said}");
    serde_json::from_str(&tool.said_all()).unwrap_or_else(|error| panic!("{error}: {}", tool.said_all()))
}

/// The endpoint of a plugin in an answer.
fn of<'a>(answer: &'a Value, plugin: &str) -> Option<&'a Value> {
    let endpoints = answer["endpoints"].as_array()?;
    endpoints.iter().find(|endpoint| endpoint["name"] == plugin)
}

async fn check(bus: &Bus, host: &HostId, plugin: &str) -> Value {
    let subject = Subject::HostPlugin {
        host: host.clone(),
        plugin: plugin.parse().expect("a name"),
        method: PluginMethod::CheckIdle,
    };
    let question = CheckIdle {
        metrics: Metrics::default(),
        host: None,
    };
    let answer = bus.request_bare(&subject, &question, Duration::from_secs(5));
    answer.await.expect("an answer")
}

/// Waits until hosted plugins answer on the bus.
async fn until_served(bus: &Bus, host: &HostId, plugins: &[&str]) {
    for plugin in plugins {
        let subject = format!("snooze.v1.host.{host}.plugin.{plugin}.info");
        wait_until(SOON, "it is served", async || {
            let said = bus.raw_request(&subject, &[], b"", Duration::from_secs(2)).await;
            said.is_ok_and(|answer| answer.status.is_none())
        })
        .await;
    }
}

#[tokio::test]
async fn hosted_plugins_are_endpoints_with_counts_of_what_they_were_asked_by_whomever() {
    let stage = Stage::set().await;
    stage.plugin("quiet.py", &python_plugin("quiet", r#"{"is_idle": True}"#));
    stage.plugin("broken.py", &python_plugin("broken", r#"{"error": "no disk"}"#));
    let runner = stage.runner().await;
    let bus = stage.server.bus(&User::host(&stage.host)).await;
    until_served(&bus, &stage.host, &["quiet", "broken"]).await;
    // Nobody has such a method; it is refused, and counts.
    let odd = format!("snooze.v1.host.{}.plugin.quiet.dance", stage.host);
    bus.raw_request(&odd, &[], b"", SOON).await.expect("a refusal");
    let counts = async || {
        let stats = micro(&stage, &["stats", SERVICE]).await;
        assert_eq!(
            stats.as_array().map(Vec::len),
            Some(1),
            "one service a host: {stats}"
        );
        ["quiet", "broken"].map(|plugin| of(&stats[0], plugin).expect("it is an endpoint").clone())
    };
    let number = |of: &Value, field: &str| of[field].as_u64().expect("a number");
    // What the runner asks for its votes, without anybody on the bus.
    let before = counts().await.map(|of| number(&of, "num_requests"));
    wait_until(SOON, "the runner's own questions are counted", async || {
        let after = counts().await.map(|of| number(&of, "num_requests"));
        after.iter().zip(before).all(|(after, before)| *after > before)
    })
    .await;
    // What is asked on the bus.
    let before = counts().await.map(|of| number(&of, "num_requests"));
    for _ in 0..30 {
        assert_eq!(check(&bus, &stage.host, "quiet").await["is_idle"], true);
    }
    let [quiet, broken] = counts().await;
    assert!(number(&quiet, "num_requests") >= before[0] + 30, "{quiet}");
    assert!(number(&quiet, "processing_time") > 0, "{quiet}");
    assert_eq!(
        number(&quiet, "average_processing_time"),
        number(&quiet, "processing_time") / number(&quiet, "num_requests")
    );
    // One refusal there, and nothing but errors here.
    assert_eq!(
        (number(&quiet, "num_errors"), &quiet["last_error"]),
        (1, &json!("nothing answers to such a subject"))
    );
    assert_eq!(number(&broken, "num_errors"), number(&broken, "num_requests"));
    assert_eq!(broken["last_error"], "no disk");

    let told = micro(&stage, &["info", SERVICE, stage.host.as_str()]).await;
    let endpoint = of(&told["info"], "quiet").expect("it is an endpoint");
    assert_eq!(endpoint["subject"], "snooze.v1.host.h1.plugin.quiet.*");
    assert_eq!(
        endpoint["metadata"],
        json!({"runtime": "process", "state": "running", "version": "1.2.3"})
    );
    assert_eq!(told["info"]["metadata"], json!({"host": "h1"}));
    runner.stop().await;
}

#[tokio::test]
async fn two_hosts_are_two_instances_and_neither_shows_the_others_plugins() {
    let stage = Stage::set().await;
    stage.plugin("quiet.py", &python_plugin("quiet", r#"{"is_idle": True}"#));
    let first = stage.runner().await;
    let other: HostId = "h2".parse().expect("a host id");
    let config = Config {
        plugin_folders: Vec::new(),
        ..Config::new(
            other,
            stage.boot_id.clone(),
            stage.file("other-state"),
            stage.file("other-runtime"),
        )
    };
    let second = stage.runner_with(config).await;
    let bus = stage.server.bus(&User::host(&stage.host)).await;
    until_served(&bus, &stage.host, &["quiet"]).await;
    let instances = wait_for(SOON, "both are listed", async || {
        let listed = micro(&stage, &["ls"]).await;
        let instances = listed.as_array().expect("a list").clone();
        (instances.len() == 2).then_some(instances)
    })
    .await;
    let shown: Vec<_> = instances
        .iter()
        .map(|instance| {
            let [name, id, version] = ["name", "id", "version"].map(|field| instance[field].as_str());
            let plugins = instance["endpoints"].as_array().map_or(0, Vec::len);
            (name, id, version, plugins)
        })
        .collect();
    let (name, version) = (Some(SERVICE), Some(env!("CARGO_PKG_VERSION")));
    assert_eq!(
        shown,
        [(name, Some("h1"), version, 1), (name, Some("h2"), version, 0)]
    );
    second.stop().await;
    first.stop().await;
}

#[tokio::test]
async fn a_plugin_that_is_switched_off_is_no_endpoint_until_it_is_back() {
    let stage = Stage::set().await;
    stage.plugin("quiet.py", &python_plugin("quiet", r#"{"is_idle": True}"#));
    stage.plugin("other.py", &python_plugin("other", r#"{"is_idle": True}"#));
    let runner = stage.runner().await;
    let bus = stage.server.bus(&User::host(&stage.host)).await;
    until_served(&bus, &stage.host, &["quiet", "other"]).await;
    for (enabled, there) in [(true, true), (false, false), (true, true)] {
        stage
            .layer(json!({}), json!({"quiet": {"enabled": enabled}}))
            .await;
        wait_until(SOON, "the list follows the policy", async || {
            let told = micro(&stage, &["info", SERVICE]).await;
            assert!(of(&told["info"], "other").is_some(), "{told}");
            of(&told["info"], "quiet").is_some() == there
        })
        .await;
    }
    runner.stop().await;
}

#[tokio::test]
async fn i3_a_runner_tells_nothing_about_itself_where_an_asker_may_not_write() {
    let stage = Stage::without_roles().await;
    let runner = stage.runner().await;
    let asker = &stage.administrator;
    let ping = || asker.raw_request("$SRV.PING", &[], b"", Duration::from_secs(2));
    wait_until(SOON, "it can be asked", async || {
        ping().await.is_ok_and(|answer| answer.status.is_none())
    })
    .await;
    let forged = "snooze.v1.host.h2.runner.cancel";
    let mut heard = asker.raw_subscribe(forged).await.expect("subscribes");
    for verb in ["PING", "INFO", "STATS"] {
        let subject = format!("$SRV.{verb}");
        asker
            .raw_publish(&subject, Some(forged), &[], b"")
            .await
            .expect("publishes");
        // The answer to the question after it is here, and so would be the one to the forged one.
        let answer = asker.raw_request(&subject, &[], b"", SOON).await;
        assert_eq!(answer.expect("an answer").status, None);
    }
    asker
        .raw_publish(forged, None, &[], b"end")
        .await
        .expect("publishes");
    let first = tokio::time::timeout(SOON, heard.next()).await.expect("is heard");
    assert_eq!(first.expect("the connection is open").payload, b"end");
    runner.stop().await;
}
