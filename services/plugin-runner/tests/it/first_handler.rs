//! How soon events come to their first handler, as a runner tells it.

use crate::{
    events::{SUCCESS, all_run, config, event, handler, send},
    stage::{SOON, Stage},
};
use serde_json::json;
use snooze_bus::RunnerVerb;
use snooze_schemas::{
    event::{Event, Severity},
    plugin::inspection::{ReadStats, StatsReport},
};
use snooze_service_runtime::Clocks;
use snooze_test_harness::wait_until;
use std::time::Duration;

#[tokio::test]
async fn how_soon_events_come_to_their_first_handler_is_told_by_severity() {
    let stage = Stage::set().await;
    stage.plugin("saver.py", &handler(&stage, "saver", SUCCESS));
    let runner = stage.runner_with(config(&stage, &[("saver", json!({}))])).await;
    stage.until_it_answers().await;
    all_run(&stage).await;
    let subject = stage.verb(RunnerVerb::Stats);
    let stats = async |plugin: Option<&str>| -> StatsReport {
        let asked = ReadStats {
            plugin: plugin.map(|name| name.parse().expect("a name")),
        };
        let told = stage
            .administrator
            .request(&subject, &asked, Duration::from_secs(5));
        told.await.expect("statistics")
    };
    assert_eq!(stats(None).await.events, [], "nothing has happened");
    let now = Clocks::real().wall();
    let noticed = |id: &str, severity, ago| Event {
        noticed_at: now - ago,
        severity,
        ..event(id)
    };
    let minute = Duration::from_secs(60);
    for event in [
        noticed("e1", Severity::Critical, Duration::ZERO),
        noticed("e2", Severity::Warning, minute),
        noticed("e3", Severity::Warning, minute),
    ] {
        send(&stage, event, None).await.expect("accepted");
    }
    wait_until(SOON, "all are counted", async || {
        let told = stats(None).await.events;
        told.iter().map(|told| told.events).sum::<u64>() == 3
    })
    .await;
    let told = stats(None).await.events;
    let severities: Vec<Severity> = told.iter().map(|told| told.severity).collect();
    assert_eq!(severities, [Severity::Critical, Severity::Warning]);
    let soon = u64::try_from(SOON.as_micros()).expect("it is short");
    assert!((1..soon).contains(&told[0].latency.p99_us), "{told:?}");
    assert!(
        (59_000_000..60_000_000 + soon).contains(&told[1].latency.p50_us),
        "a minute had passed: {told:?}"
    );
    assert_eq!(stats(Some("saver")).await.events, [], "it is not of one plugin");
    runner.stop().await;
}
