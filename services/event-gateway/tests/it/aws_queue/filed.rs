//! What is filed, once, and when a message leaves the queue.

use super::place::{INSTANCE, Place, REGION, event, noticed_by_itself, rebalance, to};
use crate::centre::LIMIT;
use serde_json::{Value, json};
use snooze_schemas::event::Severity;
use snooze_service_runtime::Clocks;
use snooze_test_harness::{Ec2Call, Ec2Proxy, InQueue, wait_until};
use std::time::Duration;

#[tokio::test]
async fn e1_what_eventbridge_sends_reaches_the_host_of_the_instance_under_the_metadata_services_id() {
    let place = Place::start().await;
    let arn = place.moto.arn_of(REGION, &place.queue).await;
    let pattern = json!({"source": ["aws.ec2"]});
    place.moto.make_rule(REGION, "spot", &pattern, &arn).await;
    let mut runner = place.centre.runner("h1").await;
    let gateway = place.gateway(|_, _| {}).await;
    let detail = json!({"instance-id": INSTANCE, "instance-action": "terminate"});
    let kind = "EC2 Spot Instance Interruption Warning";
    place.moto.put_event(REGION, "aws.ec2", kind, &detail).await;

    let accepted = runner.accept().await;
    assert_eq!(accepted.id, noticed_by_itself("cloud.spot.interrupt", "").id);
    assert_eq!(
        (accepted.severity, accepted.source.as_str()),
        (Severity::Critical, "aws.eventbridge")
    );
    assert_eq!(accepted.data["action"], "terminate");
    let left = accepted
        .deadline
        .expect("two minutes")
        .duration_since(accepted.noticed_at);
    assert!(left.as_secs() > 60 && left.as_secs() <= 120, "{left}");
    place.is_empty().await;
    gateway.end().await;
}

#[tokio::test]
async fn e1_what_the_host_noticed_itself_is_filed_and_handled_once() {
    let place = Place::start().await;
    let mut runner = place.centre.runner("h1").await;
    let own = noticed_by_itself("cloud.spot.rebalance", "");
    place.centre.file(&own).await;
    let gateway = place.gateway(|_, _| {}).await;
    for id in ["a", "a", "b"] {
        place.send(&rebalance(id, INSTANCE)).await;
    }
    assert_eq!(runner.accept().await, own);
    place.is_empty().await;
    assert_eq!(place.filed("h1").await, [own], "the first report stands");
    gateway.end().await;
}

#[tokio::test]
async fn through_a_topic_of_sns_or_straight_into_the_queue_it_is_the_same_event() {
    let place = Place::start().await;
    let arn = place.moto.arn_of(REGION, &place.queue).await;
    let topic = place.moto.make_topic(REGION, "events", &arn).await;
    let gateway = place.gateway(|_, _| {}).await;
    let message = rebalance("a", INSTANCE);
    place.moto.publish(REGION, &topic, &message.to_string()).await;
    wait_until(LIMIT, "it is filed", async || place.filed("h1").await.len() == 1).await;
    place.send(&message).await;
    place.is_empty().await;
    let [filed] = place.filed("h1").await.try_into().expect("one event");
    assert_eq!(filed.id, noticed_by_itself("cloud.spot.rebalance", "").id);
    gateway.end().await;
}

#[tokio::test]
async fn one_scheduled_change_is_an_event_for_each_of_its_instances_that_is_enrolled() {
    let place = Place::start().await;
    place.enrol("i-2", "i-2").await;
    let gateway = place.gateway(|_, _| {}).await;
    let detail = json!({"service": "EC2", "eventTypeCategory": "scheduledChange", "statusCode": "upcoming",
        "eventTypeCode": "AWS_EC2_INSTANCE_REBOOT_MAINTENANCE_SCHEDULED", "eventRegion": REGION,
        "startTime": "Mon, 21 Jan 2999 09:00:43 GMT",
        "affectedEntities": [{"entityValue": INSTANCE}, {"entityValue": "i-2"}, {"entityValue": "i-3"}]});
    place
        .send(&event("a", "aws.health", "AWS Health Event", &detail))
        .await;
    for name in ["h1", "i-2"] {
        wait_until(LIMIT, "it is filed", async || place.filed(name).await.len() == 1).await;
    }
    let [filed] = place.filed("h1").await.try_into().expect("one event");
    let starts = "2999-01-21T09:00:43Z".parse().expect("a time");
    let occurrence = snooze_event_gateway::source::aws::maintenance("system-reboot", starts);
    assert_eq!(
        filed.id,
        noticed_by_itself("cloud.instance.maintenance", &occurrence).id
    );
    assert_eq!(filed.deadline, Some(starts));
    place.is_empty().await;
    gateway.end().await;
}

#[tokio::test]
async fn a_message_stays_in_the_queue_until_the_stream_has_its_event_however_long_the_broker_is_away() {
    let mut place = Place::start().await;
    let keep = Duration::from_secs(3);
    let gateway = place.gateway(|settings, _| settings.keep = keep).await;
    // So that the roster is known.
    place.send(&rebalance("before", INSTANCE)).await;
    place.is_empty().await;
    place.centre.server.kill();
    let state = json!({"instance-id": INSTANCE, "state": "shutting-down"});
    let kind = "EC2 Instance State-change Notification";
    place.send(&event("during", "aws.ec2", kind, &state)).await;
    let kept = InQueue { waiting: 0, kept: 1 };
    wait_until(LIMIT, "the gateway has it", async || {
        place.in_queue().await == kept
    })
    .await;
    let clocks = Clocks::real();
    let over_ms = clocks.monotonic_ms() + 2 * 3_000;
    wait_until(LIMIT, "it was kept for longer than a message is", async || {
        assert_eq!(
            place.in_queue().await,
            kept,
            "nobody else gets it, and it is not removed"
        );
        clocks.monotonic_ms() > over_ms
    })
    .await;
    place.centre.server.restart().await;
    place.is_empty().await;
    let filed = place.filed("h1").await;
    let wanted = noticed_by_itself("cloud.instance.termination", "").id;
    assert_eq!(filed.iter().filter(|event| event.id == wanted).count(), 1);
    gateway.end().await;
}

#[tokio::test]
async fn what_a_gateway_has_in_hand_when_it_ends_is_given_back_at_once() {
    let mut place = Place::start().await;
    // Between them, to see what is said: a question that moto still waits for would take what is given back.
    let line = Ec2Proxy::before(place.moto.address()).await;
    let gateway = place.gateway(|settings, _| settings.queue = to(line.url())).await;
    place.send(&rebalance("before", INSTANCE)).await;
    place.is_empty().await;
    place.centre.server.kill();
    place.send(&rebalance("during", INSTANCE)).await;
    let kept = InQueue { waiting: 0, kept: 1 };
    wait_until(LIMIT, "the gateway has it", async || {
        place.in_queue().await == kept
    })
    .await;
    gateway.end().await;
    let given_back = |call: &Ec2Call| {
        let asked: Value = serde_json::from_str(&call.body).expect("JSON");
        asked["ReceiptHandle"].is_string() && asked["VisibilityTimeout"] == 0
    };
    assert_eq!(line.calls().iter().filter(|call| given_back(call)).count(), 1);
}
