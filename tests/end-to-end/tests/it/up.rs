//! `snooze up`: the whole system on one machine, as a person starts and ends it.

use crate::{
    place::{Done, LONG, Place, Run},
    processes::{self, Seen},
};
use rustix::process::Signal;
use serde_json::{Value, json};
use snooze_test_harness::{Process, fill_disk_of, free_disk_of, python, wait_for, wait_until};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

/// Sets what the changes say; of an object that both have the other keys stay.
fn lay_over(config: &mut Value, changes: &Value) {
    match (config, changes) {
        (Value::Object(keys), Value::Object(changes)) => {
            for (key, change) in changes {
                lay_over(keys.entry(key.as_str()).or_insert(Value::Null), change);
            }
        }
        (value, change) => *value = change.clone(),
    }
}

/// A running `snooze up` that stops its simulated instance once the plugin `keep-awake` lets it: every
/// other voter only advises, for the machine that runs the tests is busy with them.
pub(crate) struct Up {
    run: Run,
    pub(crate) place: Place,
}

impl Up {
    /// One on an idle machine.
    pub(crate) async fn idle() -> Up {
        Up::begin(Place::new(), &json!({})).await
    }

    /// One that somebody keeps awake, by the file `keep-awake`.
    pub(crate) async fn busy() -> Up {
        let place = Place::new();
        place.write("keep-awake", "");
        Up::begin(place, &json!({})).await
    }

    /// One with some keys of its policy set otherwise.
    pub(crate) async fn begin(place: Place, changes: &Value) -> Up {
        place.add_plugin("demonstration/keep-awake.sh", None);
        place.add_plugin("demonstration/load-average.py", None);
        let built_in = ["cpu", "memory", "network", "disk_io", "gpu", "input", "people"];
        let advisory: serde_json::Map<String, Value> = built_in
            .into_iter()
            .chain(["load-average"])
            .map(|voter| (voter.to_owned(), json!({"role": "advisory"})))
            .collect();
        let mut config = json!({
            "mode": "act", "self_stop": true, "naptime_minutes": 0.05, "check_interval_seconds": 1,
            "notice_seconds": 1, "settle_seconds": 1, "heartbeat_seconds": 2, "boot_grace_minutes": 0,
            "cooldown_minutes": 0, "verify_window_seconds": 1, "plugin_timeout_seconds": 2,
            "voters": advisory,
            "plugins": {
                "enabled": true, "directories": [place.text("plugins")],
                "plugin_configs": {
                    "keep-awake": {
                        "file": place.text("keep-awake"),
                        "permissions": {"run": ["sed"], "read": [place.text("keep-awake")]},
                    },
                    "load-average": {"events": {"snooze.pending": {}, "custom": {}}},
                    "hangs": {"permissions": {"run": ["sleep"]}},
                },
            },
        });
        lay_over(&mut config, changes);
        place.write("snooze.json", &config.to_string());
        let run = start(&place);
        let mut up = Up { run, place };
        up.wait_for_votes().await;
        up
    }

    /// Ends it as a person does, and starts it again on the same state.
    pub(crate) async fn restart(self) -> Up {
        let place = self.end().await;
        let run = start(&place);
        let mut up = Up { run, place };
        up.wait_for_votes().await;
        up
    }

    /// Ends it as a person does.
    pub(crate) async fn end(self) -> Place {
        let Up { run, place } = self;
        run.interrupt();
        let done = run.ended().await;
        assert_eq!(done.code, 0, "{done:?}");
        place
    }

    /// Another `snooze` in another terminal.
    pub(crate) async fn snooze(&self, arguments: &[&str]) -> Done {
        let state = self.place.text("state");
        let mut all = vec!["--state", state.as_str()];
        all.extend(arguments);
        self.place.run("snooze", &all).await
    }

    /// What it says on stdout, where it does what it was asked.
    pub(crate) async fn ask(&self, arguments: &[&str]) -> String {
        let done = self.snooze(arguments).await;
        assert_eq!((done.code, done.err.as_str()), (0, ""), "{arguments:?}: {done:?}");
        done.out
    }

    /// The executor's report of the one host.
    pub(crate) async fn report(&self) -> Value {
        let out = self.ask(&["status", "--json"]).await;
        let result: Value = serde_json::from_str(&out).expect("--json is JSON");
        result["hosts"][0].clone()
    }

