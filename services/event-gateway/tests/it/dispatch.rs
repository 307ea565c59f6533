//! From the stream to the runner.

use crate::centre::{Centre, LIMIT, accept, event, host, now};
use serde_json::json;
use snooze_bus::{Bucket, Stream, SubjectFilter, keys};
use snooze_schemas::{
    ErrorCode, Refusal,
    event::{Accepted, DeadEvent, OpenEvent, Scope, Severity},
};
use snooze_test_harness::{wait_for, wait_until};
use std::{collections::BTreeSet, time::Duration};

async fn dead(centre: &Centre, scope: Scope) -> Vec<DeadEvent> {
    let found = centre
        .administrator
        .history::<DeadEvent>(Stream::Dead, &SubjectFilter::DeadOf(scope), 100)
        .await
        .expect("reads");
    found.into_iter().map(|stored| stored.message).collect()
}

#[tokio::test]
async fn e3_a_flood_below_does_not_delay_what_is_above() {
    let centre = Centre::start().await;
    let mut runner = centre.runner("h1").await;
    let here = || Scope::Host(host("h1"));
    for number in 0..200 {
        centre
            .file(&event(&format!("info-{number}"), here(), Severity::Info))
            .await;
    }
    centre.file(&event("critical", here(), Severity::Critical)).await;
    let gateway = centre.gateway(|_| {}).await;
    // Nothing of the flood is ever answered: only a lane of its own lets the critical one through.
    let mut held = Vec::new();
    loop {
        let (delivery, offer) = runner.offered().await;
        if offer.event.severity == Severity::Critical {
            accept(&delivery).await;
            break;
        }
        held.push(delivery);
        assert!(held.len() <= 32, "the lane below takes no more than its window");
    }
    for delivery in held {
        accept(&delivery).await;
    }
    runner.accept_the_rest();
    gateway.end().await;
}

#[tokio::test]
async fn e3_what_is_below_keeps_a_share_while_what_is_above_waits() {
    let centre = Centre::start().await;
    let mut runner = centre.runner("h1").await;
    let here = || Scope::Host(host("h1"));
    for number in 0..40 {
        centre
            .file(&event(&format!("critical-{number}"), here(), Severity::Critical))
            .await;
    }
    centre.file(&event("info", here(), Severity::Info)).await;
    let gateway = centre.gateway(|_| {}).await;
    let mut held = Vec::new();
    loop {
        let (delivery, offer) = runner.offered().await;
        if offer.event.severity == Severity::Info {
            accept(&delivery).await;
            break;
        }
        held.push(delivery);
    }
    for delivery in held {
        accept(&delivery).await;
    }
    runner.accept_the_rest();
    gateway.end().await;
}

#[tokio::test]
async fn e4_an_accepted_event_is_noted_and_its_outcome_clears_the_note() {
    let centre = Centre::start().await;
    let mut runner = centre.runner("h1").await;
    let gateway = centre.gateway(|_| {}).await;
    let urgent = event("e1", Scope::Host(host("h1")), Severity::Urgent);
    centre.file(&urgent).await;
    let taken = runner.accept().await;
    assert_eq!(taken, urgent);
    let user = snooze_bus::User::named(snooze_bus::Role::Gateway, "looker").expect("a name");
    let open = centre.server.bus(&user).await.bucket(Bucket::Open);
    let key = keys::open_key(&urgent.host, &urgent.id);
    let note = wait_for(LIMIT, "the event is noted", async || {
        open.get::<OpenEvent>(&key).await.expect("reads")
    })
    .await;
    assert_eq!(note.value.event, urgent);
    runner.report(&urgent).await;
    wait_until(LIMIT, "the note is cleared", async || {
        open.get::<OpenEvent>(&key).await.expect("reads").is_none()
    })
    .await;
    assert_eq!(dead(&centre, urgent.host).await, []);
    gateway.end().await;
}

#[tokio::test]
async fn e4_an_outcome_that_comes_before_the_note_clears_it_too() {
    let centre = Centre::start().await;
    let mut runner = centre.runner("h1").await;
    let gateway = centre.gateway(|_| {}).await;
    let quick = event("quick", Scope::Host(host("h1")), Severity::Urgent);
    centre.file(&quick).await;
    let (delivery, offer) = runner.offered().await;
    // No plugin cares: the runner is done before its answer has arrived.
    runner.report(&offer.event).await;
    accept(&delivery).await;
    let user = snooze_bus::User::named(snooze_bus::Role::Gateway, "looker").expect("a name");
    let open = centre.server.bus(&user).await.bucket(Bucket::Open);
    let key = keys::open_key(&quick.host, &quick.id);
    let mut seen = false;
    wait_until(LIMIT, "the event is noted and the note cleared", async || {
        let look = open.look::<OpenEvent>(&key).await.expect("reads");
        seen |= look.entry.is_some();
        (seen || look.revision > 0) && look.entry.is_none()
    })
    .await;
    gateway.end().await;
}

