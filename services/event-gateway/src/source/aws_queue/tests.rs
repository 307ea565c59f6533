//! Messages as AWS's documents show them, and what each says.

use super::*;
use crate::happening::Whose;
use serde_json::json;

pub(super) const INSTANCE: &str = "i-1234567890abcdef0";

fn now() -> Timestamp {
    "2030-01-01T00:00:05Z".parse().expect("a time")
}

/// An event as EventBridge delivers it.
pub(super) fn event(source: &str, detail_type: &str, detail: &Value) -> Value {
    json!({"version": "0", "id": "12345678-1234-1234-1234-123456789012", "detail-type": detail_type,
        "source": source, "account": "123456789012", "time": "2030-01-01T00:00:00Z", "region": "us-east-2",
        "resources": [format!("arn:aws:ec2:us-east-2:123456789012:instance/{INSTANCE}")], "detail": detail})
}

pub(super) fn spot(action: &str) -> Value {
    let detail = json!({"instance-id": INSTANCE, "instance-action": action});
    event("aws.ec2", "EC2 Spot Instance Interruption Warning", &detail)
}

pub(super) fn state(state: &str) -> Value {
    let detail = json!({"instance-id": INSTANCE, "state": state});
    event("aws.ec2", "EC2 Instance State-change Notification", &detail)
}

pub(super) fn scheduled(status: &str, entities: &Value) -> Value {
    let detail = json!({
        "eventArn": "arn:aws:health:us-east-2::event/EC2/AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED/x_1",
        "service": "EC2", "eventTypeCode": "AWS_EC2_PERSISTENT_INSTANCE_RETIREMENT_SCHEDULED",
        "eventTypeCategory": "scheduledChange", "eventScopeCode": "ACCOUNT_SPECIFIC",
        "startTime": "Mon, 21 Jan 2030 09:00:43 GMT", "statusCode": status, "eventRegion": "us-east-2",
        "eventDescription": [{"language": "en_US", "latestDescription": "EC2 has detected\ndegradation"}],
        "affectedEntities": entities, "affectedAccount": "999999999999", "page": "1", "totalPages": "1"});
    event("aws.health", "AWS Health Event", &detail)
}

pub(super) fn action(transition: &str, destination: &str) -> Value {
    json!({"LifecycleActionToken": "87654321-4321-4321-4321-210987654321", "AutoScalingGroupName": "my-asg",
        "LifecycleHookName": "cloudsnooze", "EC2InstanceId": INSTANCE, "LifecycleTransition": transition,
        "NotificationMetadata": "additional-info", "Origin": "AutoScalingGroup", "Destination": destination})
}

const TERMINATING: &str = "autoscaling:EC2_INSTANCE_TERMINATING";

fn notice(message: &Value) -> Notice {
    match read(message.to_string().as_bytes(), now()) {
        Ok(Read::Notice(notice)) => *notice,
        other => panic!("{message} is read as {other:?}"),
    }
}

fn nothing(message: &Value) -> &'static str {
    match read(message.to_string().as_bytes(), now()) {
        Ok(Read::Nothing(what)) => what,
        other => panic!("{message} is read as {other:?}"),
    }
}

fn only(notice: Notice) -> Happening {
    let [(instance, happening)] = notice.about.try_into().expect("one instance");
    assert_eq!(instance, INSTANCE);
    assert_eq!(happening.data["instanceID"], INSTANCE);
    happening
}

#[test]
fn an_interruption_has_the_original_keys_and_is_two_minutes_from_its_warning() {
    let notice = notice(&spot("terminate"));
    assert_eq!(notice.account.as_deref(), Some("123456789012"));
    assert_eq!(notice.region.as_deref(), Some("us-east-2"));
    let happening = only(notice);
    assert_eq!(happening.event_type.as_str(), "cloud.spot.interrupt");
    assert_eq!(happening.deadline, "2030-01-01T00:02:00Z".parse().ok());
    let data = json!({"action": "terminate", "time": "2030-01-01T00:02:00Z", "timeRemaining": 115,
        "instanceID": INSTANCE});
    assert_eq!(Value::Object(happening.data), data);
}

#[test]
fn one_that_is_hibernated_at_once_has_no_deadline_that_would_be_over() {
    assert_eq!(only(notice(&spot("hibernate"))).deadline, None);
}

