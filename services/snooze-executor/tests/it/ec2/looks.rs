//! Looks at hosts in EC2: what one sees, what is missing for it, and what becomes of one that fails.

use super::support::{Ec2World, REGION};
use crate::support::{id, quick_but};
use serde_json::json;
use snooze_bus::OpsVerb;
use snooze_schemas::{
    audit::AuditKind,
    ops::{WakeRequest, WakeResult},
};
use snooze_test_harness::{Ec2Fault, wait_until};
use std::time::Duration;

use crate::support::LONG;

#[tokio::test]
async fn a_stop_that_would_be_refused_is_said_when_the_host_says_hello() {
    let ec2 = Ec2World::with(quick_but(json!({"mode": "observe"}))).await;
    let _executor = ec2.world.executor_with("one", ec2.config()).await;
    let instance = ec2.enroll("h1").await;
    ec2.proxy.spoil_next("StopInstances DryRun", Ec2Fault::Refuse);
    let host = ec2.world.host("h1").await;
    host.hello().await;
    let alarm = ec2.world.wait_for_audit("h1", AuditKind::Alarm).await;
    let says = format!("A stop of {instance} would be refused");
    assert!(alarm.message.starts_with(&says), "{}", alarm.message);
    assert_eq!(ec2.moto.state_of(REGION, &instance).await, "running");
}

#[tokio::test]
async fn p4_a_look_that_the_cloud_did_not_allow_is_made_again() {
    let ec2 = Ec2World::with(quick_but(json!({"mode": "observe"}))).await;
    let _executor = ec2.world.executor_with("one", ec2.config()).await;
    let instance = ec2.enroll("h1").await;
    ec2.moto
        .set_tag(REGION, &instance, "CloudSnooze:Status", "Stopped")
        .await;
    ec2.proxy.spoil_next("DescribeInstances", Ec2Fault::Throttle);
    let host = ec2.world.host("h1").await;
    host.hello().await;
    ec2.world.wait_for_audit("h1", AuditKind::Tags).await;
    let tags = ec2.moto.tags_of(REGION, &instance).await;
    assert_eq!(tags["CloudSnooze:Status"], "Running");
}

#[tokio::test]
async fn p2_a_wish_that_came_after_the_machine_was_read_is_not_cleared_by_what_was_read() {
    let ec2 = Ec2World::with(quick_but(json!({"mode": "observe"}))).await;
    let _executor = ec2.world.executor_with("one", ec2.config()).await;
    let instance = ec2.enroll("h1").await;
    let late = Ec2Fault::DelayAnswer(Duration::from_secs(2));
    ec2.proxy.spoil_next("DescribeInstances", late);
    let host = ec2.world.host("h1").await;
    host.hello().await;
    wait_until(LONG, "the machine is read", async || {
        ec2.proxy.count("DescribeInstances", &instance) == 1
    })
    .await;
    // It ran when it was read, and is stopped when somebody wants it.
    ec2.moto.stop_instance(REGION, &instance).await;
    ec2.proxy.spoil_next("StartInstances", Ec2Fault::Refuse);
    let wake = WakeRequest {
        host: id("h1"),
        reason: "it is needed".to_owned(),
        by: "ada".to_owned(),
    };
    let _: WakeResult = ec2
        .world
        .ask(OpsVerb::Wake, &wake)
        .await
        .expect("a wake is never refused");
    wait_until(LONG, "it is started", async || {
        ec2.moto.state_of(REGION, &instance).await == "running"
    })
    .await;
}

#[tokio::test]
async fn a_look_is_one_question_and_the_permission_is_asked_for_once_for_an_account_and_region() {
    let ec2 = Ec2World::with(quick_but(json!({"mode": "observe"}))).await;
    let _executor = ec2.world.executor_with("one", ec2.config()).await;
    ec2.proxy.spoil_next("StopInstances DryRun", Ec2Fault::Refuse);
    let first = ec2.enroll("h1").await;
    let host = ec2.world.host("h1").await;
    host.hello().await;
    ec2.world.wait_for_audit("h1", AuditKind::Alarm).await;
    for name in ["h2", "h3"] {
        let instance = ec2.enroll(name).await;
        ec2.moto
            .set_tag(REGION, &instance, "CloudSnooze:Status", "Stopped")
            .await;
        let host = ec2.world.host(name).await;
        host.hello().await;
        ec2.world.wait_for_audit(name, AuditKind::Tags).await;
        assert_eq!(ec2.proxy.count("DescribeInstances", &instance), 1);
    }
    let calls = ec2.proxy.calls();
    let of = |action: &str| calls.iter().filter(|call| call.action == action).count();
    assert_eq!(of("DescribeInstanceAttribute"), 0);
    assert_eq!(ec2.proxy.count("DescribeInstances", &first), 1);
    assert_eq!(of("StopInstances"), 1, "{calls:?}");
}
