//! Beginnings and ends, and configurations that a manifest speaks of.

use crate::{
    line::Method,
    stdio::{
        CallError, Stage,
        tests::{BRIEF, HONEST, SOON, Stand, is_alive, python},
    },
};
use serde_json::{Value, json};
use snooze_test_harness::wait_until;
use std::{fs, path::Path};

/// A plugin that notes what it is asked, and that its stdin was closed, in the file `asked`.
const DIARIST: &str = r#"#!/usr/bin/env python3
import json, sys
def note(what): open("asked", "a").write(what + "\n")
config = {}
for line in sys.stdin:
    request = json.loads(line)
    method = request["method"]
    note(method)
    result = {"success": True}
    if method == "Configure": config = request["params"]["config"]
    if method == "Info": result = {"name": "tested"}
    if method == "CheckIdle": result = {"is_idle": True, "config": config, "jsonrpc": request.get("jsonrpc")}
    if method == "GetSupportedEvents": result = {"events": []}
    HOOK
    print(json.dumps({"result": result, "id": request["id"]}), flush=True)
note("closed")
"#;

fn diarist(hook: &str) -> String {
    DIARIST.replace("HOOK", hook)
}

fn asked(folder: &Path) -> Vec<String> {
    let text = fs::read_to_string(folder.join("asked")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_process_is_introduced_configured_made_ready_and_asked_for_its_events() {
    let stand = Stand::described(&diarist(""), Some(json!({})), SOON);
    stand.configured(&json!({"limit": 1}));
    stand.running().await;
    let methods = asked(stand.folder.path());
    let last = methods.len() - 4;
    assert_eq!(
        methods[last..],
        ["Info", "Configure", "Initialize", "GetSupportedEvents"]
    );
}

#[tokio::test]
async fn one_that_cannot_make_ready_is_started_again_until_it_can() {
    let hook = r#"
    if method == "Initialize":
        tries = len([line for line in open("asked") if line == "Initialize\n"])
        if tries == 1: result = {"error": "no server"}
        if tries == 2: result = {"success": False}
"#;
    let stand = Stand::of(&diarist(hook.trim_start())).await;
    assert_eq!(stand.plugin.restarts(), 2, "both failures cost a start");
    stand.check(SOON).await.expect("it answers now");
}

#[tokio::test]
async fn one_is_told_to_tidy_up_before_its_stdin_is_closed() {
    let mut stand = Stand::of(&diarist("")).await;
    stand.plugin.stop();
    (&mut stand.task).await.expect("it ends well");
    let methods = asked(stand.folder.path());
    assert_eq!(methods[methods.len() - 2..], ["Shutdown", "closed"]);
}

#[tokio::test]
async fn one_that_does_not_answer_at_its_end_is_ended_all_the_same() {
    let mut stand = Stand::of(&diarist(
        "if method == 'Shutdown': import threading; threading.Event().wait(3600)",
    ))
    .await;
    let process = stand.plugin.process_id().expect("it has a process");
    stand.plugin.stop();
    let ended = tokio::time::timeout(SOON, &mut stand.task).await;
    ended.expect("it ends in time").expect("it ends well");
    assert!(!is_alive(process));
}

#[tokio::test]
async fn t3_one_that_is_started_anew_for_its_configuration_is_told_to_tidy_up() {
    let stand = Stand::starting(&diarist(""));
    stand.configured(&json!({"limit": 1, "url": "a"}));
    stand.recovered().await;
    stand.configured(&json!({"limit": 1}));
    wait_until(SOON, "it was started anew", async || stand.plugin.restarts() == 1).await;
    assert_eq!(stand.recovered().await["config"], json!({"limit": 1}));
    let methods = asked(stand.folder.path());
    let end = methods
        .iter()
        .position(|method| method == "closed")
        .expect("it ended by itself");
    assert_eq!(methods[end - 1], "Shutdown");
}

#[tokio::test]
async fn a_plugin_in_json_rpc_is_asked_in_json_rpc_and_may_answer_in_it() {
    let script = diarist("").replace(r#"{"result": result,"#, r#"{"jsonrpc": "2.0", "result": result,"#);
    for script in [script, diarist("")] {
        let stand = Stand::described(&script, Some(json!({"process_model": "json-rpc"})), SOON);
        stand.running().await;
        assert_eq!(stand.check(SOON).await.expect("an answer")["jsonrpc"], "2.0");
        assert_eq!(stand.plugin.restarts(), 0);
    }
    let original = Stand::of(&diarist("")).await;
    let answer = original.check(SOON).await.expect("an answer");
    assert_eq!(answer["jsonrpc"], Value::Null, "the original knows nothing of it");
}

#[tokio::test]
async fn the_name_of_the_manifest_holds_whatever_it_calls_itself() {
    let script = diarist("").replace(r#""name": "tested""#, r#""name": "other""#);
    let stand = Stand::described(&script, Some(json!({})), SOON);
    assert_eq!(stand.plugin.name().as_str(), "tested", "before it is asked");
    stand.running().await;
    assert_eq!(stand.plugin.name().as_str(), "tested");
}

fn with_schema(script: &str) -> Stand {
    let schema = json!({"limit": {"type": "int", "required": true, "constraints": "min=1"}, "unit": {"type": "string", "default": "s"}});
    Stand::described(script, Some(json!({"config_schema": schema})), SOON)
}

#[tokio::test]
async fn t3_one_that_cannot_have_its_configuration_is_not_started_until_it_can() {
    let stand = with_schema(&diarist(""));
    let mut stage = stand.plugin.stage();
    let seen = stage.wait_for(|stage| *stage == Stage::Misconfigured);
    drop(
        tokio::time::timeout(SOON, seen)
            .await
            .expect("in time")
            .expect("it is seen"),
    );
    match stand.check(BRIEF).await {
        Err(CallError::NotRunning(why)) => assert!(why.contains("limit: it is required"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert!(asked(stand.folder.path()).is_empty(), "nothing was started");
    stand.configured(&json!({"limit": 3}));
    assert_eq!(
        stand.recovered().await["config"],
        json!({"limit": 3, "unit": "s"})
    );
}

#[tokio::test]
async fn t3_a_configuration_that_cannot_be_changes_nothing_and_is_told() {
    let stand = with_schema(&diarist(""));
    stand.configured(&json!({"limit": 3}));
    stand.recovered().await;
    stand.configured(&json!({"limit": 0}));
    assert_eq!(
        stand.check(SOON).await.expect("it answers on")["config"]["limit"],
        3
    );
    let refused = stand.plugin.config_refused().expect("it is told");
    assert_eq!(refused, "limit: expected at least 1, found 0");
    stand.configured(&json!({"limit": 5}));
    wait_until(SOON, "it has the next one", async || {
        let answer = stand.check(SOON).await;
        answer.is_ok_and(|answer| answer["config"]["limit"] == 5)
    })
    .await;
    assert_eq!(
        (stand.plugin.restarts(), stand.plugin.config_refused()),
        (0, None)
    );
}

#[tokio::test]
async fn a_file_that_was_changed_since_the_start_is_not_run_again() {
    let script = python(HONEST);
    let digest = crate::manifest::sha256_of_bytes(script.as_bytes());
    let stand = Stand::described(&script, Some(json!({"checksums": {"plugin": digest}})), SOON);
    stand.running().await;
    let changed = format!("{script}# changed\n");
    fs::write(stand.folder.path().join("new"), changed).expect("writes");
    fs::rename(
        stand.folder.path().join("new"),
        stand.folder.path().join("plugin"),
    )
    .expect("renames");
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(stand.plugin.process_id().expect("it runs")).expect("a process"),
        rustix::process::Signal::KILL,
    )
    .expect("kills");
    wait_until(SOON, "it is not run", async || {
        let asked = stand.plugin.call(Method::CheckIdle, &json!({}), BRIEF).await;
        matches!(asked, Err(CallError::NotRunning(why)) if why.contains("is another file"))
    })
    .await;
}
