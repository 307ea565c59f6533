//! What a person asks and orders in another terminal, while `snooze up` runs.

use crate::{
    place::{LONG, Place},
    up::Up,
};
use serde_json::{Value, json};
use snooze_test_harness::{wait_for, wait_until};
use std::time::Duration;

/// For how long the host has been idle, as the executor reckons.
fn idle(report: &Value) -> Duration {
    let ms = report["decision"]["idle_ms"].as_u64();
    Duration::from_millis(ms.unwrap_or_else(|| panic!("no idle time in {report}")))
}

/// Waits until it has been idle for three naptimes, and every step so far shows that nothing came of it.
async fn wait_long_past_the_naptime(up: &Up) -> Value {
    wait_for(LONG, "it is idle for three naptimes", async || {
        let report = up.report().await;
        assert_eq!(report["phase"], "free", "{report}");
        (idle(&report) >= Duration::from_secs(9)).then_some(report)
    })
    .await
}

async fn wait_until_stopped(up: &Up) {
    wait_until(LONG, "it is stopped", async || {
        up.steps().await.iter().any(|step| step == "stopped")
    })
    .await;
}

#[tokio::test]
async fn s23_status_hosts_explain_and_history_say_why_a_host_stays_up() {
    let up = Up::busy().await;
    let explained = wait_for(LONG, "the plugin's vote is explained", async || {
        let out = up.ask(&["explain", "web"]).await;
        out.contains("keep-awake is busy").then_some(out)
    })
    .await;
    for part in [
        "web: It stays up",
        "keep-awake is busy (required): somebody asked to keep this machine awake",
        "What keeps it up:",
        "(advisory)",
    ] {
        assert!(explained.contains(part), "{part:?} is missing in\n{explained}");
    }

    let status = up.ask(&["status"]).await;
    assert!(
        status.starts_with("web (simulated sim-web, group default)\n"),
        "{status}"
    );
    assert!(status.contains("  claim     free"), "{status}");

    let report = up.report().await;
    assert_eq!(report["decision"]["blocking"], json!(["keep-awake"]), "{report}");
    let votes = report["verdict"]["votes"].as_array().expect("votes");
    assert!(
        votes
            .iter()
            .any(|vote| vote["voter"] == "memory" && vote["evidence"] != json!({}))
    );

    let hosts = up.ask(&["hosts"]).await;
    let row: Vec<&str> = hosts
        .lines()
        .nth(1)
        .expect("a line for the host")
        .split_whitespace()
        .collect();
    assert_eq!(row, ["web", "default", "simulated", "sim-web", "free", "stay"]);

    let history = up.ask(&["history", "--host", "web"]).await;
    assert!(
        history.lines().any(|line| line.contains(" decision ")),
        "{history}"
    );
}

#[tokio::test]
async fn plugin_list_and_info_show_what_runs_on_the_host() {
    let up = Up::busy().await;
    let listed = wait_for(LONG, "both plugins run", async || {
        let out = up.ask(&["plugin", "list"]).await;
        let runs = |name: &str| {
            out.lines()
                .any(|line| line.starts_with(name) && line.contains("running"))
        };
        (runs("keep-awake") && runs("load-average")).then_some(out)
    })
    .await;
    assert_eq!(listed.lines().count(), 3, "{listed}");
    let info = up.ask(&["plugin", "info", "keep-awake"]).await;
    for part in ["Keep awake", "1.0.0", "process", "busy (required)"] {
        assert!(info.contains(part), "{part:?} is missing in\n{info}");
    }
    let missing = up.snooze(&["plugin", "info", "nobody"]).await;
    assert_eq!(missing.code, 4, "{missing:?}");
    assert_eq!(missing.err.lines().count(), 1, "{missing:?}");
}

#[tokio::test]
async fn s22_nothing_is_stopped_while_frozen_and_a_freeze_outlives_the_broker() {
    let up = Up::busy().await;
    up.ask(&["freeze", "--reason", "incident 7"]).await;
    up.place.remove("keep-awake");
    let report = wait_long_past_the_naptime(&up).await;
    assert_ne!(report["decision"]["decision"], "stop", "{report}");
    assert_eq!(report["phase"], "free", "{report}");

    let up = up.restart().await;
    let status = up.ask(&["status"]).await;
    assert!(status.starts_with("FROZEN by ada since "), "{status}");
    assert!(status.contains("incident 7"), "{status}");
    wait_long_past_the_naptime(&up).await;
    let explained = up.ask(&["explain", "web"]).await;
    assert!(explained.contains("frozen by ada (incident 7)"), "{explained}");
    assert_eq!(up.steps().await, Vec::<String>::new());

    up.ask(&["thaw"]).await;
    wait_until_stopped(&up).await;
}

#[tokio::test]
async fn s9_a_lease_keeps_a_host_awake_until_it_expires() {
    let up = Up::busy().await;
    let leased = up
        .ask(&["lease", "web", "--for", "1h", "--reason", "a long build"])
        .await;
    assert_eq!(leased, "web is kept awake for 1 h.\n");
    up.place.remove("keep-awake");
    let report = wait_long_past_the_naptime(&up).await;
    let keeps = report["keeps_awake"].to_string();
    assert!(
        keeps.contains("a long build") && keeps.contains("ada"),
        "{report}"
    );
    assert_eq!(up.steps().await, Vec::<String>::new());
    // The same id replaces the lease, so that the test need not last as long as the first one.
    up.ask(&["lease", "web", "--for", "1s", "--reason", "nearly done"])
        .await;
    wait_until_stopped(&up).await;
}

