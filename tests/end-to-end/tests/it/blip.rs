//! A broker that goes away and comes back.

use crate::{
    place::LONG,
    separate::{Fleet, quick, simulated},
};
use serde_json::json;
use snooze_schemas::{audit::AuditKind, ops::HostReport};
use snooze_test_harness::wait_until;
use std::time::Duration;
use tokio::time::Instant;

/// For how long the broker is away: some samples are made meanwhile.
const AWAY: Duration = Duration::from_secs(4);

fn idle(report: &HostReport) -> Duration {
    let votes = report.verdict.iter().flat_map(|verdict| &verdict.votes);
    let required = votes.filter(|vote| vote.role == snooze_schemas::verdict::Role::Required);
    Duration::from_millis(required.map(|vote| vote.idle_ms).min().unwrap_or_default())
}

#[tokio::test]
async fn t2_a_brokers_blip_resets_no_run_of_idleness_and_the_stop_comes_once() {
    let mut fleet = Fleet::with(&quick(json!({"naptime_minutes": 0.5}))).await;
    fleet.configure(&json!({}));
    fleet.enrol(simulated()).await;
    fleet.start_executor("executor", &[]);
    fleet.start_gateway();
    fleet.start_host();
    let before = fleet
        .wait_for_report("it is idle for 5 s", |report| {
            idle(report) >= Duration::from_secs(5)
        })
        .await;
    let agent = before.verdict.expect("it was heard").agent;

    let gone = Instant::now();
    fleet.server.kill();
    wait_until(LONG, "the broker was away for some samples", async || {
        gone.elapsed() >= AWAY
    })
    .await;
    fleet.server.restart().await;

    // Where the run had been broken, it would be shorter than the time since the broker went.
    let after = fleet
        .wait_for_report("it is heard again", |report| {
            let heard = report.verdict_age_ms.is_some_and(|age| u128::from(age) < 1_000);
            heard && report.verdict.is_some() && gone.elapsed() >= AWAY && idle(report) > Duration::ZERO
        })
        .await;
    let since = gone.elapsed();
    let verdict = after.verdict.as_ref().expect("it was heard");
    assert_eq!(verdict.agent, agent, "it is the same runner");
    assert!(
        idle(&after) > since,
        "{:?} of idleness, {since:?} since the blip: {after:#?}",
        idle(&after)
    );

    fleet.wait_for_audit(AuditKind::Stopped).await;
    assert_eq!(fleet.count(AuditKind::Call).await, 1);
    assert_eq!(fleet.count(AuditKind::Intent).await, 1);
}
