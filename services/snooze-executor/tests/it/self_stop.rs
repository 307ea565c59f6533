//! A host that carries broker and executor itself (P10, S25).

use crate::support::{World, id, quick, quick_but};
use serde_json::json;
use snooze_bus::{Bucket, keys};
use snooze_executor::{
    Config,
    provider::{Clouds, simulated::Verb},
};
use snooze_schemas::{audit::AuditKind, state::Slot, verdict::VoteState};

#[tokio::test]
async fn s25_the_machine_that_carries_the_executor_is_not_stopped_unless_the_policy_says_self_stop() {
    let world = World::with(quick()).await;
    world.enroll("h1", json!({"carries_executor": true})).await;
    world.enroll("own", json!({})).await;
    let clouds = Clouds::default().with_simulated(world.cloud.clone());
    let _executor = world
        .executor_with("one", Config::new(clouds).on_host(id("own")))
        .await;
    let _hosts = (world.host("h1").await, world.host("own").await);
    for name in ["h1", "own"] {
        let decided = world.wait_for_audit(name, AuditKind::Decision).await;
        assert!(decided.message.contains("self_stop"), "{}", decided.message);
        assert!(world.record(name).await.claim.is_none());
    }
}

#[tokio::test]
async fn p10_a_machine_that_stops_itself_is_tagged_before_the_call() {
    let world = World::with(quick_but(json!({"self_stop": true}))).await;
    world.enroll("own", json!({"carries_executor": true})).await;
    let clouds = Clouds::default().with_simulated(world.cloud.clone());
    let _executor = world
        .executor_with("one", Config::new(clouds).on_host(id("own")))
        .await;
    let _host = world.host("own").await;
    world.wait_until_stopped("own").await;
    let calls = world.cloud.calls();
    let stop = calls
        .iter()
        .position(|call| call.verb == Verb::Stop)
        .expect("it was stopped");
    let Verb::Tag(tags) = &calls[0].verb else {
        panic!("tags come first: {calls:?}")
    };
    assert_eq!(tags["CloudSnooze:Status"], "Stopped");
    assert!(stop > 0 && world.cloud.stop_calls("i-own") == 1, "{calls:?}");
}

#[tokio::test]
async fn p10_the_next_boot_settles_the_claim_and_puts_the_tags_right() {
    let world = World::with(quick_but(json!({"self_stop": true}))).await;
    world.enroll("own", json!({"carries_executor": true})).await;
    world.cloud.set_tag("i-own", "CloudSnooze:Status", "Stopped");
    world
        .cloud
        .set_tag("i-own", "CloudSnooze:StopTimestamp", "2026-01-01T00:00:01Z");
    // What a machine leaves behind that went down right after its call.
    world
        .leave_claim(
            "own",
            json!({"phase": "stopping", "boot_id": "the boot before", "tagged": true}),
        )
        .await;

    let clouds = Clouds::default().with_simulated(world.cloud.clone());
    let _executor = world
        .executor_with("one", Config::new(clouds).on_host(id("own")))
        .await;
    let record = world
        .wait_for_record("own", "the claim is settled", |record| record.claim.is_none())
        .await;
    assert_eq!(record.last_stop.expect("it was a stop").reason, "idle for 1 min");
    let tags = world.cloud.tags_of("i-own");
    assert_eq!(tags["CloudSnooze:Status"], "Running");
    assert_eq!(
        tags["CloudSnooze:StopTimestamp"], "",
        "nothing says any more that it is stopped"
    );
    assert_eq!(world.cloud.stop_calls("i-own"), 0);
    let group = "default".parse().expect("a group");
    let state = world.reader().await.bucket(Bucket::State);
    let left = state
        .get::<Slot>(&keys::slot_key(&group, 0))
        .await
        .expect("reads");
    assert!(left.is_none(), "its slot is given back");
}

#[tokio::test]
async fn s25_every_executor_knows_of_a_machine_that_another_one_runs_on() {
    let world = World::with(quick()).await;
    world.enroll("own", json!({})).await;
    let clouds = Clouds::default().with_simulated(world.cloud.clone());
    let config = Config::new(clouds).on_host(id("own"));
    let on_the_host = world.executor_with("one", config).await;
    world
        .wait_for_roster("own", "the roster says so", |record| record.carries_executor)
        .await;
    // What is left decides by the roster alone.
    on_the_host.end().await;
    let _elsewhere = world.executor("two").await;
    let _host = world.host("own").await;
    let decided = world.wait_for_audit("own", AuditKind::Decision).await;
    assert!(decided.message.contains("self_stop"), "{}", decided.message);
    assert!(world.record("own").await.claim.is_none());
}

#[tokio::test]
async fn s25_a_record_that_comes_later_or_is_written_anew_is_marked_as_well() {
    let world = World::with(quick()).await;
    let clouds = Clouds::default().with_simulated(world.cloud.clone());
    let config = Config::new(clouds).on_host(id("own"));
    let _on_the_host = world.executor_with("one", config).await;
    for instance in ["i-first", "i-second"] {
        world.enroll("own", json!({"instance": instance})).await;
        world
            .wait_for_roster("own", "the roster says so", |record| record.carries_executor)
            .await;
        assert_eq!(world.roster("own").await.instance, instance);
    }
}

#[tokio::test]
async fn s25_an_executor_that_came_to_a_claimed_host_is_seen_right_before_the_stop() {
    let world = World::with(quick_but(json!({"notice_seconds": 1}))).await;
    world.enroll("h1", json!({})).await;
    let _executor = world.executor("one").await;
    let _host = world.host("h1").await;
    world.wait_for_audit("h1", AuditKind::Notice).await;
    world.enroll("h1", json!({"carries_executor": true})).await;
    let cancelled = world.wait_for_audit("h1", AuditKind::Cancelled).await;
    assert!(
        cancelled.message.contains("an executor runs on it"),
        "{}",
        cancelled.message
    );
    assert_eq!(world.cloud.stop_calls("i-h1"), 0);
}

#[tokio::test]
async fn p10_a_stop_of_itself_that_was_vetoed_leaves_no_tag_of_it() {
    let world = World::with(quick_but(json!({"self_stop": true}))).await;
    world.enroll("own", json!({})).await;
    let clouds = Clouds::default().with_simulated(world.cloud.clone());
    let config = Config::new(clouds).on_host(id("own"));
    let _executor = world.executor_with("one", config).await;
    let busy_at_last = |script: &mut crate::host::Script| script.verify_vote = Some(VoteState::Busy);
    let _host = world.scripted_host("own", &world.revision, busy_at_last).await;
    world.wait_for_audit("own", AuditKind::Cancelled).await;
    let tags = world.cloud.tags_of("i-own");
    assert_eq!(tags["CloudSnooze:Status"], "Running");
    assert_eq!(
        (
            &*tags["CloudSnooze:StopTimestamp"],
            &*tags["CloudSnooze:StopReason"]
        ),
        ("", "")
    );
    assert_eq!(world.cloud.stop_calls("i-own"), 0);
}
