//! Every kind of hostile plugin at once, under a runner that is a process of its own, so that its log is its own too.
//!
//! Whatever one of them does is bounded by itself as well, so that a runner that fails costs the machine nothing.

use crate::{
    alone::{ask_to_end, children, command, start},
    stage::{SOON, Stage, of, python_plugin},
};
use serde_json::json;
use snooze_schemas::verdict::VoteState::{Busy, Unknown};
use snooze_test_harness::{wait_for, wait_until};
use std::{cell::RefCell, collections::BTreeSet, os::unix::fs::PermissionsExt};

/// What the runner may have held at most, its program as it is built for tests included: far less than one of them writes.
const HELD_KB: u64 = 80_000;

const LATE: &str = "it did not answer within 1000 ms";
/// What a fork that is refused makes of the bomb; where nothing counts its processes none is.
const REFUSED: &str = "exit code 11";
const CLOSED: &str = "it closed its stdout";

/// A name, what it does where it is to answer, and why nothing comes of it.
const HOSTILE: [(&str, &str, &str); 18] = [
    ("hangs", "linger(3600)", LATE),
    ("crashes", "os._exit(3)", CLOSED),
    ("fails", "1 / 0", CLOSED),
    (
        "babbles",
        r#"print("hello", flush=True)"#,
        "no JSON object of the protocol",
    ),
    (
        "floods",
        r#"[print('{"result": {"is_idle": true}, "id": 0}') for _ in iter(int, 1)]"#,
        "floods its stdout",
    ),
    (
        "swells",
        r#"[sys.stdout.write("x" * (1 << 16)) for _ in range(1600)]"#,
        "a line of more than 1024 KiB",
    ),
    (
        "lies",
        r#"print(json.dumps({"result": {"is_idle": True}, "id": request["id"] + 1}), flush=True) or linger(3600)"#,
        LATE,
    ),
    ("hints", r#"{"is_idle": "probably"}"#, "is_idle"),
    (
        "halves",
        r#"(sys.stdout.write('{"result": {"is_idle": true}, "id": %d' % request["id"]), sys.stdout.flush(), linger(3600))"#,
        LATE,
    ),
    (
        "repeats",
        r#"print(json.dumps({"result": {"is_idle": False}, "id": request["id"]}), flush=True) or {"is_idle": True}"#,
        "",
    ),
    ("eats", "[bytearray(1 << 20) for _ in range(1024)]", CLOSED),
    (
        "forks",
        "(lambda pipe: [os.fork() or (os.close(pipe[1]), os.read(pipe[0], 1), os._exit(0)) for _ in range(20)] \
         and linger(3600))(os.pipe())",
        LATE,
    ),
    (
        "spins",
        "__import__('signal').alarm(60) or any(iter(int, 1))",
        LATE,
    ),
    ("bombs", BOMB, REFUSED),
    (
        "leaves",
        "os.fork() and os._exit(0) or (os.setsid(), os.fork() and os._exit(0), \
         __import__('signal').alarm(60), linger(3600))",
        "it ended",
    ),
    (
        "stays",
        "__import__('signal').signal(15, __import__('signal').SIG_IGN) or linger(3600)",
        LATE,
    ),
    (
        "complains",
        r#"sys.stderr.write("it is hot\n" * 200_000) and linger(3600)"#,
        LATE,
    ),
    ("is-deaf", "os.close(0) or os.close(1) or linger(3600)", CLOSED),
];

/// Twice as many children as it may have processes, each of which forks too, as do its own: five of each at most. They end
/// with the one that has forked first, whose own fork has to be refused in the end.
const BOMB: &str = r#"exec("""
pipe = os.pipe()
def bomb(forks, refused):
    for _ in range(forks):
        try:
            child = os.fork()
        except OSError:
            return refused()
        if child == 0:
            bomb(2 if forks > 2 else forks - 1, lambda: None)
            os.close(pipe[1])
            os.read(pipe[0], 1)
            os._exit(0)
bomb(64, lambda: os._exit(11))
linger(3600)
""")"#;

/// Why nothing comes of it on this machine.
fn reason(name: &str, why: &'static str, log: &str) -> &'static str {
    let uncounted = |line: &str| {
        line.contains(name) && line.contains("not_enforced") && line.contains("the number of processes")
    };
    if why == REFUSED && log.lines().any(uncounted) {
        LATE
    } else {
        why
    }
}

/// The most that a process ever had in memory.
fn most_held_kb(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it is there");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
    number.expect("the kernel tells it").parse().expect("a number")
}

#[tokio::test]
async fn every_kind_of_hostile_plugin_at_once_costs_only_its_own_vote() {
    let mut stage = Stage::set().await;
    // So that each can be a user of its own, whose processes the kernel counts: that takes no file of the test's.
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(stage.file(""), open).expect("sets the mode");
    for (name, answer, _) in HOSTILE {
        stage.plugin(name, &python_plugin(name, answer));
    }
    stage.plugin("quiet", &python_plugin("quiet", r#"{"is_idle": True}"#));
    let limits = json!({"memory_mb": 64, "processes": 32, "disk_mb": 8, "write": []});
    let mut runner = start(
        &stage,
        &command(&stage, &HOSTILE.map(|(name, _, _)| name), &limits),
    );
    let said: RefCell<BTreeSet<&str>> = RefCell::default();
    stage
        .verdict("the honest reached the naptime", |verdict| {
            let (mut said, log) = (said.borrow_mut(), runner.said_all());
            for (name, _, why) in HOSTILE {
                let why = reason(name, why, &log);
                let Some(vote) = of(verdict, name) else {
                    continue;
                };
                let state = if why.is_empty() { Busy } else { Unknown };
                assert!(
                    [state, Unknown].contains(&vote.state) && vote.idle_ms == 0,
                    "{name}: {vote:?}"
                );
                // What failed is in the log at once; an answer that is none is in the vote alone.
                let names_it = |line: &str| {
                    line.contains("a plugin failed") && line.contains(name) && line.contains(why)
                };
                if vote.state == state && (vote.reason.contains(why) || log.lines().any(names_it)) {
                    said.insert(name);
                }
            }
            let long = |voter| of(verdict, voter).is_some_and(|vote| vote.idle_ms >= 600);
            long("cpu") && long("quiet")
        })
        .await;
    // A vote that stays unknown is told no second time; each failure is in the log.
    wait_until(SOON, "each has failed its own way", async || {
        let log = runner.said_all();
        HOSTILE.iter().all(|(name, _, why)| {
            let why = reason(name, why, &log);
            let names_it =
                |line: &str| line.contains("a plugin failed") && line.contains(name) && line.contains(why);
            said.borrow().contains(name) || log.lines().any(names_it)
        })
    })
    .await;
    // Who never answers at all is named by the log.
    let log = runner.said_all();
    for name in [
        "hangs", "crashes", "floods", "swells", "halves", "eats", "leaves", "spins", "bombs",
    ] {
        let names_it = |line: &str| line.contains("a plugin failed") && line.contains(name);
        assert!(log.lines().any(names_it), "{name}: {log}");
    }
    // A line of 100 MB and floods without end passed through it.
    let most = most_held_kb(runner.id());
    assert!(most < HELD_KB, "the runner held {most} KB");
    let left: Vec<i32> = children(runner.id())
        .into_iter()
        .map(|(child, _)| child)
        .collect();
    ask_to_end(&runner);
    let ended = wait_for(SOON, "it ends", async || runner.ended()).await;
    assert!(ended.success(), "{ended}: {}", runner.said());
    let is_there = |child: &&i32| std::fs::exists(format!("/proc/{child}")).expect("it can be seen");
    assert_eq!(left.iter().find(is_there), None);
}
