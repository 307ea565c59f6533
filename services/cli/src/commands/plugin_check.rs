//! `snooze plugin check`: what plugins would say of readings. Asked of the hosts' runners; no vote comes of it.

use super::{
    host::ask_of,
    json_file,
    plugin_inspection::micros,
    plugin_reach::{Answers, Reach, ask_many},
};
use crate::{arguments::PluginCheck, print, session::Session, view::text};
use serde_json::{Map, Value};
use snooze_bus::{RunnerVerb, Subject};
use snooze_schemas::{
    metrics::Metrics,
    plugin::inspection::{self, CheckPlugins, PluginChecks},
};
use snooze_service_runtime::{Exit, Failure};
use std::path::Path;

const COLUMNS: [&str; 4] = ["NAME", "VOTE", "TOOK", "REASON"];

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
    let verb = RunnerVerb::Check;
    let hosts = match Reach::of(session, arguments.level).await? {
        Reach::One(host) => {
            let subject = Subject::Runner {
                host: host.clone(),
                verb,
            };
            let found: PluginChecks = ask_of(session, &host, &subject, &question).await?;
            if arguments.output.json {
                return print::json(&found);
            }
            let rows: Vec<_> = found.results.iter().map(row).collect();
            return print::lines(print::table(COLUMNS, &rows));
        }
        Reach::Many(hosts) => hosts,
    };
    let answers = ask_many(session, hosts, verb, &question, question.plugin.as_ref()).await;
    match arguments.output.json {
        true => print::json(&answers.as_json())?,
        false => print::lines(table(&answers))?,
    }
    answers.outcome(verb, "")
}

fn row(check: &inspection::PluginCheck) -> [String; 4] {
    [
        check.plugin.to_string(),
        text::state(check.state).to_owned(),
        micros(check.took_us),
        text::printable(&check.reason),
    ]
}

/// A line for each host and plugin, and one for a host that has nothing to say.
fn table(answers: &Answers<PluginChecks>) -> Vec<String> {
    let nothing = |why: &str| {
        let nothing = || "-".to_owned();
        vec![[nothing(), nothing(), nothing(), text::printable(why)]]
    };
    let rows = answers.hosts.iter().flat_map(|(host, said)| {
        let rows = match said.answer() {
            Ok(found) if found.results.is_empty() => nothing("it has no plugins"),
            Ok(found) => found.results.iter().map(row).collect(),
            Err(why) => nothing(why),
        };
        rows.into_iter().map(move |row| (host, row))
    });
    if answers.hosts.len() == 1 {
        let rows: Vec<_> = rows.map(|(_, row)| row).collect();
        return print::table(COLUMNS, &rows);
    }
    let [name, vote, took, reason] = COLUMNS;
    let rows: Vec<_> = rows
        .map(|(host, [name, vote, took, reason])| [host.to_string(), name, vote, took, reason])
        .collect();
    print::table(["HOST", name, vote, took, reason], &rows)
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
