//! A runner that is a process of its own after very many starts of plugins holds no more than after a few.

use crate::{
    alone::{ask_to_end, children, command, start},
    set::reload,
    stage::{SOON, Stage, of},
};
use serde_json::json;
use snooze_schemas::verdict::VoteState;
use snooze_test_harness::{Process, wait_for};
use std::fs;

/// How often each of the two is started before it is looked, and between the looks.
const FEW: usize = 20;
const MANY: usize = 150;

/// What the runner's memory may grow by: an allocator keeps what it was given for a while. A kilobyte that stayed of each
/// start would not show; a hundred of them, as of a thread's stack or a log, would.
const GROWTH_KB: u64 = 16_000;

/// Threads that wait for files are kept for a while when they are done, and there may be some more of them by chance.
const OF_FILES: usize = 8;

const DOOR: &str = r#"#!/bin/sh
while read -r line; do
    id=${line##*'"id":'}; id=${id%%[!0-9]*}
    case $line in
        *'"Info"'*) echo "{\"id\":$id,\"result\":{\"name\":\"door\"}}" ;;
        *'"CheckIdle"'*) echo "{\"id\":$id,\"result\":{\"is_idle\":true}}" ;;
        *) echo "{\"id\":$id,\"result\":{\"error\":\"Unknown method\"}}" ;;
    esac
done
"#;

/// Ends as soon as it is asked who it is, and says something to the log before.
const FRAIL: &str = "#!/bin/sh\nread -r line; echo \"what is this: $line\" >&2; exit 3\n";

/// What a process holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    descriptors: usize,
    threads: usize,
    children: usize,
}

fn held(process: u32) -> Held {
    let count = |what: &str| fs::read_dir(format!("/proc/{process}/{what}")).map_or(0, Iterator::count);
    Held {
        descriptors: count("fd"),
        threads: count("task"),
        children: children(process).len(),
    }
}

fn memory_kb(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("it lives");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.expect("it holds memory").parse().expect("a number")
}

/// Starts both anew so often.
async fn start_anew(stage: &Stage, times: usize) {
    for _ in 0..times {
        for plugin in ["door", "frail"] {
            reload(stage, plugin).await.expect("it is there");
        }
    }
}

/// What it holds when the one plugin runs, the other has crashed, and nothing is under way.
async fn at_rest(stage: &mut Stage, runner: &Process) -> Held {
    stage
        .verdict("one runs and the other is gone", |verdict| {
            let state = |plugin| of(verdict, plugin).map(|vote| vote.state);
            state("door") == Some(VoteState::Idle) && state("frail") == Some(VoteState::Unknown)
        })
        .await;
    wait_for(SOON, "nothing is under way", async || {
        let (before, after) = (held(runner.id()), held(runner.id()));
        (before == after && before.children == 1).then_some(before)
    })
    .await
}

#[tokio::test]
async fn hundreds_of_starts_leave_no_descriptor_no_thread_no_process_and_no_memory() {
    let mut stage = Stage::set().await;
    stage.policy(json!({"heartbeat_seconds": 0.2})).await;
    stage.plugin("door.sh", DOOR);
    stage.plugin("frail.sh", FRAIL);
    let mut runner = start(&stage, &command(&stage, &[], &json!({})));
    stage.vote("door", VoteState::Idle).await;
    start_anew(&stage, FEW).await;
    let (before, few_kb) = (at_rest(&mut stage, &runner).await, memory_kb(runner.id()));
    start_anew(&stage, MANY).await;
    // A thread or a file of what was done last may be there for a moment more.
    wait_for(SOON, "nothing is left of them", async || {
        let after = held(runner.id());
        let is_no_more =
            after.descriptors <= before.descriptors && after.threads <= before.threads + OF_FILES;
        (is_no_more && after.children == 1).then_some(())
    })
    .await;
    let grown_kb = memory_kb(runner.id()).saturating_sub(few_kb);
    assert!(grown_kb < GROWTH_KB, "{grown_kb} kB more than {few_kb} kB");
    stage.vote("door", VoteState::Idle).await;
    ask_to_end(&runner);
    let ended = wait_for(SOON, "it ends", async || runner.ended()).await;
    assert!(ended.success(), "{ended}: {}", runner.said());
}
