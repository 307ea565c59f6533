//! A library that behaves, one that panics, one that hangs, and what is none.

use super::*;
use serde_json::{Value, json};
use std::{fs, path::PathBuf};
use tokio::time::Instant;

/// It is a call within this process; the rest is for a machine that compiles meanwhile.
const SOON: Duration = Duration::from_secs(20);

/// The library that `cargo test` has built.
fn library() -> Vec<u8> {
    let this = std::env::current_exe().expect("this program has a path");
    let folder: PathBuf = this.ancestors().nth(2).expect("it lies in deps").join("examples");
    let path = folder.join("libnative_plugin.so");
    let missing = "`cargo test` builds it where nothing is named";
    fs::read(&path).unwrap_or_else(|error| panic!("read {}: {error}; {missing}", path.display()))
}

async fn ask(pipes: &mut Pipes, method: &str, params: Value) -> Value {
    let question = format!("{}\n", json!({"method": method, "params": params, "id": 1}));
    let answered = async {
        pipes.write_line(question.as_bytes()).await.expect("it reads");
        pipes.read_line().await.expect("it answers")
    };
    let line = timeout(SOON, answered).await.expect("it answers in time");
    serde_json::from_slice(&line).expect("an answer is JSON")
}

#[tokio::test]
async fn a_library_answers_as_a_process_does_and_ends_with_its_pipes() {
    let (guest, mut pipes) = start("tested", &library(), &Seat::default()).expect("it loads");
    let info = ask(&mut pipes, "Info", json!({})).await;
    assert_eq!(info["result"]["name"], "tested");
    let opinion = ask(&mut pipes, "CheckIdle", json!({"metrics": {}})).await;
    assert_eq!(opinion["result"]["is_idle"], true);
    drop(pipes);
    assert!(guest.leave().await);
}

#[tokio::test]
async fn a_panic_is_an_error_and_the_next_question_is_answered() {
    let (_guest, mut pipes) = start("tested", &library(), &Seat::default()).expect("it loads");
    ask(&mut pipes, "Configure", json!({"config": {"panic": true}})).await;
    let failed = ask(&mut pipes, "CheckIdle", json!({"metrics": {}})).await;
    assert_eq!(failed["error"], "the plugin panicked: as it was told");
    ask(&mut pipes, "Configure", json!({"config": {}})).await;
    let opinion = ask(&mut pipes, "CheckIdle", json!({"metrics": {}})).await;
    assert_eq!(opinion["result"]["is_idle"], true);
}

#[tokio::test]
async fn one_that_hangs_is_left_behind_and_no_other_is_started_until_it_has_ended() {
    let folder = tempfile::tempdir().expect("a folder");
    let end = folder.path().join("end");
    let seat = Seat::default();
    let (guest, mut pipes) = start("tested", &library(), &seat).expect("it loads");
    ask(&mut pipes, "Configure", json!({"config": {"wait_for": end}})).await;
    pipes
        .write_line(b"{\"method\":\"CheckIdle\",\"params\":{\"metrics\":{}},\"id\":2}\n")
        .await
        .expect("it reads");
    drop(pipes);
    let begun = Instant::now();
    let watched = guest.ended.clone();
    assert!(!guest.leave().await, "it hangs");
    assert!(begun.elapsed() < SOON, "nobody waits for it for ever");
    let refused = start("tested", &library(), &seat).expect_err("one of it hangs");
    assert!(matches!(refused, GuestError::Hangs), "{refused:?}");
    fs::write(&end, "").expect("writes");
    let again = Guest { ended: watched };
    timeout(SOON, again.ended()).await.expect("it ends now");
    let (_guest, mut pipes) = start("tested", &library(), &seat).expect("there is room again");
    assert_eq!(ask(&mut pipes, "Info", json!({})).await["id"], 1);
}

#[tokio::test]
async fn what_is_no_library_is_refused_with_the_reason() {
    let refused = start("tested", b"#!/bin/sh\n", &Seat::default()).expect_err("it is a script");
    assert!(matches!(refused, GuestError::Load(_)), "{refused:?}");
}
