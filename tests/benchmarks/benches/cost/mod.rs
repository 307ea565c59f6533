//! What the benchmarks of what services take share: looks at processes, and figures of what was seen.
//!
//! It starts nothing, knows no goal and writes no report.

use crate::stage::{CHECK_INTERVAL_SECONDS, Service};
use snooze_benchmarks::{Cost, Figure, Goal};
use std::time::{Duration, Instant};

/// Two check intervals and more: the first samples, the first votes and the policy are behind it.
const SETTLED: Duration = Duration::from_secs(30);
/// The spread is told in slices of a whole number of check intervals.
const SLICE: Duration = Duration::from_secs(60);

/// What one process took: a look at every end of a slice.
pub(crate) struct Looks {
    pub(crate) name: &'static str,
    id: u32,
    pub(crate) costs: Vec<Cost>,
}

impl Looks {
    /// None yet.
    pub(crate) fn at(name: &'static str, id: u32) -> Looks {
        Looks {
            name,
            id,
            costs: Vec::new(),
        }
    }
}

/// The number after `--seconds`. Cargo passes arguments of its own.
pub(crate) fn seconds() -> Option<Duration> {
    let given = std::env::args()
        .skip_while(|argument| argument != "--seconds")
        .nth(1)?;
    Some(Duration::from_secs(
        given.parse().expect("--seconds takes a whole number"),
    ))
}

/// Looks at all of them at the beginning and at the end of every slice, and returns when that was.
pub(crate) async fn look_on(looks: &mut [Looks], measured: Duration) -> Vec<Duration> {
    let begun = Instant::now();
    let slices = u32::try_from(measured.as_secs() / SLICE.as_secs())
        .expect("an hour at most")
        .max(1);
    let mut moments = Vec::new();
    for slice in 0..=slices {
        tokio::time::sleep_until((begun + measured / slices * slice).into()).await;
        moments.push(begun.elapsed());
        for look in looks.iter_mut() {
            let cost = Cost::of(look.id).unwrap_or_else(|cause| panic!("{}: {cause}", look.name));
            look.costs.push(cost);
        }
    }
    moments
}

/// Waits until all have said that they run, and for their first rounds.
pub(crate) async fn settle(services: &[Service]) {
    for service in services {
        service.runs().await;
    }
    tokio::time::sleep(SETTLED).await;
}

/// Megabytes of some processes together: the last look, and the spread over all.
pub(crate) fn memory(row: &str, looks: &[&Looks], goal: Option<f64>, kib: impl Fn(&Cost) -> u64) -> Figure {
    let count = looks.iter().map(|look| look.costs.len()).min().unwrap_or(0);
    let megabytes = |kib: u64| kib as f64 * 1024.0 / 1e6;
    let values: Vec<f64> = (0..count)
        .map(|at| looks.iter().map(|look| megabytes(kib(&look.costs[at]))).sum())
        .collect();
    Figure {
        row: row.to_owned(),
        unit: "MB",
        ours: values
            .last()
            .copied()
            .expect("there is a look at every end of a slice"),
        values,
        beside: None,
        goal: goal.map(Goal::AtMost),
    }
}

/// Percent of one core that some processes took together: over all, and the spread over the slices.
pub(crate) fn processor(name: &str, looks: &[&Looks], moments: &[Duration], goal: Option<f64>) -> Figure {
    let percent = |from: usize, to: usize| -> f64 {
        let spent: u64 = looks
            .iter()
            .map(|look| look.costs[to].processor_ns_since(&look.costs[from]))
            .sum();
        Duration::from_nanos(spent).as_secs_f64() / (moments[to] - moments[from]).as_secs_f64() * 100.0
    };
    let last = moments.len() - 1;
    Figure {
        row: format!("{name}: processor time, at a {CHECK_INTERVAL_SECONDS} s interval"),
        unit: "% of a core",
        ours: percent(0, last),
        values: (0..last).map(|slice| percent(slice, slice + 1)).collect(),
        beside: None,
        goal: goal.map(Goal::AtMost),
    }
}
