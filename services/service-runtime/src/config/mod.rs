//! The configuration: the original's file as it is, the environment over it, every mistake at once.
//!
//! Layers, each over the one before: defaults, the file, `SNOOZE_<KEY>` with `__` between levels.
//! Spellings are brought to one form first. What decides over hosts comes out as `policy`, a map of the
//! keys that were set; what concerns only this machine as [`LocalConfig`]. This module never guesses a
//! value and never changes a file.

mod document;
mod doubled;
mod event_handlers;
mod event_http;
mod event_publish;
mod event_sources;
mod keys;
mod kind;
mod layers;
mod local;
mod notice;
mod relations;
mod source;
mod spelling;

pub use event_handlers::{Dispatch, EventHandlersConfig, HandlerConfig, HandlingConfig};
pub use event_http::EventHttpConfig;
pub use event_publish::{AwsPublishConfig, EventPublishConfig};
pub use event_sources::{
    AwsMetadataSourceConfig, AwsQueueSourceConfig, AzureSourceConfig, EventSourcesConfig, GcpSourceConfig,
    SystemSourceConfig,
};
pub use keys::{Effect, KEYS, Key, Since, key};
pub use kind::Kind;
pub use local::{LocalConfig, LoggingConfig, PluginsConfig};
pub use notice::{ConfigError, Notice, Origin};
pub use source::{FixedSource, RealSource, Source};

use document::Document;
use serde_json::{Map, Value};
use std::{
    collections::BTreeMap,
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Where the original keeps its configuration.
pub const DEFAULT_PATH: &str = "/etc/snooze/snooze.json";

/// What the file and the environment say together.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedConfig {
    /// The file that was read; none where the default one does not exist.
    pub file: Option<PathBuf>,
    /// The policy keys that were set, by their canonical names, in the units of their names.
    pub policy: Map<String, Value>,
    /// What concerns only this machine, defaults filled in.
    pub local: LocalConfig,
    /// What the operator should know where the policy keys count: of the file first, then of the variables.
    pub notices: Vec<Notice>,
    /// Where each policy key was set, by its canonical name.
    written: BTreeMap<&'static str, (String, Origin)>,
}

impl LoadedConfig {
    /// What the operator should know of a service that runs on its own: its policy comes from the bucket
    /// `snooze_config`, and the policy keys of its file and its environment hold at most until it has
    /// heard from the bus.
    #[must_use]
    pub fn service_notices(&self) -> Vec<Notice> {
        let here = self.notices.iter().map(|notice| match notice {
            Notice::ObserveOnly { .. } => Notice::ObserveOnlyUnlessTheBusSays,
            other => other.clone(),
        });
        let mut elsewhere: Vec<(Origin, Vec<String>)> = Vec::new();
        for (key, origin) in self.written.values() {
            match elsewhere.iter_mut().find(|(known, _)| known == origin) {
                Some((_, keys)) => keys.push(key.clone()),
                None => elsewhere.push((origin.clone(), vec![key.clone()])),
            }
        }
        let elsewhere = elsewhere
            .into_iter()
            .map(|(origin, keys)| Notice::PolicyIsElsewhere { keys, origin });
        here.chain(elsewhere).collect()
    }

    /// Writes the notices of a service that runs on its own to stderr, each on its own line, whatever the
    /// log level: who asked for few logs still has to hear that nothing is going to be stopped.
    pub fn log_notices(&self) {
        if let Err(error) = self.write_notices(&mut std::io::stderr().lock()) {
            tracing::debug!(%error, "nobody reads the configuration's notices");
        }
    }

    fn write_notices(&self, out: &mut impl Write) -> io::Result<()> {
        for notice in self.service_notices() {
            writeln!(out, "configuration: {notice}")?;
        }
        out.flush()
    }
}

/// Reads the configuration.
///
/// A `path` that was asked for must exist; without one [`DEFAULT_PATH`] is read if it exists.
///
/// # Errors
/// Every mistake of the file and of the environment together.
pub fn load(source: &impl Source, path: Option<&Path>) -> Result<LoadedConfig, Vec<ConfigError>> {
    let (origin, text) = read(source, path)?;
    let file = text.map_or_else(Document::default, |text| document_of(&text, &origin));
    let variables = document::from_variables(&source.variables(), &file);

    let mut errors = [file.errors.as_slice(), variables.errors.as_slice()].concat();
    let merged = layers::merged(&file, &variables).map_err(|error| {
        vec![of_file(
            &origin,
            format!("lay the layers over each other: {error}"),
        )]
    })?;
    let (contradictions, beaten) =
        event_handlers::together(&merged, &origin_of_handlers(&file, &variables, &origin));
    if errors.is_empty() {
        errors = relations::broken(&merged, &file, &variables);
        errors.extend(contradictions);
    }
    if !errors.is_empty() {
        // Whoever mends the file mends it once: what would have no effect stands beside what stops the start.
        let notices = file.notices.iter().chain(&variables.notices);
        errors.extend(notices.filter_map(notice::mistake_beside_others));
        return Err(errors);
    }

    let policy: Map<String, Value> = merged
        .iter()
        .filter(|(path, _)| key(path).is_some_and(|key| key.effect == Effect::Policy))
        .map(|(path, value)| (path.clone(), value.clone()))
        .collect();
    let settings = file.settings.iter().chain(&variables.settings);
    let written = settings
        .filter(|(path, _)| policy.contains_key(**path))
        .map(|(path, setting)| (*path, (setting.written.clone(), setting.origin.clone())))
        .collect();
    let mut notices = [file.notices, variables.notices, beaten].concat();
    let path = match (&origin, file.is_there) {
        (Origin::File(path), true) => Some(path.clone()),
        _ => None,
    };
    if let (Some(file), false) = (&path, policy.contains_key("mode")) {
        notices.push(Notice::ObserveOnly { file: file.clone() });
    }
    Ok(LoadedConfig {
        file: path,
        local: LocalConfig::from_merged(&merged),
        policy,
        notices,
        written,
    })
}

