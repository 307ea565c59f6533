//! The copy, fed as a watch feeds it.

use super::*;
use serde_json::{Value, json};
use snooze_decision::claim::Input;

fn put(mirror: &Mirror, area: Area, key: &str, revision: u64, value: Value) {
    let changed = Changed {
        key: key.to_owned(),
        revision,
        value: Some(Ok(value)),
    };
    mirror.take(area, changed);
}

fn delete(mirror: &Mirror, area: Area, key: &str, revision: u64) {
    let changed = Changed {
        key: key.to_owned(),
        revision,
        value: None,
    };
    mirror.take(area, changed);
}

fn enrolled(group: &str) -> Value {
    json!({"provider": "simulated", "instance": "i-1", "group": group, "enrolled_at": "2026-01-01T00:00:00Z"})
}

/// What a claim hears next; a mirror without a network tells it at once or never.
async fn heard(watch: &mut HostWatch) -> Input {
    let heard = tokio::time::timeout(std::time::Duration::from_secs(10), watch.changed()).await;
    heard.expect("there is something to hear")
}

fn host() -> HostId {
    "h1".parse().expect("a host id")
}

fn revision_of(mirror: &Mirror) -> String {
    mirror.view(&host()).policy.expect("a policy").revision.clone()
}

fn configured() -> Mirror {
    let mirror = Mirror::new();
    put(&mirror, Area::Configuration, "roster.h1", 1, enrolled("web"));
    put(
        &mirror,
        Area::Configuration,
        "fleet",
        2,
        json!({"policy": {"naptime_minutes": 5}}),
    );
    mirror
}

#[test]
fn nothing_is_ready_before_both_buckets_were_told_and_after_one_begins_anew() {
    let mirror = configured();
    assert!(!mirror.is_ready());
    mirror.complete(Area::Configuration);
    assert!(!mirror.is_ready());
    mirror.complete(Area::State);
    assert!(mirror.is_ready());
    mirror.begin(Area::State);
    assert!(!mirror.is_ready());
}

#[test]
fn i2_the_policy_revision_is_the_text_of_the_three_layers_with_zero_for_none() {
    let mirror = configured();
    assert_eq!(revision_of(&mirror), "2/0/0");
    put(
        &mirror,
        Area::Configuration,
        "group.web",
        3,
        json!({"policy": {"mode": "act"}}),
    );
    put(
        &mirror,
        Area::Configuration,
        "group.other",
        4,
        json!({"policy": {}}),
    );
    assert_eq!(revision_of(&mirror), "2/3/0");
    put(
        &mirror,
        Area::Configuration,
        "host.h1",
        5,
        json!({"policy": {"naptime_minutes": 1}}),
    );
    assert_eq!(revision_of(&mirror), "2/3/5");
    let policy = mirror.view(&host()).policy.expect("a policy");
    assert_eq!(
        (policy.pure.naptime_ms, policy.pure.mode),
        (60_000, pure::Mode::Act)
    );
    delete(&mirror, Area::Configuration, "host.h1", 6);
    assert_eq!(revision_of(&mirror), "2/3/0");
    put(&mirror, Area::Configuration, "fleet", 7, json!({"policy": {}}));
    assert_eq!(revision_of(&mirror), "7/3/0");
}

#[test]
fn a_host_that_moves_to_another_group_has_its_policy() {
    let mirror = configured();
    put(
        &mirror,
        Area::Configuration,
        "group.other",
        4,
        json!({"policy": {"naptime_minutes": 9}}),
    );
    put(&mirror, Area::Configuration, "host.h1", 5, json!({}));
    assert_eq!(revision_of(&mirror), "2/0/5");
    put(&mirror, Area::Configuration, "roster.h1", 6, enrolled("other"));
    assert_eq!(revision_of(&mirror), "2/4/5");
}

#[test]
fn a_layer_that_cannot_be_read_is_an_error_of_every_host_that_it_is_for() {
    let mirror = configured();
    put(
        &mirror,
        Area::Configuration,
        "group.web",
        3,
        json!({"policy": {"naptime_minutes": "soon"}}),
    );
    let error = mirror.view(&host()).policy.expect_err("no policy").to_string();
    assert!(error.contains("2/3/0"), "{error}");
    put(
        &mirror,
        Area::Configuration,
        "group.web",
        4,
        json!("no layer at all"),
    );
    assert!(mirror.view(&host()).policy.is_err());
}

