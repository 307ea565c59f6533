//! Lifecycle hooks: kept waiting while handlers run, answered when they have, whoever dies meanwhile.

use super::place::{INSTANCE, Place, REGION, action, noticed_by_itself, rebalance};
use crate::centre::{LIMIT, Runner, host};
use serde_json::json;
use snooze_bus::{Expect, Subject};
use snooze_event_gateway::centre::aws_queue::Settings;
use snooze_schemas::{
    Timestamp,
    audit::{AuditKind, AuditRecord},
    event::{Event, Scope},
};
use snooze_test_harness::{InQueue, MetadataFault, wait_until};
use std::time::Duration;

const COMPLETE: &str = "CompleteLifecycleAction";
const BEAT: &str = "RecordLifecycleActionHeartbeat";
const OURS: &str = "cloudsnooze";

fn often(settings: &mut Settings) {
    settings.beat = Duration::from_millis(100);
}

/// Reports how handlers of an event ended.
async fn report(runner: &Runner, event: &Event, succeeded: bool) {
    let scope = Scope::Host(runner.host.clone());
    let handlers = json!([{"plugin": "drain", "handled": succeeded, "succeeded": succeeded, "took_ms": 1}]);
    let record = AuditRecord {
        at: Timestamp::UNIX_EPOCH,
        host: scope.clone(),
        kind: AuditKind::Event,
        actor: "runner".to_owned(),
        claim: None,
        message: "handled".to_owned(),
        details: [
            ("id".to_owned(), json!(event.id)),
            ("handlers".to_owned(), handlers),
        ]
        .into_iter()
        .collect(),
    };
    let kind = AuditKind::Event;
    let subject = Subject::Audit { scope, kind };
    let filed = runner.bus.file(&subject, &record, Expect::Anything, LIMIT).await;
    filed.expect("reports");
}

#[tokio::test]
async fn a_hook_is_told_to_wait_while_handlers_run_and_to_go_on_once_when_they_have() {
    let place = Place::start().await;
    let mut runner = place.centre.runner("h1").await;
    let gateway = place.gateway(|settings, _| often(settings)).await;
    place.send(&action("t1", OURS, "TERMINATING")).await;
    let event = runner.accept().await;
    assert_eq!(
        event.id,
        noticed_by_itself("cloud.autoscaling.scale", "terminated").id
    );
    wait_until(LIMIT, "it is told to wait", async || {
        place.scaling.count(BEAT, "t1") >= 3
    })
    .await;
    assert_eq!(place.scaling.count(COMPLETE, "t1"), 0, "handlers run");
    assert_eq!(place.in_queue().await, InQueue { waiting: 0, kept: 1 });
    report(&runner, &event, true).await;
    place.is_empty().await;
    let calls = place.scaling.calls();
    let (last, before) = calls.split_last().expect("calls");
    assert!(before.iter().all(|call| call.action == BEAT), "{calls:?}");
    assert_eq!((last.action.as_str(), last.region.as_str()), (COMPLETE, REGION));
    for (name, value) in [
        ("LifecycleHookName", OURS),
        ("AutoScalingGroupName", "my asg"),
        ("LifecycleActionToken", "t1"),
        ("LifecycleActionResult", "CONTINUE"),
        ("InstanceId", INSTANCE),
    ] {
        assert_eq!(last.form[name], value);
    }
    gateway.end().await;
}

#[tokio::test]
async fn an_instance_leaves_whatever_came_of_its_event() {
    let place = Place::start().await;
    place.enrol("away", "i-2").await;
    let mut runner = place.centre.runner("h1").await;
    let gateway = place.gateway(|_, config| config.patience = Duration::ZERO).await;
    place.send(&action("failed", OURS, "TERMINATING")).await;
    let event = runner.accept().await;
    report(&runner, &event, false).await;
    place.is_empty().await;
    assert_eq!(place.scaling.count(COMPLETE, "failed"), 1);
    // Nobody is on the bus for this one: it ends in DEAD.
    let mut away = action("away", OURS, "TERMINATING");
    away["detail"]["EC2InstanceId"] = json!("i-2");
    place.send(&away).await;
    place.centre.first_dead(Scope::Host(host("away"))).await;
    place.is_empty().await;
    assert_eq!(place.scaling.count(COMPLETE, "away"), 1);
    gateway.end().await;
}

