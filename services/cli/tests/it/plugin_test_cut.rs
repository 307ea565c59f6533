//! `snooze plugin test` that does not come to its end: it is told meanwhile what is asked, in the end what is known, and
//! nothing is left.

use crate::simulate::own::{LONG, Own};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use snooze_test_harness::{Process, wait_for};
use std::{fs, os::unix::fs::PermissionsExt};

/// Makes ready, and never says whether the host is idle.
const HANGS: &str = "#!/usr/bin/env python3
import json, subprocess, sys, threading
for line in sys.stdin:
    request = json.loads(line)
    if request['method'] == 'CheckIdle':
        subprocess.Popen([sys.executable, '-c', 'import threading; threading.Event().wait()'])
        threading.Event().wait()
    print(json.dumps({'result': {'success': True}, 'id': request['id']}), flush=True)
";

/// Runs by itself, and never comes onto its bus.
const STAYS_AWAY: &str = "#!/usr/bin/env python3
import threading
threading.Event().wait()
";

/// A plugin's folder.
fn plugin(own: &Own, process_model: &str, program: &str) -> String {
    let folder = own.path("plugins").join("hang");
    fs::create_dir_all(&folder).expect("a folder");
    let manifest = json!({
        "name": "hang", "version": "1.0.0", "entry_point": "plugin.py", "process_model": process_model,
    });
    fs::write(folder.join("plugin.json"), manifest.to_string()).expect("written");
    let path = folder.join("plugin.py");
    fs::write(&path, program).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("ours");
    // A plugin may be a user of its own, who has to be let pass.
    for above in [own.path(""), own.path("plugins"), own.path("temporary")] {
        fs::set_permissions(above, fs::Permissions::from_mode(0o755)).expect("ours");
    }
    folder.to_str().expect("a plain name").to_owned()
}

fn read(own: &Own, name: &str) -> String {
    fs::read_to_string(own.path(name)).expect("both outputs are files")
}

/// Waits until it is told that this is asked.
async fn until_asked(own: &Own, testing: &mut Process, what: &str) {
    wait_for(LONG, "it is told what is asked", async || {
        let said = read(own, "err");
        assert_eq!(testing.ended(), None, "{said}");
        said.contains(what).then_some(())
    })
    .await;
}

/// Interrupts it, and returns what it says in the end.
async fn interrupted(own: &Own, mut testing: Process, signal: Signal) -> String {
    let id = i32::try_from(testing.id()).ok().and_then(Pid::from_raw);
    kill_process(id.expect("a process has an id"), signal).expect("it is ours");
    let ended = wait_for(LONG, "it ends", async || testing.ended()).await;
    let (out, err) = (read(own, "out"), read(own, "err"));
    assert_eq!(ended.code(), Some(1), "{out}{err}");
    assert!(
        err.ends_with("not everything was found out: interrupted\n"),
        "{err}"
    );
    assert!(
        out.ends_with("passed, and the rest was not asked: interrupted\n"),
        "{out}"
    );
    own.assert_nothing_is_left();
    out
}

#[tokio::test]
async fn one_that_hangs_is_told_while_it_is_asked_and_whoever_interrupts_it_is_told_what_is_known() {
    let own = Own::new();
    let (folder, junit) = (plugin(&own, "process", HANGS), own.text("report.xml"));
    for signal in [Signal::TERM, Signal::INT] {
        let mut testing = own.start(&["plugin", "test", &folder, "--junit", &junit]);
        until_asked(&own, &mut testing, "snooze: readings/recorded-").await;
        let out = interrupted(&own, testing, signal).await;
        for known in [
            "passed manifest/it-holds (lines)",
            "passed fences/it-starts (lines)",
            "\ncut    readings/recorded-",
        ] {
            assert!(out.contains(known), "{known:?}: {out}");
        }
        let report = fs::read_to_string(&junit).expect("it is written");
        assert!(
            report.contains("failures=\"1\"") && report.contains("interrupted"),
            "{report}"
        );
        fs::remove_file(&junit).expect("ours");
    }
}

#[tokio::test]
async fn one_that_hangs_takes_no_longer_than_its_limit_and_what_was_found_out_by_then_is_told() {
    let own = Own::new();
    let folder = plugin(&own, "process", HANGS);
    let mut testing = own.start(&["plugin", "test", &folder, "--limit", "3s"]);
    let ended = wait_for(LONG, "it ends", async || testing.ended()).await;
    let (out, err) = (read(&own, "out"), read(&own, "err"));
    assert_eq!(ended.code(), Some(1), "{out}{err}");
    for told in [
        "\ncut    ",
        "the rest was not asked: the time of 3 s was over, and --limit gives it another",
    ] {
        assert!(out.contains(told), "{told:?}: {out}");
    }
    own.assert_nothing_is_left();
}

#[tokio::test]
async fn one_on_the_bus_that_hangs_leaves_neither_itself_nor_its_bus_when_it_is_interrupted() {
    let own = Own::new();
    let folder = plugin(&own, "nats", STAYS_AWAY);
    let mut testing = own.start(&["plugin", "test", &folder]);
    until_asked(&own, &mut testing, "snooze: bus/it-comes").await;
    let out = interrupted(&own, testing, Signal::INT).await;
    assert!(
        out.contains("\ncut    bus/it-comes (nats-messagepack), "),
        "{out}"
    );
}
