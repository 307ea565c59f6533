//! What was accepted and never reported.

use crate::centre::{Centre, LIMIT, event, host};
use snooze_bus::{Bucket, Role, Stream, SubjectFilter, User, keys};
use snooze_event_gateway::Config;
use snooze_schemas::{
    audit::AuditRecord,
    event::{DeadEvent, Event, OpenEvent, Scope, Severity},
};
use snooze_test_harness::{wait_for, wait_until};
use std::time::Duration;

fn impatient(config: &mut Config) {
    config.patience = Duration::from_millis(100);
    config.report_grace = Duration::from_millis(100);
    config.sweep_interval = Duration::from_millis(20);
}

async fn dead(centre: &Centre) -> Vec<DeadEvent> {
    let filter = SubjectFilter::DeadOf(Scope::Host(host("h1")));
    let found = centre
        .administrator
        .history::<DeadEvent>(Stream::Dead, &filter, 100)
        .await;
    found
        .expect("reads")
        .into_iter()
        .map(|stored| stored.message)
        .collect()
}

/// Notes an event as a gateway does that died afterwards.
async fn note(centre: &Centre, event: &Event) -> snooze_bus::BucketHandle {
    let user = User::named(Role::Gateway, "other").expect("a name");
    let open = centre.server.bus(&user).await.bucket(Bucket::Open);
    let note = OpenEvent {
        event: event.clone(),
        host: host("h1"),
        sweep_after_ms: 100,
        is_ending: false,
    };
    let key = keys::open_key(&Scope::Host(host("h1")), &event.id);
    open.create(&key, &note).await.expect("notes");
    open
}

#[tokio::test]
async fn e4_what_is_accepted_and_never_reported_ends_in_dead_once() {
    let centre = Centre::start().await;
    let mut runner = centre.runner("h1").await;
    // Two gateways: the revision of the note says which of them ends it.
    let gateways = [centre.gateway(impatient).await, centre.gateway(impatient).await];
    let lost = event("lost", Scope::Host(host("h1")), Severity::Urgent);
    centre.file(&lost).await;
    runner.accept().await;
    let buried = wait_for(LIMIT, "it ends in DEAD", async || dead(&centre).await.pop()).await;
    assert_eq!(buried.event, lost);
    assert!(buried.reason.contains("did not report"), "{}", buried.reason);
    let trail = SubjectFilter::AuditOf(Scope::Host(host("h1")));
    let said = wait_for(LIMIT, "the audit trail says so", async || {
        let found = centre
            .administrator
            .history::<AuditRecord>(Stream::Audit, &trail, 10)
            .await;
        found.expect("reads").pop()
    })
    .await;
    assert!(
        said.message.message.contains("ended in DEAD"),
        "{}",
        said.message.message
    );
    for gateway in gateways {
        gateway.end().await;
    }
    assert_eq!(dead(&centre).await.len(), 1, "once");
}

#[tokio::test]
async fn e4_an_outcome_that_no_gateway_heard_is_found_in_the_audit_trail() {
    let centre = Centre::start().await;
    let runner = centre.runner("h1").await;
    let done = event("done", Scope::Host(host("h1")), Severity::Urgent);
    // Reported while no gateway was there to hear it.
    let open = note(&centre, &done).await;
    runner.report(&done).await;
    let gateway = centre.gateway(impatient).await;
    let key = keys::open_key(&done.host, &done.id);
    wait_until(LIMIT, "the note is cleared", async || {
        open.get::<OpenEvent>(&key).await.expect("reads").is_none()
    })
    .await;
    gateway.end().await;
    assert_eq!(dead(&centre).await, []);
}

#[tokio::test]
async fn e4_a_sweeper_that_died_half_way_is_followed_by_another() {
    let centre = Centre::start().await;
    let lost = event("lost", Scope::Host(host("h1")), Severity::Urgent);
    let open = note(&centre, &lost).await;
    let key = keys::open_key(&lost.host, &lost.id);
    let entry = open
        .get::<OpenEvent>(&key)
        .await
        .expect("reads")
        .expect("is there");
    let ending = OpenEvent {
        is_ending: true,
        ..entry.value
    };
    open.update(&key, &ending, entry.revision).await.expect("writes");
    let gateway = centre.gateway(impatient).await;
    wait_for(LIMIT, "it ends in DEAD", async || dead(&centre).await.pop()).await;
    gateway.end().await;
}
