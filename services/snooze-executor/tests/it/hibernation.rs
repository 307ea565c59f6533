//! Hosts that are to be hibernated: those that can are, the others are stopped, and everybody is told which.

use crate::host::Asked;
use crate::support::{World, quick_but};
use serde_json::json;
use snooze_executor::provider::simulated::Verb;
use snooze_schemas::{audit::AuditKind, host::Action};

/// What the host was told, what the cloud was asked for, and what the audit trail says of both.
async fn stopped(world: &World) -> (Action, Verb, Vec<serde_json::Value>) {
    world.enroll("h1", json!({})).await;
    let _executor = world.executor("one").await;
    let host = world.host("h1").await;
    world.wait_until_stopped("h1").await;
    let Some(Asked::Prepare(prepare)) = host.asked().first().cloned() else {
        panic!("it was prepared")
    };
    let calls = world.cloud.calls();
    let call = calls.iter().find(|call| call.verb.as_str() == "StopInstances");
    let trail = world.audit("h1").await;
    let entries = trail
        .iter()
        .filter(|record| matches!(record.kind, AuditKind::Notice | AuditKind::Call));
    let said = entries.map(|record| record.details["action"].clone()).collect();
    (prepare.action, call.expect("it was called").verb.clone(), said)
}

#[tokio::test]
async fn s12_a_host_that_can_hibernate_is_told_so_and_hibernated() {
    let world = World::with(quick_but(json!({"action": "hibernate"}))).await;
    world.cloud.allow_hibernation("i-h1");
    let (told, called, said) = stopped(&world).await;
    assert_eq!((told, called), (Action::Hibernate, Verb::Hibernate));
    assert_eq!(said, [json!("hibernate"), json!("hibernate")]);
}

#[tokio::test]
async fn s12_a_host_that_cannot_hibernate_is_told_that_it_is_stopped() {
    let world = World::with(quick_but(json!({"action": "hibernate"}))).await;
    let (told, called, said) = stopped(&world).await;
    assert_eq!((told, called), (Action::Stop, Verb::Stop));
    assert_eq!(said, [json!("stop"), json!("stop")]);
}
