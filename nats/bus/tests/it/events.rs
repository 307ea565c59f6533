//! Taking events by severity (rules E2, E3).

use crate::support::*;
use snooze_bus::{Bus, Expect, Role, User};
use snooze_schemas::{ErrorCode, event::Severity};
use std::time::Duration;

async fn file(bus: &Bus, severity: Severity, id: &str) {
    let (subject, event) = event("h1", severity, id);
    bus.file(&subject, &event, Expect::New, LIMIT)
        .await
        .expect("is new");
}

#[tokio::test]
async fn e3_each_severity_has_a_consumer_of_its_own() {
    let (_server, bus) = set_up().await;
    for severity in Severity::DESCENDING {
        file(&bus, severity, "one").await;
    }
    for severity in Severity::DESCENDING {
        let mut consumer = bus.events(severity).await.expect("subscribes");
        let delivery = take(&mut consumer).await;
        assert_eq!(delivery.event().severity, severity);
        assert_eq!((delivery.deliveries(), delivery.event().id.as_str()), (1, "one"));
        delivery.ack().await.expect("acks");
    }
}

#[tokio::test]
async fn e3_a_flood_of_info_does_not_delay_a_critical_event() {
    let (_server, bus) = set_up().await;
    for number in 0..3_000 {
        let (subject, event) = event("h1", Severity::Info, &format!("flood-{number}"));
        bus.publish(&subject, &event).await.expect("publishes");
    }
    bus.flush(LIMIT).await.expect("all is sent");
    let mut critical = bus.events(Severity::Critical).await.expect("subscribes");
    let mut info = bus.events(Severity::Info).await.expect("subscribes");
    // Taken and never acked, until the server gives no more: the window of this severity is full.
    let mut held = Vec::new();
    while let Ok(taken) = tokio::time::timeout(Duration::from_secs(1), info.next()).await {
        held.push(taken.expect("the consumer is there"));
    }
    assert_eq!(held.len(), 250, "a whole window");
    file(&bus, Severity::Critical, "urgent").await;
    assert_eq!(take(&mut critical).await.event().id.as_str(), "urgent");
    drop(held);
}

#[tokio::test]
async fn an_event_comes_again_until_it_is_acked_and_never_after() {
    let (_server, bus) = set_up().await;
    let mut consumer = bus.events(Severity::Urgent).await.expect("subscribes");
    file(&bus, Severity::Urgent, "one").await;
    let first = take(&mut consumer).await;
    first.working().await.expect("says so");
    first
        .retry_after(Duration::from_millis(50))
        .await
        .expect("says so");
    let second = take(&mut consumer).await;
    assert_eq!((second.deliveries(), second.event().id.as_str()), (2, "one"));
    second.ack().await.expect("acks");
    file(&bus, Severity::Urgent, "two").await;
    let third = take(&mut consumer).await;
    assert_eq!((third.deliveries(), third.event().id.as_str()), (1, "two"));
    third.reject("nobody can handle it").await.expect("says so");
    file(&bus, Severity::Urgent, "three").await;
    assert_eq!(take(&mut consumer).await.event().id.as_str(), "three");
}

#[tokio::test]
async fn two_dispatchers_share_the_events() {
    let (server, bus) = set_up().await;
    let other = open(&server, Role::Gateway, "two").await;
    let mut consumers = [
        bus.events(Severity::Critical).await.expect("subscribes"),
        other.events(Severity::Critical).await.expect("subscribes"),
    ];
    for number in 0..64 {
        file(&bus, Severity::Critical, &format!("e{number}")).await;
    }
    let mut seen = Vec::new();
    while seen.len() < 64 {
        let [one, two] = &mut consumers;
        let delivery = tokio::select! {
            delivery = one.next() => delivery,
            delivery = two.next() => delivery,
            () = tokio::time::sleep(LIMIT) => panic!("only {} came", seen.len()),
        };
        let delivery = delivery.expect("the consumer is there");
        let delivery = delivery.readable().expect("it can be read");
        seen.push(delivery.event().id.to_string());
        delivery.ack().await.expect("acks");
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 64);
}

