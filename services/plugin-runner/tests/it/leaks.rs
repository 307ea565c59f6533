//! The runner as a process of its own, with plugins that crash all the time: what it leaves behind.

use crate::stage::{SOON, Stage, of, python_plugin};
use snooze_bus::User;
use snooze_schemas::verdict::VoteState;
use snooze_test_harness::{Process, wait_for, wait_until};
use std::{
    fs,
    path::{Path, PathBuf},
};

fn descriptors(process: u32) -> usize {
    fs::read_dir(format!("/proc/{process}/fd")).map_or(0, Iterator::count)
}

/// The processes whose parent is this one, and those that wait to be reaped by it.
fn children(process: u32) -> Vec<(i32, String)> {
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

#[tokio::test]
async fn crashes_leave_no_descriptor_and_no_process() {
    let mut stage = Stage::set().await;
    let count = stage.file("crashes");
    let crash = format!(r#"open({count:?}, "a").write(".") and os._exit(1)"#);
    stage.plugin("fragile.py", &python_plugin("fragile", &crash));
    stage.plugin("quiet.py", &python_plugin("quiet", r#"{"is_idle": True}"#));
    let config = stage.file("snooze.json");
    let granted = serde_json::json!({"permissions": {"write": [stage.file("")]}});
    let text = serde_json::json!({"plugins": {
        "directories": [stage.plugin_folder()], "plugin_configs": {"fragile": granted},
    }});
    fs::write(&config, text.to_string()).expect("writes");
    let path = |path: PathBuf| path.display().to_string();
    let arguments = [
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
    ];
    let program = Path::new(env!("CARGO_BIN_EXE_snooze-plugin-runner"));
    let mut runner =
        Process::start(program, &arguments, &stage.file("runner.log")).expect("the runner starts");
    let id = runner.id();
    stage.vote("quiet", VoteState::Idle).await;
    let crashes = || fs::read(&count).map_or(0, |marks| marks.len());
    // While the crashed one is not there: only the other one's process has pipes.
    let between_crashes = async || {
        wait_for(SOON, "the crashed process is gone and not back", async || {
            let (before, count, after) = (children(id).len(), descriptors(id), children(id).len());
            (before == 1 && after == 1).then_some(count)
        })
        .await
    };
    wait_until(SOON, "it has crashed once", async || crashes() >= 1).await;
    let before = between_crashes().await;
    wait_until(SOON, "it has crashed some more", async || crashes() >= 4).await;
    // A file may be open just now that is written again and again.
    wait_until(SOON, "no descriptor is left of the crashes", async || {
        between_crashes().await <= before
    })
    .await;
    assert!(children(id).len() <= 2, "{:?}", children(id));
    stage
        .verdict("the others go on meanwhile", |verdict| {
            of(verdict, "cpu").is_some_and(|vote| vote.idle_ms >= 600)
        })
        .await;
    let left_behind: Vec<i32> = children(id).into_iter().map(|(child, _)| child).collect();
    let signal = rustix::process::Pid::from_raw(id.cast_signed()).expect("a process");
    rustix::process::kill_process(signal, rustix::process::Signal::TERM).expect("it can be told");
    let ended = wait_for(SOON, "it ends", async || runner.ended()).await;
    assert!(ended.success(), "{ended}: {}", runner.said());
    wait_until(SOON, "its plugins are gone", async || {
        left_behind.iter().all(|child| {
            let stat = fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
            stat.is_empty() || stat.contains(") Z ")
        })
    })
    .await;
}

#[tokio::test]
async fn a_hung_plugin_of_a_killed_runner_is_ended_by_the_next_one() {
    let stage = Stage::set().await;
    let id_file = stage.file("hung");
    let hang = format!(r#"open({id_file:?}, "w").write(str(os.getpid())) and linger(3600)"#);
    stage.plugin("hung.py", &python_plugin("hung", &hang));
    stage
        .policy(serde_json::json!({"plugin_timeout_seconds": 15}))
        .await;
    let config = stage.file("snooze.json");
    let granted = serde_json::json!({"permissions": {"write": [stage.file("")]}});
    let text = serde_json::json!({"plugins": {
        "directories": [stage.plugin_folder()], "plugin_configs": {"hung": granted},
    }});
    fs::write(&config, text.to_string()).expect("writes");
    let path = |path: PathBuf| path.display().to_string();
    let arguments = [
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
    ];
    let program = Path::new(env!("CARGO_BIN_EXE_snooze-plugin-runner"));
    let start = || Process::start(program, &arguments, &stage.file("runner.log")).expect("the runner starts");
    let mut runner = start();
    let hung = wait_for(SOON, "the plugin hangs", async || {
        let id: u32 = fs::read_to_string(&id_file).ok()?.parse().ok()?;
        Some(id)
    })
    .await;
    runner.kill();
    let lives = || {
        let stat = fs::read_to_string(format!("/proc/{hung}/stat")).unwrap_or_default();
        !stat.is_empty() && !stat.contains(") Z ")
    };
    assert!(lives(), "nobody has told it to end");
    fs::remove_file(&id_file).expect("removes");
    let _runner = start();
    wait_until(SOON, "the next runner has ended it", async || !lives()).await;
}
