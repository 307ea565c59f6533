//! One of two executors is killed with SIGKILL at every step of a stop before its commit, and while it
//! undoes a claim.
//!
//! Nothing in the program helps the test: it makes the step last by what is outside (a slow host, a slow
//! cloud, an audit trail that does not take the entry), watches for it in the host's key and at the
//! proxy, finds out from the audit trail who holds the claim, and kills that one.

use super::{
    pair::{Pair, policy, wait_until_freed},
    support::{Ec2World, REGION},
};
use crate::host::{Answers, Asked, Script};
use crate::support::{LONG, quick_but};
use serde_json::{Value, json};
use snooze_schemas::{
    audit::AuditKind,
    host::PrepareState,
    state::{Phase, Progress},
};
use snooze_test_harness::{Ec2Fault, wait_until};
use std::time::Duration;

/// A step before the commit, as the key and the claim's next owner name it, and what makes it last.
struct Step<'a> {
    host: &'a str,
    progress: Progress,
    name: &'a str,
    policy: Value,
    script: &'a dyn Fn(&mut Script),
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
    let step = |host, progress, name, policy, script| Step {
        host,
        progress,
        name,
        policy,
        script,
    };
    let nothing = |_: &mut Script| {};
    let slow_prepare = |script: &mut Script| script.prepare_takes = Duration::from_secs(8);
    let slow_work = |script: &mut Script| script.prepare = PrepareState::Working;
    let slow_answer = |script: &mut Script| script.verify_takes = Duration::from_millis(2_500);
    let steps = [
        // First, while no host is enrolled that an executor looks at when it starts: it would meet the
        // slow cloud in the claim's place.
        step(
            "protections",
            Progress::Protections,
            "protections",
            json!({}),
            &nothing,
        ),
        step(
            "preparing",
            Progress::Preparing,
            "preparing",
            json!({}),
            &slow_prepare,
        ),
        step(
            "noticing",
            Progress::Noticing,
            "noticing",
            json!({"notice_seconds": 20}),
            &nothing,
        ),
        step(
            "pre-snooze",
            Progress::PreSnooze,
            "pre-snooze work",
            json!({}),
            &slow_work,
        ),
        step(
            "settling",
            Progress::Settling,
            "settling",
            json!({"settle_seconds": 20}),
            &nothing,
        ),
        step(
            "verifying",
            Progress::Verifying,
            "verifying",
            json!({}),
            &slow_answer,
        ),
    ] as [Step<'_>; 6];
    for step in steps {
        let host = step.host;
        if step.progress == Progress::Protections {
            let slow = Ec2Fault::DelayAnswer(Duration::from_secs(8));
            ec2.proxy.spoil_next("DescribeInstances", slow);
        }
        let revision = ec2.world.set_host_policy(host, step.policy).await;
        let instance = ec2.enroll(host).await;
        let fake = ec2.world.scripted_host(host, &revision, step.script).await;
        wait_for_progress(&ec2, host, step.progress).await;
        pair.kill_holder(&ec2, host).await;
        let why = wait_until_freed(&ec2, host).await;
        let lost_at = format!("its holder was lost at {}", step.name);
        assert!(why.ends_with(&lost_at), "{host}: {why}");
        assert_eq!(ec2.proxy.count("StopInstances", &instance), 0, "{host}");
        assert_eq!(ec2.moto.state_of(REGION, &instance).await, "running", "{host}");
        drop(fake);
        pair.fill_up(&ec2).await;
    }
}

#[tokio::test]
async fn p4_killed_before_its_intent_was_acknowledged_the_host_was_told_nothing() {
    let ec2 = Ec2World::with(policy()).await;
    // Nothing in the trail says who holds the claim, so there is only one who can.
    let mut holder = ec2.process("executor-1").await;
    ec2.world.wait_for_an_answer().await;
    ec2.world.refuse_audit(&[AuditKind::Intent]).await;
    let instance = ec2.enroll("h1").await;
    let host = ec2.world.host("h1").await;
    ec2.world.wait_for_phase("h1", Phase::Claimed).await;
    let _other = ec2.process("executor-2").await;
    let asked = host.asked();
    assert!(
        asked.is_empty(),
        "nothing is asked before the intent is acknowledged: {asked:?}"
    );
    holder.process.kill();
    let why = wait_until_freed(&ec2, "h1").await;
    assert!(why.contains("its holder was lost at "), "{why}");
    assert_eq!(ec2.proxy.count("StopInstances", &instance), 0);
}

#[tokio::test]
async fn p7_killed_while_it_undoes_its_claim_the_other_undoes_it() {
    let ec2 = Ec2World::with(quick_but(json!({"notice_seconds": 20}))).await;
    let mut pair = Pair::start(&ec2).await;
    let instance = ec2.enroll("h1").await;
    let host = ec2.world.host("h1").await;
    host.script(|script| script.cancels = Answers::Never);
    ec2.world.wait_for_audit("h1", AuditKind::Notice).await;
    let lease = ec2.world.lease("h1", Duration::from_secs(60)).await;
    lease.expect("it is before the commit");
    let cancels = |asked: Vec<Asked>| asked.iter().filter(|one| matches!(one, Asked::Cancel(_))).count();
    wait_until(LONG, "the host is told", async || cancels(host.asked()) == 1).await;
    pair.kill_holder(&ec2, "h1").await;
    host.script(|script| script.cancels = Answers::Yes);
    let why = wait_until_freed(&ec2, "h1").await;
    assert!(why.contains("lease test of ada"), "{why}");
    assert_eq!(cancels(host.asked()), 2);
    assert_eq!(ec2.proxy.count("StopInstances", &instance), 0);
}