#[tokio::test]
async fn e4_nothing_stays_unacked_while_a_handler_runs() {
    let centre = Centre::start().await;
    let mut runner = centre.runner("h1").await;
    let gateway = centre.gateway(|_| {}).await;
    centre
        .file(&event("e1", Scope::Host(host("h1")), Severity::Critical))
        .await;
    runner.accept().await;
    // No outcome is ever reported here. A shut-down waits for what is in hand, so that once it returned,
    // whatever is not acked would be given to the next gateway; it gets only what was filed after.
    gateway.end().await;
    let gateway = centre.gateway(|_| {}).await;
    centre
        .file(&event("e2", Scope::Host(host("h1")), Severity::Critical))
        .await;
    assert_eq!(runner.accept().await.id.as_str(), "e2");
    gateway.end().await;
}

#[tokio::test]
async fn a_host_that_is_away_is_tried_again_until_it_is_back() {
    let centre = Centre::start().await;
    let gateway = centre.gateway(|_| {}).await;
    centre
        .file(&event("e1", Scope::Host(host("h1")), Severity::Critical))
        .await;
    let mut runner = centre.runner("h1").await;
    let (delivery, _) = runner.offered().await;
    let busy = Refusal::new(ErrorCode::Unavailable, "the journal is full");
    delivery.answer::<Accepted>(Err(busy)).await.expect("answers");
    assert_eq!(runner.accept().await.id.as_str(), "e1");
    gateway.end().await;
}

#[tokio::test]
async fn what_no_host_takes_in_time_ends_in_dead_with_the_reason() {
    let centre = Centre::start().await;
    let gateway = centre.gateway(|config| config.patience = Duration::ZERO).await;
    let gone = event("e1", Scope::Host(host("gone")), Severity::Urgent);
    centre.file(&gone).await;
    let dead = wait_for(LIMIT, "it ends in DEAD", async || {
        dead(&centre, gone.host.clone()).await.pop()
    })
    .await;
    assert_eq!(dead.event, gone);
    assert_eq!(dead.reason, "its host is not on the bus");
    gateway.end().await;
}

#[tokio::test]
async fn an_event_whose_deadline_passed_is_not_given_to_a_handler() {
    let centre = Centre::start().await;
    let _runner = centre.runner("h1").await;
    let mut late = event("late", Scope::Host(host("h1")), Severity::Critical);
    late.deadline = Some(now());
    centre.file(&late).await;
    let gateway = centre.gateway(|_| {}).await;
    let dead = wait_for(LIMIT, "it ends in DEAD", async || {
        dead(&centre, late.host.clone()).await.pop()
    })
    .await;
    assert!(dead.reason.contains("deadline"), "{}", dead.reason);
    gateway.end().await;
}

#[tokio::test]
async fn an_event_of_the_fleet_reaches_every_enrolled_host() {
    let centre = Centre::start().await;
    let mut runners = Vec::new();
    for name in ["h1", "h2", "h3"] {
        let record = json!({"provider": "simulated", "instance": name, "enrolled_at": now()});
        let key = keys::roster_key(&host(name));
        let config = centre.administrator.bucket(Bucket::Config);
        config.put(&key, &record).await.expect("enrols");
        runners.push(centre.runner(name).await);
    }
    let gateway = centre.gateway(|_| {}).await;
    centre.file(&event("all", Scope::Fleet, Severity::Critical)).await;
    let mut reached = BTreeSet::new();
    for runner in &mut runners {
        assert_eq!(runner.accept().await.id.as_str(), "all");
        reached.insert(runner.host.clone());
    }
    assert_eq!(reached.len(), 3);
    gateway.end().await;
}

#[tokio::test]
async fn a_host_that_has_an_event_of_the_fleet_is_not_asked_again_while_others_are_away() {
    let centre = Centre::start().await;
    for name in ["here", "away"] {
        let record = json!({"provider": "simulated", "instance": name, "enrolled_at": now()});
        let key = keys::roster_key(&host(name));
        let config = centre.administrator.bucket(Bucket::Config);
        config.put(&key, &record).await.expect("enrols");
    }
    let mut here = centre.runner("here").await;
    let gateway = centre.gateway(|_| {}).await;
    centre.file(&event("all", Scope::Fleet, Severity::Critical)).await;
    assert_eq!(here.accept().await.id.as_str(), "all");
    let mut away = centre.runner("away").await;
    assert_eq!(away.accept().await.id.as_str(), "all");
    // By now the event was tried at least twice; the next thing that this host hears of is another one.
    centre
        .file(&event("next", Scope::Host(host("here")), Severity::Critical))
        .await;
    assert_eq!(here.accept().await.id.as_str(), "next");
    gateway.end().await;
}