#[test]
fn e1_interruption_and_recommendation_have_the_occurrence_of_the_metadata_services() {
    let recommended = event(
        "aws.ec2",
        "EC2 Instance Rebalance Recommendation",
        &json!({"instance-id": INSTANCE}),
    );
    let happening = only(notice(&recommended));
    assert_eq!(happening.event_type.as_str(), "cloud.spot.rebalance");
    assert_eq!(happening.data["noticeTime"], "2030-01-01T00:00:00Z");
    assert_eq!(
        (happening.occurrence.as_str(), happening.state),
        ("", State::Raised)
    );
    let happening = only(notice(&spot("stop")));
    assert_eq!(
        (happening.occurrence.as_str(), happening.state),
        ("", State::Raised)
    );
}

#[test]
fn e1_the_two_states_of_an_instances_end_are_one_happening() {
    let [first, second] = ["shutting-down", "terminated"].map(|name| only(notice(&state(name))));
    assert_eq!(first.event_type.as_str(), "cloud.instance.termination");
    assert_eq!(
        (&first.occurrence, first.state),
        (&second.occurrence, second.state)
    );
}

#[test]
fn an_instance_that_starts_or_stops_is_no_event() {
    for name in ["pending", "running", "stopping", "stopped"] {
        nothing(&state(name));
    }
}

#[test]
fn e1_a_scheduled_change_has_the_occurrence_of_the_metadata_services_for_every_instance() {
    let entities = json!([{"entityValue": INSTANCE, "status": "PENDING"}, {"entityValue": "vol-1"},
        {"entityValue": "i-0abc"}]);
    let notice = notice(&scheduled("upcoming", &entities));
    assert_eq!(
        notice.account.as_deref(),
        Some("999999999999"),
        "whose instance it is"
    );
    let starts: Timestamp = "2030-01-21T09:00:43Z".parse().expect("a time");
    let named: Vec<&str> = notice
        .about
        .iter()
        .map(|(instance, _)| instance.as_str())
        .collect();
    assert_eq!(named, [INSTANCE, "i-0abc"]);
    for (_, happening) in &notice.about {
        assert_eq!(happening.event_type.as_str(), "cloud.instance.maintenance");
        assert_eq!(happening.occurrence, aws_occurrence(starts));
        assert_eq!(
            (happening.state, happening.deadline),
            (State::Raised, Some(starts))
        );
        assert_eq!(happening.data["description"], "EC2 has detected degradation");
    }
}

fn aws_occurrence(starts: Timestamp) -> String {
    crate::source::aws::maintenance("instance-retirement", starts)
}

#[test]
fn a_change_that_is_closed_before_its_start_is_cancelled_and_after_it_is_over() {
    let entities = json!([{"entityValue": INSTANCE}]);
    let mut closed = scheduled("closed", &entities);
    let happening = only(notice(&closed));
    assert_eq!((happening.state, happening.deadline), (State::Cancelled, None));
    closed["time"] = json!("2030-01-21T10:00:00Z");
    assert_eq!(only(notice(&closed)).state, State::Cleared);
    let resolved = scheduled("open", &json!([{"entityValue": INSTANCE, "status": "RESOLVED"}]));
    assert_eq!(
        only(notice(&resolved)).state,
        State::Cancelled,
        "of this instance"
    );
}

#[test]
fn what_concerns_no_instance_of_ec2_is_nothing() {
    let mut other = scheduled("open", &json!([{"entityValue": INSTANCE}]));
    other["detail"]["service"] = json!("RDS");
    nothing(&other);
    other["detail"]["service"] = json!("EC2");
    other["detail"]["eventTypeCategory"] = json!("issue");
    nothing(&other);
    nothing(&scheduled("open", &json!([{"entityValue": "vol-1"}])));
    nothing(&event("aws.s3", "Object Created", &json!({"bucket": {}})));
    nothing(&json!({"Type": "SubscriptionConfirmation", "TopicArn": "arn:aws:sns:x", "Message": "You have"}));
    nothing(&json!({"Service": "AWS Auto Scaling", "Event": "autoscaling:TEST_NOTIFICATION"}));
}

