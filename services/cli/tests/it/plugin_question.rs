//! `snooze plugin approve` on a terminal, where a person is asked, against a real broker.

use crate::{
    place::{Place, rights, status, user},
    plugin_approval::{approved, text},
};
use serde_json::json;
use snooze_bus::{Bucket, Role, keys};
use snooze_test_harness::{Process, python, wait_for};
use std::{fs, time::Duration};

const LIMIT: Duration = Duration::from_secs(60);

/// Answers the question on a terminal of its own, and says how the program ended.
const TERMINAL: &str = r"
import os, pty, subprocess, sys
master, slave = pty.openpty()
program = subprocess.Popen(sys.argv[2:], stdin=slave, stdout=slave, stderr=slave)
os.close(slave)
seen = b''
while b'[y/N]' not in seen:
    seen += os.read(master, 4096)
os.write(master, sys.argv[1].encode())
print(program.wait(), flush=True)
";

#[tokio::test]
async fn on_a_terminal_a_person_is_asked_and_only_a_yes_approves() {
    let place = Place::new().await;
    place.executor(&["web"]).await;
    place.host("web", json!([status("redis", &rights())])).await;
    let folder = tempfile::tempdir().expect("a folder");
    for (answer, code, is_approved) in [
        ("n\n", "4", false),
        ("\n", "4", false),
        ("\x04", "4", false),
        ("y\n", "0", true),
    ] {
        let mut arguments: Vec<String> = ["-c", TERMINAL, answer, env!("CARGO_BIN_EXE_snooze")]
            .map(str::to_owned)
            .into();
        arguments.extend(place.connection(Role::Administrator));
        arguments.extend(["plugin", "approve", "redis"].map(str::to_owned));
        let log = folder.path().join(format!("{code}{}", answer.escape_default()));
        let mut terminal = Process::start(&python(), &arguments, &log).expect("python runs");
        wait_for(LIMIT, "the program ends", async || terminal.ended()).await;
        assert_eq!(terminal.said_all().trim(), code, "{answer:?}");
        assert_eq!(approved(&place, "web").await.is_some(), is_approved, "{answer:?}");
    }
}

#[tokio::test]
async fn an_approval_that_somebody_changed_meanwhile_is_not_overwritten() {
    let place = Place::new().await;
    place.executor(&["web"]).await;
    place.host("web", json!([status("redis", &rights())])).await;
    let folder = tempfile::tempdir().expect("a folder");
    let go = folder.path().join("go");
    // Answers only once it is told to.
    let script = TERMINAL.replace(
        "os.write(master",
        "print('asked', flush=True)\nwhile not os.path.exists(sys.argv[1]):\n    pass\nos.write(master",
    );
    let script = script.replace("sys.argv[1].encode()", "b'y\\n'");
    let mut arguments: Vec<String> = vec!["-c".to_owned(), script, text(&go)];
    arguments.push(env!("CARGO_BIN_EXE_snooze").to_owned());
    arguments.extend(place.connection(Role::Administrator));
    arguments.extend(["plugin", "approve", "redis"].map(str::to_owned));
    let mut terminal =
        Process::start(&python(), &arguments, &folder.path().join("out")).expect("python runs");
    wait_for(LIMIT, "it asks", async || {
        terminal.said_all().contains("asked").then_some(())
    })
    .await;
    let bob = place.server.bus(&user(Role::Administrator, "bob")).await;
    let theirs = json!({"plugins": {"redis": {"approved": {
        "by": "bob", "at": "2026-01-02T03:04:05Z", "entry_sha256": "c".repeat(64),
    }}}});
    let host = "web".parse().expect("a host id");
    let bucket = bob.bucket(Bucket::Config);
    bucket
        .put(&keys::host_key(&host), &theirs)
        .await
        .expect("written");
    fs::write(&go, "").expect("written");
    wait_for(LIMIT, "the program ends", async || terminal.ended()).await;
    assert_eq!(
        terminal.said_all().lines().last(),
        Some("4"),
        "{}",
        terminal.said_all()
    );
    assert_eq!(approved(&place, "web").await.expect("is there").by, "bob");
}
