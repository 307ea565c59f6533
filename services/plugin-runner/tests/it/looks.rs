//! Looks through the folders of plugins that do not end, because a disk does not answer.
//!
//! The disk is a pipe that nobody reads, in the place of a file that the runner writes anew when a plugin comes.

use crate::{
    manifests::{described, listed},
    set::load,
    stage::{SOON, Stage, of, python_plugin},
};
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat, open};
use serde_json::{Value, json};
use snooze_plugin_runner::{Config, sha256_of};
use snooze_schemas::{
    ErrorCode,
    verdict::{Role, VoteState},
};
use snooze_test_harness::wait_until;
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

const FOLDERS: &str = "folders-of-plugins";

/// Answers once it is dropped.
struct SilentDisk {
    pipe: PathBuf,
}

impl SilentDisk {
    fn of(stage: &Stage) -> SilentDisk {
        fs::create_dir_all(stage.state()).expect("makes the state folder");
        let pipe = stage.state().join("known-plugins.new");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::from_raw_mode(0o600), 0).expect("makes the pipe");
        SilentDisk { pipe }
    }
}

impl Drop for SilentDisk {
    fn drop(&mut self) {
        let reader = open(&self.pipe, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty());
        fs::remove_file(&self.pipe).expect("removes the pipe");
        drop(reader.expect("reads the pipe"));
    }
}

fn quick(stage: &Stage) -> Config {
    Config {
        look_limit: Duration::from_millis(200),
        ..stage.config()
    }
}

/// One that is idle, and writes which process it is.
fn idle(name: &str, running: &Path) -> String {
    let answer =
        format!(r#"{{"is_idle": True}} if open({running:?}, "w").write(str(os.getpid())) else {{}}"#);
    python_plugin(name, &answer)
}

async fn has_ended(running: &Path) {
    let process = fs::read_to_string(running).expect("it ran");
    wait_until(SOON, "its process has ended", async || {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ")
    })
    .await;
}

/// The layer that approves the plugin as it is.
fn approved(stage: &Stage, running: &Path) -> Value {
    let folder = stage.plugin_folder().join("watched");
    let digest = |name: &str| sha256_of(&folder.join(name)).expect("it can be read");
    json!({
        "by": "alice", "at": "2026-11-26T12:00:00Z", "version": "1.0.0",
        "permissions": {"write": [running.parent().expect("a folder")]},
        "manifest_sha256": digest("plugin.json"), "entry_sha256": digest("run"),
    })
}

#[tokio::test]
async fn s2_while_no_disk_answers_nobody_is_idle_and_it_is_said_and_what_is_taken_back_ends_all_the_same() {
    let mut stage = Stage::set().await;
    fs::create_dir(stage.file("notes")).expect("makes");
    let [watched, other] = ["watched", "other"].map(|name| stage.file("notes").join(name));
    let manifest = json!({"name": "watched", "version": "1.0.0", "entry_point": "run"});
    described(&stage, "watched", &idle("watched", &watched), &manifest);
    stage.plugin("other.py", &idle("other", &other));
    let beats = json!({"heartbeat_seconds": 0.2});
    let said = approved(&stage, &watched);
    stage
        .layer(beats.clone(), json!({"watched": {"approved": said}}))
        .await;
    let mut config = quick(&stage);
    let own = json!({"permissions": {"write": [stage.file("notes")]}});
    let own = own.as_object().expect("a map").clone();
    config.plugin_configs.insert("other".to_owned(), own);
    let runner = stage.runner_as(config).await;
    stage.vote("other", VoteState::Idle).await;
    stage.vote("watched", VoteState::Idle).await;

    let disk = SilentDisk::of(&stage);
    stage.plugin("new.py", &python_plugin("new", r#"{"is_idle": False}"#));
    let vote = stage.vote(FOLDERS, VoteState::Unknown).await;
    assert_eq!(vote.role, Role::Required, "it keeps the machine up");
    for part in [
        "the folders of plugins have not answered since 20",
        "known-plugins.json",
        "`snooze plugin disable NAME`",
    ] {
        assert!(vote.reason.contains(part), "{}", vote.reason);
    }
    assert_eq!(listed(&stage, FOLDERS, |_| true).await.state, "unread");
    assert_eq!(load(&stage, "other").await, Err(ErrorCode::Unavailable));

    stage.layer(beats.clone(), json!({})).await;
    let vote = stage.vote("watched", VoteState::Unknown).await;
    let told = "what was approved by alice at 2026-11-26T12:00:00Z was taken back";
    assert!(vote.reason.contains(told), "{}", vote.reason);
    has_ended(&watched).await;
    stage.layer(beats, json!({"other": {"enabled": false}})).await;
    let verdict = stage
        .verdict("the other is switched off", |verdict| {
            of(verdict, "other").is_none()
        })
        .await;
    assert!(of(&verdict, "new").is_none() && of(&verdict, FOLDERS).is_some());
    has_ended(&other).await;

    drop(disk);
    let verdict = stage
        .verdict("the new one is seen", |verdict| {
            of(verdict, "new").is_some_and(|vote| vote.state == VoteState::Busy)
        })
        .await;
    assert!(of(&verdict, FOLDERS).is_none(), "{verdict:?}");
    assert_eq!(listed(&stage, "other", |_| true).await.state, "disabled");
    runner.stop().await;
}

#[tokio::test]
async fn s2_a_runner_that_starts_while_no_disk_answers_says_so_and_takes_nobody_for_idle() {
    let mut stage = Stage::set().await;
    stage.plugin("quiet.py", &python_plugin("quiet", r#"{"is_idle": True}"#));
    let disk = SilentDisk::of(&stage);
    let runner = stage.runner_with(quick(&stage)).await;
    let vote = stage.vote(FOLDERS, VoteState::Unknown).await;
    assert!(
        vote.reason.contains("have not answered since 20"),
        "{}",
        vote.reason
    );
    drop(disk);
    let verdict = stage
        .verdict("the plugin votes", |verdict| {
            of(verdict, "quiet").is_some_and(|vote| vote.state == VoteState::Idle)
        })
        .await;
    assert!(of(&verdict, FOLDERS).is_none(), "{verdict:?}");
    runner.stop().await;
}
