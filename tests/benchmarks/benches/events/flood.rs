//! A flood of events of no urgency, more than a server takes; what it does to the way of a critical one.

use crate::{events, fleet::Fleet, host::Host, times::Times};
use snooze_benchmarks::{Figure, Goal, Report};
use snooze_bus::{Bus, Format, KIND, Stream, Subject, VERSION, encode};
use snooze_schemas::{
    Message,
    event::{Event, Severity},
    message,
};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Events offered a second.
const OFFERED: f64 = 50_000.0;
/// Hosts that they concern.
const HOSTS: usize = 1_000;
/// Critical events, and the pause before each.
const PROBES: usize = 300;
const PAUSE: Duration = Duration::from_millis(50);
/// Before the first critical one.
const RISEN: Duration = Duration::from_secs(3);
/// Between two looks whether more is due.
const TICK: Duration = Duration::from_millis(1);
/// How many times what it takes without a flood a critical one may take.
const GOAL_TIMES: f64 = 2.0;

/// Measures critical events without and with the flood.
pub(crate) async fn measure(host: &mut Host, filer: &Bus, flooder: &Bus, fleet: &Fleet) -> Report {
    let mut report = Report::default();
    let without = Times::of(host.probe(filer, "calm", PROBES, PAUSE).await);
    let counts = fleet.counts();
    let stop = CancellationToken::new();
    let flood = tokio::spawn(flood(
        flooder.clone(),
        fleet.hosts()[..HOSTS].to_vec(),
        stop.clone(),
    ));
    tokio::time::sleep(RISEN).await;
    let (begun, filed, dispatched) = (
        Instant::now(),
        last(filer).await,
        counts.borrow().accepted(Severity::Info),
    );
    let with = Times::of(host.probe(filer, "flood", PROBES, PAUSE).await);
    let took = begun.elapsed().as_secs_f64();
    let filed = last(filer).await - filed;
    let dispatched = counts.borrow().accepted(Severity::Info) - dispatched;
    stop.cancel();
    let offered = flood.await.expect("it does not panic");

    report.add(rate("events of no urgency offered", offered));
    report.add(rate("of those, filed", filed as f64 / took));
    report.add(rate(
        "of those, accepted by their hosts",
        dispatched as f64 / took,
    ));
    for percent in [50, 99] {
        let mut figure = with.figure("critical event meanwhile, sent to handler running", percent, None);
        figure.beside = Some(("without them".to_owned(), without.quantile(percent)));
        figure.goal = (percent == 99).then_some(Goal::AtMostTimes(GOAL_TIMES));
        report.add(figure);
    }
    report
}

fn rate(row: &str, a_second: f64) -> Figure {
    Figure {
        row: row.to_owned(),
        unit: "events/s",
        ours: a_second,
        values: vec![a_second],
        beside: None,
        goal: None,
    }
}

/// The number of the newest event of no urgency.
async fn last(bus: &Bus) -> u64 {
    let kept = bus.events_kept(Stream::EventsRoutine).await;
    kept.expect("a gateway sees its streams").last_sequence
}

/// Offers events until it is stopped, without waiting for what becomes of them; how many a second.
async fn flood(bus: Bus, hosts: Vec<snooze_schemas::HostId>, stop: CancellationToken) -> f64 {
    let version = message::VERSION.to_string();
    let headers = [
        (KIND, Event::KIND),
        (VERSION, version.as_str()),
        ("Nats-Expected-Last-Subject-Sequence", "0"),
    ];
    let begun = Instant::now();
    let mut sent: usize = 0;
    while !stop.is_cancelled() {
        while (sent as f64) < begun.elapsed().as_secs_f64() * OFFERED && !stop.is_cancelled() {
            let event = events::report(&format!("flood-{sent}"), &hosts[sent % hosts.len()]);
            let body = encode(&event, Format::MessagePack).expect("an event is written");
            let subject = Subject::from(&event).to_string();
            let published = bus.raw_publish(&subject, None, &headers, &body).await;
            published.expect("the server runs");
            sent += 1;
        }
        tokio::time::sleep(TICK).await;
    }
    sent as f64 / begun.elapsed().as_secs_f64()
}