#[tokio::test]
async fn what_cannot_be_read_is_handed_on_with_the_reason() {
    let (server, bus) = set_up().await;
    let (lie, mut event) = event("h1", Severity::Critical, "lie");
    event.host = snooze_schemas::event::Scope::Host(host("h2"));
    bus.file(&lie, &event, Expect::New, LIMIT).await.expect("is new");
    let (bare, _) = crate::support::event("h1", Severity::Critical, "bare");
    let later: &[(&str, &str)] = &[("Snooze-Kind", "event"), ("Snooze-Version", "2")];
    let odd = "snooze.v1.event.h1.3.odd.Not-A-Type".to_owned();
    for (subject, headers) in [(bare.to_string(), &[][..]), (odd, &[]), (bare.to_string(), later)] {
        bus.raw_request(&subject, headers, b"{\"x\":1}", LIMIT)
            .await
            .expect("is stored");
    }
    let gateway = open(&server, Role::Gateway, "g").await;
    let mut consumer = gateway.events(Severity::Critical).await.expect("subscribes");
    let mut taken = Vec::new();
    for _ in 0..4 {
        let next = tokio::time::timeout(LIMIT, consumer.next()).await.expect("comes");
        let next = next.expect("the consumer is there");
        taken.push(next.readable().expect_err("none of them can be read"));
    }
    let codes: Vec<ErrorCode> = taken.iter().map(|taken| taken.refusal.code).collect();
    let bad = ErrorCode::BadRequest;
    assert_eq!(codes, [bad, bad, bad, ErrorCode::UnknownVersion]);
    assert!(taken[0].refusal.message.contains("different events"));
    assert_eq!(taken[0].subject, Some(lie));
    assert_eq!(
        (taken[1].excerpt.as_str(), taken[1].bytes, taken[1].severity),
        ("{\"x\":1}", 7, Severity::Critical)
    );
    assert_eq!(taken[2].subject, None);
    assert!(taken[2].filed_under.ends_with("Not-A-Type"));
    assert_eq!(gateway.counters().undecodable, 4);
    // What is acked does not come again; what is to be tried again does.
    for unreadable in taken {
        match unreadable.refusal.code {
            ErrorCode::UnknownVersion => unreadable.retry_after(Duration::ZERO).await,
            _ => unreadable.ack().await,
        }
        .expect("says so");
    }
    let again = tokio::time::timeout(LIMIT, consumer.next()).await.expect("comes");
    let again = again
        .expect("the consumer is there")
        .readable()
        .expect_err("cannot be read");
    assert_eq!(
        (again.deliveries(), again.refusal.code),
        (2, ErrorCode::UnknownVersion)
    );
}

#[tokio::test]
async fn events_are_taken_again_after_the_server_was_away() {
    let (mut server, bus) = set_up().await;
    let mut consumer = bus.events(Severity::Critical).await.expect("subscribes");
    file(&bus, Severity::Critical, "before").await;
    take(&mut consumer).await.ack().await.expect("acks");
    bus.flush(LIMIT).await.expect("the ack is sent");
    server.restart().await;
    wait_until(LIMIT, "the connection is back", async || {
        bus.flush(SHORT).await.is_ok()
    })
    .await;
    let filing = async {
        let (subject, event) = event("h1", Severity::Critical, "after");
        // The stream may still be waking up.
        wait_until(LIMIT, "it is filed", async || {
            let filed = bus.file(&subject, &event, Expect::Anything, SHORT).await;
            filed.is_ok()
        })
        .await;
    };
    let taking = async {
        loop {
            // A killed server may have forgotten the ack (tried): then the first comes once more.
            let delivery = take(&mut consumer).await;
            let id = delivery.event().id.to_string();
            delivery.ack().await.expect("acks");
            if id == "after" {
                break;
            }
            assert_eq!(id, "before");
        }
    };
    tokio::join!(taking, filing);
}

#[tokio::test]
async fn a_gateway_takes_events_behind_its_fence() {
    let server = NatsServer::with_roles().await;
    let named = |role| User::named(role, "x").expect("a name");
    fenced(&server, &named(Role::SetUp))
        .await
        .set_up()
        .await
        .expect("makes all");
    let gateway = fenced(&server, &named(Role::Gateway)).await;
    file(&gateway, Severity::Critical, "one").await;
    let mut consumer = gateway.events(Severity::Critical).await.expect("subscribes");
    let delivery = take(&mut consumer).await;
    delivery.retry_after(Duration::ZERO).await.expect("says so");
    take(&mut consumer).await.ack().await.expect("acks");
    gateway.flush(LIMIT).await.expect("all is sent");
    assert_eq!(*gateway.status().borrow(), snooze_bus::BusStatus::Connected);
}

#[tokio::test]
async fn without_a_set_up_there_is_nothing_to_take() {
    let server = NatsServer::open().await;
    let bus = open(&server, Role::Gateway, "g").await;
    let mut consumer = bus.events(Severity::Info).await.expect("subscribes");
    let taken = tokio::time::timeout(LIMIT, consumer.next())
        .await
        .expect("says so at once");
    assert!(taken.is_err_and(|cause| cause.is_missing()));
}
