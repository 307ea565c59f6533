//! One call and what becomes of it, and what is looked at before it.

use super::support::{Ec2World, REGION, target};
use crate::support::{LONG, quick, quick_but};
use serde_json::json;
use snooze_executor::provider::{
    CallOutcome, Cloud, CloudError, InstanceState, Permission, Protection, SendGuard, StopRequest,
};
use snooze_schemas::{audit::AuditKind, host::Action, state::Phase};
use snooze_test_harness::{Ec2Fault, GaveUp, wait_until};
use std::{sync::Arc, time::Duration};

fn request(guard: SendGuard) -> StopRequest {
    StopRequest {
        action: Action::Stop,
        guard,
        within: Duration::from_millis(800),
    }
}

fn fresh() -> SendGuard {
    Arc::new(|| Ok(()))
}

#[tokio::test]
async fn p8_an_idle_host_leads_to_one_stop_of_the_rosters_instance_in_the_rosters_region() {
    let ec2 = Ec2World::with(quick_but(json!({
        "enable_restart_flag": true, "allowed_restarter_ids": ["UserPortal", "JobScheduler"],
    })))
    .await;
    let instance = ec2.enroll("h1").await;
    ec2.proxy.stopping_takes(Duration::from_millis(500));
    let _executor = ec2.world.executor_with("one", ec2.config()).await;
    let _host = ec2.world.host("h1").await;
    ec2.world.wait_until_stopped("h1").await;
    assert_eq!(ec2.moto.state_of(REGION, &instance).await, "stopped");
    assert_eq!(ec2.proxy.count("StopInstances", &instance), 1);
    assert!(
        ec2.proxy.calls().iter().all(|call| call.region == REGION),
        "{:?}",
        ec2.proxy.calls()
    );
    let tags = ec2.moto.tags_of(REGION, &instance).await;
    let expected = [
        ("Status", "Stopped"),
        ("RestartAllowed", "true"),
        ("AllowedRestarters", "UserPortal,JobScheduler"),
        ("CPUPercent", "1.50"),
        ("NaptimeMinutes", "0.01"),
        ("InstanceType", "t3.medium"),
        ("Region", REGION),
    ];
    for (name, value) in expected {
        assert_eq!(
            tags.get(&format!("CloudSnooze:{name}")).map(String::as_str),
            Some(value),
            "{name} of {tags:?}"
        );
    }
    assert!(tags.contains_key("CloudSnooze:StopTimestamp") && tags.contains_key("CloudSnooze:StopReason"));
}

#[tokio::test]
async fn p1_whatever_becomes_of_the_answer_the_host_is_called_once_and_held_until_it_is_known() {
    let ec2 = Ec2World::with(quick()).await;
    let applied = [
        ("delayed", Ec2Fault::DelayAnswer(Duration::from_secs(3))),
        ("dropped", Ec2Fault::DropAnswer),
        ("late", Ec2Fault::ApplyLate(Duration::from_secs(2))),
        ("reset-after", Ec2Fault::ResetAfterApplying),
    ];
    let lost = [
        ("lost", Ec2Fault::DropRequest),
        ("throttled", Ec2Fault::Throttle),
        ("failed", Ec2Fault::ServerError),
        ("reset", Ec2Fault::Reset),
    ];
    let _executor = ec2.world.executor_with("one", ec2.config()).await;
    let mut watched = Vec::new();
    for (name, fault) in applied.into_iter().chain(lost) {
        let instance = ec2.enroll(name).await;
        ec2.proxy.spoil_next("StopInstances", fault);
        watched.push((name, instance, ec2.world.host(name).await));
        ec2.world.wait_for_phase(name, Phase::Unknown).await;
    }
    for (name, instance, _host) in &watched {
        let is_lost = lost.iter().any(|(lost, _)| lost == name);
        let end = if is_lost {
            AuditKind::Cancelled
        } else {
            AuditKind::Stopped
        };
        ec2.world.wait_for_audit(name, end).await;
        assert_eq!(ec2.proxy.count("StopInstances", instance), 1, "{name}");
        let state = if is_lost { "running" } else { "stopped" };
        assert_eq!(ec2.moto.state_of(REGION, instance).await, state, "{name}");
    }
}

#[tokio::test]
async fn p1_a_call_that_is_refused_for_good_frees_the_host_at_once() {
    let ec2 = Ec2World::with(quick()).await;
    let instance = ec2.enroll("h1").await;
    ec2.proxy.spoil_next("StopInstances", Ec2Fault::Refuse);
    let _executor = ec2.world.executor_with("one", ec2.config()).await;
    let _host = ec2.world.host("h1").await;
    let cancelled = ec2.world.wait_for_audit("h1", AuditKind::Cancelled).await;
    assert!(
        cancelled.message.contains("UnauthorizedOperation"),
        "{}",
        cancelled.message
    );
    let kinds = ec2.world.audit_kinds("h1").await;
    assert!(
        !kinds.contains(&AuditKind::Alarm),
        "it was never unknown: {kinds:?}"
    );
    assert_eq!(ec2.proxy.count("StopInstances", &instance), 1);
}