#[tokio::test]
async fn a_host_that_is_not_enrolled_is_refused_and_the_known_ones_are_named() {
    let up = Up::busy().await;
    for arguments in [
        &["status", "typo"][..],
        &["explain", "typo"],
        &["status", "typo", "--json"],
        &["status", "typo", "--watch"],
        &["plugin", "list", "--host", "typo"],
        &["plugin", "info", "keep-awake", "--host", "typo"],
        &["history", "--host", "typo"],
        &["lease", "typo"],
        &["postpone", "typo"],
        &["wake", "typo"],
    ] {
        let done = up.snooze(arguments).await;
        assert_eq!((done.code, done.out.as_str()), (4, ""), "{arguments:?}: {done:?}");
        assert_eq!(
            done.err, "snooze: typo is not enrolled; these are: web\n",
            "{arguments:?}"
        );
    }
    // Where there is only one, it need not be named.
    let explained = up.ask(&["explain"]).await;
    assert!(explained.starts_with("web: "), "{explained}");
    let hosts: Value = serde_json::from_str(&up.ask(&["hosts", "--json"]).await).expect("JSON");
    assert_eq!(hosts["truncated"], json!(false), "{hosts}");
}

#[tokio::test]
async fn watched_as_json_it_says_an_object_a_line() {
    let up = Up::busy().await;
    let state = up.place.text("state");
    let mut watch = up
        .place
        .start("snooze", &["--state", &state, "status", "--watch", "--json"]);
    let is_web = |line: &str| {
        let object: Option<Value> = serde_json::from_str(line).ok();
        object.is_some_and(|object| object["hosts"][0]["host"] == "web")
    };
    watch.wait_for_line("an object on a line", is_web).await;
    watch.interrupt();
    let done = watch.ended().await;
    assert_eq!((done.code, done.err.as_str()), (0, ""), "{done:?}");
}

#[tokio::test]
async fn the_address_alone_is_enough_where_the_state_folder_has_its_credentials() {
    let mut up = Up::busy().await;
    let address: Value = serde_json::from_str(&up.place.read("state/nats.json")).expect("JSON");
    let server = address["server"].as_str().expect("a text").to_owned();
    up.place.set("SNOOZE_NATS_URL", server);
    let hosts = up.ask(&["hosts"]).await;
    assert!(hosts.contains("web"), "{hosts}");
}

#[tokio::test]
async fn i5_what_credentials_do_not_permit_is_refused_at_once_with_exit_code_4() {
    let up = Up::busy().await;
    let made = up.snooze(&["credentials", "dashboard", "wall"]).await;
    assert_eq!(made.code, 0, "{made:?}");
    let credentials = made.out.trim().to_owned();
    let looks = up.snooze(&["--credentials", &credentials, "status"]).await;
    assert_eq!(looks.code, 0, "{looks:?}");
    let freezes = up.snooze(&["--credentials", &credentials, "freeze"]).await;
    assert_eq!((freezes.code, freezes.out.as_str()), (4, ""), "{freezes:?}");
    assert_eq!(freezes.err.lines().count(), 1, "{freezes:?}");
    let status = up.ask(&["status"]).await;
    assert!(!status.contains("FROZEN"), "{status}");
}

#[tokio::test]
async fn once_it_has_ended_a_question_says_that_it_does_not_run() {
    let up = Up::busy().await;
    let place = up.end().await;
    let state = place.text("state");
    let done = place.run("snooze", &["--state", &state, "status"]).await;
    assert_eq!((done.code, done.err.lines().count()), (3, 1), "{done:?}");
    for part in [state.as_str(), "is not running", "`snooze up`"] {
        assert!(done.err.contains(part), "{part:?} in {done:?}");
    }
}

#[tokio::test]
async fn s1_an_old_configuration_observes_and_stops_nothing() {
    let up = Up::begin(Place::new(), &json!({"mode": "observe"})).await;
    let report = wait_long_past_the_naptime(&up).await;
    assert_eq!(report["decision"]["decision"], "observe", "{report}");
    assert_eq!(up.steps().await, Vec::<String>::new());
}

#[tokio::test]
async fn p10_a_host_that_carries_the_executor_is_not_stopped_unless_its_policy_says_so() {
    let up = Up::begin(Place::new(), &json!({"self_stop": false})).await;
    let report = wait_long_past_the_naptime(&up).await;
    assert_eq!(report["decision"]["decision"], "stay", "{report}");
    assert_eq!(up.steps().await, Vec::<String>::new());
}

#[cfg(feature = "aws")]
#[tokio::test]
async fn i1_a_machine_that_is_no_instance_is_told_so_in_one_line() {
    let mut place = Place::new();
    // A port that nobody listens on; where the tests run on EC2 the real service would answer.
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        listener.local_addr().expect("a bound socket has an address")
    };
    place.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", format!("http://{closed}"));
    place.write("snooze.json", "{}");
    let (state, config) = (place.text("state"), place.text("snooze.json"));
    let arguments = ["up", "--cloud", "aws", "--state", &state, "--config", &config];
    let done = place.run("snooze", &arguments).await;
    assert_eq!((done.code, done.err.lines().count()), (1, 1), "{done:?}");
    assert!(done.err.contains("no EC2 instance"), "{done:?}");
}
