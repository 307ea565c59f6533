//! `snooze plugin check`, `logs` and `stats`: asked of the host's runner, and nothing is changed by it.

use super::{
    host::{ask_of, one_host},
    json_file,
};
use crate::{
    arguments::{PluginCheck, PluginLogs, PluginStats},
    print,
    session::Session,
    view::text,
};
use serde::de::DeserializeOwned;
use snooze_bus::{RunnerVerb, Subject};
use snooze_schemas::{
    HostId, Message,
    metrics::Metrics,
    plugin::inspection::{
        CheckPlugins, Latency, PluginChecks, PluginLog, PluginReport, ReadLog, ReadStats, StatsReport, Usage,
    },
};
use snooze_service_runtime::Failure;
use std::time::Duration;

/// Shows what plugins say of readings.
pub(super) async fn check(session: &Session, arguments: PluginCheck) -> Result<(), Failure> {
    let what = "readings, as {\"cpu_usage\": 1.5, …}";
    let metrics = json_file::read_if_named::<Metrics>(arguments.metrics.as_deref(), what).await?;
    let question = CheckPlugins {
        plugin: arguments.plugin,
        metrics,
    };
    let found: PluginChecks = ask(session, arguments.at.host, RunnerVerb::Check, &question).await?;
    if arguments.at.output.json {
        return print::json(&found);
    }
    let rows = found.results.iter().map(|check| {
        [
            check.plugin.to_string(),
            text::state(check.state).to_owned(),
            micros(check.took_us),
            text::printable(&check.reason),
        ]
    });
    print::lines(print::table(
        ["NAME", "VOTE", "TOOK", "REASON"],
        &rows.collect::<Vec<_>>(),
    ))
}

/// Shows what a plugin has complained about.
pub(super) async fn logs(session: &Session, arguments: PluginLogs) -> Result<(), Failure> {
    let question = ReadLog {
        plugin: arguments.plugin,
        lines: arguments.lines.into(),
    };
    let found: PluginLog = ask(session, arguments.at.host, RunnerVerb::Logs, &question).await?;
    if arguments.at.output.json {
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
    let found: StatsReport = ask(session, arguments.at.host, RunnerVerb::Stats, &question).await?;
    if arguments.at.output.json {
        return print::json(&found);
    }
    let rows: Vec<[String; 10]> = found.plugins.iter().map(row).collect();
    print::lines(print::table(
        [
            "NAME",
            "CALLS",
            "ERRORS",
            "TIME-OUTS",
            "RESTARTS",
            "P50",
            "P99",
            "MEMORY",
            "CPU",
            "LAST ERROR",
        ],
        &rows,
    ))
}

fn row(plugin: &PluginReport) -> [String; 10] {
    const NOTHING: &str = "-";
    let stats = &plugin.stats;
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
        stats.calls.to_string(),
        stats.errors.to_string(),
        stats.time_outs.to_string(),
        stats.restarts.to_string(),
        latency(|latency| latency.p50_us),
        latency(|latency| latency.p99_us),
        usage(|usage| format!("{:.1} MB", megabytes(usage.memory_bytes))),
        usage(|usage| micros(usage.cpu_ms.saturating_mul(1_000))),
        last_error,
    ]
}

/// Microseconds, as people read them.
fn micros(micros: u64) -> String {
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

async fn ask<M: Message, R: DeserializeOwned>(
    session: &Session,
    host: Option<HostId>,
    verb: RunnerVerb,
    question: &M,
) -> Result<R, Failure> {
    let host = one_host(session, host).await?;
    let subject = Subject::Runner {
        host: host.clone(),
        verb,
    };
    ask_of(session, &host, &subject, question).await
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
    fn a_plugin_that_was_never_asked_shows_no_numbers() {
        let plugin = PluginReport {
            plugin: "redis-monitor".parse().expect("a name"),
            stats: snooze_schemas::host::PluginStats::default(),
            latency: None,
            usage: None,
        };
        let row = row(&plugin);
        assert_eq!(row[5..], ["-"; 5].map(str::to_owned));
    }
}