#[tokio::test]
async fn one_that_comes_goes_into_service_only_when_its_handlers_succeeded() {
    let place = Place::start().await;
    place.enrol("h2", "i-2").await;
    let gateway = place.gateway(|_, _| {}).await;
    for (name, instance, succeeded) in [("h1", INSTANCE, false), ("h2", "i-2", true)] {
        let mut runner = place.centre.runner(name).await;
        let mut message = action(name, OURS, "LAUNCHING");
        message["detail"]["EC2InstanceId"] = json!(instance);
        place.send(&message).await;
        let event = runner.accept().await;
        report(&runner, &event, succeeded).await;
        place.is_empty().await;
        assert_eq!(place.scaling.count(COMPLETE, name), usize::from(succeeded));
    }
    gateway.end().await;
}

/// The lifecycle hook of a launch comes before the host's first word.
#[tokio::test]
async fn e5_an_instance_that_is_launched_is_waited_for_until_its_host_is_enrolled_and_no_longer() {
    let place = Place::start().await;
    let mut known = place.centre.runner("h1").await;
    let short = |settings: &mut Settings| settings.keep = Duration::from_secs(2);
    let gateway = place.gateway(|settings, _| short(settings)).await;
    let coming = |token: &str, hook: &str, instance: &str| {
        let mut message = action(token, hook, "LAUNCHING");
        message["detail"]["EC2InstanceId"] = json!(instance);
        message
    };
    place.send(&coming("t2", OURS, "i-2")).await;
    place.send(&coming("t3", "drain-ecs", "i-3")).await;
    // What comes later is not held up, and somebody else's hook is not waited for.
    place.send(&rebalance("r1", INSTANCE)).await;
    known.accept().await;
    wait_until(LIMIT, "only one waits", async || {
        place.in_queue().await == InQueue { waiting: 0, kept: 1 }
    })
    .await;
    place.enrol("h2", "i-2").await;
    let mut runner = place.centre.runner("h2").await;
    let event = runner.accept().await;
    assert_eq!(event.event_type.as_str(), "cloud.autoscaling.scale");
    report(&runner, &event, true).await;
    place.is_empty().await;
    assert_eq!(place.scaling.count(COMPLETE, "t2"), 1);
    gateway.end().await;
    // Nobody is waited for longer than a host that is away.
    let gateway = place.gateway(|_, config| config.patience = Duration::ZERO).await;
    place.send(&coming("t4", OURS, "i-4")).await;
    place.is_empty().await;
    assert_eq!(place.scaling.count(COMPLETE, "t4"), 0);
    gateway.end().await;
}

#[tokio::test]
async fn a_gateway_that_is_killed_is_followed_by_another_and_the_hook_is_answered_once() {
    let place = Place::start().await;
    let mut runner = place.centre.runner("h1").await;
    let quick = |settings: &mut Settings| {
        often(settings);
        settings.keep = Duration::from_secs(2);
    };
    let first = place.gateway(|settings, _| quick(settings)).await;
    place.send(&action("t1", OURS, "TERMINATING")).await;
    let event = runner.accept().await;
    wait_until(LIMIT, "it is told to wait", async || {
        place.scaling.count(BEAT, "t1") >= 1
    })
    .await;
    first.kill().await;
    report(&runner, &event, true).await;
    let beats = place.scaling.count(BEAT, "t1");
    assert_eq!(place.scaling.count(COMPLETE, "t1"), 0);
    let second = place.gateway(|settings, _| quick(settings)).await;
    wait_until(LIMIT, "it is answered", async || {
        place.scaling.count(COMPLETE, "t1") == 1
    })
    .await;
    place.is_empty().await;
    assert_eq!(place.scaling.count(BEAT, "t1"), beats, "it had ended before");
    let completed = place
        .scaling
        .calls()
        .into_iter()
        .filter(|call| call.action == COMPLETE);
    assert_eq!(completed.count(), 1);
    assert_eq!(place.filed("h1").await.len(), 1);
    second.end().await;
}