/// Where what is said by type of event was written: of two places, the one that beats the other.
fn origin_of_handlers(file: &Document, variables: &Document, default: &Origin) -> Origin {
    let written = [variables, file]
        .into_iter()
        .find_map(|document| document.settings.get("event_handlers"));
    written.map_or(default, |setting| &setting.origin).clone()
}

/// The file's text; none where nobody asked for a file and the default one does not exist.
fn read(source: &impl Source, path: Option<&Path>) -> Result<(Origin, Option<String>), Vec<ConfigError>> {
    let asked = path.unwrap_or(Path::new(DEFAULT_PATH));
    let origin = Origin::File(asked.to_owned());
    match source.read(asked) {
        Ok(None) if path.is_some() => Err(vec![of_file(&origin, "there is no such file".to_owned())]),
        Ok(text) => Ok((origin, text)),
        Err(error) => Err(vec![of_file(&origin, format!("it cannot be read: {error}"))]),
    }
}

fn document_of(text: &str, origin: &Origin) -> Document {
    let mut document = match serde_json::from_str(text) {
        Ok(Value::Object(top)) => document::from_file(&top, origin),
        // An interrupted editor or a full disk leaves such a file; what a parser says of it names no cause.
        _ if text.trim().is_empty() => Document::with_error(of_file(
            origin,
            "it is empty; a file that sets nothing holds {}".to_owned(),
        )),
        Ok(_) => Document::with_error(of_file(origin, "expected an object".to_owned())),
        Err(error) => Document::with_error(of_file(origin, format!("it is not JSON: {error}"))),
    };
    document.is_there = true;
    document
        .notices
        .extend(doubled::doubled(text).into_iter().map(|key| Notice::Doubled {
            key,
            origin: origin.clone(),
        }));
    document
}

fn of_file(origin: &Origin, problem: String) -> ConfigError {
    ConfigError {
        key: String::new(),
        origin: origin.clone(),
        problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_are_told_beside_the_mistakes() {
        let file = r#"{"naptime_minute": 5, "cpu_threshold_percent": "ten"}"#;
        let source = FixedSource::default().file(DEFAULT_PATH, file);
        let errors = load(&source, None).expect_err("ten is no number");
        let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].contains("cpu_threshold_percent: "), "{told:?}");
        assert_eq!(
            told[1],
            "/etc/snooze/snooze.json: unknown key naptime_minute, has no effect; did you mean naptime_minutes?"
        );
    }

    #[test]
    fn every_key_of_the_aws_metadata_source_is_taken() {
        let file = r#"{"event_sources": {"aws_metadata": {"enabled": true, "endpoint": "http://127.0.0.1:1338",
            "poll_interval_seconds": 0.5}}}"#;
        let source = FixedSource::default().file(DEFAULT_PATH, file);
        let loaded = load(&source, None).expect("nothing is wrong with it");
        let taken = AwsMetadataSourceConfig {
            enabled: true,
            endpoint: "http://127.0.0.1:1338".to_owned(),
            poll_interval: std::time::Duration::from_millis(500),
        };
        assert_eq!(loaded.local.event_sources.aws_metadata, taken);
        let without = load(&FixedSource::default(), None).expect("nothing is wrong with it");
        let defaults = &without.local.event_sources.aws_metadata;
        assert_eq!(*defaults, AwsMetadataSourceConfig::default());
    }

    #[test]
    fn without_a_file_what_is_local_has_its_defaults() {
        let loaded = load(&FixedSource::default(), None).expect("nothing is wrong with it");
        assert_eq!(loaded.local, LocalConfig::default());
    }

    #[test]
    fn every_key_of_the_system_source_is_taken() {
        let file = r#"{"event_sources": {"system": {"enabled": true, "disk_free_percent": 1, "inodes_free_percent": 2,
            "cpu_percent": 3, "cpu_pressure_percent": 4, "memory_available_percent": 5, "memory_pressure_percent": 6,
            "memory_stall_percent": 7, "hysteresis_percent": 8, "interval_seconds": 9, "for_seconds": 10,
            "cpu_for_seconds": 11}}}"#;
        let source = FixedSource::default().file(DEFAULT_PATH, file);
        let loaded = load(&source, None).expect("nothing is wrong with it");
        let taken = SystemSourceConfig {
            enabled: true,
            disk_free_percent: 1.0,
            inodes_free_percent: 2.0,
            cpu_percent: 3.0,
            cpu_pressure_percent: 4.0,
            memory_available_percent: 5.0,
            memory_pressure_percent: 6.0,
            memory_stall_percent: 7.0,
            hysteresis_percent: 8.0,
            interval: std::time::Duration::from_secs(9),
            hold: std::time::Duration::from_secs(10),
            cpu_hold: std::time::Duration::from_secs(11),
        };
        assert_eq!(loaded.local.event_sources.system, taken);
    }

    #[test]
    fn s1_notices_are_written_whatever_the_log_level() {
        let file = r#"{"logging": {"log_level": "error"}, "naptime_minute": 60}"#;
        let source = FixedSource::default().file(DEFAULT_PATH, file);
        let loaded = load(&source, None).expect("nothing is wrong with it");
        let mut out = Vec::new();
        loaded.write_notices(&mut out).expect("there is room");
        let text = String::from_utf8(out).expect("text");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[0].starts_with("configuration: /etc/snooze/snooze.json: unknown key naptime_minute"));
        assert!(lines[1].contains("never stopped"), "{text}");
    }
}
