//! What is no event here, and what cannot be read.

use super::place::{INSTANCE, Place, REGION, event, rebalance};
use crate::centre::LIMIT;
use serde_json::json;
use snooze_test_harness::{InQueue, wait_until};
use std::time::Duration;

#[tokio::test]
async fn an_instance_that_the_roster_does_not_know_is_no_failure_and_its_message_is_removed() {
    let place = Place::start().await;
    place.enrol("simulated", "i-2").await;
    let gateway = place.gateway(|_, _| {}).await;
    for message in [
        rebalance("a", "i-9"),
        // Another account's instance of the same name is another one.
        json!({"version": "0", "id": "b", "detail-type": "EC2 Instance Rebalance Recommendation",
            "source": "aws.ec2", "account": "999999999999", "time": "2030-01-01T00:00:00Z", "region": REGION,
            "resources": [], "detail": {"instance-id": INSTANCE}}),
        event("c", "aws.s3", "Object Created", &json!({})),
        event(
            "d",
            "aws.ec2",
            "EC2 Instance State-change Notification",
            &json!({"instance-id": INSTANCE, "state": "stopping"}),
        ),
    ] {
        place.send(&message).await;
    }
    place.is_empty().await;
    place.send(&rebalance("e", INSTANCE)).await;
    place.is_empty().await;
    assert_eq!(place.filed("h1").await.len(), 1, "only what concerns it");
    gateway.end().await;
}

#[tokio::test]
async fn what_cannot_be_read_is_left_to_the_queues_redrive_policy_and_changes_nothing() {
    let place = Place::start().await;
    let dead = place.moto.make_queue(REGION, "dead", &json!({})).await;
    let policy = json!({"deadLetterTargetArn": place.moto.arn_of(REGION, &dead).await, "maxReceiveCount": 2});
    let queue = place
        .moto
        .make_queue(
            REGION,
            "with-redrive",
            &json!({"RedrivePolicy": policy.to_string()}),
        )
        .await;
    let place = Place { queue, ..place };
    let gateway = place.gateway(|settings, _| settings.keep = Duration::ZERO).await;
    for number in 0..20 {
        let broken = rebalance("a", INSTANCE).to_string();
        let broken = &broken[..broken.len() - 1 - number];
        place.moto.send_message(REGION, &place.queue, broken).await;
    }
    let all = InQueue { waiting: 20, kept: 0 };
    wait_until(LIMIT, "all are where people look", async || {
        place.moto.in_queue(REGION, &dead).await == all
    })
    .await;
    assert_eq!(place.in_queue().await, InQueue::EMPTY);
    assert_eq!(place.filed("h1").await, []);
    place.send(&rebalance("a", INSTANCE)).await;
    wait_until(LIMIT, "what can be read is filed", async || {
        place.filed("h1").await.len() == 1
    })
    .await;
    gateway.end().await;
}

#[tokio::test]
async fn a_queue_without_a_redrive_policy_is_freed_of_what_cannot_be_read() {
    let place = Place::start().await;
    let gateway = place.gateway(|settings, _| settings.keep = Duration::ZERO).await;
    for body in ["{", "[]", "{}", r#"{"detail": {}}"#] {
        place.moto.send_message(REGION, &place.queue, body).await;
    }
    place.is_empty().await;
    assert_eq!(place.filed("h1").await, []);
    gateway.end().await;
}
