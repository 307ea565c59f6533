//! Taking what was decided from the one durable position that all who publish share.

use crate::support::*;
use snooze_bus::{Bus, DECISIONS, DecisionConsumer, DecisionDelivery, Expect, Role, User};
use snooze_schemas::{ErrorCode, audit::AuditKind};
use std::time::Duration;

async fn file(bus: &Bus, kind: AuditKind, message: &str) {
    let (subject, record) = audit("h1", kind, message);
    let filed = bus.file(&subject, &record, Expect::Anything, LIMIT).await;
    filed.expect("is filed");
}

async fn next(consumer: &mut DecisionConsumer) -> DecisionDelivery {
    let taken = tokio::time::timeout(LIMIT, consumer.next()).await;
    taken.expect("one comes").expect("the consumer is there")
}

fn message(delivery: &DecisionDelivery) -> &str {
    &delivery.record.as_ref().expect("it can be read").message
}

#[tokio::test]
async fn every_decision_is_taken_and_no_outcome_of_an_event() {
    let (_server, bus) = set_up().await;
    let mut consumer = bus.decisions().await.expect("subscribes");
    file(&bus, AuditKind::Event, "an outcome").await;
    file(&bus, AuditKind::Plugin, "a plugin").await;
    for kind in DECISIONS {
        file(&bus, kind, kind.as_str()).await;
    }
    for kind in DECISIONS {
        let delivery = next(&mut consumer).await;
        assert_eq!(message(&delivery), kind.as_str());
        delivery.ack().await.expect("acks");
    }
}

#[tokio::test]
async fn what_was_not_acked_comes_again_as_the_same_entry_to_whoever_asks() {
    let server = NatsServer::with_roles().await;
    let user = |role, name| User::named(role, name).expect("a name");
    let set_up = fenced(&server, &user(Role::SetUp, "s")).await;
    set_up.set_up().await.expect("makes all");
    let executor = fenced(&server, &user(Role::Executor, "e")).await;
    file(&executor, AuditKind::Stopped, "one").await;
    file(&executor, AuditKind::Stopped, "two").await;

    let first = fenced(&server, &user(Role::Gateway, "first")).await;
    let mut consumer = first.decisions().await.expect("subscribes");
    let one = next(&mut consumer).await;
    let two = next(&mut consumer).await;
    let was = (two.sequence(), two.filed_at());
    one.ack().await.expect("acks");
    // It asks for no more, before what it has comes again.
    consumer.give_back().await.expect("says so");
    first.flush(LIMIT).await.expect("the server answers");
    two.retry_after(Duration::from_millis(10)).await.expect("says so");

    let second = fenced(&server, &user(Role::Gateway, "second")).await;
    let mut consumer = second.decisions().await.expect("subscribes");
    let again = next(&mut consumer).await;
    assert_eq!(message(&again), "two");
    assert_eq!(
        (again.sequence(), again.filed_at()),
        was,
        "it is known for the same"
    );
    assert!(again.deliveries() > 1);
    again.ack().await.expect("acks");
    file(&executor, AuditKind::Wake, "three").await;
    assert_eq!(message(&next(&mut consumer).await), "three");
}

#[tokio::test]
async fn what_came_and_was_not_handed_out_goes_to_others_at_once() {
    let (server, bus) = set_up().await;
    let other = open(&server, Role::Gateway, "other").await;
    for _ in 0..20 {
        let mut consumer = bus.decisions().await.expect("subscribes");
        // It asks, and is not there any more when it is answered.
        let asked = tokio::time::timeout(Duration::from_millis(1), consumer.next()).await;
        file(&bus, AuditKind::Stopped, "one").await;
        consumer.give_back().await.expect("says so");
        drop(asked);
        let mut consumer = other.decisions().await.expect("subscribes");
        let taken = next(&mut consumer).await;
        assert_eq!(message(&taken), "one");
        taken.ack().await.expect("acks");
        consumer.give_back().await.expect("says so");
    }
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_says_why() {
    let (_server, bus) = set_up().await;
    let mut consumer = bus.decisions().await.expect("subscribes");
    let (subject, _) = audit("h1", AuditKind::Stopped, "");
    let headers = |version| [("Snooze-Kind", "audit"), ("Snooze-Version", version)];
    for (version, code) in [("1", ErrorCode::BadRequest), ("9", ErrorCode::UnknownVersion)] {
        let said = bus
            .raw_request(&subject.to_string(), &headers(version), b"{\"x\":1}", LIMIT)
            .await;
        said.expect("is stored");
        let delivery = next(&mut consumer).await;
        let refusal = delivery.record.as_ref().expect_err("it cannot be read");
        assert_eq!(refusal.code, code, "{refusal:?}");
        assert_eq!(delivery.filed_under, subject.to_string());
        delivery.ack().await.expect("acks");
    }
}

#[tokio::test]
async fn where_the_set_up_made_no_such_consumer_it_says_so() {
    let server = NatsServer::open().await;
    let bus = open(&server, Role::Gateway, "g").await;
    let mut consumer = bus.decisions().await.expect("subscribes");
    let error = consumer.next().await.expect_err("there is none");
    assert!(error.is_missing(), "{error}");
}
