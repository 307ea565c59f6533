//! The runner as a process of its own, and what is seen of it from outside.

use crate::stage::Stage;
use serde_json::{Value, json};
use snooze_bus::User;
use snooze_test_harness::Process;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Hides control groups where it may, so that there are none wherever the test runs, and becomes the runner.
const UNGROUPED: &str = r#"
import ctypes, os, sys
libc = ctypes.CDLL(None)
if libc.unshare(0x20000) == 0:
    libc.mount(b"none", b"/", None, 0x44000, None)
    for line in open("/proc/self/mountinfo").readlines():
        place, kind = line.split(" - ")
        if kind.startswith("cgroup2 "): libc.umount2(place.split()[4].encode(), 2)
os.execv(sys.argv[1], sys.argv[1:])
"#;

/// Starts the process before it, takes in whom that one leaves behind, and ends nobody, as the machine's first process
/// does. The test itself would, where it hosts a runner.
const FIRST: &str = r#"
import ctypes, signal, subprocess, sys
prctl = ctypes.CDLL(None).prctl
prctl(36, 1, 0, 0, 0)
runner = subprocess.Popen(sys.argv[1:], preexec_fn=lambda: prctl(1, 9, 0, 0, 0))
runner.wait()
signal.pause()
"#;

/// What the runner is started by, its plugins granted what is said of them, and the test's own folder where that says
/// nothing of folders.
pub(crate) fn command(stage: &Stage, plugins: &[&str], permissions: &Value) -> Vec<String> {
    let mut granted = permissions.clone();
    if granted.get("write").is_none() {
        granted["write"] = json!([stage.file("")]);
    }
    let configs: serde_json::Map<String, Value> = plugins
        .iter()
        .map(|name| ((*name).to_owned(), json!({"permissions": granted})))
        .collect();
    let config = stage.file("snooze.json");
    let text = json!({"plugins": {"directories": [stage.plugin_folder()], "plugin_configs": configs}});
    fs::write(&config, text.to_string()).expect("writes");
    let path = |path: PathBuf| path.display().to_string();
    vec![
        "python3".to_owned(),
        "-c".to_owned(),
        UNGROUPED.to_owned(),
        env!("CARGO_BIN_EXE_snooze-plugin-runner").to_owned(),
        "--config".to_owned(),
        path(config),
        "--server".to_owned(),
        stage.server.url(),
        "--credentials".to_owned(),
        path(stage.server.credentials(&User::host(&stage.host))),
        "--host".to_owned(),
        stage.host.to_string(),
        "--state".to_owned(),
        path(stage.file("state-of-process")),
        "--runtime".to_owned(),
        path(stage.file("runtime-of-process")),
    ]
}

/// Starts it.
pub(crate) fn start(stage: &Stage, command: &[String]) -> Process {
    Process::start(Path::new(&command[0]), &command[1..], &stage.file("runner.log"))
        .expect("the runner starts")
}

/// Starts it below somebody who takes in what it leaves behind.
pub(crate) fn start_below(stage: &Stage, command: &[String]) -> Process {
    let arguments = [vec!["-c".to_owned(), FIRST.to_owned()], command.to_vec()].concat();
    Process::start(Path::new("python3"), &arguments, &stage.file("runner.log")).expect("it starts")
}

/// The processes whose parent is this one, and those that wait to be waited for by it, with their states.
pub(crate) fn children(process: u32) -> Vec<(i32, String)> {
    let parent = process.to_string();
    let stats = fs::read_dir("/proc")
        .expect("reads")
        .flatten()
        .filter_map(|entry| {
            let id: i32 = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            let mut rest = stat.rsplit(") ").next()?.split(' ');
            let state = rest.next()?.to_owned();
            (rest.next()? == parent).then_some((id, state))
        });
    stats.collect()
}

/// Asks it to end, as whoever runs the host does.
pub(crate) fn ask_to_end(runner: &Process) {
    signal(runner.id().cast_signed(), rustix::process::Signal::TERM);
}

/// Signals one that the test has started.
pub(crate) fn signal(process: i32, signal: rustix::process::Signal) {
    let id = rustix::process::Pid::from_raw(process).expect("a process");
    rustix::process::kill_process(id, signal).expect("it can be told");
}
