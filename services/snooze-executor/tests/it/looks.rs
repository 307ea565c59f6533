//! Looks at hosts that say hello, and at all of them in turn: tags are mended, and the roster remembers.

use crate::support::{World, quick_but};
use serde_json::json;
use snooze_executor::{Config, provider::Clouds};
use snooze_schemas::audit::AuditKind;
use std::time::Duration;

#[tokio::test]
async fn p4_a_tag_that_says_stopped_of_a_running_machine_is_mended_at_hello() {
    let world = World::with(quick_but(json!({"mode": "observe"}))).await;
    world.enroll("h1", json!({})).await;
    let _executor = world.executor("one").await;
    let host = world.host("h1").await;
    world.cloud.set_tag("i-h1", "CloudSnooze:Status", "Stopped");
    host.hello().await;
    world.wait_for_audit("h1", AuditKind::Tags).await;
    assert_eq!(world.cloud.tags_of("i-h1")["CloudSnooze:Status"], "Running");
}

#[tokio::test]
async fn p4_a_tag_is_mended_though_no_hello_was_heard() {
    let world = World::with(quick_but(json!({"mode": "observe"}))).await;
    world.enroll("h1", json!({})).await;
    let clouds = Clouds::default().with_simulated(world.cloud.clone());
    let mut config = Config::new(clouds);
    config.sweep_every = Duration::from_millis(300);
    let _executor = world.executor_with("one", config).await;
    world.cloud.set_tag("i-h1", "CloudSnooze:Status", "Stopped");
    world.wait_for_audit("h1", AuditKind::Tags).await;
    assert_eq!(world.cloud.tags_of("i-h1")["CloudSnooze:Status"], "Running");
}

#[tokio::test]
async fn e1_a_hello_that_knows_no_launch_generation_leaves_the_one_that_is_known() {
    let world = World::with(quick_but(json!({"mode": "observe"}))).await;
    let launch = "2026-01-01T00:00:00Z";
    world.enroll("h1", json!({"launch": launch})).await;
    let _executor = world.executor("one").await;
    let host = world.host("h1").await;
    world.cloud.set_tag("i-h1", "owner", "ada");
    host.hello().await;
    world
        .wait_for_roster("h1", "it was looked at", |record| {
            record.tags.contains_key("owner")
        })
        .await;
    assert_eq!(world.roster("h1").await.launch.as_deref(), Some(launch));
}

#[tokio::test]
async fn e1_a_launch_generation_is_kept_though_the_hosts_cloud_is_out_of_reach() {
    let world = World::with(quick_but(json!({"mode": "observe"}))).await;
    world.enroll("h1", json!({})).await;
    let _without = world.executor_with("one", Config::new(Clouds::default())).await;
    let host = world.host("h1").await;
    let launch = "2026-01-01T00:00:00Z";
    host.hello_of(Some(launch)).await;
    world
        .wait_for_roster("h1", "its launch is known", |record| {
            record.launch.as_deref() == Some(launch)
        })
        .await;
}

#[tokio::test]
async fn p4_the_look_that_clears_a_wake_mends_the_tag_as_well() {
    let world = World::with(quick_but(json!({"mode": "observe"}))).await;
    world.enroll("h1", json!({})).await;
    world.cloud.set_tag("i-h1", "CloudSnooze:Status", "Stopped");
    world.leave_wake("h1").await;
    // The first look of an executor, at one host of each place, is the only one: nobody greets.
    let _executor = world.executor("one").await;
    world
        .wait_for_record("h1", "the wish is cleared", |record| record.wake.is_none())
        .await;
    world.wait_for_audit("h1", AuditKind::Tags).await;
    assert_eq!(world.cloud.tags_of("i-h1")["CloudSnooze:Status"], "Running");
}
