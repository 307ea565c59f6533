//! `snooze plugin check`: what plugins would say of readings. Asked of the hosts' runners; no vote comes of it.

use super::{
    json_file,
    plugin_inspection::micros,
    plugin_reach::{Answers, Reach, ask_many, ask_one, by_host},
};
use crate::{arguments::PluginCheck, print, session::Session, view::text};
use serde_json::{Map, Value};
use snooze_bus::RunnerVerb;
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
            let found: PluginChecks = ask_one(session, host, verb, &question).await?;
            if arguments.output.json {
                return print::json(&found);
            }
            return print::lines(print::table(COLUMNS, &rows(&found)));
        }
        Reach::Many(hosts) => hosts,
    };
    let answers: Answers<PluginChecks> =
        ask_many(session, hosts, verb, &question, question.plugin.as_ref()).await;
    match arguments.output.json {
        true => print::json(&answers.as_json())?,
        false => print::lines(by_host(&answers, COLUMNS, rows))?,
    }
    answers.outcome(verb.as_str(), "")
}

fn rows(found: &PluginChecks) -> Vec<[String; 4]> {
    found.results.iter().map(row).collect()
}

fn row(check: &inspection::PluginCheck) -> [String; 4] {
    [
        check.plugin.to_string(),
        text::state(check.state).to_owned(),
        micros(check.took_us),
        text::printable(&check.reason),
    ]
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
    // What is there instead may be as long as the file.
    if let Some((name, _)) = said
        .iter()
        .find(|(_, value)| !value.is_number() && !value.is_null())
    {
        return Err(format!("{name}: expected a number or null"));
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
        let why = read(r#"{"cpu_usage": "1.5"}"#).expect_err("a text is no reading");
        assert_eq!(why, "cpu_usage: expected a number or null");
    }
}
