//! The runner's socket, on which this host's own gateway hands events over.

use crate::{
    events::{SUCCESS, all_run, config, event, handler, noted, outcome, send},
    stage::{SOON, Stage, of},
};
use serde_json::{Value, json};
use snooze_bus::{Bus, User};
use snooze_schemas::event::{Event, HandOver, HandleEvent};
use snooze_service_runtime::{CancellationToken, places};
use snooze_test_harness::{wait_for, wait_until};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

/// Where the runner of a stage listens.
pub(crate) fn socket(stage: &Stage) -> PathBuf {
    places::runner_socket(&stage.file("runtime"), stage.host.as_str())
}

/// Says this and hears the answer; nothing where nobody listens yet.
async fn say(socket: &Path, said: &[u8]) -> Option<Value> {
    let mut stream = UnixStream::connect(socket).await.ok()?;
    // Who has heard enough answers before it has heard all.
    stream.write_all(said).await.ok();
    stream.shutdown().await.ok();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok();
    Some(serde_json::from_slice(&answer).expect("an answer in JSON"))
}

fn line(event: Event) -> Vec<u8> {
    let left_ms = Some(60_000);
    let mut line = serde_json::to_vec(&HandOver::new(HandleEvent { event, left_ms })).expect("JSON");
    line.push(b'\n');
    line
}

pub(crate) async fn hand_over(stage: &Stage, event: Event) -> Value {
    hand_over_at(&socket(stage), event).await
}

pub(crate) async fn hand_over_at(socket: &Path, event: Event) -> Value {
    let said = line(event);
    wait_for(SOON, "somebody listens", async || say(socket, &said).await).await
}

pub(crate) fn taken(duplicate: bool) -> Value {
    json!({"ok": true, "accepted": true, "duplicate": duplicate})
}

#[tokio::test]
async fn e7_without_a_broker_an_event_is_handled_and_its_outcome_filed_later() {
    let mut stage = Stage::set().await;
    stage.plugin("one.py", &handler(&stage, "one", SUCCESS));
    let runner = stage.runner_with(config(&stage, &[("one", json!({}))])).await;
    stage.until_it_answers().await;
    all_run(&stage).await;
    stage.server.kill();
    assert_eq!(hand_over(&stage, event("e1")).await, taken(false));
    assert_eq!(hand_over(&stage, event("e1")).await, taken(true));
    wait_until(SOON, "it is handled", async || noted(&stage).len() == 2).await;
    stage.server.restart().await;
    assert_eq!(outcome(&stage).await.id.as_str(), "e1");
    // The dispatcher comes with it too, once it was filed.
    let again = wait_for(SOON, "the runner is back on the bus", async || {
        send(&stage, event("e1"), Some(60_000)).await.ok()
    });
    assert!(again.await.duplicate);
    assert_eq!(noted(&stage), ["one begins", "one ends"]);
    runner.stop().await;
}

#[tokio::test]
async fn e7_a_runner_that_starts_without_a_broker_handles_events() {
    let mut stage = Stage::set().await;
    stage.plugin("one.py", &handler(&stage, "one", SUCCESS));
    stage.server.kill();
    let mut config = config(&stage, &[("one", json!({}))]);
    let own = config.plugin_configs.get_mut("one").expect("it is configured");
    own.insert("permissions".to_owned(), json!({"write": [stage.file("")]}));
    let bus = Bus::begin(stage.server.bus_config(&User::host(&stage.host))).await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(snooze_plugin_runner::run(
        config,
        bus.expect("nobody is waited for"),
        stop.clone(),
    ));
    assert_eq!(hand_over(&stage, event("e1")).await, taken(false));
    wait_until(SOON, "it is handled", async || noted(&stage).len() == 2).await;
    stage.server.restart().await;
    assert_eq!(outcome(&stage).await.handlers.len(), 1);
    // It has come onto the bus as any other: it votes, and is asked.
    stage.until_it_answers().await;
    stop.cancel();
    running.await.expect("no panic").expect("ends well");
}