#[tokio::test]
async fn a_gateway_that_ends_leaves_the_hook_to_another() {
    let place = Place::start().await;
    let mut runner = place.centre.runner("h1").await;
    let quick = |settings: &mut Settings| {
        often(settings);
        settings.keep = Duration::from_secs(2);
    };
    let first = place.gateway(|settings, _| quick(settings)).await;
    place.send(&action("t1", OURS, "TERMINATING")).await;
    let event = runner.accept().await;
    first.end().await;
    let second = place.gateway(|settings, _| quick(settings)).await;
    let beats = place.scaling.count(BEAT, "t1");
    wait_until(LIMIT, "the second one tells it to wait", async || {
        place.scaling.count(BEAT, "t1") > beats
    })
    .await;
    report(&runner, &event, true).await;
    wait_until(LIMIT, "it is answered", async || {
        place.scaling.count(COMPLETE, "t1") == 1
    })
    .await;
    place.is_empty().await;
    second.end().await;
}

#[tokio::test]
async fn what_was_answered_before_or_has_timed_out_is_let_go() {
    let place = Place::start().await;
    let mut runner = place.centre.runner("h1").await;
    let gateway = place.gateway(|settings, _| often(settings)).await;
    place.scaling.time_out("t1");
    place.send(&action("t1", OURS, "TERMINATING")).await;
    let event = runner.accept().await;
    // Handlers still run, and nothing waits for them any more.
    place.is_empty().await;
    report(&runner, &event, true).await;
    // The same happening in a second hook: its event is over.
    place.scaling.time_out("t2");
    place.send(&action("t2", OURS, "TERMINATING")).await;
    place.is_empty().await;
    for token in ["t1", "t2"] {
        assert_eq!(place.scaling.count(COMPLETE, token), 0);
    }
    gateway.end().await;
}

#[tokio::test]
async fn a_hook_of_somebody_else_is_left_alone_unless_every_one_is_ours() {
    let place = Place::start().await;
    let mut runner = place.centre.runner("h1").await;
    // A question that moto still waits for when the gateway has ended takes a message for so long.
    let short = |settings: &mut Settings| settings.keep = Duration::from_secs(2);
    let gateway = place.gateway(|settings, _| short(settings)).await;
    place.send(&action("t1", "drain-ecs", "TERMINATING")).await;
    let event = runner.accept().await;
    place.is_empty().await;
    report(&runner, &event, true).await;
    assert_eq!(place.scaling.calls(), []);
    gateway.end().await;
    let every = |settings: &mut Settings| settings.lifecycle_hooks = vec!["*".to_owned()];
    let gateway = place.gateway(|settings, _| every(settings)).await;
    place.send(&action("t2", "drain-ecs", "TERMINATING")).await;
    wait_until(LIMIT, "it is answered", async || {
        place.scaling.count(COMPLETE, "t2") == 1
    })
    .await;
    place.is_empty().await;
    gateway.end().await;
}

#[tokio::test]
async fn an_answer_is_tried_until_auto_scaling_is_back() {
    let place = Place::start().await;
    let mut runner = place.centre.runner("h1").await;
    let gateway = place.gateway(|_, _| {}).await;
    place.scaling.spoil(MetadataFault::Status(503));
    place.send(&action("t1", OURS, "TERMINATING")).await;
    let event = runner.accept().await;
    report(&runner, &event, true).await;
    wait_until(LIMIT, "it was tried in vain", async || {
        !place.scaling.asked().is_empty()
    })
    .await;
    assert_eq!(place.in_queue().await, InQueue { waiting: 0, kept: 1 });
    place.scaling.mend();
    place.is_empty().await;
    assert_eq!(place.scaling.count(COMPLETE, "t1"), 1);
    gateway.end().await;
}
