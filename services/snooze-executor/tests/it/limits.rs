//! Limits that are taken together with the step that they limit.

use crate::support::{World, quick_but};
use serde_json::json;
use snooze_bus::{Bucket, keys};
use snooze_schemas::{GroupName, audit::AuditKind, state::Slot};

#[tokio::test]
async fn l1_no_more_hosts_of_a_group_are_on_their_way_down_than_the_limit_says() {
    let world = World::with(quick_but(json!({"max_concurrent_stops": 1}))).await;
    let names = ["h1", "h2", "h3"];
    for name in names {
        world.enroll(name, json!({})).await;
    }
    let _executors = (world.executor("one").await, world.executor("two").await);
    let mut hosts = Vec::new();
    for name in names {
        hosts.push(world.host(name).await);
    }
    for name in names {
        world.wait_until_stopped(name).await;
    }
    // Each claim's entries lie between its intent and its end: with one slot no two overlap.
    let mut spans = Vec::new();
    for name in names {
        let trail = world.audit(name).await;
        let at = |kind: AuditKind| {
            trail
                .iter()
                .find(|record| record.kind == kind)
                .map(|record| record.at)
        };
        spans.push((
            at(AuditKind::Intent).expect("an intent"),
            at(AuditKind::Stopped).expect("a stop"),
        ));
    }
    spans.sort();
    for pair in spans.windows(2) {
        assert!(pair[0].1 <= pair[1].0, "two claims at once: {spans:?}");
    }
    let group: GroupName = "default".parse().expect("a group");
    let state = world.reader().await.bucket(Bucket::State);
    let slot = state
        .get::<Slot>(&keys::slot_key(&group, 0))
        .await
        .expect("reads");
    assert!(
        slot.is_none(),
        "the slot was given back with the last claim: {slot:?}"
    );
}
