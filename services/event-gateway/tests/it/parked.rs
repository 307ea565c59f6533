//! Events whose host is away (rule E5): parked, given to it when it is back, ended when their time is over.

use crate::centre::{Centre, LIMIT, event, host, now};
use serde_json::json;
use snooze_bus::{Stream, keys};
use snooze_schemas::{
    ErrorCode, HostId,
    event::{Event, OpenEvent, OpenState, Scope, Severity},
};
use snooze_test_harness::wait_until;
use std::time::Duration;

fn to(name: &str, id: &str, severity: Severity) -> Event {
    event(id, Scope::Host(host(name)), severity)
}

/// In which state an event is noted.
async fn state(centre: &Centre, name: &str, id: &str) -> Option<OpenState> {
    let key = keys::open_key(&Scope::Host(host(name)), &crate::centre::id(id));
    let noted = centre.open_events().get::<OpenEvent>(&key).await.expect("reads");
    noted.map(|entry| entry.value.state)
}

async fn until_parked(centre: &Centre, name: &str, id: &str) {
    wait_until(LIMIT, "it is parked", async || {
        state(centre, name, id).await == Some(OpenState::Parked)
    })
    .await;
}

#[tokio::test]
async fn e5_what_waits_for_a_host_that_is_away_is_acked_and_given_to_it_at_its_hello() {
    let centre = Centre::open().await;
    let gateway = centre.gateway(|config| config.away_retry = LIMIT * 100).await;
    centre.file(&to("h1", "e1", Severity::Critical)).await;
    until_parked(&centre, "h1", "e1").await;
    centre.all_acked(Severity::Critical).await;
    let mut runner = centre.runner("h1").await;
    let taken = runner.accept().await;
    assert_eq!(taken.id.as_str(), "e1");
    wait_until(LIMIT, "it is noted as accepted", async || {
        state(&centre, "h1", "e1").await == Some(OpenState::Accepted)
    })
    .await;
    runner.report(&taken).await;
    wait_until(LIMIT, "the outcome clears it", async || {
        state(&centre, "h1", "e1").await.is_none()
    })
    .await;
    gateway.end().await;
}

#[tokio::test]
async fn e5_a_note_is_small_and_what_is_given_is_whole() {
    let centre = Centre::start().await;
    let gateway = centre.gateway(|_| {}).await;
    let mut large = to("h1", "e1", Severity::Critical);
    large.data.insert("text".to_owned(), "x".repeat(60_000).into());
    centre.file(&large).await;
    until_parked(&centre, "h1", "e1").await;
    let key = keys::open_key(&Scope::Host(host("h1")), &crate::centre::id("e1"));
    let noted = centre.open_events().get::<OpenEvent>(&key).await.expect("reads");
    let noted = noted.expect("it is noted").value;
    assert!(
        noted.event.data.is_empty(),
        "as many hosts may be away as there are"
    );
    let mut runner = centre.runner("h1").await;
    assert_eq!(runner.accept().await, large);
    gateway.end().await;
}

#[tokio::test]
async fn e5_what_a_gateway_is_ending_is_given_to_nobody_and_ended_by_another() {
    let centre = Centre::start().await;
    let event = Event {
        deadline: Some(now() + Duration::from_secs(3_600)),
        ..to("h1", "e1", Severity::Critical)
    };
    let here = Scope::Host(host("h1"));
    let note = OpenEvent {
        event: event.clone(),
        host: host("h1"),
        state: OpenState::Parked,
        sweep_after_ms: 500,
        is_ending: true,
    };
    let open = centre.open_events();
    open.create(&keys::open_key(&here, &event.id), &note)
        .await
        .expect("notes");
    let mut runner = centre.runner("h1").await;
    let gateway = centre
        .gateway(|config| config.away_retry = Duration::from_millis(50))
        .await;
    runner.hello().await;
    let dead = centre.first_dead(here).await;
    assert_eq!(dead.event.id, event.id);
    let next = to("h1", "next", Severity::Critical);
    centre.file(&next).await;
    assert_eq!(runner.accept().await.id, next.id, "the other was never offered");
    gateway.end().await;
}

#[tokio::test]
async fn e5_a_thousand_absent_hosts_do_not_delay_one_that_is_there() {
    let centre = Centre::open().await;
    let mut runner = centre.runner("here").await;
    let gateway = centre.gateway(|_| {}).await;
    let absent: Vec<Event> = (0..1_000)
        .map(|number| {
            to(
                &format!("away-{number}"),
                &format!("e{number}"),
                Severity::Critical,
            )
        })
        .collect();
    centre.file_all(&absent).await;
    centre.file(&to("here", "mine", Severity::Critical)).await;
    assert_eq!(runner.accept().await.id.as_str(), "mine");
    // None of them waits in the consumer, where they would fill its window.
    centre.all_acked(Severity::Critical).await;
    gateway.end().await;
}

