//! The part on a host: what a source tells, a runner's socket on which the test answers, and a real broker.

use crate::{
    centre::{Centre, LIMIT, host},
    noticing::{Place, happening, spot},
};
use serde_json::json;
use snooze_bus::{Bus, BusConfig, OnDenial, Stream, SubjectFilter, User};
use snooze_event_gateway::happening::{Happening, State};
use snooze_schemas::event::{Event, Scope};
use snooze_test_harness::{NatsServer, wait_for, wait_until};
use std::time::Duration;

/// Between two attempts there are some seconds by then, on a machine that compiles meanwhile.
const MENDED: Duration = Duration::from_secs(60);

async fn until_denied(bus: &Bus) {
    wait_until(LIMIT, "the denial is heard", async || {
        bus.counters().violations > 0
    })
    .await;
}

async fn filed(centre: &Centre, stream: Stream) -> Vec<Event> {
    let filter = SubjectFilter::EventsOf(Scope::Host(host("h1")));
    let found = centre.administrator.history::<Event>(stream, &filter, 100).await;
    let found = found.unwrap_or_default();
    found.into_iter().map(|stored| stored.message).collect()
}

pub(crate) async fn until_filed(centre: &Centre, stream: Stream, count: usize) -> Vec<Event> {
    wait_for(LIMIT, "as many are filed", async || {
        Some(filed(centre, stream).await).filter(|filed| filed.len() >= count)
    })
    .await
}

#[tokio::test]
async fn e7_neither_way_waits_for_the_other() {
    let mut centre = Centre::start().await;
    let place = Place::new();
    let gateway = place.gateway(&centre.server).await;
    // No runner is there, and what is noticed is filed.
    gateway.notices(spot(&place)).await;
    let event = until_filed(&centre, Stream::EventsUrgent, 1).await.remove(0);
    assert_eq!(event.data["state"], "raised");
    let runner = place.listen();
    let handed = runner.asked().await.accept().await;
    assert_eq!(handed.event, event);
    // No broker is there, and what is noticed is handed over.
    centre.server.kill();
    gateway.notices(happening("cloud.spot.rebalance", "")).await;
    let handed = runner.asked().await.accept().await;
    centre.server.restart().await;
    let filed = until_filed(&centre, Stream::EventsUrgent, 2).await;
    assert_eq!(filed[1], handed.event);
    gateway.end().await;
}

#[tokio::test]
async fn e1_a_happening_that_is_told_again_is_one_event_also_after_a_restart() {
    let centre = Centre::start().await;
    let place = Place::new();
    let runner = place.listen();
    let gateway = place.gateway(&centre.server).await;
    for _ in 0..3 {
        gateway.notices(spot(&place)).await;
    }
    let first = runner.asked().await.accept().await.event;
    until_filed(&centre, Stream::EventsUrgent, 1).await;
    gateway.end().await;
    let gateway = place.gateway(&centre.server).await;
    // It was noticed later, and is the same.
    place.clocks.advance(Duration::from_secs(1));
    gateway.notices(spot(&place)).await;
    let cancelled = Happening {
        state: State::Cancelled,
        ..spot(&place)
    };
    gateway.notices(cancelled).await;
    // A change is another one; it comes after the first would have.
    let second = runner.asked().await.accept().await.event;
    assert_eq!(second.data["state"], "cancelled");
    let filed = until_filed(&centre, Stream::EventsUrgent, 2).await;
    assert_eq!(filed, [first, second]);
    gateway.end().await;
}

#[tokio::test]
async fn e1_what_was_filed_and_is_forgotten_here_is_not_filed_again() {
    let centre = Centre::start().await;
    let place = Place::new();
    let runner = place.listen();
    let gateway = place.gateway(&centre.server).await;
    gateway.notices(spot(&place)).await;
    let first = runner.asked().await.accept().await.event;
    until_filed(&centre, Stream::EventsUrgent, 1).await;
    gateway.end().await;
    place.forget();
    let gateway = place.gateway(&centre.server).await;
    place.clocks.advance(Duration::from_secs(1));
    gateway.notices(spot(&place)).await;
    // The runner knows it, and so does the stream.
    assert_eq!(runner.asked().await.accept().await.event.id, first.id);
    place.until_nothing_is_open().await;
    assert_eq!(filed(&centre, Stream::EventsUrgent).await, [first]);
    gateway.end().await;
}

