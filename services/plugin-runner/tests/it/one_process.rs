//! A plugin that ends slowly, and the one that takes its place.

use crate::{
    set::{idle, load, unload},
    stage::{SOON, Stage, of, python_plugin},
};
use snooze_schemas::verdict::VoteState;
use snooze_test_harness::wait_until;
use std::fs;

#[tokio::test]
async fn a_plugin_that_does_not_end_by_itself_has_no_second_process_beside_it() {
    let mut stage = Stage::set().await;
    let marks = stage.file("marks");
    // It marks its beginning, and its end where it sees one; it stays for a while after its stdin has ended.
    let script = |text: &str| {
        let script = python_plugin("slow", &idle(text)).replacen(
            "for line in sys.stdin:",
            &format!("open({marks:?}, \"a\").write(\"+\")\nfor line in sys.stdin:"),
            1,
        );
        format!("{script}linger(0.5)\nopen({marks:?}, \"a\").write(\"-\")\n")
    };
    stage.plugin("slow.py", &script("one"));
    let runner = stage.runner().await;
    stage.vote("slow", VoteState::Idle).await;
    stage.plugin("slow.py", &script("two"));
    stage
        .verdict("the other one votes", |verdict| {
            of(verdict, "slow").is_some_and(|vote| vote.reason == "two")
        })
        .await;
    let told = || fs::read_to_string(&marks).expect("one has begun");
    assert_eq!(told(), "+-+");
    unload(&stage, "slow").await.expect("it is there");
    load(&stage, "slow").await.expect("it is there");
    wait_until(SOON, "the third has begun", async || {
        told().matches('+').count() == 3
    })
    .await;
    assert_eq!(told(), "+-+-+");
    runner.stop().await;
}
