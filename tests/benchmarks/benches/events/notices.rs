//! How soon the first handler runs: after a notice became visible in the metadata service, after this host noticed
//! it, and after an event of the centre was filed.

use crate::{
    host::Host,
    times::{Times, millis},
};
use rand::RngExt as _;
use serde_json::{Value, json};
use snooze_benchmarks::{Goal, Report};
use snooze_bus::Bus;
use snooze_schemas::Timestamp;
use std::time::Duration;

/// A list of maintenances has 64 at most; each is announced once and cancelled once.
const MAINTENANCES: usize = 60;
const PATH: &str = "/latest/meta-data/events/maintenance/scheduled";
/// How often the service is asked, by default.
const POLL: Duration = Duration::from_secs(1);
/// Events of the centre.
const PROBES: usize = 300;
const PAUSE: Duration = Duration::from_millis(50);

const GOAL_VISIBLE_MS: f64 = 1_100.0;
const GOAL_BUS_MS: f64 = 5.0;

/// Measures all three.
pub(crate) async fn measure(host: &mut Host, filer: &Bus) -> Report {
    let mut report = Report::default();
    // The first of each kind meets a host that has just started.
    host.probe(filer, "first", 1, PAUSE).await;
    let mut list = Vec::new();
    announce(host, &mut list, 0).await;
    let (mut visible, mut noticed) = (Vec::new(), Vec::new());
    for number in 1..2 * MAINTENANCES {
        // At any moment between two questions, and not right after one.
        let pause = rand::rng().random_range(Duration::ZERO..POLL);
        tokio::time::sleep(pause).await;
        let [from_visible, from_noticed] = announce(host, &mut list, number).await;
        visible.push(from_visible);
        noticed.push(from_noticed);
    }
    let (visible, noticed) = (Times::of(visible), Times::of(noticed));
    let filed = Times::of(host.probe(filer, "probe", PROBES, PAUSE).await);
    let row = "notice visible to handler running, asked every second";
    report.add(visible.figure(row, 50, None));
    report.add(visible.figure(row, 99, Some(Goal::AtMost(GOAL_VISIBLE_MS))));
    let row = "of which from noticed to handler running";
    report.add(noticed.figure(row, 50, None));
    report.add(noticed.figure(row, 99, Some(Goal::AtMost(GOAL_BUS_MS))));
    let row = "event of the centre, from sent to its stream to handler running";
    report.add(filed.figure(row, 50, None));
    report.add(filed.figure(row, 99, Some(Goal::AtMost(GOAL_BUS_MS))));
    report
}

/// Announces the next maintenance, or cancels the next one when all are announced; milliseconds from when that could
/// be seen and from when it was noticed to when the handler began.
async fn announce(host: &mut Host, list: &mut Vec<Value>, number: usize) -> [f64; 2] {
    if number < MAINTENANCES {
        list.push(json!({
            "Code": "system-reboot", "Description": "scheduled reboot", "State": "active",
            "EventId": format!("instance-event-{number:017x}"),
            "NotBefore": format!("21 Jan 2035 09:{number:02}:00 GMT"), "NotAfter": "21 Jan 2035 10:17:23 GMT",
        }));
    } else {
        list[number - MAINTENANCES]["State"] = "canceled".into();
    }
    let body = serde_json::to_string(list).expect("JSON");
    let visible_at = Timestamp::now();
    host.metadata.announce(PATH, &body);
    let handled = host.handled().await;
    [
        millis(visible_at, handled.began_at),
        millis(handled.noticed_at, handled.began_at),
    ]
}
