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
use serde_json::{Map, Value};
use snooze_bus::{RunnerVerb, Subject};
use snooze_schemas::{
    HostId, Message,
    metrics::Metrics,
    plugin::inspection::{
        CheckPlugins, Latency, PluginChecks, PluginLog, PluginReport, ReadLog, ReadStats, StatsReport, Usage,
    },
};
use snooze_service_runtime::{Exit, Failure};
use std::{path::Path, time::Duration};

/// Shows what plugins say of readings.
pub(super) async fn check(session: &Session, arguments: PluginCheck) -> Result<(), Failure> {
    let metrics = match &arguments.metrics {
        Some(file) => Some(readings(file).await?),
        None => None,
    };
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

/// Readings of a file. One of another name would be asked about as if nobody knew it.
async fn readings(file: &Path) -> Result<Metrics, Failure> {
    const WHAT: &str = "readings, as {\"cpu_usage\": 1.5, …}";
    let said: Map<String, Value> = json_file::read(file, WHAT).await?;
    named(said).map_err(|why| {
        let text = format!(
            "{}: not {WHAT}: {why}",
            text::printable(&file.display().to_string())
        );
        Failure::new(Exit::Usage, text)
    })
}

fn named(said: Map<String, Value>) -> Result<Metrics, String> {
    let known = serde_json::to_value(Metrics::default()).map_err(|error| error.to_string())?;
    if let Some(other) = said.keys().find(|name| known.get(name).is_none()) {
        let known = known
            .as_object()
            .into_iter()
            .flat_map(Map::keys)
            .map(String::as_str);
        let known: Vec<&str> = known.collect();
        return Err(format!("there is no {other:?}, but {}", known.join(", ")));
    }
    serde_json::from_value(Value::Object(said)).map_err(|error| error.to_string())
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
    fn readings_are_asked_about_by_their_names_and_no_others() {
        let read = |text: &str| named(serde_json::from_str(text).expect("a map"));
        assert_eq!(
            read(r#"{"cpu_usage": 1.5, "gpu_usage": null}"#)
                .expect("both are known")
                .cpu_usage,
            Some(1.5)
        );
        let why = read(r#"{"cpu_usage": 1.5, "cpu_percent": 2}"#).expect_err("there is no such reading");
        assert!(
            why.contains("\"cpu_percent\"") && why.contains("cpu_usage"),
            "{why}"
        );
        read(r#"{"cpu_usage": "1.5"}"#).expect_err("a text is no reading");
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
