//! `snooze plugin run`, as an author types it: what the plugin says, what a change does, and how it ends.

use crate::snooze;
use rustix::process::{Pid, Signal, kill_process};
use snooze_test_harness::{Process, nats_server, wait_for};
use std::{collections::BTreeMap, fs, path::Path, time::Duration};

/// It starts in two seconds; the rest is for a machine that compiles meanwhile.
const LONG: Duration = Duration::from_secs(90);

/// Until it has said this.
async fn says(running: &mut Process, errors: &Path, wanted: &str) {
    wait_for(LONG, &format!("it says {wanted:?}"), async || {
        let (ended, said) = (running.ended(), running.said_all());
        let is_said = said.lines().any(|line| line.contains(wanted));
        let errors = fs::read_to_string(errors).unwrap_or_default();
        assert!(
            is_said || ended.is_none(),
            "it ended: {ended:?}\n{said}\n{errors}"
        );
        is_said.then_some(())
    })
    .await;
}

#[tokio::test]
async fn it_shows_votes_and_log_starts_anew_at_a_change_and_leaves_nothing_behind() {
    let around = tempfile::tempdir().expect("a folder");
    let path = |name: &str| around.path().join(name);
    for name in ["home", "runtime", "temporary"] {
        fs::create_dir(path(name)).expect("a folder");
    }
    let text = |path: &Path| path.to_str().expect("a plain name").to_owned();
    let made = snooze(&[
        "plugin",
        "new",
        "watcher",
        "--lang",
        "shell",
        "--dir",
        &text(around.path()),
    ])
    .await;
    assert_eq!(made.code, Some(0), "{made:?}");
    let plugin = path("watcher/plugin.sh");
    let replace = |old: &str, new: &str| {
        let before = fs::read_to_string(&plugin).expect("it is there");
        assert!(before.contains(old), "{old}");
        fs::write(&plugin, before.replace(old, new)).expect("it is ours");
    };
    replace(
        "file=/run/keep-awake",
        "file=/run/keep-awake\necho 'it begins' >&2",
    );
    let busy = path("busy");
    fs::write(path("config.json"), format!("{{\"file\": {:?}}}", text(&busy))).expect("a file");
    let environment = BTreeMap::from([
        ("HOME".to_owned(), path("home").into_os_string()),
        ("XDG_RUNTIME_DIR".to_owned(), path("runtime").into_os_string()),
        ("TMPDIR".to_owned(), path("temporary").into_os_string()),
        ("SNOOZE_NATS_SERVER".to_owned(), nats_server().into_os_string()),
    ]);
    let (folder, config) = (text(&path("watcher")), text(&path("config.json")));
    let arguments = ["plugin", "run", &folder, "--config", &config].map(str::to_owned);
    let (program, errors) = (Path::new(env!("CARGO_BIN_EXE_snooze")), path("err"));
    let running = Process::start_apart(program, &arguments, &environment, &path("out"), &errors);
    let mut running = running.expect("it starts");

    says(&mut running, &errors, "log    it begins").await;
    says(&mut running, &errors, "vote   watcher is idle: there is no file").await;
    fs::write(&busy, "").expect("a file");
    says(&mut running, &errors, "vote   watcher is busy: the file is there").await;
    replace("the file is there", "somebody works");
    says(
        &mut running,
        &errors,
        "run    its folder has changed: it is started anew",
    )
    .await;
    says(&mut running, &errors, "vote   watcher is busy: somebody works").await;
    let manifest = path("watcher/plugin.json");
    let right = fs::read_to_string(&manifest).expect("it is there");
    fs::write(&manifest, right.replace("\"0.1.0\"", "\"new\"")).expect("it is ours");
    says(&mut running, &errors, "version: not a semantic version").await;
    replace("somebody works", "somebody still works");
    fs::write(&manifest, right).expect("it is ours");
    says(
        &mut running,
        &errors,
        "vote   watcher is busy: somebody still works",
    )
    .await;

    let id = i32::try_from(running.id()).ok().and_then(Pid::from_raw);
    kill_process(id.expect("a process has an id"), Signal::INT).expect("it is ours");
    let ended = wait_for(LONG, "it ends", async || running.ended()).await;
    assert!(
        ended.success(),
        "{ended:?}: {}",
        fs::read_to_string(&errors).unwrap_or_default()
    );
    for left in ["temporary", "runtime"] {
        let left = fs::read_dir(path(left)).expect("it is there").count();
        assert_eq!(left, 0, "nothing outlives it");
    }
}

#[tokio::test]
async fn what_cannot_be_run_says_why_at_once() {
    let around = tempfile::tempdir().expect("a folder");
    let none = around.path().join("none");
    let done = snooze(&["plugin", "run", none.to_str().expect("a plain name")]).await;
    assert_eq!((done.code, done.out.as_str()), (Some(64), ""), "{done:?}");
    let folder = around.path().to_str().expect("a plain name");
    let done = snooze(&["plugin", "run", folder, "--nats-server", "/no/such/server"]).await;
    assert_eq!(done.code, Some(64), "{done:?}");
    assert!(done.err.contains("/no/such/server"), "{done:?}");
}
