//! One of two executors is killed with SIGKILL at every step of a stop.
//!
//! Nothing in the program helps the test: it watches the host's key and the proxy for the step, finds out
//! from the audit trail who holds the claim, and kills that one.

use super::support::{Ec2World, ExecutorProcess, REGION};
use crate::host::{FakeHost, Script};
use crate::support::{LONG, quick_but};
use serde_json::json;
use snooze_schemas::{
    audit::AuditKind,
    host::PrepareState,
    state::{Phase, Progress},
};
use snooze_test_harness::{Ec2Fault, wait_until};
use std::time::Duration;

/// Two executors; whichever holds a host's claim can be killed, and is replaced by a new one.
struct Pair {
    executors: Vec<ExecutorProcess>,
    started: usize,
}

impl Pair {
    async fn start(ec2: &Ec2World) -> Pair {
        let mut pair = Pair {
            executors: Vec::new(),
            started: 0,
        };
        pair.fill_up(ec2).await;
        ec2.world.wait_for_an_answer().await;
        pair
    }

    async fn fill_up(&mut self, ec2: &Ec2World) {
        while self.executors.len() < 2 {
            self.started += 1;
            let name = format!("executor-{}", self.started);
            self.executors.push(ec2.process(&name).await);
        }
    }

    /// SIGKILL to the one that made the host's claim.
    async fn kill_holder(&mut self, ec2: &Ec2World, host: &str) {
        let intent = ec2.world.wait_for_audit(host, AuditKind::Intent).await;
        let place = self
            .executors
            .iter()
            .position(|executor| executor.actor == intent.actor);
        let mut holder = self
            .executors
            .remove(place.expect("one of the two holds the claim"));
        holder.process.kill();
    }
}

/// A host, the step at which its holder is killed, and what makes that step last.
type Step<'a> = (&'a str, Progress, &'a dyn Fn(&mut Script));

fn policy() -> serde_json::Value {
    quick_but(json!({"notice_seconds": 0.6, "settle_seconds": 0.6}))
}

/// Waits until the key says that the claim has come so far.
async fn wait_for_progress(ec2: &Ec2World, host: &str, progress: Progress) {
    let what = format!("{host} is at {progress:?}");
    ec2.world
        .wait_for_record(host, &what, |record| {
            record
                .claim
                .as_ref()
                .is_some_and(|claim| claim.progress == Some(progress))
        })
        .await;
}

#[tokio::test]
async fn p6_killed_at_any_step_before_the_commit_the_host_is_freed_and_nothing_is_called() {
    let ec2 = Ec2World::with(policy()).await;
    let mut pair = Pair::start(&ec2).await;
    let slow_work = |script: &mut Script| script.prepare = PrepareState::Working;
    let slow_answer = |script: &mut Script| script.verify_takes = Duration::from_secs(1);
    let nothing = |_: &mut Script| {};
    let slow_prepare = |script: &mut Script| script.prepare_takes = Duration::from_secs(1);
    let steps: [Step<'_>; 6] = [
        ("preparing", Progress::Preparing, &slow_prepare),
        ("noticing", Progress::Noticing, &nothing),
        ("pre-snooze", Progress::PreSnooze, &slow_work),
        ("protections", Progress::Protections, &nothing),
        ("settling", Progress::Settling, &nothing),
        ("verifying", Progress::Verifying, &slow_answer),
    ];
    for (host, progress, script) in steps {
        let instance = ec2.enroll(host).await;
        if progress == Progress::Protections {
            ec2.proxy
                .spoil_next("DescribeInstances", Ec2Fault::DelayAnswer(Duration::from_secs(1)));
        }
        let fake = scripted(&ec2, host, script).await;
        wait_for_progress(&ec2, host, progress).await;
        pair.kill_holder(&ec2, host).await;
        ec2.world.wait_for_audit(host, AuditKind::Takeover).await;
        ec2.world
            .wait_for_record(host, "the host is free", |record| record.claim.is_none())
            .await;
        assert_eq!(ec2.proxy.count("StopInstances", &instance), 0, "{host}");
        assert_eq!(ec2.moto.state_of(REGION, &instance).await, "running", "{host}");
        drop(fake);
        pair.fill_up(&ec2).await;
    }
}

async fn scripted(ec2: &Ec2World, host: &str, script: &dyn Fn(&mut Script)) -> FakeHost {
    let fake = ec2.world.host(host).await;
    fake.script(|current| script(current));
    fake
}

#[tokio::test]
async fn p2_killed_while_its_call_is_on_its_way_the_host_is_held_and_nobody_calls_again() {
    let ec2 = Ec2World::with(policy()).await;
    let mut pair = Pair::start(&ec2).await;
    let faults = [
        ("applied", Ec2Fault::DropAnswer, "stopped"),
        (
            "applied-late",
            Ec2Fault::ApplyLate(Duration::from_secs(2)),
            "stopped",
        ),
        ("lost", Ec2Fault::DropRequest, "running"),
    ];
    for (host, fault, state) in faults {
        let instance = ec2.enroll(host).await;
        ec2.proxy.spoil_next("StopInstances", fault);
        let _host = ec2.world.host(host).await;
        wait_until(LONG, "the call is on its way", async || {
            ec2.proxy.count("StopInstances", &instance) == 1
        })
        .await;
        pair.kill_holder(&ec2, host).await;
        ec2.world.wait_for_audit(host, AuditKind::Takeover).await;
        let taken_over = ec2.world.record(host).await.claim.expect("it is held");
        assert_ne!(taken_over.phase, Phase::Cancelled, "{host}");
        ec2.world
            .wait_for_record(host, "the host is free", |record| record.claim.is_none())
            .await;
        assert_eq!(ec2.proxy.count("StopInstances", &instance), 1, "{host}");
        assert_eq!(ec2.moto.state_of(REGION, &instance).await, state, "{host}");
        pair.fill_up(&ec2).await;
    }
}

#[tokio::test]
async fn p2_killed_after_its_call_was_accepted_the_other_confirms_the_stop_and_tags_it() {
    let ec2 = Ec2World::with(policy()).await;
    ec2.proxy.stopping_takes(Duration::from_secs(4));
    let mut pair = Pair::start(&ec2).await;
    let instance = ec2.enroll("h1").await;
    let _host = ec2.world.host("h1").await;
    ec2.world.wait_for_phase("h1", Phase::Stopping).await;
    pair.kill_holder(&ec2, "h1").await;
    ec2.world.wait_for_audit("h1", AuditKind::Takeover).await;
    ec2.world.wait_until_stopped("h1").await;
    assert_eq!(ec2.proxy.count("StopInstances", &instance), 1);
    assert_eq!(
        ec2.moto.tags_of(REGION, &instance).await["CloudSnooze:Status"],
        "Stopped"
    );
}

#[tokio::test]
async fn p4_killed_between_the_confirmation_and_the_tags_the_other_writes_them() {
    let ec2 = Ec2World::with(policy()).await;
    let mut pair = Pair::start(&ec2).await;
    let instance = ec2.enroll("h1").await;
    ec2.proxy.spoil_next("CreateTags", Ec2Fault::DropRequest);
    let _host = ec2.world.host("h1").await;
    wait_until(LONG, "the tags are on their way", async || {
        ec2.proxy.count("CreateTags", &instance) == 1
    })
    .await;
    pair.kill_holder(&ec2, "h1").await;
    ec2.world.wait_until_stopped("h1").await;
    assert_eq!(ec2.proxy.count("StopInstances", &instance), 1);
    assert_eq!(
        ec2.moto.tags_of(REGION, &instance).await["CloudSnooze:Status"],
        "Stopped"
    );
}
