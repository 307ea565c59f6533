//! What is said of streams of events that fill up.

use crate::centre::{Centre, LIMIT, event, host};
use serde_json::json;
use snooze_bus::{Stream, Subject, SubjectFilter, keys};
use snooze_event_gateway::centre::Config;
use snooze_schemas::{
    audit::{AuditKind, AuditRecord},
    event::{Event, OpenEvent, Scope, Severity},
};
use snooze_test_harness::{wait_for, wait_until};
use std::time::Duration;

const MIB: u64 = 1024 * 1024;

fn looks_often(config: &mut Config) {
    config.room_interval = Duration::from_millis(20);
}

/// Some 60 KiB of a host that is not there.
fn large(number: u32, severity: Severity) -> Event {
    let mut large = event(&format!("large-{number}"), Scope::Host(host("gone")), severity);
    large.data.insert("x".to_owned(), "y".repeat(60 * 1024).into());
    large
}

/// The first alarm of the fleet with a detail of this name.
async fn alarm(centre: &Centre, detail: &str) -> AuditRecord {
    let filter = SubjectFilter::from(Subject::Audit {
        scope: Scope::Fleet,
        kind: AuditKind::Alarm,
    });
    wait_for(LIMIT, "an alarm is in the audit trail", async || {
        let found = centre
            .administrator
            .history::<AuditRecord>(Stream::Audit, &filter, 100)
            .await;
        let records = found.expect("reads").into_iter().map(|stored| stored.message);
        records
            .into_iter()
            .find(|record| record.details.contains_key(detail))
    })
    .await
}

#[tokio::test]
async fn a_stream_of_urgent_events_that_fills_up_is_told_before_it_is_full() {
    let centre = Centre::open().await;
    centre.shrink(Stream::EventsUrgent, MIB).await;
    let gateway = centre.gateway(looks_often).await;
    let some: Vec<Event> = (0..15).map(|number| large(number, Severity::Urgent)).collect();
    centre.file_all(&some).await;
    let told = alarm(&centre, "percent").await;
    assert!(
        told.message.starts_with("EVENTS_URGENT is 8"),
        "nothing was dropped yet: {}",
        told.message
    );
    assert_eq!(told.details["stream"], "EVENTS_URGENT");
    gateway.end().await;
}

#[tokio::test]
async fn events_that_a_full_stream_dropped_before_they_were_dispatched_are_told() {
    let centre = Centre::open().await;
    centre.shrink(Stream::EventsUrgent, MIB).await;
    // Whether or not a gateway has them in hand: their host is not there to take them.
    let gateway = centre.gateway(looks_often).await;
    let first = event("first", Scope::Host(host("gone")), Severity::Critical);
    centre.file(&first).await;
    let flood: Vec<Event> = (0..40).map(|number| large(number, Severity::Urgent)).collect();
    centre.file_all(&flood).await;
    let told = alarm(&centre, "at_most").await;
    let at_most = told.details["at_most"].as_u64();
    assert!(
        at_most.is_some_and(|at_most| (1..=41).contains(&at_most)),
        "{told:?}"
    );
    assert!(
        told.message.contains("dropped before they were dispatched"),
        "{}",
        told.message
    );
    gateway.end().await;
}

#[tokio::test]
async fn a_host_that_fills_the_stream_silences_no_critical_event_of_another() {
    let centre = Centre::open().await;
    centre.shrink(Stream::EventsUrgent, MIB).await;
    let mut runner = centre.runner("h1").await;
    let gateway = centre.gateway(|_| {}).await;
    let flood: Vec<Event> = (0..40).map(|number| large(number, Severity::Critical)).collect();
    centre.file_all(&flood).await;
    let mine = event("mine", Scope::Host(host("h1")), Severity::Critical);
    centre.file(&mine).await;
    assert_eq!(runner.accept().await, mine);
    gateway.end().await;
}

#[tokio::test]
async fn what_was_dropped_while_no_gateway_ran_is_told_by_the_next_one() {
    let centre = Centre::open().await;
    centre.shrink(Stream::EventsRoutine, MIB).await;
    let flood: Vec<Event> = (0..40).map(|number| large(number, Severity::Info)).collect();
    centre.file_all(&flood).await;
    let gateway = centre.gateway(|_| {}).await;
    let told = alarm(&centre, "at_most").await;
    assert_eq!(told.details["stream"], json!("EVENTS_ROUTINE"));
    assert!(told.message.contains("severity 0"), "{}", told.message);
    gateway.end().await;
}

#[tokio::test]
async fn e3_infos_that_fill_the_bucket_of_open_events_leave_room_for_a_critical_one() {
    let centre = Centre::open().await;
    centre.shrink_open_events(256 * 1024).await;
    let mut runner = centre.runner("h1").await;
    let gateway = centre.gateway(|_| {}).await;
    // Many times as many as there is room for, to hosts that are away for long.
    let flood: Vec<Event> = (0..1_500)
        .map(|number| event(&format!("e{number}"), Scope::Host(host("gone")), Severity::Info))
        .collect();
    centre.file_all(&flood).await;
    wait_until(LIMIT, "infos wait in their lane", async || {
        let (_, in_hand) = centre.backlog(Severity::Info).await;
        in_hand >= 200
    })
    .await;
    let mine = event("mine", Scope::Host(host("h1")), Severity::Critical);
    centre.file(&mine).await;
    assert_eq!(runner.accept().await, mine);
    let key = keys::open_key(&mine.host, &mine.id);
    let open = centre.open_events();
    wait_for(LIMIT, "it is noted", async || {
        open.get::<OpenEvent>(&key).await.expect("reads")
    })
    .await;
    centre.all_acked(Severity::Critical).await;
    gateway.end().await;
}

#[tokio::test]
async fn an_event_of_the_fleet_pushes_nothing_out_of_dead_with_its_data() {
    let centre = Centre::open().await;
    for number in 0..40 {
        centre.enrol(&format!("away-{number}")).await;
    }
    centre.shrink(Stream::Dead, MIB).await;
    let gateway = centre
        .gateway(|config| {
            looks_often(config);
            config.patience = Duration::ZERO;
        })
        .await;
    // With its data for each host it would take more than twice the room there is.
    let first = event("first", Scope::Host(host("gone")), Severity::Critical);
    centre.file(&first).await;
    centre.first_dead(first.host.clone()).await;
    let mut all = large(0, Severity::Info);
    all.host = Scope::Fleet;
    centre.file(&all).await;
    for number in 0..40 {
        let away = Scope::Host(host(&format!("away-{number}")));
        let dead = centre.first_dead(away).await;
        assert_eq!((dead.event.id, dead.event.data.len()), (all.id.clone(), 0));
    }
    assert_eq!(centre.first_dead(first.host).await.event.id, first.id);
    gateway.end().await;
}

#[tokio::test]
async fn dead_that_fills_up_is_told_before_it_drops_anything() {
    let centre = Centre::open().await;
    centre.shrink(Stream::Dead, MIB).await;
    let gateway = centre
        .gateway(|config| {
            looks_often(config);
            config.patience = Duration::ZERO;
        })
        .await;
    let some: Vec<Event> = (0..14).map(|number| large(number, Severity::Urgent)).collect();
    centre.file_all(&some).await;
    let told = alarm(&centre, "percent").await;
    assert_eq!(told.details["stream"], "DEAD");
    gateway.end().await;
}