#[tokio::test]
async fn p1_the_last_look_after_signing_sends_nothing_where_the_verdict_is_too_old() {
    let ec2 = Ec2World::with(quick()).await;
    let instance = ec2.enroll("h1").await;
    let cloud = ec2.cloud();
    let stale: SendGuard = Arc::new(|| Err("the verdict is 21 s old".to_owned()));
    let outcome = cloud.stop(&target(&instance, json!({})), request(stale)).await;
    assert!(matches!(outcome, CallOutcome::NotSent { .. }), "{outcome:?}");
    assert_eq!(ec2.proxy.count("StopInstances", &instance), 0);
}

#[tokio::test]
async fn p1_a_verdict_that_grows_old_while_the_connection_is_made_sends_nothing_either() {
    let ec2 = Ec2World::with(quick()).await;
    let instance = ec2.enroll("h1").await;
    let looks = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let seen = Arc::clone(&looks);
    // Fresh when it is looked at after signing, too old when the connection stands.
    let guard: SendGuard = Arc::new(
        move || match seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 => Ok(()),
            _ => Err("the verdict is 20 s old".to_owned()),
        },
    );
    let outcome = ec2
        .cloud()
        .stop(&target(&instance, json!({})), request(guard))
        .await;
    assert!(matches!(outcome, CallOutcome::NotSent { .. }), "{outcome:?}");
    assert_eq!(looks.load(std::sync::atomic::Ordering::SeqCst), 2);
    assert_eq!(ec2.proxy.count("StopInstances", &instance), 0);
}

#[tokio::test]
async fn p1_at_its_time_limit_the_connection_is_reset_and_not_closed() {
    let ec2 = Ec2World::with(quick()).await;
    let instance = ec2.enroll("h1").await;
    ec2.proxy.spoil_next("StopInstances", Ec2Fault::DropRequest);
    let outcome = ec2
        .cloud()
        .stop(&target(&instance, json!({})), request(fresh()))
        .await;
    assert!(matches!(outcome, CallOutcome::Unknown { .. }), "{outcome:?}");
    wait_until(LONG, "the proxy sees the end", async || {
        !ec2.proxy.gave_up().is_empty()
    })
    .await;
    assert_eq!(ec2.proxy.gave_up(), [GaveUp::Reset]);
}

#[tokio::test]
async fn p1_a_cloud_that_cannot_be_reached_was_certainly_not_called() {
    let ec2 = Ec2World::with(quick()).await;
    let instance = ec2.enroll("h1").await;
    let url = ec2.proxy.url();
    drop(ec2.proxy);
    let cloud = snooze_executor::provider::aws::AwsCloud::new(Some(url)).with_keys("test", "test");
    let refused = async || {
        let outcome = cloud.stop(&target(&instance, json!({})), request(fresh())).await;
        matches!(outcome, CallOutcome::NotSent { .. })
    };
    wait_until(LONG, "the proxy is gone", refused).await;
    assert_eq!(ec2.moto.state_of(REGION, &instance).await, "running");
}

#[tokio::test]
async fn s20_stopping_an_instance_that_is_stopped_already_is_success() {
    let ec2 = Ec2World::with(quick()).await;
    let instance = ec2.enroll("h1").await;
    ec2.moto.stop_instance(REGION, &instance).await;
    let outcome = ec2
        .cloud()
        .stop(&target(&instance, json!({})), request(fresh()))
        .await;
    let CallOutcome::Accepted { before, .. } = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(before, InstanceState::Stopped);
}

