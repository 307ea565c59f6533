//! What was accepted and never reported.

use crate::centre::{Centre, LIMIT, event, host};
use serde_json::json;
use snooze_bus::{BucketHandle, Stream, SubjectFilter, keys};
use snooze_event_gateway::centre::Config;
use snooze_schemas::{
    audit::AuditRecord,
    event::{DeadEvent, Event, OpenEvent, OpenState, Scope, Severity},
};
use snooze_service_runtime::{Clocks, ManualClocks};
use snooze_test_harness::{wait_for, wait_until};
use std::time::Duration;

/// How long a note is left alone in these tests; nobody waits so long, the clocks are moved by hand.
const HOUR: Duration = Duration::from_secs(60 * 60);

fn here() -> Scope {
    Scope::Host(host("h1"))
}

/// A gateway whose clocks stand still until a test moves them.
fn by_hand(clocks: &ManualClocks) -> impl FnOnce(&mut Config) + use<> {
    let clocks = clocks.clocks();
    move |config| {
        config.clocks = clocks;
        config.report_grace = HOUR;
        config.sweep_interval = Duration::from_millis(20);
    }
}

/// Lets time pass, again and again, until something has ended in DEAD: nobody tells when a sweeper has seen
/// a note.
async fn first_dead(centre: &Centre, clocks: &ManualClocks) -> DeadEvent {
    wait_for(LIMIT, "it ends in DEAD", async || {
        let found = centre.dead(here()).await.pop();
        if found.is_none() {
            clocks.advance(2 * HOUR);
        }
        found
    })
    .await
}

/// Notes an event as a gateway does that died afterwards.
async fn note(centre: &Centre, event: &Event) -> (BucketHandle, String) {
    let open = centre.open_events();
    let note = OpenEvent {
        event: event.clone(),
        host: host("h1"),
        state: OpenState::Accepted,
        sweep_after_ms: 100,
        is_ending: false,
    };
    let key = keys::open_key(&here(), &event.id);
    open.create(&key, &note).await.expect("notes");
    (open, key)
}

#[tokio::test]
async fn e4_what_is_accepted_and_never_reported_ends_in_dead_once() {
    let centre = Centre::start().await;
    let mut runner = centre.runner("h1").await;
    let clocks = Clocks::manual();
    // Two gateways: the revision of the note says which of them ends it.
    let gateways = [
        centre.gateway(by_hand(&clocks)).await,
        centre.gateway(by_hand(&clocks)).await,
    ];
    let lost = event("lost", here(), Severity::Urgent);
    centre.file(&lost).await;
    runner.accept().await;
    let buried = first_dead(&centre, &clocks).await;
    assert_eq!(buried.event, lost);
    assert!(buried.reason.contains("did not report"), "{}", buried.reason);
    let trail = SubjectFilter::AuditOf(here());
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
    assert_eq!(centre.dead(here()).await.len(), 1, "once");
}

#[tokio::test]
async fn e4_an_outcome_that_no_gateway_heard_is_found_in_the_audit_trail() {
    let centre = Centre::start().await;
    let runner = centre.runner("h1").await;
    let done = event("done", here(), Severity::Urgent);
    // Reported while no gateway was there to hear it.
    let (open, key) = note(&centre, &done).await;
    runner.report(&done).await;
    let clocks = Clocks::manual();
    let gateway = centre.gateway(by_hand(&clocks)).await;
    wait_until(LIMIT, "the note is cleared", async || {
        clocks.advance(HOUR);
        open.get::<OpenEvent>(&key).await.expect("reads").is_none()
    })
    .await;
    gateway.end().await;
    assert_eq!(centre.dead(here()).await, []);
}

#[tokio::test]
async fn e4_a_sweeper_that_died_half_way_is_followed_by_another() {
    let centre = Centre::start().await;
    let lost = event("lost", here(), Severity::Urgent);
    let (open, key) = note(&centre, &lost).await;
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
    let clocks = Clocks::manual();
    let gateway = centre.gateway(by_hand(&clocks)).await;
    first_dead(&centre, &clocks).await;
    gateway.end().await;
}

#[tokio::test]
async fn e4_a_note_that_cannot_be_read_holds_up_no_other() {
    let centre = Centre::open().await;
    let clocks = Clocks::manual();
    let gateway = centre.gateway(by_hand(&clocks)).await;
    // Each is seen while it can be read, and then one is spoiled and another is something of a later version.
    let names = ["a-spoiled", "b-later", "c-lost"];
    for name in names {
        note(&centre, &event(name, here(), Severity::Urgent)).await;
    }
    let key = |name: &str| keys::open_key(&here(), &crate::centre::id(name));
    let spoiled = format!("$KV.snooze_open.{}", key("a-spoiled"));
    let written = centre
        .administrator
        .raw_request(&spoiled, &[], b"nonsense", LIMIT)
        .await;
    written.expect("is stored");
    let open = centre.open_events();
    let later = json!({
        "event": event("b-later", here(), Severity::Urgent),
        "host": "h1",
        "state": "of-a-later-version",
        "sweep_after_ms": 1,
    });
    open.put(&key("b-later"), &later).await.expect("writes");
    let buried = first_dead(&centre, &clocks).await;
    assert_eq!(buried.event.id.as_str(), "c-lost");
    gateway.end().await;
    assert_eq!(
        centre.dead(here()).await.len(),
        1,
        "what waits for something else is left alone"
    );
    let kept = open.get::<OpenEvent>(&key("b-later")).await.expect("reads");
    assert_eq!(kept.expect("is there").value.state, OpenState::Unknown);
}

#[tokio::test]
async fn e4_an_outcome_is_found_however_much_its_host_has_reported_since() {
    let centre = Centre::start().await;
    let runner = centre.runner("h1").await;
    let done = event("done", here(), Severity::Urgent);
    centre.file(&done).await;
    let (open, key) = note(&centre, &done).await;
    // Reported while no gateway was there, as 2,000 others after it.
    runner.report(&done).await;
    let others: Vec<_> = (0..2_000)
        .map(|number| event(&format!("e{number}"), here(), Severity::Info))
        .collect();
    for some in others.chunks(256) {
        futures_util::future::join_all(some.iter().map(|other| runner.report(other))).await;
    }
    let clocks = Clocks::manual();
    let gateway = centre.gateway(by_hand(&clocks)).await;
    wait_until(LIMIT, "the note is cleared", async || {
        clocks.advance(HOUR);
        open.get::<OpenEvent>(&key).await.expect("reads").is_none()
    })
    .await;
    gateway.end().await;
    assert_eq!(centre.dead(here()).await, []);
}
