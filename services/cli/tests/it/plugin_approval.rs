//! `snooze plugin approve`, against a real broker and with real credentials.

use crate::place::{Place, rights, status, user};
use serde_json::{Value, json};
use snooze_bus::{Bucket, Role, keys};
use snooze_schemas::plugin::{approval::Approval, permissions::Permissions};
use snooze_test_harness::{Process, python, wait_for};
use std::{fs, path::Path, time::Duration};

const LIMIT: Duration = Duration::from_secs(60);

async fn approved(place: &Place, host: &str) -> Option<Approval> {
    let mut layer = place.layer_of(host).await;
    layer.plugins.remove("redis")?.approved
}

fn permissions(written: Value) -> Permissions {
    serde_json::from_value(written).expect("permissions")
}

#[tokio::test]
async fn what_is_approved_is_what_was_asked_for_by_whom_for_which_files() {
    let place = Place::new().await;
    place.executor(&["web"]).await;
    place.host("web", json!([status("redis", &rights())])).await;
    let done = place
        .plugin(Role::Administrator, &["approve", "redis", "--yes"])
        .await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(done.out, "redis is approved on the host web.\n");
    for told in [
        "redis 1.2.3, on web",
        "calls itself official",
        "connect over TCP to port 6379 of any host\n",
        "read /etc/redis  (new)",
        "not enforced on web: memory: there is no control group",
        &"b".repeat(64),
    ] {
        assert!(done.err.contains(told), "{told:?} in {}", done.err);
    }
    let approval = approved(&place, "web").await.expect("is written");
    assert_eq!(
        (approval.by.as_str(), approval.version.as_deref()),
        ("ada", Some("1.2.3"))
    );
    assert_eq!(approval.permissions, permissions(rights()["asked"].clone()));
    assert_eq!(approval.manifest_sha256, Some("a".repeat(64)));
    assert_eq!(approval.entry_sha256, "b".repeat(64));

    let done = place
        .plugin(Role::Administrator, &["approve", "redis", "--revoke"])
        .await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(
        place.layer_of("web").await.plugins.is_empty(),
        "nothing is left of it"
    );
    let done = place
        .plugin(Role::Administrator, &["approve", "redis", "--revoke"])
        .await;
    assert_eq!((done.code, done.err.lines().count()), (Some(4), 1), "{done:?}");
}

#[tokio::test]
async fn without_a_yes_nothing_is_approved() {
    let place = Place::new().await;
    place.executor(&["web"]).await;
    place.host("web", json!([status("redis", &rights())])).await;
    let done = place.plugin(Role::Administrator, &["approve", "redis"]).await;
    assert_eq!((done.code, done.out.as_str()), (Some(64), ""), "{done:?}");
    assert!(
        done.err.contains("read /etc/redis") && done.err.contains("--yes"),
        "{done:?}"
    );
    assert_eq!(approved(&place, "web").await, None);
}

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
async fn hosts_with_other_files_are_told_and_nothing_is_approved() {
    let place = Place::new().await;
    place.executor(&["db", "mail", "web"]).await;
    place.host("web", json!([status("redis", &rights())])).await;
    place.host("db", json!([])).await;
    let mut others = rights();
    others["entry_sha256"] = "c".repeat(64).into();
    let mail = place.host("mail", json!([status("redis", &others)])).await;
    let approve = ["approve", "redis", "--fleet", "--yes"];
    let done = place.plugin(Role::Administrator, &approve).await;
    assert_eq!((done.code, done.out.as_str()), (Some(4), ""), "{done:?}");
    for told in [
        "not the same",
        "web: plugin.json aaaaaaaaaaaa, started bbbbbbbbbbbb",
        "mail: plugin.json",
        "--host",
    ] {
        assert!(done.err.contains(told), "{told:?} in {}", done.err);
    }
    assert!(place.layer(keys::FLEET).await.plugins.is_empty());

    *mail.lock().expect("nothing panics") = json!([status("redis", &rights())]);
    let done = place.plugin(Role::Administrator, &approve).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.err.contains("on mail, web"), "{done:?}");
    let layer = place.layer(keys::FLEET).await;
    assert!(layer.plugins["redis"].approved.is_some());
}

#[tokio::test]
async fn what_no_host_has_what_runs_elsewhere_and_what_has_no_files_cannot_be_approved() {
    let place = Place::new().await;
    place.executor(&["away", "web"]).await;
    let mut elsewhere = status("nats", &json!(null));
    elsewhere["runtime"] = "nats".into();
    let old = status("old", &json!(null));
    let mut missing = status("gone", &json!({}));
    missing["stats"]["last_error"] = "its file is not there".into();
    place.host("web", json!([elsewhere, missing, old])).await;
    for (plugin, host, told) in [
        ("other", "web", "there is no plugin other on web"),
        ("nats", "web", "runs by itself on the bus"),
        ("old", "web", "its runner is too old"),
        (
            "gone",
            "web",
            "cannot be approved on the host web: its file is not there",
        ),
        ("redis", "away", "no host answered"),
    ] {
        let approve = ["approve", plugin, "--host", host, "--yes"];
        let done = place.plugin(Role::Administrator, &approve).await;
        assert_eq!((done.code, done.out.as_str()), (Some(4), ""), "{done:?}");
        assert!(done.err.contains(told), "{told:?} in {}", done.err);
        assert!(place.layer_of(host).await.plugins.is_empty());
    }
}

#[tokio::test]
async fn a_file_grants_less_or_more_than_is_asked_and_both_are_told() {
    let place = Place::new().await;
    place.executor(&["web"]).await;
    place.host("web", json!([status("redis", &rights())])).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("grant.json");
    let approve = async |text: &str| {
        fs::write(&file, text).expect("written");
        let file = file.to_str().expect("a plain name");
        let words = ["approve", "redis", "--permissions", file, "--yes"];
        place.plugin(Role::Administrator, &words).await
    };
    let done = approve(r#"{"tcp": [{"port": 6379}], "udp": true}"#).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(
        done.err.contains("over UDP") && done.err.contains("more than it asks for"),
        "{done:?}"
    );
    assert!(
        done.err.contains("does not get it\n  read /etc/redis"),
        "{done:?}"
    );
    let granted = approved(&place, "web").await.expect("is written").permissions;
    assert_eq!(
        granted,
        permissions(json!({"tcp": [{"port": 6379}], "udp": true}))
    );

    for (text, told) in [
        (r#"{"tpc": [{"port": 6379}]}"#, "there is no permission tpc"),
        (
            r#"{"read": ["etc"]}"#,
            "permissions.read: etc is no absolute path",
        ),
        (r#"{"listen": "all"}"#, "permissions: "),
        ("[1]", "not a JSON object"),
        ("{", "not a JSON object"),
    ] {
        let done = approve(text).await;
        assert_eq!((done.code, done.err.lines().count()), (Some(64), 1), "{done:?}");
        assert!(
            done.err.contains(told) && done.err.contains("grant.json"),
            "{told:?} in {}",
            done.err
        );
    }
    let still = approved(&place, "web").await.expect("is written").permissions;
    assert_eq!(still, granted);
}

#[tokio::test]
async fn i5_who_is_no_administrator_approves_nothing() {
    let place = Place::new().await;
    place.executor(&["web"]).await;
    place.host("web", json!([status("redis", &rights())])).await;
    let done = place.plugin(Role::Operator, &["approve", "redis", "--yes"]).await;
    assert_eq!(done.code, Some(4), "{done:?}");
    assert_eq!(approved(&place, "web").await, None);
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

fn text(path: &Path) -> String {
    path.to_str().expect("a plain name").to_owned()
}
