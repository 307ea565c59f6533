//! What only some kernels have: limits for all of a plugin's processes together, and with them isolation in every
//! way. What this kernel has is read from the kernel, and either the limit bites or its lack is said.

use crate::{
    greedy::{Greedy, config, landlock},
    stage::SOON,
};
use serde_json::{Value, json};
use snooze_plugin_runner::{asking::Method, fence::FenceConfig};
use std::{fs, path::PathBuf};

/// Which controllers are there for this process to divide: it has to be at the root of what it sees, because
/// whether a group below was delegated is for the runner to find out.
fn controllers() -> Vec<String> {
    let membership = fs::read_to_string("/proc/self/cgroup").expect("reads");
    let mounts = fs::read_to_string("/proc/self/mounts").expect("reads");
    let mount = mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let place = fields.next()?;
        (fields.next()? == "cgroup2").then(|| PathBuf::from(place))
    });
    let is_at_root = membership.lines().any(|line| line == "0::/");
    let Some(mount) = mount.filter(|_| is_at_root && rustix::process::geteuid().is_root()) else {
        return Vec::new();
    };
    let listed = fs::read_to_string(mount.join("cgroup.controllers")).expect("it is a root");
    listed.split_whitespace().map(str::to_owned).collect()
}

fn is_counted(controller: &str) -> bool {
    controllers().iter().any(|one| one == controller)
}

#[tokio::test]
async fn isolation_can_be_required_where_the_kernel_has_all_of_it() {
    let config = FenceConfig {
        require_isolation: true,
        ..config()
    };
    let has_all = landlock().await >= 6
        && rustix::process::geteuid().is_root()
        && ["cpu", "memory", "pids"].into_iter().all(is_counted);
    let greedy = Greedy::starting(Some((json!({}), config)));
    if has_all {
        greedy.running().await;
        assert_eq!(greedy.plugin.fenced().not_enforced, Vec::<String>::new());
        assert_ne!(greedy.may("os.getuid()").await, 0);
    } else {
        greedy
            .does_not_run("plugins.require_isolation is set, and not enforced is ")
            .await;
    }
}

#[tokio::test]
async fn processes_that_are_small_each_come_to_the_limit_together() {
    // Each holds 40 MiB, written to, until its parent's end.
    let two = "(lambda pipe: [os.fork() or (kept := bytearray(b'x' * (40 << 20)), os.write(pipe[1], b'x'), \
               signal.pause()) for _ in range(2)] and [os.read(pipe[0], 1) for _ in range(2)] and 2)(os.pipe())";
    let greedy = Greedy::granted(json!({"memory_mb": 100})).await;
    let is_counted = is_counted("memory");
    assert_eq!(
        greedy.says_not_enforced("of all its processes together"),
        !is_counted
    );
    let before = greedy.plugin.starts();
    let asked = greedy
        .plugin
        .call(Method::CheckIdle, &json!({"code": two}), SOON)
        .await;
    if is_counted {
        asked.expect_err("the kernel ends all of them");
        greedy.runs_again_after(before).await;
        greedy.may("len(bytearray(b'x' * (8 << 20)))").await;
    } else {
        assert_eq!(asked.expect("each has its own limit")["ok"], 2);
        // Its children wait for its end.
        greedy.is_killed_and_runs_again().await;
    }
}

#[tokio::test]
async fn processor_time_comes_to_its_limit() {
    let busy = "(lambda time: (lambda end: [0 for _ in iter(lambda: time.monotonic() < end, False)] and 0 or \
                time.process_time())(time.monotonic() + 2))(__import__('time'))";
    let greedy = Greedy::granted(json!({"cpu_percent": 50})).await;
    let before = greedy.may("__import__('time').process_time()").await;
    let after = greedy.may(busy).await;
    let seconds = |value: &Value| value.as_f64().expect("a number");
    let is_counted = is_counted("cpu");
    assert_eq!(greedy.says_not_enforced("processor time"), !is_counted);
    if is_counted {
        let used = seconds(&after) - seconds(&before);
        assert!(
            used < 1.4,
            "half of two seconds was granted, and it used {used} s"
        );
    }
}

#[tokio::test]
async fn processes_come_to_their_limit_by_the_group_alone() {
    let greedy = Greedy::sharing_user(json!({"processes": 8})).await;
    // Each child waits for its parent's end.
    let bomb = "(lambda pipe: [os.fork() or (os.close(pipe[1]), os.read(pipe[0], 1), os._exit(0)) \
                for _ in range(20)] and 20)(os.pipe())";
    let is_counted = is_counted("pids");
    assert_eq!(greedy.says_not_enforced("the number of processes"), !is_counted);
    let tried = greedy.tries(bomb).await;
    let expected = if is_counted {
        Err(json!(libc::EAGAIN))
    } else {
        Ok(json!(20))
    };
    assert_eq!(tried, expected, "its user has no limit of its own");
}