#[tokio::test]
async fn t1_a_deadline_is_compared_with_real_time_once_and_then_counted_on_boot_time() {
    let centre = Centre::start().await;
    let place = Place::new();
    let runner = place.listen();
    let gateway = place.gateway(&centre.server).await;
    gateway.notices(spot(&place)).await;
    let asked = runner.asked().await;
    assert_eq!(asked.request.left_ms, Some(120_000));
    // Somebody sets the time of day back by an hour, and the machine sleeps for ten seconds.
    place.clocks.jump_wall_ms(-3_600_000);
    place.clocks.suspend(Duration::from_secs(10));
    asked.refuse("rate_limited").await;
    let asked = runner.asked().await;
    assert_eq!(asked.request.left_ms, Some(110_000));
    place.clocks.advance(Duration::from_secs(300));
    asked.refuse("unavailable").await;
    // Its time is over: it may be known there, and is offered once more and never again.
    let asked = runner.asked().await;
    assert_eq!(asked.request.left_ms, Some(0));
    asked.refuse("rate_limited").await;
    gateway.notices(happening("cloud.spot.rebalance", "")).await;
    let asked = runner.asked().await;
    assert!(asked.id().starts_with("cloud-spot-rebalance"), "{}", asked.id());
    assert_eq!(asked.request.left_ms, None, "it has no deadline");
    asked.accept().await;
    gateway.end().await;
}

#[tokio::test]
async fn what_is_first_seen_after_its_time_has_not_come_yet_and_is_handled_all_the_same() {
    let centre = Centre::start().await;
    let place = Place::new();
    let runner = place.listen();
    let gateway = place.gateway(&centre.server).await;
    // A gateway that starts late, or a clock that is ahead.
    let late = spot(&place);
    place.clocks.jump_wall_ms(3_600_000);
    gateway.notices(late).await;
    let asked = runner.asked().await;
    assert_eq!(asked.request.left_ms, None, "it has as long as what has no time");
    assert_eq!(asked.accept().await.event.deadline, None);
    gateway.end().await;
}

#[tokio::test]
async fn e7_what_the_runner_never_takes_is_not_offered_again_and_is_filed_all_the_same() {
    let centre = Centre::start().await;
    let place = Place::new();
    let runner = place.listen();
    let gateway = place.gateway(&centre.server).await;
    gateway.notices(happening("system.cpu.high", "a")).await;
    runner.asked().await.refuse("forbidden").await;
    // What is no answer may be one the next time.
    gateway.notices(happening("system.cpu.high", "b")).await;
    let second = runner.asked().await;
    let id = second.id().to_owned();
    second.answer(&json!("yes")).await;
    let again = runner.asked().await;
    assert_eq!(again.id(), id);
    again.accept().await;
    assert_eq!(until_filed(&centre, Stream::EventsRoutine, 2).await.len(), 2);
    gateway.end().await;
}

#[tokio::test]
async fn e3_a_runner_that_is_slow_with_the_lower_is_asked_for_the_higher_at_once() {
    let centre = Centre::start().await;
    let place = Place::new();
    let runner = place.listen();
    let gateway = place.gateway(&centre.server).await;
    for number in 0..40 {
        gateway
            .notices(happening("system.cpu.high", &number.to_string()))
            .await;
    }
    gateway.notices(spot(&place)).await;
    let mut held = Vec::new();
    loop {
        let asked = runner.asked().await;
        if asked.id().starts_with("cloud-spot-interrupt") {
            asked.accept().await;
            break;
        }
        held.push(asked);
        assert!(held.len() <= 8, "no more of one severity are under way");
    }
    gateway.end().await;
}

