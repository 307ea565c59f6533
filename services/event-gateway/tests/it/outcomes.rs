//! How events ended, and who may say so.

use crate::centre::{Centre, LIMIT, event, host};
use snooze_bus::{Expect, Subject, keys};
use snooze_schemas::{
    Timestamp,
    audit::{AuditKind, AuditRecord},
    event::{OpenEvent, Scope, Severity},
};
use snooze_test_harness::{wait_for, wait_until};

#[tokio::test]
async fn i3_a_host_clears_no_note_of_another_host() {
    let centre = Centre::start().await;
    let mut victim = centre.runner("b").await;
    let evil = centre.runner("a").await;
    let gateway = centre.gateway(|_| {}).await;
    let urgent = event("e1", Scope::Host(host("b")), Severity::Urgent);
    centre.file(&urgent).await;
    victim.accept().await;
    let open = centre.open_events();
    let key = keys::open_key(&urgent.host, &urgent.id);
    wait_for(LIMIT, "the event is noted", async || {
        open.get::<OpenEvent>(&key).await.expect("reads")
    })
    .await;
    // Under its own subject, which is all that the server lets it, about another host's event.
    let forged = AuditRecord {
        at: Timestamp::UNIX_EPOCH,
        host: urgent.host.clone(),
        kind: AuditKind::Event,
        actor: "runner".to_owned(),
        claim: None,
        message: "handled".to_owned(),
        details: [("id".to_owned(), serde_json::json!(urgent.id))]
            .into_iter()
            .collect(),
    };
    let own = |host| Subject::Audit {
        scope: Scope::Host(host),
        kind: AuditKind::Event,
    };
    let subject = own(evil.host.clone());
    evil.bus
        .file(&subject, &forged, Expect::Anything, LIMIT)
        .await
        .expect("the stream takes what is under its own subject");
    // A host's own outcome, heard after the forged one, is cleared; the other's note is still there.
    let mut own_runner = evil;
    let mine = event("e2", Scope::Host(host("a")), Severity::Urgent);
    centre.file(&mine).await;
    own_runner.accept().await;
    own_runner.report(&mine).await;
    let own_key = keys::open_key(&mine.host, &mine.id);
    wait_until(LIMIT, "its own note is written and cleared", async || {
        let look = open.look::<OpenEvent>(&own_key).await.expect("reads");
        look.revision > 0 && look.entry.is_none()
    })
    .await;
    assert!(open.get::<OpenEvent>(&key).await.expect("reads").is_some());
    gateway.end().await;
}

#[tokio::test]
async fn e4_the_notes_of_many_events_are_cleared_also_where_one_was_reported_twice() {
    let centre = Centre::start().await;
    let mut runner = centre.runner("h1").await;
    let gateway = centre.gateway(|_| {}).await;
    let events: Vec<_> = (0..300)
        .map(|number| event(&format!("e{number}"), Scope::Host(host("h1")), Severity::Urgent))
        .collect();
    centre.file_all(&events).await;
    let mut taken = Vec::new();
    for _ in &events {
        taken.push(runner.accept().await);
    }
    let reported = taken.iter().chain([&taken[7], &taken[7]]);
    futures_util::future::join_all(reported.map(|event| runner.report(event))).await;
    let open = centre.open_events();
    for event in &taken {
        let key = keys::open_key(&event.host, &event.id);
        wait_until(LIMIT, "the event is noted and its note cleared", async || {
            let look = open.look::<OpenEvent>(&key).await.expect("reads");
            look.revision > 0 && look.entry.is_none()
        })
        .await;
    }
    gateway.end().await;
}
