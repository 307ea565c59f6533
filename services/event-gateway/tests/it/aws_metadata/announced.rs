//! Against AWS's own mock, which refuses whoever comes without a token.

use super::*;
use snooze_event_gateway::{happening::State, source::aws_metadata};
use snooze_schemas::Timestamp;
use snooze_test_harness::Ec2Metadata;

async fn first(what: &[&str]) -> Happening {
    let service = Ec2Metadata::start(what).await;
    let mut source = Source::of(service.url(), Clocks::real());
    let happening = source.next().await;
    source.end().await;
    happening
}

#[tokio::test]
async fn an_interruption_is_told_with_the_originals_data_for_each_action() {
    for action in ["terminate", "stop", "hibernate"] {
        let happening = first(&["spot", "--action", action, "--rebalance-delay-sec", "3600"]).await;
        assert_eq!(happening.event_type.as_str(), "cloud.spot.interrupt");
        assert_eq!(happening.source, "aws.ec2.metadata-service");
        assert_eq!(happening.data["action"], action);
        assert_eq!(happening.data["instanceID"], "i-1234567890abcdef0");
        assert_eq!(happening.data["instanceType"], "m4.xlarge");
        let time = happening.data["time"].as_str().expect("a text");
        let time: Timestamp = time.parse().expect("a time");
        assert_eq!(happening.deadline, Some(time));
        let left = happening.data["timeRemaining"].as_i64().expect("seconds");
        assert!((60..=120).contains(&left), "{left}");
    }
}

#[tokio::test]
async fn a_rebalance_recommendation_is_told() {
    let at = "2030-01-01T00:00:00Z";
    let happening = first(&["spot", "--mock-delay-sec", "3600", "--rebalance-rec-time", at]).await;
    assert_eq!(happening.event_type.as_str(), "cloud.spot.rebalance");
    assert_eq!(happening.data["noticeTime"], at);
}

#[tokio::test]
async fn leaving_an_auto_scaling_group_is_told() {
    let happening = first(&["asglifecycle"]).await;
    assert_eq!(happening.event_type.as_str(), "cloud.autoscaling.scale");
    assert_eq!(happening.data["target"], "Terminated");
    assert_eq!(happening.state, State::Raised);
}

#[tokio::test]
async fn e1_a_maintenance_that_is_cancelled_or_completed_is_another_event() {
    let scheduled = |state: &'static str| {
        [
            "events",
            "--code",
            "system-reboot",
            "--not-before",
            "2030-01-21T09:00:43Z",
            "--state",
            state,
        ]
    };
    for (state, wanted) in [("canceled", State::Cancelled), ("completed", State::Cleared)] {
        let mut service = Ec2Metadata::start(&scheduled("active")).await;
        let mut source = Source::of(service.url(), Clocks::real());
        let raised = source.next().await;
        assert_eq!(raised.event_type.as_str(), "cloud.instance.maintenance");
        assert_eq!(raised.state, State::Raised);
        assert_eq!(raised.deadline, "2030-01-21T09:00:43Z".parse().ok());
        assert_eq!(raised.data["code"], "system-reboot");
        // The mock knows no tokens of its life before, as little as a service that was restarted.
        service.restart(&scheduled(state)).await;
        let ended = source.next().await;
        assert_eq!(ended.state, wanted);
        assert_eq!(ended.occurrence, raised.occurrence);
        assert_ne!(id(&ended), id(&raised));
        assert!(source.has_told_nothing_else());
        source.end().await;
    }
}

#[tokio::test]
async fn the_launch_is_the_pending_time_of_the_identity_document() {
    let service = Ec2Metadata::start(&["spot"]).await;
    let settings = Settings {
        endpoint: service.url(),
        ..Settings::default()
    };
    let identity = aws_metadata::identity(&settings, &Clocks::real())
        .await
        .expect("a document");
    assert_eq!(identity.launch, "2019-10-31T07:02:24Z");
    assert_eq!(identity.instance_type, "m4.xlarge");
    assert_eq!(identity.instance_id, "i-1234567890abcdef0");
}