#[tokio::test]
async fn data_that_is_too_much_is_left_out_and_the_event_is_not() {
    let centre = Centre::start().await;
    let place = Place::new();
    let runner = place.listen();
    let gateway = place.gateway(&centre.server).await;
    let mut large = spot(&place);
    large.data.insert("notice".to_owned(), json!("x".repeat(100_000)));
    gateway.notices(large).await;
    let handed = runner.asked().await.accept().await;
    assert_eq!(handed.event.data["state"], "raised");
    assert!(handed.event.data["left_out_bytes"].as_u64() > Some(100_000));
    assert!(!handed.event.data.contains_key("notice"));
    assert_eq!(
        until_filed(&centre, Stream::EventsUrgent, 1).await,
        [handed.event]
    );
    gateway.end().await;
}

#[tokio::test]
async fn e7_credentials_that_the_broker_does_not_know_end_neither_noticing_nor_handling() {
    let centre = Centre::start().await;
    let stranger = NatsServer::with_roles().await;
    let place = Place::new();
    let runner = place.listen();
    let user = User::host(&host("h1"));
    let folder = tempfile::tempdir().expect("a folder");
    let credentials = folder.path().join("host.creds");
    std::fs::copy(stranger.credentials(&user), &credentials).expect("copies");
    let config = BusConfig {
        credentials: Some(credentials.clone()),
        on_denial: OnDenial::GoOn,
        ..centre.server.bus_config(&user)
    };
    let bus = Bus::begin(config).await.expect("nobody was asked yet");
    let gateway = place.gateway_on(bus.clone());
    until_denied(&bus).await;
    gateway.notices(spot(&place)).await;
    let handed = runner.asked().await.accept().await;
    // Somebody renews them, and starts nothing anew.
    std::fs::copy(centre.server.credentials(&user), &credentials).expect("copies");
    assert_eq!(
        until_filed(&centre, Stream::EventsUrgent, 1).await,
        [handed.event]
    );
    gateway.end().await;
}

#[tokio::test]
async fn e7_an_event_that_may_not_be_filed_is_handled_and_filed_once_it_may_be() {
    let denied = NatsServer::denying(&["snooze.v1.event.h1.3.>"], &[]).await;
    let centre = Centre::before_set_up(denied).await;
    centre.set_up().await;
    let place = Place::new();
    let runner = place.listen();
    let config = BusConfig {
        on_denial: OnDenial::GoOn,
        ..centre.server.bus_config(&User::host(&host("h1")))
    };
    let bus = Bus::begin(config).await.expect("nobody is waited for");
    let gateway = place.gateway_on(bus.clone());
    gateway.notices(spot(&place)).await;
    let handed = runner.asked().await.accept().await;
    until_denied(&bus).await;
    // What is allowed goes on.
    gateway.notices(happening("system.cpu.high", "a")).await;
    runner.asked().await.accept().await;
    until_filed(&centre, Stream::EventsRoutine, 1).await;
    assert_eq!(filed(&centre, Stream::EventsUrgent).await, []);
    centre.server.deny_nothing();
    wait_until(MENDED, "it is filed", async || {
        filed(&centre, Stream::EventsUrgent).await == [handed.event.clone()]
    })
    .await;
    gateway.end().await;
}

#[tokio::test]
async fn e7_events_are_filed_once_the_streams_are_there() {
    let centre = Centre::before_set_up(NatsServer::with_roles().await).await;
    let place = Place::new();
    let runner = place.listen();
    let gateway = place.gateway(&centre.server).await;
    gateway.notices(spot(&place)).await;
    let handed = runner.asked().await.accept().await;
    centre.set_up().await;
    wait_until(LIMIT, "it is filed", async || {
        filed(&centre, Stream::EventsUrgent).await == [handed.event.clone()]
    })
    .await;
    gateway.end().await;
}