#[tokio::test]
async fn e5_what_a_returning_host_had_waiting_comes_to_it_the_most_urgent_first() {
    let centre = Centre::start().await;
    let gateway = centre.gateway(|_| {}).await;
    for (id, severity) in [
        ("info", Severity::Info),
        ("critical", Severity::Critical),
        ("warning", Severity::Warning),
        ("urgent", Severity::Urgent),
    ] {
        centre.file(&to("h1", id, severity)).await;
        until_parked(&centre, "h1", id).await;
    }
    let mut runner = centre.runner("h1").await;
    for id in ["critical", "urgent", "warning", "info"] {
        assert_eq!(runner.accept().await.id.as_str(), id);
    }
    gateway.end().await;
}

#[tokio::test]
async fn e5_what_is_parked_outlives_the_gateway_that_parked_it() {
    let centre = Centre::start().await;
    let gateway = centre.gateway(|_| {}).await;
    centre.file(&to("h1", "e1", Severity::Critical)).await;
    until_parked(&centre, "h1", "e1").await;
    gateway.kill().await;
    // It comes back while no gateway is there to hear it.
    let mut runner = centre.runner("h1").await;
    let another = centre
        .gateway(|config| config.away_retry = Duration::from_millis(100))
        .await;
    assert_eq!(runner.accept().await.id.as_str(), "e1");
    another.end().await;
}

#[tokio::test]
async fn e5_a_host_whose_hello_was_lost_is_asked_now_and_then() {
    let centre = Centre::start().await;
    let gateway = centre
        .gateway(|config| config.away_retry = Duration::from_millis(100))
        .await;
    centre.file(&to("h1", "e1", Severity::Critical)).await;
    until_parked(&centre, "h1", "e1").await;
    let mut runner = centre.runner_without_hello("h1").await;
    assert_eq!(runner.accept().await.id.as_str(), "e1");
    gateway.end().await;
}

#[tokio::test]
async fn e5_a_host_that_is_back_and_busy_is_asked_again_soon() {
    let centre = Centre::start().await;
    let gateway = centre.gateway(|config| config.away_retry = LIMIT * 100).await;
    centre.file(&to("h1", "e1", Severity::Critical)).await;
    until_parked(&centre, "h1", "e1").await;
    let mut runner = centre.runner("h1").await;
    runner.refuse(ErrorCode::Unavailable, "the journal is full").await;
    assert_eq!(runner.accept().await.id.as_str(), "e1");
    gateway.end().await;
}

#[tokio::test]
async fn e5_what_passes_its_deadline_while_it_is_parked_ends_in_dead_once() {
    let centre = Centre::start().await;
    let gateway = centre.gateway(|_| {}).await;
    let second = centre.gateway(|_| {}).await;
    let mut soon = Event {
        deadline: Some(now() + Duration::from_secs(2)),
        ..to("h1", "e1", Severity::Critical)
    };
    soon.data.insert("volume".to_owned(), "a".into());
    centre.file(&soon).await;
    let here = Scope::Host(host("h1"));
    let dead = centre.first_dead(here.clone()).await;
    assert_eq!(dead.event, soon);
    assert_eq!(
        dead.reason,
        "its deadline passed before the host could be reached"
    );
    wait_until(LIMIT, "its note is gone", async || {
        state(&centre, "h1", "e1").await.is_none()
    })
    .await;
    assert_eq!(centre.dead(here.clone()).await.len(), 1);
    assert_eq!(centre.told(here).await, 1, "and once in the audit trail");
    gateway.end().await;
    second.end().await;
}