    /// The steps of claims that the audit trail has, the oldest first.
    pub(crate) async fn steps(&self) -> Vec<String> {
        let out = self.ask(&["history", "--json", "-n", "1000"]).await;
        let records: Vec<Value> = serde_json::from_str(&out).expect("--json is JSON");
        let kinds = records.iter().filter(|record| !record["claim"].is_null());
        kinds
            .map(|record| record["kind"].as_str().expect("a kind").to_owned())
            .collect()
    }

    /// Until the runner's votes have come over the bus.
    async fn wait_for_votes(&mut self) {
        let is = |line: &str| line.starts_with("vote     keep-awake is ");
        self.run.wait_for_line("how the plugin votes", is).await;
    }
}

fn start(place: &Place) -> Run {
    let (state, config) = (place.text("state"), place.text("snooze.json"));
    let arguments = ["up", "--state", &state, "--config", &config, "--host", "web"];
    place.start("snooze", &arguments)
}

/// The kind of entry that a line of the audit trail tells, where it belongs to this claim.
fn step_of<'a>(line: &'a str, claim: &str) -> Option<&'a str> {
    let entry = line.strip_prefix("audit ")?.strip_suffix(claim)?;
    entry.split_whitespace().nth(1)
}

async fn wait_until_gone(those: &[Seen]) {
    wait_until(LONG, &format!("none of {those:?} is left"), async || {
        processes::left(those).is_empty()
    })
    .await;
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("it is read").path();
        if path.is_dir() {
            found.extend(files_below(&path));
        }
        found.push(path);
    }
    found
}

#[tokio::test]
async fn s12_an_idle_machine_goes_through_every_step_and_ctrl_c_leaves_no_process() {
    let mut up = Up::idle().await;
    up.run
        .wait_for_line("what it intends", |line| {
            line.starts_with("audit ") && line.contains(" intent ")
        })
        .await;
    // The plugins vote by now; they go when the simulated machine does.
    let mut children = processes::below(up.run.id());
    for needed in ["nats-server", "keep-awake.sh"] {
        let is_there = children.iter().any(|seen| seen.name == needed);
        assert!(is_there, "{needed} runs: {children:?}");
    }
    let stopped = up
        .run
        .wait_for_line("that the instance is stopped", |line| {
            line.starts_with("audit ") && line.contains(" stopped ") && line.contains(" [claim ")
        })
        .await;
    let claim = &stopped[stopped.find(" [claim ").expect("it was there a moment ago")..];
    let lines = up.run.lines();
    let steps: Vec<&str> = lines.iter().filter_map(|line| step_of(line, claim)).collect();
    assert_eq!(
        steps,
        ["intent", "notice", "verified", "committed", "call", "stopped"],
        "{lines:#?}"
    );
    assert!(
        lines
            .iter()
            .any(|line| line == "note     the simulated cloud was asked: StopInstances sim-web")
    );

    for path in files_below(&up.place.path("state")) {
        // The broker rewrites its files by renaming others over them.
        let Ok(about) = fs::symlink_metadata(&path) else {
            continue;
        };
        let mode = about.permissions().mode();
        assert_eq!(
            mode & 0o077,
            0,
            "{} is for its owner alone, but {mode:o}",
            path.display()
        );
    }

    children.extend(processes::below(up.run.id()));
    let Up { run, place } = up;
    run.interrupt();
    let done = run.ended().await;
    let log = place.read("state/snooze.log");
    assert_eq!((done.code, done.err.as_str()), (0, ""), "{}\n{log}", done.out);
    assert_eq!(processes::left(&children), []);
    let kept: Vec<PathBuf> = files_below(&place.path("runtime"));
    assert_eq!(
        kept,
        Vec::<PathBuf>::new(),
        "nothing is kept for a simulated instance"
    );
}

/// Makes a terminal that wants messages, says so, and then says what appears on it.
const TERMINAL: &str = "
import os, pty, sys
master, slave = pty.openpty()
os.fchmod(slave, 0o620)
print('a terminal', flush=True)
while True:
    print(os.read(master, 4096), flush=True)
";

#[tokio::test]
async fn s12_nobody_at_a_terminal_is_alarmed_by_a_simulated_stop() {
    let place = Place::new();
    let arguments = ["-c".to_owned(), TERMINAL.to_owned()];
    let terminal = Process::start(&python(), &arguments, &place.path("said/terminal")).expect("python runs");
    wait_until(LONG, "there is a terminal", async || {
        terminal.said_all() == "a terminal\n"
    })
    .await;
    let mut up = Up::begin(place, &json!({})).await;
    up.run
        .wait_for_line("that the instance is stopped", |line| {
            line.starts_with("audit ") && line.contains(" stopped ") && line.contains(" [claim ")
        })
        .await;
    // The notice was given before the stop, so what it wrote would be there by now.
    assert_eq!(terminal.said_all(), "a terminal\n");
}

