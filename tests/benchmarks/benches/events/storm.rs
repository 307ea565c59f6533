//! A storm: one critical event a host, all filed at once; how long until the last host has accepted its own.

use crate::{
    events,
    fleet::{Counts, Fleet},
};
use snooze_benchmarks::{Figure, Goal, Report};
use snooze_bus::{Bus, Stream};
use snooze_schemas::event::Severity;
use snooze_test_harness::NatsServer;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// Hosts in a small storm, in a big one, and what each may take.
const SMALL: (usize, f64) = (1_000, 2.0);
const BIG: (usize, f64) = (10_000, 15.0);
/// Storms of each kind.
const RUNS: usize = 3;
/// Events of no urgency that wait, and the pause before each storm meanwhile: the disk has what was filed before.
const BACKLOG: usize = 20_000;
const WAITED: Duration = Duration::from_secs(1);
/// How much later the last critical event may be dispatched with them.
const GOAL_TIMES: f64 = 1.2;
/// So many events are sent to the streams at once.
const FILING: usize = 512;
/// The longest that one storm may take, and until all its outcomes are reported.
const LIMIT: Duration = Duration::from_secs(120);
/// After a storm, for what the centre still has to clear.
const QUIET: Duration = Duration::from_secs(3);

/// Seconds of one storm.
struct Storm {
    /// Until the last event was in its stream.
    filed: f64,
    /// Until the last host had accepted its own.
    accepted: f64,
    /// Events of no urgency that waited when it was over.
    waiting: u64,
}

/// Measures storms of both sizes, and small ones with a backlog.
pub(crate) async fn measure(server: &NatsServer, filer: &Bus, fleet: &mut Fleet) -> Report {
    let mut report = Report::default();
    let (hosts, goal) = SMALL;
    fleet.grow(server, hosts).await;
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for run in 0..RUNS {
        without.push(storm(filer, fleet, &format!("s{run}")).await);
        quiet(fleet).await;
    }
    backlog(filer, fleet).await;
    for run in 0..RUNS {
        tokio::time::sleep(WAITED).await;
        with.push(storm(filer, fleet, &format!("w{run}")).await);
    }
    quiet(fleet).await;
    add(&mut report, hosts, &without, goal);
    let mut figure = seconds(
        &format!("the same with {BACKLOG} events of no urgency"),
        &with,
        |storm| storm.accepted,
    );
    figure.beside = Some(("without".to_owned(), median(&without, |storm| storm.accepted)));
    figure.goal = Some(Goal::AtMostTimes(GOAL_TIMES));
    report.add(figure);
    let mut figure = seconds("of those, waiting when the storm was over", &with, |storm| {
        storm.waiting as f64
    });
    figure.unit = "events";
    report.add(figure);

    let (hosts, goal) = BIG;
    fleet.grow(server, hosts).await;
    let mut storms = Vec::new();
    for run in 0..RUNS {
        storms.push(storm(filer, fleet, &format!("t{run}")).await);
        quiet(fleet).await;
    }
    add(&mut report, hosts, &storms, goal);
    report
}

fn add(report: &mut Report, hosts: usize, storms: &[Storm], goal: f64) {
    let row = format!("storm of {hosts} hosts, until the last accepted its event");
    let mut figure = seconds(&row, storms, |storm| storm.accepted);
    figure.goal = Some(Goal::AtMost(goal));
    report.add(figure);
    report.add(seconds(
        "of which until the last event was in its stream",
        storms,
        |storm| storm.filed,
    ));
}

async fn storm(filer: &Bus, fleet: &Fleet, name: &str) -> Storm {
    let mut counts = fleet.counts();
    let due = counts.borrow().accepted(Severity::Critical) + fleet.hosts().len();
    let hosts = fleet.hosts().iter().enumerate();
    let storm: Vec<_> = hosts
        .map(|(number, host)| events::interruption(&format!("{name}-{number}"), host))
        .collect();
    let begun = Instant::now();
    let filing = async {
        events::file_all(filer, storm.into_iter(), FILING).await;
        begun.elapsed()
    };
    let accepting = async {
        let all = counts.wait_for(|counts| counts.accepted(Severity::Critical) >= due);
        let last = all.await.expect("the fleet is there").last(Severity::Critical);
        last.expect("there was one").duration_since(begun)
    };
    let both = timeout(LIMIT, async { tokio::join!(filing, accepting) }).await;
    let (filed, accepted) = both.expect("every host accepts its event");
    Storm {
        filed: filed.as_secs_f64(),
        accepted: accepted.as_secs_f64(),
        waiting: waiting(filer).await,
    }
}

async fn backlog(filer: &Bus, fleet: &Fleet) {
    let hosts = fleet.hosts();
    let reports = (0..BACKLOG).map(|n| events::report(&format!("b-{n}"), &hosts[n % hosts.len()]));
    events::file_all(filer, reports, FILING).await;
}

/// Events of no urgency that were not taken yet.
async fn waiting(bus: &Bus) -> u64 {
    let kept = bus.events_kept(Stream::EventsRoutine).await;
    let lanes = kept.expect("a gateway sees how far the lanes have come").lanes;
    lanes.iter().map(|lane| lane.waiting + lane.in_hand).sum()
}

async fn quiet(fleet: &Fleet) {
    let mut counts = fleet.counts();
    let quiet = async {
        loop {
            let reported = counts.wait_for(Counts::is_quiet);
            drop(reported.await.expect("the fleet is there"));
            let before = counts.borrow().clone();
            tokio::time::sleep(QUIET).await;
            if Severity::DESCENDING
                .iter()
                .all(|severity| counts.borrow().accepted(*severity) == before.accepted(*severity))
            {
                return;
            }
        }
    };
    timeout(LIMIT, quiet).await.expect("all outcomes are reported");
}

fn seconds(row: &str, storms: &[Storm], of: impl Fn(&Storm) -> f64) -> Figure {
    Figure {
        row: row.to_owned(),
        unit: "s",
        ours: median(storms, &of),
        values: storms.iter().map(of).collect(),
        beside: None,
        goal: None,
    }
}

fn median(storms: &[Storm], of: impl Fn(&Storm) -> f64) -> f64 {
    let mut values: Vec<f64> = storms.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