#[test]
fn a_key_that_cannot_be_read_is_not_a_free_host() {
    let mirror = configured();
    put(
        &mirror,
        Area::State,
        "host.h1",
        9,
        json!({"claim": {"holder": "from the future"}}),
    );
    assert!(mirror.view(&host()).key.is_err());
    delete(&mirror, Area::State, "host.h1", 10);
    let key = mirror.view(&host()).key.expect("readable");
    assert_eq!((key.revision, &key.value), (Revision(10), &HostRecord::default()));
}

#[test]
fn l1_a_slot_that_was_given_back_is_free_at_its_markers_revision() {
    let mirror = configured();
    let web: GroupName = "web".parse().expect("a group");
    let slot = json!({"host": "h2", "holder": "x"});
    put(&mirror, Area::State, "slot.web.0", 11, slot);
    assert_eq!(mirror.free_slots(&web, 1), Slots::AllTaken { limit: 1 });
    assert_eq!(mirror.free_slots(&web, 2), Slots::Free);
    delete(&mirror, Area::State, "slot.web.0", 12);
    assert_eq!(mirror.slots(&web), [(0, Revision(12), Occupied::No)]);
    assert_eq!(mirror.free_slots(&web, 1), Slots::Free);
}

#[test]
fn l1_slots_above_a_limit_that_was_lowered_count_as_long_as_they_are_taken() {
    let mirror = configured();
    let web: GroupName = "web".parse().expect("a group");
    for n in [3, 4] {
        let slot = json!({"host": "h2", "holder": "x"});
        put(&mirror, Area::State, &format!("slot.web.{n}"), 11, slot);
    }
    assert_eq!(mirror.free_slots(&web, 2), Slots::AllTaken { limit: 2 });
    assert_eq!(mirror.free_slots(&web, 3), Slots::Free);
    delete(&mirror, Area::State, "slot.web.4", 12);
    assert_eq!(mirror.free_slots(&web, 2), Slots::Free);
}

#[tokio::test]
async fn s22_a_claim_hears_of_a_freeze_that_came_before_it_began_to_listen() {
    let mirror = configured();
    put(
        &mirror,
        Area::State,
        "gate",
        13,
        json!({"freezes": 1, "frozen": {
            "since": "2026-01-01T00:00:00Z", "reason": "r", "by": "p",
        }}),
    );
    let mut watch = mirror.watch(&host(), "2/0/0");
    let mut heard = [watch.changed().await, watch.changed().await].into_iter();
    assert!(heard.any(|input| matches!(input, Input::GateChanged(gate) if gate.value.frozen.is_some())));
}

#[tokio::test]
async fn a_claim_hears_of_another_policy_and_of_no_other_change_of_configuration() {
    let mirror = configured();
    mirror.complete(Area::Configuration);
    mirror.complete(Area::State);
    let mut watch = mirror.watch(&host(), "2/0/0");
    drop((watch.changed().await, watch.changed().await));
    put(&mirror, Area::Configuration, "roster.h2", 20, enrolled("web"));
    put(&mirror, Area::Configuration, "group.web", 21, json!({}));
    let heard = watch.changed().await;
    assert_eq!(
        heard,
        Input::PolicyChanged {
            revision: "2/21/0".to_owned()
        }
    );
}

#[tokio::test]
async fn p5_a_claim_hears_of_a_policy_that_came_while_the_state_was_not_told() {
    let mirror = configured();
    mirror.complete(Area::Configuration);
    mirror.complete(Area::State);
    let mut watch = mirror.watch(&host(), "2/0/0");
    drop((watch.changed().await, watch.changed().await));
    mirror.begin(Area::State);
    put(&mirror, Area::Configuration, "group.web", 21, json!({}));
    // Nothing can be compared yet; what is heard of it is used up.
    let nothing = futures_util::FutureExt::now_or_never(watch.changed());
    assert_eq!(nothing, None);
    mirror.complete(Area::State);
    let revision = "2/21/0".to_owned();
    assert_eq!(heard(&mut watch).await, Input::PolicyChanged { revision });
}

#[tokio::test]
async fn p5_a_claim_hears_of_a_policy_that_came_before_it_began_to_listen() {
    let mirror = configured();
    mirror.complete(Area::Configuration);
    mirror.complete(Area::State);
    put(&mirror, Area::Configuration, "group.web", 21, json!({}));
    let mut watch = mirror.watch(&host(), "2/0/0");
    let mut all = Vec::new();
    for _ in 0..3 {
        all.push(heard(&mut watch).await);
    }
    let revision = "2/21/0".to_owned();
    assert!(all.contains(&Input::PolicyChanged { revision }), "{all:?}");
}