#[tokio::test]
async fn a_service_managers_sigterm_ends_it_in_order() {
    let Up { mut run, place } = Up::busy().await;
    let children = processes::below(run.id());
    run.signal(Signal::TERM);
    run.wait_for_line("that it ends", |line| line.starts_with("ending "))
        .await;
    let done = run.ended().await;
    let log = place.read("state/snooze.log");
    assert_eq!((done.code, done.err.as_str()), (0, ""), "{}\n{log}", done.out);
    assert_eq!(processes::left(&children), []);
}

#[tokio::test]
async fn a_second_ctrl_c_ends_it_at_once_and_leaves_no_process() {
    let Up {
        mut run,
        place: _place,
    } = Up::busy().await;
    let children = processes::below(run.id());
    let broker = children.iter().find(|seen| seen.name == "nats-server");
    // A broker that does not answer: an ordered end would wait for it as long as it may.
    processes::signal(broker.expect("it runs").id, Signal::STOP);
    run.interrupt();
    run.wait_for_line("that it ends", |line| line.starts_with("ending "))
        .await;
    run.interrupt();
    let done = run.ended().await;
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.err.contains("a second signal"), "{done:?}");
    wait_until_gone(&children).await;
}

#[tokio::test]
async fn a_reader_that_has_read_enough_ends_it_in_order() {
    // `snooze up | head -n 1`: python reads a line and is gone.
    const HEAD: &str = "
import subprocess, sys
up = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE)
up.stdout.readline()
up.stdout.close()
print('exit code', up.wait(), flush=True)
";
    let place = Place::new();
    let head = start_by_python(&place, HEAD);
    wait_until(LONG, "it ended", async || head.said_all().contains("exit code")).await;
    assert_eq!(head.said_all(), "exit code 0\n");
}

#[tokio::test]
async fn a_watch_ends_with_the_bus_that_it_watches_or_when_that_is_elsewhere() {
    let mut up = Up::busy().await;
    let mut watches = Vec::new();
    for _ in 0..2 {
        let state = up.place.text("state");
        let watch = up.place.start("snooze", &["--state", &state, "event", "watch"]);
        wait_until(LONG, "it watches", async || {
            up.ask(&["event", "send", "sign", "--host", "web"]).await;
            !watch.lines().is_empty()
        })
        .await;
        watches.push(watch);
        if watches.len() == 1 {
            up = up.restart().await;
        }
    }
    let _said_there = up.end().await;
    for watch in watches {
        let done = watch.ended().await;
        assert_eq!(done.code, 3, "{done:?}");
        assert!(done.err.contains("the connection to the bus is lost"), "{done:?}");
        assert!(done.err.contains("`snooze up`"), "{done:?}");
    }
}

#[tokio::test]
async fn an_output_that_takes_nothing_holds_up_no_end() {
    // `snooze up | less`, and nobody pages: the pipe is full from the start.
    const FULL: &str = "
import os, subprocess, sys
_, pipe = os.pipe()
os.set_blocking(pipe, False)
try:
    while True:
        os.write(pipe, bytes(4096))
except BlockingIOError:
    os.set_blocking(pipe, True)
up = subprocess.Popen(sys.argv[1:], stdout=pipe)
print(up.pid, flush=True)
print('exit code', up.wait(), flush=True)
";
    let place = Place::new();
    let less = start_by_python(&place, FULL);
    let log = place.path("state/snooze.log");
    wait_until(LONG, "everything runs", async || {
        fs::read_to_string(&log).is_ok_and(|log| log.contains("the executor runs"))
    })
    .await;
    let said = less.said_all();
    let id = said.lines().next().and_then(|line| line.parse().ok());
    processes::signal(id.expect("a process id"), Signal::INT);
    wait_until(LONG, "it ended", async || less.said_all().contains("exit code")).await;
    assert!(less.said_all().ends_with("exit code 0\n"), "{}", less.said_all());
}

/// Starts a script that runs `snooze up`, which is what its arguments are.
fn start_by_python(place: &Place, script: &str) -> Process {
    let text = |path: PathBuf| path.into_os_string().into_string().expect("plain names");
    let arguments = [
        "-c".to_owned(),
        script.to_owned(),
        "setpriv".to_owned(),
        "--pdeathsig".to_owned(),
        "KILL".to_owned(),
        text(crate::place::program("snooze")),
        "up".to_owned(),
        "--state".to_owned(),
        place.text("state"),
        "--nats-server".to_owned(),
        text(snooze_test_harness::nats_server()),
    ];
    Process::start(&python(), &arguments, &place.path("said/python")).expect("python runs")
}

