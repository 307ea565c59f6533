//! What a plugin leaves behind, and who is not taken for that.
//!
//! Without a control group it is the runner that ends it.

use crate::{
    greedy::{Greedy, config, place},
    stage::SOON,
};
use serde_json::json;
use snooze_plugin_runner::{
    asking::Stage,
    fence::{ControlGroupRoot, FenceConfig},
};
use snooze_test_harness::{Process, wait_until};
use std::{fs, path::Path};

/// Starts a process that nothing of its parent's is left of, in a session of its own, and returns its id.
pub(crate) const DAEMON: &str = "(lambda pipe: (os.fork() or (os.setsid(), os.fork() and os._exit(0), \
    os.write(pipe[1], str(os.getpid()).encode()), [os.close(fd) for fd in (0, 1, 2)], signal.pause())) \
    and int(os.read(pipe[0], 20)))(os.pipe())";

pub(crate) fn is_alive(process: i64) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
    state.is_some_and(|state| state != 'Z')
}

/// Also not as one that waits to be waited for.
pub(crate) fn is_gone(process: i64) -> bool {
    !fs::exists(format!("/proc/{process}")).expect("it can be seen")
}

/// Whether this kernel says what tells a plugin's process from others.
fn counts_filters() -> bool {
    let status = fs::read_to_string("/proc/self/status").expect("it can be read");
    status.contains("Seccomp_filters:")
}

/// Fences without control groups, wherever the test runs.
fn alone() -> FenceConfig {
    FenceConfig {
        control_groups: ControlGroupRoot::At("/proc/self".into()),
        ..config()
    }
}

async fn is_stopped(greedy: &Greedy) {
    greedy.plugin.stop();
    let mut stage = greedy.plugin.stage();
    let stopped = tokio::time::timeout(SOON, stage.wait_for(|stage| *stage == Stage::Stopped)).await;
    drop(stopped.expect("in time").expect("it is supervised"));
}

async fn its_daemon_ends_with(greedy: Greedy) {
    let grandchild = greedy.may(DAEMON).await.as_i64().expect("an id");
    assert!(is_alive(grandchild));
    let remains = greedy.says_not_enforced("what leaves its process group:");
    is_stopped(&greedy).await;
    if remains {
        assert!(!counts_filters() && is_alive(grandchild), "who ended it?");
        let id = rustix::process::Pid::from_raw(i32::try_from(grandchild).expect("an id")).expect("an id");
        rustix::process::kill_process(id, rustix::process::Signal::KILL).expect("it is ours");
        wait_until(SOON, "the grandchild is gone", async || !is_alive(grandchild)).await;
    } else {
        assert!(is_gone(grandchild), "it has ended, and somebody waited for it");
    }
}

#[tokio::test]
async fn a_grandchild_in_a_session_of_its_own_ends_with_its_plugin() {
    // Others of this process would be the same user by the same name.
    its_daemon_ends_with(Greedy::named("greedy-parent", json!({}), alone()).await).await;
    its_daemon_ends_with(Greedy::named("greedy-grouped", json!({}), config()).await).await;
}

#[tokio::test]
async fn a_grandchild_that_shares_the_runners_user_ends_with_its_plugin() {
    its_daemon_ends_with(Greedy::sharing_user_in(json!({}), alone()).await).await;
}

#[tokio::test]
async fn what_a_plugin_that_lives_has_left_is_left_alone() {
    let own = Greedy::named("greedy-keeper", json!({}), alone()).await;
    let shared = Greedy::sharing_user_in(json!({}), alone()).await;
    let left = [own.may(DAEMON).await, shared.may(DAEMON).await].map(|id| id.as_i64().expect("an id"));
    let another = Greedy::granted(json!({})).await;
    // It is looked for what is left before it is started again.
    for _ in 0..3 {
        another.is_killed_and_runs_again().await;
        assert!(left.iter().all(|process| is_alive(*process)), "{left:?}");
    }
}

#[tokio::test]
async fn children_of_this_process_that_are_no_plugins_are_left_alone() {
    let folder = place();
    let log = folder.path().join("log");
    let start = |arguments: &[&str]| {
        let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
        Process::start(Path::new("python3"), &arguments, &log).expect("it starts")
    };
    // What a program does that keeps itself from much, and that no fence was put around.
    let filtered = "import ctypes, signal, struct\nlibc = ctypes.CDLL(None)\nlibc.prctl(38, 1, 0, 0, 0)\n\
                    allow = ctypes.create_string_buffer(struct.pack('HBBI', 6, 0, 0, 0x7fff0000))\n\
                    program = struct.pack('HxxxxxxP', 1, ctypes.addressof(allow))\n\
                    print(libc.prctl(22, 2, program, 0, 0), flush=True)\nsignal.pause()";
    let mut filtered = start(&["-c", filtered]);
    wait_until(SOON, "it has filtered itself", async || filtered.said() == "0\n").await;
    let mut idle = start(&["-c", "import signal; signal.pause()"]);
    let mut ended = start(&["-c", ""]);
    wait_until(SOON, "it has ended", async || !is_alive(ended.id().into())).await;
    let greedy = Greedy::granted(json!({})).await;
    greedy.is_killed_and_runs_again().await;
    assert!(idle.ended().is_none() && filtered.ended().is_none());
    let status = ended.ended().expect("nobody else has waited for it");
    assert!(status.success());
}

#[tokio::test]
async fn what_has_lost_its_first_thread_ends_with_its_plugin() {
    let greedy = Greedy::named("greedy-headless", json!({}), alone()).await;
    let headless = format!(
        "(lambda pipe: (os.fork() or (os.setsid(), __import__('threading').Thread(target=signal.pause).start(), \
         os.write(pipe[1], str(os.getpid()).encode()), call({}, 0))) and int(os.read(pipe[0], 20)))(os.pipe())",
        libc::SYS_exit
    );
    let child = greedy.may(&headless).await.as_i64().expect("an id");
    wait_until(SOON, "its first thread has ended", async || !is_alive(child)).await;
    let tasks = fs::read_dir(format!("/proc/{child}/task")).expect("it is there");
    assert_eq!(tasks.count(), 2, "the other one goes on");
    is_stopped(&greedy).await;
    wait_until(SOON, "it is gone", async || is_gone(child)).await;
}