#[tokio::test]
async fn e5_what_another_gateway_has_begun_to_end_is_left_to_it_before_it_is_heard_of() {
    let centre = Centre::open().await;
    let gateway = centre.gateway(|_| {}).await;
    let due = |id: &str, seconds| Event {
        deadline: Some(now() + Duration::from_secs(seconds)),
        ..to("h1", id, Severity::Critical)
    };
    for event in [due("first", 4), due("second", 5)] {
        centre.file(&event).await;
        until_parked(&centre, "h1", event.id.as_str()).await;
    }
    centre.all_acked(Severity::Critical).await;
    // From now on this gateway learns of a note only when it reads it.
    centre.pause_watches_of_open_events().await;
    let open = centre.open_events();
    let key = keys::open_key(&Scope::Host(host("h1")), &crate::centre::id("first"));
    let noted = open
        .get::<OpenEvent>(&key)
        .await
        .expect("reads")
        .expect("it is noted");
    let ending = OpenEvent {
        is_ending: true,
        ..noted.value
    };
    open.update(&key, &ending, noted.revision)
        .await
        .expect("nobody else has");
    let here = Scope::Host(host("h1"));
    // What is due first is looked at first.
    let dead = centre.first_dead(here.clone()).await;
    assert_eq!(dead.event.id.as_str(), "second");
    assert_eq!(centre.told(here).await, 1);
    gateway.end().await;
}

#[tokio::test]
async fn e5_an_event_of_the_fleet_waits_for_each_absent_host_by_itself() {
    let centre = Centre::open().await;
    for name in ["here", "away"] {
        centre.enrol(name).await;
    }
    let mut here = centre.runner("here").await;
    let gateway = centre.gateway(|_| {}).await;
    centre.file(&event("all", Scope::Fleet, Severity::Critical)).await;
    assert_eq!(here.accept().await.id.as_str(), "all");
    until_parked(&centre, "away", "all").await;
    centre.all_acked(Severity::Critical).await;
    let mut away = centre.runner("away").await;
    assert_eq!(away.accept().await.id.as_str(), "all");
    gateway.end().await;
}

#[tokio::test]
async fn e5_a_host_that_came_back_before_it_was_parked_is_offered_it_once_more() {
    let centre = Centre::start().await;
    let gateway = centre.gateway(|config| config.away_retry = LIMIT * 100).await;
    // Ten hosts that come while their events are being parked: whichever is first, none waits.
    let names: Vec<HostId> = (0..10).map(|number| host(&format!("h{number}"))).collect();
    for name in &names {
        let filed = to(name.as_str(), "e1", Severity::Critical);
        let ((), mut runner) = tokio::join!(centre.file(&filed), centre.runner(name.as_str()));
        assert_eq!(runner.accept().await.id.as_str(), "e1");
    }
    gateway.end().await;
}

#[tokio::test]
async fn e5_what_its_stream_dropped_while_it_was_parked_may_have_been_taken_and_its_report_ends_it() {
    let centre = Centre::open().await;
    let gateway = centre.gateway(|config| config.away_retry = LIMIT * 100).await;
    let mut asked = centre
        .administrator
        .raw_subscribe("snooze.v1.host.h1.runner.handle_event")
        .await
        .expect("subscribes");
    centre.file(&to("h1", "e1", Severity::Info)).await;
    assert!(asked.next().await.is_some(), "it is offered, and not answered");
    until_parked(&centre, "h1", "e1").await;
    // The next one takes its place.
    let smaller = json!({ "max_msgs": 1 });
    centre
        .reconfigure(Stream::of_events(Severity::Info), &smaller)
        .await;
    centre.file(&to("h1", "e2", Severity::Info)).await;
    until_parked(&centre, "h1", "e2").await;
    drop(asked);
    let mut runner = centre.runner("h1").await;
    // The first of them was looked at before the second was given.
    assert_eq!(runner.accept().await.id.as_str(), "e2");
    let here = Scope::Host(host("h1"));
    assert_eq!(centre.dead(here.clone()).await, []);
    runner.report(&to("h1", "e1", Severity::Info)).await;
    wait_until(LIMIT, "the outcome clears it", async || {
        state(&centre, "h1", "e1").await.is_none()
    })
    .await;
    assert_eq!(centre.dead(here).await, []);
    gateway.end().await;
}

#[tokio::test]
async fn e5_what_its_stream_dropped_while_it_was_parked_and_nobody_reports_ends_in_dead() {
    let centre = Centre::start().await;
    let here = Scope::Host(host("h1"));
    // Its stream has nothing of it any more.
    let note = OpenEvent {
        event: to("h1", "e1", Severity::Info),
        host: host("h1"),
        state: OpenState::Parked,
        sweep_after_ms: 100,
        is_ending: false,
    };
    let key = keys::open_key(&here, &note.event.id);
    centre.open_events().create(&key, &note).await.expect("notes");
    let gateway = centre
        .gateway(|config| config.report_grace = Duration::from_millis(100))
        .await;
    let dead = centre.first_dead(here).await;
    assert_eq!(dead.event, note.event);
    assert_eq!(dead.reason, "its stream dropped it before its host came back");
    gateway.end().await;
}