#[tokio::test]
async fn p8_what_protects_an_instance_is_read_from_the_cloud() {
    let ec2 = Ec2World::with(quick()).await;
    let cloud = ec2.cloud();
    let plain = ec2.moto.run_instance(REGION, &[]).await;
    let looked = cloud
        .inspect(&target(&plain, json!({})))
        .await
        .expect("it is there");
    assert_eq!(
        (looked.state, looked.protections),
        (InstanceState::Running, vec![])
    );

    ec2.moto.protect_from_stop(REGION, &plain).await;
    let looked = cloud
        .inspect(&target(&plain, json!({})))
        .await
        .expect("it is there");
    assert_eq!(looked.protections, [Protection::StopProtected]);

    let member = ec2.moto.run_instance(REGION, &[]).await;
    ec2.moto
        .set_tag(REGION, &member, "aws:autoscaling:groupName", "web")
        .await;
    let looked = cloud
        .inspect(&target(&member, json!({})))
        .await
        .expect("it is there");
    assert_eq!(
        looked.protections,
        [Protection::AutoScalingMember {
            group: "web".to_owned()
        }]
    );

    let spot = ec2
        .moto
        .run_instance(REGION, &[("InstanceMarketOptions.MarketType", "spot")])
        .await;
    let looked = cloud
        .inspect(&target(&spot, json!({})))
        .await
        .expect("it is there");
    assert_eq!(looked.protections, [Protection::OneTimeSpot]);

    let elsewhere = target(&member, json!({"account": "999999999999"}));
    let looked = cloud.inspect(&elsewhere).await.expect("it is there");
    assert!(looked.protections.contains(&Protection::OtherAccount {
        owner: "123456789012".to_owned()
    }));

    let nowhere = cloud
        .inspect(&target(&plain, json!({"region": "ap-south-1"})))
        .await;
    assert!(
        matches!(nowhere, Err(CloudError::NoSuchInstance { .. })),
        "{nowhere:?}"
    );
}

#[tokio::test]
async fn p8_a_host_whose_instance_is_protected_or_terminated_is_not_stopped() {
    let ec2 = Ec2World::with(quick_but(json!({"notice_seconds": 1}))).await;
    let protected = ec2.enroll("protected").await;
    ec2.moto.protect_from_stop(REGION, &protected).await;
    let terminated = ec2.enroll("terminated").await;
    let _executor = ec2.world.executor_with("one", ec2.config()).await;
    let _hosts = (
        ec2.world.host("protected").await,
        ec2.world.host("terminated").await,
    );
    ec2.world.wait_for_audit("terminated", AuditKind::Notice).await;
    ec2.moto.terminate_instance(REGION, &terminated).await;
    for (host, instance, says) in [
        ("protected", &protected, "stop protection"),
        ("terminated", &terminated, "Terminated"),
    ] {
        let cancelled = ec2.world.wait_for_audit(host, AuditKind::Cancelled).await;
        assert!(cancelled.message.contains(says), "{}", cancelled.message);
        assert_eq!(ec2.proxy.count("StopInstances", instance), 0);
    }
}

#[tokio::test]
async fn the_permission_check_is_a_dry_run_of_the_stop_itself_and_stops_nothing() {
    let ec2 = Ec2World::with(quick()).await;
    let instance = ec2.enroll("h1").await;
    let cloud = ec2.cloud();
    let target = target(&instance, json!({}));
    assert_eq!(cloud.permission_check(&target).await, Ok(Permission::Granted));
    ec2.proxy.spoil_next("StopInstances DryRun", Ec2Fault::Refuse);
    let denied = cloud.permission_check(&target).await;
    assert!(matches!(denied, Ok(Permission::Denied(_))), "{denied:?}");
    assert_eq!(ec2.moto.state_of(REGION, &instance).await, "running");
    assert_eq!(ec2.proxy.count("StopInstances", &instance), 0);
}

#[tokio::test]
async fn a_question_to_a_cloud_that_throttles_is_an_error_and_not_asked_again_by_itself() {
    let ec2 = Ec2World::with(quick()).await;
    let instance = ec2.enroll("h1").await;
    ec2.proxy.spoil_next("DescribeInstances", Ec2Fault::Throttle);
    let asked = ec2.cloud().see(&target(&instance, json!({}))).await;
    assert!(matches!(asked, Err(CloudError::Inspect { .. })), "{asked:?}");
    assert_eq!(ec2.proxy.count("DescribeInstances", &instance), 1);
}

#[tokio::test]
async fn a_hibernation_is_asked_for_by_name() {
    let ec2 = Ec2World::with(quick()).await;
    let instance = ec2.enroll("h1").await;
    let hibernation = StopRequest {
        action: Action::Hibernate,
        ..request(fresh())
    };
    let outcome = ec2.cloud().stop(&target(&instance, json!({})), hibernation).await;
    assert!(matches!(outcome, CallOutcome::Accepted { .. }), "{outcome:?}");
    let calls = ec2.proxy.calls();
    let call = calls
        .iter()
        .find(|call| call.action == "StopInstances")
        .expect("it was called");
    assert!(call.body.contains("Hibernate=true"), "{}", call.body);
}

#[tokio::test]
async fn a_stopped_instance_is_started_again() {
    let ec2 = Ec2World::with(quick()).await;
    let instance = ec2.enroll("h1").await;
    ec2.moto.stop_instance(REGION, &instance).await;
    let outcome = ec2
        .cloud()
        .start(&target(&instance, json!({})), Duration::from_secs(5))
        .await;
    assert!(matches!(outcome, CallOutcome::Accepted { .. }), "{outcome:?}");
    assert_eq!(ec2.moto.state_of(REGION, &instance).await, "running");
}