#[test]
fn a_lifecycle_action_is_an_event_and_a_hook_that_waits() {
    for (destination, occurrence, target) in [
        ("EC2", "terminated", "Terminated"),
        ("WarmPool", "pooled", "Warmed:Hibernated"),
    ] {
        let detail = action(TERMINATING, destination);
        let sent = event(
            "aws.autoscaling",
            "EC2 Instance-terminate Lifecycle Action",
            &detail,
        );
        let notice = notice(&sent);
        let hook = notice.hook.clone().expect("it waits");
        let named = (hook.name.as_str(), hook.group.as_str(), hook.instance.as_str());
        assert_eq!(named, ("cloudsnooze", "my-asg", INSTANCE));
        assert_eq!(
            (hook.way, hook.region.as_deref()),
            (Way::Leaving, Some("us-east-2"))
        );
        let happening = only(notice);
        assert_eq!(happening.event_type.as_str(), "cloud.autoscaling.scale");
        assert_eq!(happening.occurrence, occurrence);
        assert_eq!(crate::source::aws::leaving(target), Some(occurrence), "E1");
        assert_eq!(happening.data["group"], "my-asg");
    }
    let detail = action("autoscaling:EC2_INSTANCE_LAUNCHING", "AutoScalingGroup");
    let launching = notice(&event(
        "aws.autoscaling",
        "EC2 Instance-launch Lifecycle Action",
        &detail,
    ));
    assert_eq!(launching.hook.as_ref().map(|hook| hook.way), Some(Way::Coming));
    let launching = only(launching);
    // Before its host has told its launch, after it, and by which way ever: one action is one event (E1).
    let token = detail["LifecycleActionToken"].as_str().expect("a token");
    assert_eq!(launching.occurrence, format!("coming@{token}"));
    let known_by = |launch: &str| {
        launching.id(&Whose {
            host: "web".parse().expect("a host"),
            launch: launch.to_owned(),
        })
    };
    assert_eq!(known_by("unknown@message"), known_by("2030-01-01T00:00:00Z"));
    let mut out_of_the_pool = detail;
    out_of_the_pool["LifecycleActionToken"] = json!("another");
    let second = only(notice(&event(
        "aws.autoscaling",
        "EC2 Instance-launch Lifecycle Action",
        &out_of_the_pool,
    )));
    assert_ne!(second.occurrence, launching.occurrence);
}

#[test]
fn a_hooks_own_notification_says_the_same_as_its_event() {
    let mut direct = action(TERMINATING, "EC2");
    direct["Service"] = json!("AWS Auto Scaling");
    direct["AccountId"] = json!("123456789012");
    direct["Time"] = json!("2030-01-01T00:00:00.000Z");
    let detail = action(TERMINATING, "EC2");
    let through = notice(&event(
        "aws.autoscaling",
        "EC2 Instance-terminate Lifecycle Action",
        &detail,
    ));
    let direct = notice(&direct);
    assert_eq!(direct.about, through.about);
    assert_eq!(direct.account, through.account);
    let without_region = Hook {
        region: None,
        ..through.hook.expect("a hook")
    };
    assert_eq!(direct.hook, Some(without_region));
}

#[test]
fn in_an_envelope_of_sns_it_says_the_same() {
    for message in [spot("stop"), state("terminated"), action(TERMINATING, "EC2")] {
        let wrapped = json!({"Type": "Notification", "MessageId": "m", "TopicArn": "arn:aws:sns:us-east-2:1:t",
            "Message": message.to_string(), "Timestamp": "2030-01-01T00:00:00.000Z"});
        let once = read(wrapped.to_string().as_bytes(), now());
        assert_eq!(once, read(message.to_string().as_bytes(), now()));
    }
}

#[test]
fn what_is_of_our_kinds_and_lacks_a_part_is_refused() {
    for (message, part) in [
        (spot("terminate"), "/detail/instance-id"),
        (spot("terminate"), "/detail/instance-action"),
        (spot("terminate"), "/time"),
        (spot("terminate"), "/id"),
        (state("terminated"), "/detail/state"),
        (
            scheduled("open", &json!([{"entityValue": INSTANCE}])),
            "/detail/startTime",
        ),
        (action(TERMINATING, "EC2"), "/LifecycleActionToken"),
    ] {
        for wrong in [
            json!(null),
            json!(7),
            json!(""),
            json!("x\u{0}y"),
            json!("x".repeat(600)),
        ] {
            let mut spoiled = message.clone();
            *spoiled.pointer_mut(part).expect("a part") = wrong;
            let refused = read(spoiled.to_string().as_bytes(), now());
            assert!(refused.is_err(), "{spoiled}");
        }
    }
    let mut stranger = spot("terminate");
    stranger["detail"]["instance-id"] = json!("fleet");
    assert!(read(stranger.to_string().as_bytes(), now()).is_err());
}

#[test]
fn a_change_of_more_instances_than_an_event_has_is_refused() {
    let entities: Vec<Value> = (0..1_001)
        .map(|n| json!({"entityValue": format!("i-{n}")}))
        .collect();
    assert_eq!(
        notice(&scheduled("open", &json!(entities[..1_000]))).about.len(),
        1_000
    );
    let refused = read(scheduled("open", &json!(entities)).to_string().as_bytes(), now());
    assert!(refused.is_err());
}
