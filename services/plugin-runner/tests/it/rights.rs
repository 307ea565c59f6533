//! What plugins may do: nothing that nobody approved, for the files that were approved.

use crate::{
    manifests::{described, listed},
    set::trail,
    stage::{SOON, Stage, of, python_plugin},
};
use serde_json::{Value, json};
use snooze_plugin_runner::sha256_of;
use snooze_schemas::{plugin::approval::Grantor, verdict::VoteState};
use snooze_test_harness::wait_until;
use std::{fs, os::unix::fs::PermissionsExt};

fn manifest(file: &str) -> Value {
    json!({
        "name": "reader", "version": "1.0.0", "entry_point": "run",
        "permissions": {"read": [file], "udp": true},
    })
}

/// The layer that approves the files as they are.
fn approved(stage: &Stage, file: &str) -> Value {
    let folder = stage.plugin_folder().join("reader");
    let digest = |name: &str| sha256_of(&folder.join(name)).expect("it can be read");
    json!({"reader": {"approved": {
        "by": "alice", "at": "2026-11-26T12:00:00Z", "version": "1.0.0",
        "permissions": {"read": [file]},
        "manifest_sha256": digest("plugin.json"), "entry_sha256": digest("run"),
    }}})
}

#[tokio::test]
async fn i4_what_was_approved_is_granted_to_the_approved_files_and_to_no_others() {
    let mut stage = Stage::set().await;
    // In the state folder of nobody: a plugin may read it only where it was granted.
    let file = stage.file("secret");
    fs::write(&file, "quiet").expect("writes");
    let shown = file.display().to_string();
    let script = python_plugin(
        "reader",
        &format!(r#"{{"is_idle": True, "reason": open({shown:?}).read()}}"#),
    );
    described(&stage, "reader", &script, &manifest(&shown));
    stage.policy(json!({"heartbeat_seconds": 0.2})).await;
    let runner = stage.runner_as(stage.config()).await;
    let lacking = stage
        .verdict("what it lacks is told", |verdict| {
            of(verdict, "reader").is_some_and(|vote| vote.reason.contains("it asks for what it may not do"))
        })
        .await;
    let vote = of(&lacking, "reader").expect("it votes");
    assert_eq!(vote.state, VoteState::Unknown);
    for part in ["udp true", &shown, "snooze plugin approve reader"] {
        assert!(vote.reason.contains(part), "{}", vote.reason);
    }
    let rights = listed(&stage, "reader", |_| true).await.rights.expect("it has");
    assert!(rights.asked.udp && rights.granted.is_empty() && rights.granted_by.is_none());
    let run = stage.plugin_folder().join("reader/run");
    assert_eq!(rights.entry_sha256, Some(sha256_of(&run).expect("reads")));

    let beats = json!({"heartbeat_seconds": 0.2});
    stage.layer(beats.clone(), approved(&stage, &shown)).await;
    assert_eq!(stage.vote("reader", VoteState::Idle).await.reason, "quiet");
    let rights = listed(&stage, "reader", |_| true).await.rights.expect("it has");
    assert!(matches!(rights.granted_by, Some(Grantor::Approval { by, .. }) if by == "alice"));
    assert!(rights.granted.read.contains(&file) && !rights.granted.udp);

    fs::write(&run, format!("{script}# another\n")).expect("writes");
    let vote = stage.vote("reader", VoteState::Unknown).await;
    let told = "its files are others than were approved by alice at 2026-11-26T12:00:00Z";
    assert!(vote.reason.contains(told), "{}", vote.reason);
    let status = listed(&stage, "reader", |status| status.state == "changed").await;
    let rights = status.rights.expect("its files can be read");
    assert_eq!(rights.entry_sha256, Some(sha256_of(&run).expect("reads")));

    stage.layer(beats, approved(&stage, &shown)).await;
    stage.vote("reader", VoteState::Idle).await;
    wait_until(SOON, "all of it stands in the audit trail", async || {
        let trail = trail(&stage).await;
        let about = |text: &str| trail.iter().filter(|line| line.contains(text)).count();
        about("it runs by what alice approved") == 2 && about(told) == 1
    })
    .await;
    runner.stop().await;
}

#[tokio::test]
async fn i4_what_one_version_left_in_its_home_is_no_part_of_the_next() {
    let mut stage = Stage::set().await;
    let home = r#"__import__("os").environ["HOME"]"#;
    let first = python_plugin(
        "reader",
        &format!(r#"{{"is_idle": open({home} + "/left", "w").close() is None, "reason": "the first"}}"#),
    );
    described(&stage, "reader", &first, &manifest("/nowhere"));
    stage.policy(json!({"heartbeat_seconds": 0.2})).await;
    let runner = stage.runner_as(stage.config()).await;
    assert_eq!(stage.vote("reader", VoteState::Idle).await.reason, "the first");
    let second = python_plugin(
        "reader",
        &format!(
            r#"{{"is_idle": True, "reason": "the second finds %s" % __import__("os").listdir({home})}}"#
        ),
    );
    fs::write(stage.plugin_folder().join("reader/run"), second).expect("writes");
    let verdict = stage
        .verdict("the second votes", |verdict| {
            of(verdict, "reader").is_some_and(|vote| vote.reason.contains("the second"))
        })
        .await;
    assert_eq!(
        of(&verdict, "reader").expect("it votes").reason,
        "the second finds []"
    );
    runner.stop().await;
}

#[tokio::test]
async fn i4_the_hosts_own_file_goes_before_an_approval() {
    let mut stage = Stage::set().await;
    let file = stage.file("secret");
    fs::write(&file, "quiet").expect("writes");
    let shown = file.display().to_string();
    let script = python_plugin(
        "reader",
        &format!(r#"{{"is_idle": True, "reason": open({shown:?}).read()}}"#),
    );
    described(&stage, "reader", &script, &manifest(&shown));
    stage.layer(json!({}), approved(&stage, &shown)).await;
    let mut config = stage.config();
    let own = json!({"permissions": {}}).as_object().expect("a map").clone();
    config.plugin_configs.insert("reader".to_owned(), own);
    let runner = stage.runner_as(config).await;
    stage.vote("reader", VoteState::Unknown).await;
    let rights = listed(&stage, "reader", |status| status.rights.is_some())
        .await
        .rights;
    let rights = rights.expect("it has");
    assert_eq!(rights.granted_by, Some(Grantor::HostFile));
    assert!(rights.granted.is_empty());
    runner.stop().await;
}

#[tokio::test]
async fn i4_what_takes_the_place_of_an_approved_file_after_it_was_compared_is_not_run() {
    let mut stage = Stage::set().await;
    let (swap, ran) = (stage.file("swap"), stage.file("ran"));
    let idle = |reason: &str| format!(r#"{{"is_idle": True, "reason": "{reason}"}}"#);
    let manifest = json!({"name": "reader", "version": "1.0.0", "entry_point": "run"});
    described(
        &stage,
        "reader",
        &python_plugin("reader", &idle("approved")),
        &manifest,
    );
    let mut layer = approved(&stage, "/etc/hosts");
    layer["reader"]["approved"]["permissions"] = json!({"write": [stage.file("")]});
    fs::write(&swap, format!("#!/bin/sh\necho ran > {}\n", ran.display())).expect("writes");
    // Between the comparison and the start: what fences itself is a script that swaps the file, and fences itself then.
    let mut config = stage.config();
    let fencing = stage.file("fencing");
    let (run, program) = (stage.plugin_folder().join("reader/run"), &config.fence.program);
    let script = format!(
        "#!/bin/sh\nif [ -e {swap} ]; then chmod 755 {swap}; mv {swap} {run}; fi\nexec {program} \"$@\"\n",
        swap = swap.display(),
        run = run.display(),
        program = program.display(),
    );
    fs::write(&fencing, script).expect("writes");
    fs::set_permissions(&fencing, fs::Permissions::from_mode(0o755)).expect("sets the mode");
    config.fence.program = fencing;
    stage.layer(json!({"heartbeat_seconds": 0.2}), layer).await;
    let runner = stage.runner_as(config).await;
    stage
        .verdict("it is held for its other file", |verdict| {
            of(verdict, "reader").is_some_and(|vote| vote.reason.contains("others than were approved"))
        })
        .await;
    assert!(!swap.exists(), "it was swapped");
    assert!(!ran.exists(), "it was run with what another was granted");
    runner.stop().await;
}
