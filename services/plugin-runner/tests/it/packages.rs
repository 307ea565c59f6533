//! Plugins that are installed from the fleet's store of packages.

use crate::{
    manifests::{described, listed},
    stage::{SOON, Stage, of, python_plugin},
};
use serde_json::{Value, json};
use snooze_package::{Package, install, pack};
use snooze_schemas::verdict::VoteState;
use snooze_test_harness::wait_until;
use std::{fs, path::PathBuf};

/// A package of the plugin `redis` that gives this reason.
fn package(stage: &Stage, reason: &str) -> Package {
    let answer = format!(r#"{{"is_idle": True, "reason": "{reason}"}}"#);
    let manifest = json!({"name": "redis", "version": "1.0.0", "entry_point": "run"});
    described(stage, "redis", &python_plugin("redis", &answer), &manifest);
    let folder = stage.plugin_folder().join("redis");
    let package = pack(&folder).expect("it can be packed");
    fs::remove_dir_all(&folder).expect("removes");
    package
}

fn installed(package: &Package) -> Value {
    json!({"redis": {"installed": {"version": package.version, "sha256": package.sha256}}})
}

fn quick() -> Value {
    json!({"heartbeat_seconds": 0.2})
}

#[tokio::test]
async fn t3_an_installed_package_is_run_another_takes_its_place_and_without_it_nobody_votes() {
    let mut stage = Stage::set().await;
    let (one, two) = (package(&stage, "one"), package(&stage, "two"));
    for package in [&one, &two] {
        let put = stage.administrator.artifacts().put(&package.bytes).await;
        assert_eq!(put.expect("the store takes it"), package.sha256);
    }
    stage.layer(quick(), installed(&one)).await;
    let runner = stage.runner().await;
    assert_eq!(stage.vote("redis", VoteState::Idle).await.reason, "one");
    runner.stop().await;
    let runner = stage.runner().await;
    stage.layer(quick(), installed(&two)).await;
    stage
        .verdict("the other one votes", |verdict| {
            of(verdict, "redis").is_some_and(|vote| vote.reason == "two")
        })
        .await;
    let place = |package: &Package| stage.state().join("packages/redis").join(&package.sha256);
    wait_until(SOON, "the first one is taken away", async || {
        place(&two).is_dir() && !place(&one).exists()
    })
    .await;
    let shelf = stage.state().join("packages");
    stage.layer(quick(), json!({})).await;
    stage
        .verdict("nobody votes or is missed", |verdict| {
            of(verdict, "redis").is_none()
        })
        .await;
    wait_until(SOON, "nothing is left", async || {
        fs::read_dir(&shelf).expect("it is there").count() == 0
    })
    .await;
    runner.stop().await;
}

#[tokio::test]
async fn s2_a_package_that_cannot_be_had_is_missed_and_says_why_until_it_is_there() {
    let mut stage = Stage::set().await;
    let package = package(&stage, "one");
    stage.layer(quick(), installed(&package)).await;
    let runner = stage.runner().await;
    stage
        .verdict("it is said that the store has none", |verdict| {
            of(verdict, "redis").is_some_and(|vote| {
                vote.state == VoteState::Unknown && vote.reason.contains("the store has no artifact")
            })
        })
        .await;
    let put = stage.administrator.artifacts().put(&package.bytes).await;
    put.expect("the store takes it");
    stage.vote("redis", VoteState::Idle).await;
    runner.stop().await;
}

#[tokio::test]
async fn s2_a_runner_that_can_make_no_place_for_packages_misses_their_plugins_alone_and_says_why() {
    let mut stage = Stage::set().await;
    let package = package(&stage, "one");
    stored(&stage, &package).await;
    stage.plugin("quiet.py", &python_plugin("quiet", r#"{"is_idle": True}"#));
    stage.layer(quick(), installed(&package)).await;
    let shelf = stage.state().join("packages");
    fs::create_dir(stage.state()).expect("makes");
    // As on a disk that is only read nothing can be made there.
    fs::write(&shelf, "").expect("writes");
    let runner = stage.runner().await;
    stage.vote("quiet", VoteState::Idle).await;
    let told = format!("make {}", shelf.display());
    stage
        .verdict("it is said what cannot be made", |verdict| {
            of(verdict, "redis")
                .is_some_and(|vote| vote.state == VoteState::Unknown && vote.reason.contains(&told))
        })
        .await;
    runner.stop().await;
}

#[tokio::test]
async fn s2_a_package_that_a_plugin_of_the_hosts_own_hides_is_missed_by_a_name_of_its_own() {
    let mut stage = Stage::set().await;
    let package = package(&stage, "installed");
    let put = stage.administrator.artifacts().put(&package.bytes).await;
    put.expect("the store takes it");
    let own = r#"{"is_idle": True, "reason": "put there by hand"}"#;
    stage.plugin("redis.py", &python_plugin("redis", own));
    stage.layer(quick(), installed(&package)).await;
    let runner = stage.runner().await;
    let vote = stage.vote("redis", VoteState::Idle).await;
    assert_eq!(vote.reason, "put there by hand");
    let hidden = listed(&stage, "hidden-redis", |_| true).await;
    let why = hidden.stats.last_error.expect("it says why");
    assert!(why.contains("redis.py, which has the same name"), "{why}");
    stage.vote("hidden-redis", VoteState::Unknown).await;
    runner.stop().await;
}

/// A package with a file in a folder that nobody watches, whose plugin says which process it is.
fn package_with_library(stage: &Stage) -> Package {
    let answer = r#"{"is_idle": True, "reason": "whole", "details": {"process": os.getpid()}}"#;
    let manifest = json!({"name": "redis", "version": "1.0.0", "entry_point": "run"});
    described(stage, "redis", &python_plugin("redis", answer), &manifest);
    let folder = stage.plugin_folder().join("redis");
    fs::create_dir_all(folder.join("lib/deep")).expect("makes");
    fs::write(folder.join("lib/deep/one.py"), "one").expect("writes");
    let package = pack(&folder).expect("it can be packed");
    fs::remove_dir_all(&folder).expect("removes");
    package
}

async fn stored(stage: &Stage, package: &Package) {
    let put = stage.administrator.artifacts().put(&package.bytes).await;
    put.expect("the store takes it");
}

/// That its files are told to be damaged and fetched again, and that nobody is told to approve them.
async fn told_as_damaged(stage: &mut Stage, how: &str) {
    let verdict = stage
        .verdict("it is told to be damaged", |verdict| {
            of(verdict, "redis").is_some_and(|vote| vote.reason.contains(how))
        })
        .await;
    let vote = of(&verdict, "redis").expect("it votes");
    assert_eq!(vote.state, VoteState::Unknown);
    for part in [
        "its installed files are not those of its package, version 1.0.0",
        "they are fetched again",
    ] {
        assert!(vote.reason.contains(part), "{}", vote.reason);
    }
    assert!(!vote.reason.contains("approve"), "{}", vote.reason);
}

/// Has it here although the store has none, so that what is told of damage can be seen before it is repaired.
fn unpacked(stage: &Stage, package: &Package) -> PathBuf {
    let place = stage.state().join("packages/redis").join(&package.sha256);
    install(&package.bytes, &place).expect("a package");
    place
}

#[tokio::test]
async fn s2_an_installed_package_that_is_damaged_is_told_and_repairs_itself() {
    let mut stage = Stage::set().await;
    let package = package_with_library(&stage);
    let place = unpacked(&stage, &package);
    stage.layer(quick(), installed(&package)).await;
    let runner = stage.runner().await;
    stage.vote("redis", VoteState::Idle).await;
    fs::write(place.join("redis/run"), "#!/bin/sh").expect("writes");
    told_as_damaged(&mut stage, "run has other contents").await;
    let status = listed(&stage, "redis", |status| status.state == "damaged").await;
    assert!(
        status
            .stats
            .last_error
            .is_some_and(|why| !why.contains("approve"))
    );
    stored(&stage, &package).await;
    stage.vote("redis", VoteState::Idle).await;
    runner.stop().await;
    // What nobody saw is seen by the next runner, and what was cut off by a loss of power is in nobody's way.
    let library = place.join("redis/lib/deep/one.py");
    let added = place.join("redis/json.py");
    for harm in ["a file", "one too many", "all but a folder"] {
        match harm {
            "a file" => fs::remove_file(&library).expect("removes"),
            "one too many" => fs::write(&added, "").expect("writes"),
            _ => {
                fs::rename(
                    &place,
                    place.with_file_name(format!(".{}.unfinished", package.sha256)),
                )
                .expect("moves");
                fs::create_dir_all(place.join("redis")).expect("makes");
            }
        }
        let runner = stage.runner().await;
        stage.vote("redis", VoteState::Idle).await;
        assert_eq!(fs::read_to_string(&library).expect(harm), "one");
        assert!(!added.exists(), "{harm}");
        let beside = fs::read_dir(place.parent().expect("a folder")).expect("reads");
        assert_eq!(beside.count(), 1, "{harm}");
        runner.stop().await;
    }
}

#[tokio::test]
async fn s2_damage_that_nobody_saw_is_told_before_its_plugin_is_started_again() {
    let mut stage = Stage::set().await;
    let package = package_with_library(&stage);
    let place = unpacked(&stage, &package);
    stage.layer(quick(), installed(&package)).await;
    let runner = stage.runner().await;
    let vote = stage.vote("redis", VoteState::Idle).await;
    // In a folder that nobody watches.
    fs::write(place.join("redis/lib/deep/one.py"), "two").expect("writes");
    let process = vote.evidence["process"].as_i64().expect("a number");
    let process = rustix::process::Pid::from_raw(i32::try_from(process).expect("small")).expect("a process");
    rustix::process::kill_process(process, rustix::process::Signal::KILL).expect("it runs");
    told_as_damaged(&mut stage, "one.py has other contents").await;
    stored(&stage, &package).await;
    stage.vote("redis", VoteState::Idle).await;
    runner.stop().await;
}
