//! `snooze plugin logs` and `stats`: asked of the hosts' runners, and nothing is changed by it.

use super::{
    host::one_host,
    plugin_counts,
    plugin_reach::{Reach, ask_many, ask_one, by_host},
};
use crate::{
    arguments::{PluginLogs, PluginStats},
    print,
    session::Session,
    view::text,
};
use snooze_bus::RunnerVerb;
use snooze_schemas::plugin::inspection::{
    EventLatency, Latency, Limit, PluginLog, PluginReport, ReadLog, ReadStats, StatsReport, Usage,
};
use snooze_service_runtime::Failure;
use std::time::Duration;

const COLUMNS: [&str; 11] = {
    let [calls, errors, time_outs] = plugin_counts::TITLES;
    [
        "NAME",
        calls,
        errors,
        time_outs,
        "RESTARTS",
        "P50",
        "P99",
        "MEMORY",
        "CPU",
        "NEAR LIMIT",
        "LAST ERROR",
    ]
};

/// Shows what a plugin has complained about, on one host: lines of several would say nothing beside each other.
pub(super) async fn logs(session: &Session, arguments: PluginLogs) -> Result<(), Failure> {
    let host = one_host(session, arguments.host).await?;
    let question = ReadLog {
        plugin: arguments.plugin,
        lines: arguments.lines.into(),
    };
    let found: PluginLog = ask_one(session, host, RunnerVerb::Logs, &question).await?;
    if arguments.output.json {
        return print::json(&found);
    }
    let lines = found.lines.iter();
    print::lines(lines.map(|line| format!("{:.0}  {}", line.at, text::printable(&line.text))))
}

/// Shows how plugins do.
pub(super) async fn stats(session: &Session, arguments: PluginStats) -> Result<(), Failure> {
    let question = ReadStats {
        plugin: arguments.plugin,
    };
    let verb = RunnerVerb::Stats;
    let hosts = match Reach::of(session, arguments.level).await? {
        Reach::One(host) => {
            let found: StatsReport = ask_one(session, host, verb, &question).await?;
            return match arguments.output.json {
                true => print::json(&found),
                false => {
                    print::lines(print::table(COLUMNS, &rows(&found)))?;
                    print::lines(found.events.iter().map(first_handler))
                }
            };
        }
        Reach::Many(hosts) => hosts,
    };
    let answers = ask_many(session, hosts, verb, &question, question.plugin.as_ref()).await;
    match arguments.output.json {
        true => print::json(&answers.as_json())?,
        false => print::lines(by_host(&answers, COLUMNS, rows))?,
    }
    answers.outcome("stats", "")
}

fn rows(found: &StatsReport) -> Vec<[String; 11]> {
    found.plugins.iter().map(row).collect()
}

/// How soon events of one severity came to their first handler.
fn first_handler(events: &EventLatency) -> String {
    let EventLatency {
        severity,
        events,
        latency,
    } = events;
    format!(
        "events of severity {}: {events} came to their first handler, half of them in {}, 99 % in {}, all in {}",
        u8::from(*severity),
        micros(latency.p50_us),
        micros(latency.p99_us),
        micros(latency.max_us)
    )
}

fn row(plugin: &PluginReport) -> [String; 11] {
    const NOTHING: &str = "-";
    let stats = &plugin.stats;
    let [calls, errors, time_outs] = plugin_counts::of(stats);
    let latency = |of: fn(&Latency) -> u64| {
        let latency = plugin.latency.as_ref();
        latency.map_or(NOTHING.to_owned(), |latency| micros(of(latency)))
    };
    let usage = |of: fn(&Usage) -> String| plugin.usage.as_ref().map_or(NOTHING.to_owned(), of);
    let last_error = match (&stats.last_error, stats.last_error_age_ms) {
        (Some(error), Some(age)) => format!("{}, {} ago", text::printable(error), text::millis(age)),
        (Some(error), None) => text::printable(error),
        (None, _) => NOTHING.to_owned(),
    };
    [
        plugin.plugin.to_string(),
        calls,
        errors,
        time_outs,
        stats.restarts.to_string(),
        latency(|latency| latency.p50_us),
        latency(|latency| latency.p99_us),
        usage(|usage| format!("{:.1} MB", megabytes(usage.memory_bytes))),
        usage(|usage| micros(usage.cpu_ms.saturating_mul(1_000))),
        usage(|usage| match usage.over.is_empty() {
            true => NOTHING.to_owned(),
            false => usage.over.iter().map(limit).collect::<Vec<_>>().join(", "),
        }),
        last_error,
    ]
}

/// A limit of which more than 80 % are used for some time, by the name of its column where it has one.
fn limit(limit: &Limit) -> &'static str {
    match limit {
        Limit::MemoryMb => "memory",
        Limit::CpuPercent => "cpu",
        Limit::Processes => "processes",
        Limit::DiskMb => "disk",
    }
}

/// Microseconds, as people read them.
pub(super) fn micros(micros: u64) -> String {
    match micros {
        0..=999 => format!("{micros} µs"),
        1_000..=999_999 => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
        _ => text::duration(Duration::from_micros(micros)),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "one digit is shown, and f64 is exact up to nine petabytes"
)]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1_000_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_in_the_unit_that_fits() {
        assert_eq!(micros(940), "940 µs");
        assert_eq!(micros(9_450), "9.4 ms");
        assert_eq!(micros(5_000_000), "5 s");
    }

    #[test]
    fn how_soon_events_came_is_said_by_severity() {
        let events = EventLatency {
            severity: snooze_schemas::event::Severity::Critical,
            events: 12,
            latency: Latency {
                p50_us: 940,
                p99_us: 9_450,
                max_us: 5_000_000,
            },
        };
        assert_eq!(
            first_handler(&events),
            "events of severity 3: 12 came to their first handler, half of them in 940 µs, 99 % in 9.4 ms, all in 5 s"
        );
    }

    #[test]
    fn a_plugin_that_was_never_asked_shows_no_numbers() {
        let plugin = PluginReport {
            plugin: "redis-monitor".parse().expect("a name"),
            stats: snooze_schemas::host::PluginStats::default(),
            latency: None,
            usage: None,
        };
        let row = row(&plugin);
        assert_eq!(row[5..], ["-"; 6].map(str::to_owned));
    }

    #[test]
    fn who_stays_near_a_limit_is_marked_with_each_of_them() {
        let near = |over: &[Limit]| {
            let plugin = PluginReport {
                plugin: "redis-monitor".parse().expect("a name"),
                stats: snooze_schemas::host::PluginStats::default(),
                latency: None,
                usage: Some(Usage {
                    over: over.iter().copied().collect(),
                    ..Usage::default()
                }),
            };
            row(&plugin)[9].clone()
        };
        assert_eq!(near(&[]), "-");
        assert_eq!(near(&[Limit::CpuPercent]), "cpu");
        let all = [
            Limit::DiskMb,
            Limit::Processes,
            Limit::MemoryMb,
            Limit::CpuPercent,
        ];
        assert_eq!(near(&all), "memory, cpu, processes, disk");
    }
}