#[tokio::test]
async fn what_is_no_event_is_refused_with_a_reason_and_changes_nothing() {
    let stage = Stage::set().await;
    let runner = stage.runner().await;
    assert_eq!(hand_over(&stage, event("e1")).await, taken(false));
    let journal = stage.state().join("events.jsonl");
    let reported = |text: &String| text.contains("reported");
    let before = wait_for(SOON, "the first is over", async || {
        fs::read_to_string(&journal).ok().filter(reported)
    })
    .await;
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut said: Value = serde_json::from_slice(&line(event("e2"))).expect("JSON");
        change(&mut said);
        format!("{said}\n").into_bytes()
    };
    let large = "x".repeat(300_000);
    for (said, code) in [
        (b"\n".to_vec(), "bad_request"),
        (b"\xff\xfe\n".to_vec(), "bad_request"),
        (b"{}\n".to_vec(), "bad_request"),
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "bad_request"),
        (b"[[[[[[\n".to_vec(), "bad_request"),
        (Vec::new(), "bad_request"),
        (line(event("e2"))[..40].to_vec(), "bad_request"),
        (changed(&|said| said["kind"] = json!("prepare")), "bad_request"),
        (changed(&|said| said["version"] = json!(2)), "unknown_version"),
        (changed(&|said| said["version"] = json!(-1)), "bad_request"),
        (
            changed(&|said| said["body"]["event"]["severity"] = json!(9)),
            "bad_request",
        ),
        (
            changed(&|said| said["body"]["event"]["host"] = json!("h2")),
            "forbidden",
        ),
        (changed(&|said| said["body"]["left_ms"] = json!(0)), "too_late"),
        (
            changed(&|said| said["body"]["event"]["data"]["x"] = json!(large)),
            "bad_request",
        ),
    ] {
        let shown = String::from_utf8_lossy(&said[..said.len().min(80)]).into_owned();
        let answer = say(&socket(&stage), &said).await.expect("somebody listens");
        assert_eq!(
            (&answer["ok"], &answer["code"]),
            (&json!(false), &json!(code)),
            "{shown}: {answer}"
        );
        assert!(
            answer["message"].as_str().is_some_and(|why| why.len() > 8),
            "{shown}: {answer}"
        );
    }
    assert_eq!(fs::read_to_string(&journal).expect("reads"), before);
    assert_eq!(hand_over(&stage, event("e2")).await, taken(false));
    runner.stop().await;
}

/// Forges an event, from itself and from a process that it has let go, and says what came of it.
const FORGER: &str = r#"#!/usr/bin/env python3
import json, os, socket, sys
def forge():
    try:
        said = socket.socket(socket.AF_UNIX)
        said.connect(SOCKET)
        # Who is refused is so before it has said anything.
        try: said.sendall(LINE)
        except BrokenPipeError: pass
        return said.makefile().readline()
    except OSError as error:
        return repr(error)
def let_go():
    near, far = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.close(near)
            while os.getppid() not in (1, RUNNER): pass
            os.write(far, forge().encode())
        os._exit(0)
    os.close(far)
    os.wait()
    return open(near).read()
for line in sys.stdin:
    request = json.loads(line)
    result = {"error": "Unknown method: " + request["method"]}
    if request["method"] == "Info": result = {"name": "forger"}
    if request["method"] == "CheckIdle":
        result = {"is_idle": False, "reason": forge() + " and " + let_go()}
    print(json.dumps({"result": result, "id": request["id"]}), flush=True)
"#;

#[tokio::test]
async fn a_plugin_and_what_it_lets_go_cannot_forge_an_event() {
    let mut stage = Stage::set().await;
    let said = String::from_utf8(line(event("forged"))).expect("text");
    let script = FORGER
        .replace("SOCKET", &format!("{:?}", socket(&stage)))
        .replace("LINE", &format!("{said:?}.encode()"))
        .replace("RUNNER", &std::process::id().to_string());
    stage.plugin("forger.py", &script);
    let mut config = stage.config();
    let own = json!({"permissions": {"unix": [socket(&stage)]}});
    config
        .plugin_configs
        .insert("forger".to_owned(), own.as_object().expect("a map").clone());
    let runner = stage.runner_with(config).await;
    let verdict = stage
        .verdict("it has tried both", |verdict| {
            of(verdict, "forger").is_some_and(|vote| vote.reason.contains(" and {"))
        })
        .await;
    let reason = &of(&verdict, "forger").expect("it is there").reason;
    assert_eq!(reason.matches(r#""code":"forbidden""#).count(), 2, "{reason}");
    assert!(
        !send(&stage, event("forged"), None)
            .await
            .expect("it is new")
            .duplicate
    );
    runner.stop().await;
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_is_its_owners_alone() {
    let stage = Stage::set().await;
    let socket = socket(&stage);
    let folder = socket.parent().expect("the runtime folder");
    fs::create_dir(folder).expect("makes");
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).expect("sets the mode");
    drop(std::os::unix::net::UnixListener::bind(&socket).expect("an earlier runner's"));
    let runner = stage.runner().await;
    assert_eq!(hand_over(&stage, event("e1")).await, taken(false));
    let mode = fs::metadata(&socket).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    runner.stop().await;
    let runner = stage.runner().await;
    assert_eq!(hand_over(&stage, event("e1")).await, taken(true));
    runner.stop().await;
}