#[tokio::test]
async fn somebody_elses_folder_is_no_state_folder() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    let home = place.path("home");
    place.write("home/theirs", "");
    fs::set_permissions(&home, fs::Permissions::from_mode(0o755)).expect("ours");
    let done = place.run("snooze", &["up", "--state", &place.text("home")]).await;
    assert_eq!((done.code, done.err.lines().count()), (64, 1), "{done:?}");
    let mode = fs::metadata(&home).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o755, "it is left as it was");
}

#[tokio::test]
async fn up_joins_no_other_bus() {
    let place = Place::new();
    let arguments = [
        "up",
        "--state",
        &place.text("state"),
        "--server",
        "nats://127.0.0.1:1",
    ];
    let done = place.run("snooze", &arguments).await;
    assert_eq!((done.code, done.err.lines().count()), (64, 1), "{done:?}");
    assert!(!place.path("state").exists());
}

#[tokio::test]
async fn a_second_up_on_the_same_state_is_refused_and_disturbs_nobody() {
    let up = Up::busy().await;
    let second = start(&up.place).ended().await;
    assert_eq!(second.code, 4, "{second:?}");
    assert_eq!(second.err.lines().count(), 1, "{second:?}");
    assert!(second.err.contains(&up.place.text("state")), "{second:?}");
    assert!(up.ask(&["hosts"]).await.contains("web"));
}

#[tokio::test]
async fn after_a_kill_nothing_is_left_and_the_next_start_works() {
    let mut up = Up::busy().await;
    let children = processes::below(up.run.id());
    assert!(
        children.iter().any(|seen| seen.name == "nats-server"),
        "{children:?}"
    );
    up.run.kill();
    wait_until_gone(&children).await;
    up.run = start(&up.place);
    up.wait_for_votes().await;
    let Up { run, place } = up;
    run.interrupt();
    let done = run.ended().await;
    let log = place.read("state/snooze.log");
    assert_eq!((done.code, done.err.as_str()), (0, ""), "{}\n{log}", done.out);
}

#[tokio::test]
async fn a_plugin_that_hangs_when_all_is_killed_is_ended_by_the_next_start() {
    let place = Place::new();
    place.write("keep-awake", "");
    // It never reads, so that the end of its stdin tells it nothing.
    place.write_plugin("hangs.sh", "#!/bin/sh\nexec sleep 3600\n");
    let mut up = Up::begin(place, &json!({})).await;
    let (hung, others) = wait_for(LONG, "the plugin hangs", async || {
        let (hung, others): (Vec<Seen>, Vec<Seen>) = processes::below(up.run.id())
            .into_iter()
            .partition(|seen| seen.name == "sleep");
        (!hung.is_empty()).then_some((hung, others))
    })
    .await;
    up.run.kill();
    wait_until_gone(&others).await;
    up.run = start(&up.place);
    up.wait_for_votes().await;
    wait_until_gone(&hung).await;
    up.end().await;
}

#[tokio::test]
async fn s22_a_broker_whose_store_was_full_ends_it_with_the_reason_and_a_start_anew_keeps_a_freeze() {
    /// A minute until it is sure, and what looking and ending take.
    const SURE: Duration = Duration::from_secs(180);
    let Up { run, place } = Up::busy().await;
    let all = processes::below(run.id());
    let broker = all.iter().find(|seen| seen.name == "nats-server");
    let broker = broker.expect("it runs").id;
    let up = Up { run, place };
    fill_disk_of(broker);
    let unkept = up.snooze(&["freeze", "--reason", "no room"]).await;
    assert_ne!(unkept.code, 0, "{unkept:?}");
    free_disk_of(broker);
    let unkept = up.snooze(&["freeze", "--reason", "room again"]).await;
    assert_ne!(unkept.code, 0, "{unkept:?}");

    let Up { run, place } = up;
    let done = run.ended_within(SURE).await;
    assert_eq!((done.code, done.err.lines().count()), (1, 1), "{done:?}");
    let why = format!("make room where {} is", place.text("state"));
    assert!(done.err.contains(&why), "{done:?}");

    let run = start(&place);
    let mut up = Up { run, place };
    up.wait_for_votes().await;
    up.ask(&["freeze", "--reason", "a start anew"]).await;
}
