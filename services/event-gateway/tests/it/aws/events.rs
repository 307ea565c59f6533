//! Through the rules that are made comes what concerns a fleet, as it was, and nothing else.

use super::found::*;
use serde_json::{Value, json};
use snooze_test_harness::MotoServer;

const INSTANCE: &str = "i-1234567890abcdef0";

/// As the event reference of EventBridge has them.
fn concern() -> Vec<(&'static str, &'static str, Value)> {
    let state = |state| json!({"instance-id": INSTANCE, "state": state});
    let lifecycle = |transition: &str| {
        json!({
            "LifecycleActionToken": "87654321-4321-4321-4321-210987654321", "AutoScalingGroupName": "my-asg",
            "LifecycleHookName": "my-lifecycle-hook", "EC2InstanceId": INSTANCE,
            "LifecycleTransition": transition, "NotificationMetadata": "additional-info",
            "Origin": "EC2", "Destination": "AutoScalingGroup",
        })
    };
    let health = json!({
        "eventArn": "arn:aws:health:eu-central-1::event/EC2/AWS_EC2_INSTANCE_STOP_SCHEDULED/x", "service": "EC2",
        "eventTypeCode": "AWS_EC2_INSTANCE_STOP_SCHEDULED", "eventTypeCategory": "scheduledChange",
        "startTime": "Sat, 05 Jun 2027 15:10:09 GMT", "affectedEntities": [{"entityValue": INSTANCE}],
    });
    vec![
        (
            "aws.ec2",
            "EC2 Spot Instance Interruption Warning",
            json!({"instance-id": INSTANCE, "instance-action": "terminate"}),
        ),
        (
            "aws.ec2",
            "EC2 Instance Rebalance Recommendation",
            json!({"instance-id": INSTANCE}),
        ),
        (
            "aws.ec2",
            "EC2 Instance State-change Notification",
            state("shutting-down"),
        ),
        (
            "aws.ec2",
            "EC2 Instance State-change Notification",
            state("terminated"),
        ),
        ("aws.health", "AWS Health Event", health),
        (
            "aws.autoscaling",
            "EC2 Instance-terminate Lifecycle Action",
            lifecycle("autoscaling:EC2_INSTANCE_TERMINATING"),
        ),
        (
            "aws.autoscaling",
            "EC2 Instance-launch Lifecycle Action",
            lifecycle("autoscaling:EC2_INSTANCE_LAUNCHING"),
        ),
    ]
}

/// Each of them like one of those, but for one thing.
fn concern_nobody() -> Vec<(&'static str, &'static str, Value)> {
    let state = |state| json!({"instance-id": INSTANCE, "state": state});
    let health = |service, category| json!({"service": service, "eventTypeCategory": category});
    vec![
        ("cloudsnooze", "Instance Stopped", json!({"version": 1})),
        (
            "my.app",
            "EC2 Spot Instance Interruption Warning",
            json!({"instance-id": INSTANCE}),
        ),
        (
            "aws.ec2",
            "EC2 Instance State-change Notification",
            state("running"),
        ),
        (
            "aws.ec2",
            "EC2 Instance State-change Notification",
            state("pending"),
        ),
        (
            "aws.ec2",
            "EC2 Instance State-change Notification",
            state("stopped"),
        ),
        (
            "aws.ec2",
            "EBS Volume Notification",
            json!({"event": "createVolume"}),
        ),
        ("aws.health", "AWS Health Event", health("RDS", "scheduledChange")),
        ("aws.health", "AWS Health Event", health("EC2", "issue")),
        (
            "aws.health",
            "AWS Health Event",
            health("EC2", "accountNotification"),
        ),
        (
            "aws.autoscaling",
            "EC2 Instance Terminate Successful",
            json!({"EC2InstanceId": INSTANCE}),
        ),
    ]
}

async fn put(moto: &MotoServer, (source, detail_type, detail): &(&str, &str, Value)) {
    let entry = json!({"Source": source, "DetailType": detail_type, "Detail": detail.to_string()});
    let answer = moto
        .api(REGION, "AWSEvents.PutEvents", &json!({"Entries": [entry]}))
        .await
        .expect("puts");
    assert_eq!(answer["FailedEntryCount"], 0, "{answer}");
}

#[tokio::test]
async fn what_concerns_a_fleet_arrives_once_as_it_was_and_nothing_else_does() {
    let moto = MotoServer::start().await;
    set_up(&setup(&moto.url(), "cs")).await;
    // Made twice, it is not sent twice.
    set_up(&setup(&moto.url(), "cs")).await;
    let mut all = concern_nobody();
    all.extend(concern());
    all.extend(concern_nobody());
    for event in &all {
        put(&moto, event).await;
    }
    let arrived = messages(&moto, "cs-events").await;
    let told: Vec<(&str, &str, &Value)> = arrived
        .iter()
        .map(|event| {
            let text = |key: &str| event[key].as_str().expect("a text");
            (text("source"), text("detail-type"), &event["detail"])
        })
        .collect();
    let concern = concern();
    let expected: Vec<(&str, &str, &Value)> = concern
        .iter()
        .map(|(source, kind, detail)| (*source, *kind, detail))
        .collect();
    assert_eq!(told, expected);
    assert!(arrived.iter().all(|event| event["region"] == REGION));
}
