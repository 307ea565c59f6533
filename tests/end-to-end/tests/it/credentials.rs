//! `snooze credentials`: others on the bus of a running `snooze up`, with nothing but what it made for them.

use crate::{
    place::{LONG, Place, workspace},
    up::Up,
};
use serde_json::{Value, json};
use snooze_test_harness::{Process, python, wait_for, wait_until};
use std::{collections::BTreeMap, ffi::OsString, fs, os::unix::fs::PermissionsExt, path::Path};

/// The package `nkeys`, with which nats-py signs, is on PyPI as source alone, which tests do not build. This
/// is what it does, with the cryptography that moto brings: a seed is base32, two bytes of prefix, the key
/// and a checksum.
const NKEYS: &str = "
import base64
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

class KeyPair:
    def __init__(self, seed):
        text = bytes(seed).strip()
        raw = base64.b32decode(text + b'=' * (-len(text) % 8))
        self.key = Ed25519PrivateKey.from_private_bytes(raw[2:34])
    def sign(self, data):
        return self.key.sign(data)
    def wipe(self):
        self.key = None

from_seed = KeyPair
";

/// What `snooze credentials … --json` says.
async fn credentials(up: &Up, arguments: &[&str]) -> Value {
    let mut all = vec!["credentials"];
    all.extend(arguments);
    all.push("--json");
    let made: Value = serde_json::from_str(&up.ask(&all).await).expect("--json is JSON");
    let file = made["credentials"].as_str().expect("a path");
    let mode = fs::metadata(file).expect("it was made").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "{made}");
    made
}

#[tokio::test]
async fn i5_up_may_ask_a_fleet_plugin_that_its_configuration_names_and_no_other() {
    let plugins = json!({"plugins": {"plugin_configs": {"elsewhere": {"runtime": "fleet"}}}});
    let up = Up::begin(Place::new(), &plugins).await;
    for asked in [
        &["plugin", "configure", "unnamed", "runtime=fleet"][..],
        &["plugin", "enable", "unnamed"],
    ] {
        // That nobody knows it yet is said.
        let done = up.snooze(asked).await;
        assert_eq!(done.code, 0, "{done:?}");
    }
    for (plugin, why) in [("elsewhere", "nobody answers"), ("unnamed", "may not ask it")] {
        wait_for(LONG, &format!("of {plugin}: {why}"), async || {
            let asked = up.snooze(&["plugin", "info", plugin]).await;
            asked.out.contains(why).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn i5_a_plugin_of_twenty_lines_votes_on_the_bus_of_up_with_its_own_credentials() {
    let place = Place::new();
    place.write("keep-awake", "");
    let plugins = json!({"plugins": {"plugin_configs": {"file-watch": {"runtime": "nats"}}}});
    let up = Up::begin(place, &plugins).await;
    let made = credentials(&up, &["plugin", "file-watch", "--host", "web"]).await;
    let field = |name: &str| OsString::from(made[name].as_str().expect("a text"));
    fs::create_dir(up.place.path("modules")).expect("a folder of our own can be written");
    up.place.write("modules/nkeys.py", NKEYS);
    let environment = BTreeMap::from([
        ("PYTHONPATH".to_owned(), up.place.path("modules").into_os_string()),
        ("NATS_URL".to_owned(), field("server")),
        ("NATS_CREDS".to_owned(), field("credentials")),
    ]);
    let watched = up.place.text("watched");
    let script = workspace().join("plugins/examples/file-watch-nats.py");
    let script = script.to_str().expect("a plain name");
    let arguments = [script, "web", "file-watch", &watched].map(str::to_owned);
    let (out, err) = (up.place.path("said/plugin.out"), up.place.path("said/plugin.err"));
    let _plugin = Process::start_apart(&python(), &arguments, &environment, &out, &err).expect("it starts");

    let votes = async |what: &str| {
        wait_for(LONG, &format!("it votes {what}"), async || {
            let report = up.report().await;
            let votes = report["verdict"]["votes"].as_array().cloned().unwrap_or_default();
            let own = votes.into_iter().find(|vote| vote["voter"] == "file-watch");
            own.filter(|vote| vote["state"] == what)
        })
        .await
    };
    votes("idle").await;
    up.place.write("watched", "");
    let vote = votes("busy").await;
    assert!(
        vote["reason"].as_str().expect("a text").contains("exists"),
        "{vote}"
    );
}

#[tokio::test]
async fn e8_a_source_sends_no_more_urgent_than_it_may_and_of_no_other_host() {
    let up = Up::busy().await;
    let made = credentials(&up, &["source", "ci", "--host", "web", "--severity", "1"]).await;
    let text = |name: &str| made[name].as_str().expect("a text").to_owned();
    let client = async_nats::ConnectOptions::with_credentials_file(text("credentials"))
        .await
        .expect("the credentials are read")
        .custom_inbox_prefix(text("inbox_prefix"))
        .connect(text("server"))
        .await
        .expect("a source is let in");
    let ask = async |body: Value| -> Value {
        let request = client.request("snooze.v1.custom.ci.build.begun", body.to_string().into());
        let answer = tokio::time::timeout(LONG, request).await.expect("in time");
        serde_json::from_slice(&answer.expect("the gateway answers").payload).expect("JSON")
    };
    let filed = ask(json!({"host": "web", "severity": 1, "data": {}})).await;
    assert_eq!(filed["ok"], json!(true), "{filed}");
    for other in [
        json!({"host": "db", "data": {}}),
        json!({"host": "web", "severity": 2, "data": {}}),
    ] {
        let refused = ask(other).await;
        assert_eq!(refused["code"], json!("forbidden"), "{refused}");
    }
    let id = filed["id"].as_str().expect("an id");
    wait_until(LONG, "what became of it is in the trail", async || {
        let trail = up.ask(&["history", "-n", "1000"]).await;
        trail
            .lines()
            .any(|line| line.contains(" event ") && line.contains(id))
    })
    .await;
}

#[tokio::test]
async fn an_operator_asks_with_credentials_of_their_own_from_anywhere() {
    let up = Up::busy().await;
    let file = up.place.text("from-home.creds");
    let made = credentials(&up, &["operator", "otto", "--output", &file]).await;
    assert_eq!(made["credentials"].as_str(), Some(file.as_str()));
    let server = made["server"].as_str().expect("it runs").to_owned();
    let elsewhere = [
        "--server",
        &server,
        "--credentials",
        &file,
        "freeze",
        "--reason",
        "a drill",
    ];
    let done = up.place.run("snooze", &elsewhere).await;
    assert_eq!(done.code, 0, "{done:?}");
    let status = up.ask(&["status"]).await;
    assert!(status.starts_with("FROZEN by otto since "), "{status}");

    let again = up
        .snooze(&["credentials", "operator", "otto", "--output", &file])
        .await;
    assert_eq!(
        again.code, 1,
        "a file that is there is not written over: {again:?}"
    );
}

#[tokio::test]
async fn without_keys_no_credentials_are_made_and_no_keys_either() {
    let place = Place::new();
    let state = place.text("state");
    let done = place
        .run("snooze", &["--state", &state, "credentials", "executor", "one"])
        .await;
    assert_eq!((done.code, done.err.lines().count()), (64, 1), "{done:?}");
    assert!(!Path::new(&state).exists());
}
