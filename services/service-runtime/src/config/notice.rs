//! What is told about a configuration: mistakes, which stop the start, and notices, which do not.

use crate::exit::{Exit, Failure};
use std::{fmt, path::PathBuf};

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A configuration file.
    File(PathBuf),
    /// A variable of the environment, by its name.
    Variable(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File(path) => write!(out, "{}", path.display()),
            Origin::Variable(name) => write!(out, "environment variable {name}"),
        }
    }
}

/// A mistake: with it nothing starts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{origin}: {}{problem}", if key.is_empty() { String::new() } else { format!("{key}: ") })]
pub struct ConfigError {
    /// The key as it was written, levels joined by dots; empty for the file as a whole.
    pub key: String,
    /// Where it was written.
    pub origin: Origin,
    /// What was expected, and what is there.
    pub problem: String,
}

/// Something that the operator should know and that stops nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// No such key; it has no effect.
    UnknownKey {
        /// As written.
        key: String,
        /// Where.
        origin: Origin,
        /// What was probably meant.
        likely: Option<&'static str>,
    },
    /// A known key that has no effect here.
    NoEffect {
        /// As written.
        key: String,
        /// Where.
        origin: Origin,
        /// What holds instead.
        instead: &'static str,
    },
    /// A text that is empty, as the original's file may hold it, and counts as not set.
    Empty {
        /// As written.
        key: String,
        /// Where.
        origin: Origin,
        /// What holds instead, as JSON.
        default: &'static str,
    },
    /// Policy keys that this service does not go by: its policy comes from the bus.
    PolicyIsElsewhere {
        /// As written.
        keys: Vec<String>,
        /// Where.
        origin: Origin,
    },
    /// A spelling that the original's daemon did not read: now it counts.
    Respelt {
        /// As written.
        key: String,
        /// Where.
        origin: Origin,
        /// The canonical name.
        read_as: &'static str,
        /// Its value, as JSON; `***` where it may hold a password.
        value: String,
        /// What the original really used, as JSON: its default. None where it had no such key.
        before: Option<&'static str>,
    },
    /// One value was overruled by another spelling of the same thing.
    Overruled {
        /// The key without effect.
        key: String,
        /// Where.
        origin: Origin,
        /// What beats it.
        by: String,
    },
    /// A key that stands more than once in its object. The last one counts, as it did in the original.
    Doubled {
        /// As written.
        key: String,
        /// Where.
        origin: Origin,
    },
    /// The file says nothing of a mode: everything is observed, nothing is stopped (S1).
    ObserveOnly {
        /// Where to write it.
        file: PathBuf,
    },
    /// The same for a service whose policy comes from the bus.
    ObserveOnlyUnlessTheBusSays,
}

impl fmt::Display for Notice {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::UnknownKey { key, origin, likely } => write!(out, "{origin}: {}", unknown(key, *likely)),
            Notice::NoEffect { key, origin, instead } => {
                write!(out, "{origin}: {key} has no effect: {instead}")
            }
            Notice::Empty {
                key,
                origin,
                default,
            } => write!(out, "{origin}: {key} is empty and counts as not set: {default} holds"),
            Notice::PolicyIsElsewhere { keys, origin } => write!(
                out,
                "{origin}: without effect on a service of its own, whose policy is what stands below \"policy\" in \
                 the keys fleet, group.<group> and host.<host> of the bucket snooze_config: {}",
                keys.join(", ")
            ),
            Notice::Respelt {
                key,
                origin,
                read_as,
                value,
                before: Some(before),
            } => write!(
                out,
                "{origin}: {key} is read as {read_as}, {value}; CloudSnooze 0.1 ignored this spelling and used {before}"
            ),
            Notice::Respelt {
                key,
                origin,
                read_as,
                value,
                before: None,
            } => {
                write!(out, "{origin}: {key} is read as {read_as}, {value}")
            }
            Notice::Overruled { key, origin, by } => {
                write!(out, "{origin}: {key} has no effect, {by} beats it")
            }
            Notice::Doubled { key, origin } => write!(out, "{origin}: {}", doubled(key)),
            Notice::ObserveOnly { file } => write!(
                out,
                "{}: no \"mode\", so hosts are observed and never stopped; add \"mode\": \"act\" to switch stopping on",
                file.display()
            ),
            Notice::ObserveOnlyUnlessTheBusSays => out.write_str(
                "hosts are observed and never stopped until {\"policy\": {\"mode\": \"act\"}} stands in the key \
                 fleet, group.<group> or host.<host> of the bucket snooze_config",
            ),
        }
    }
}

/// A key that does not exist or stands there twice, told beside the mistakes that stop the start; other notices wait
/// for a start.
pub(super) fn mistake_beside_others(notice: &Notice) -> Option<ConfigError> {
    let (origin, problem) = match notice {
        Notice::UnknownKey { key, origin, likely } => (origin, unknown(key, *likely)),
        Notice::Doubled { key, origin } => (origin, doubled(key)),
        _ => return None,
    };
    Some(ConfigError {
        key: String::new(),
        origin: origin.clone(),
        problem,
    })
}

fn doubled(key: &str) -> String {
    format!("{key} stands there more than once; only the last one counts")
}

fn unknown(key: &str, likely: Option<&str>) -> String {
    let guess = likely.map_or_else(String::new, |likely| format!("; did you mean {likely}?"));
    format!("unknown key {key}, has no effect{guess}")
}

impl From<Vec<ConfigError>> for Failure {
    /// Every mistake on its own line, exit code 64.
    fn from(errors: Vec<ConfigError>) -> Failure {
        let lines: Vec<String> = errors.iter().map(|error| format!("  {error}")).collect();
        Failure::new(
            Exit::Usage,
            format!("mistakes in the configuration:\n{}", lines.join("\n")),
        )
    }
}
