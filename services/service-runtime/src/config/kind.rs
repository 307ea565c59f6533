//! The kinds of values: what fits, what was expected, and how a variable's text becomes one.
//!
//! It never shows a value that might be a secret.

use serde_json::{Map, Number, Value};
use std::{fmt, net::SocketAddr};

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// A number within a range, both ends included.
    Number {
        /// Lowest.
        min: f64,
        /// Highest.
        max: f64,
    },
    /// A whole number within a range, both ends included.
    Whole {
        /// Lowest.
        min: u64,
        /// Highest.
        max: u64,
    },
    /// True or false.
    Bool,
    /// A text that is not empty.
    Text,
    /// A text that is not empty and is never shown.
    SecretText,
    /// A text.
    MaybeEmptyText,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of these words.
    Choices(&'static [&'static str]),
    /// A list of texts.
    Texts,
    /// An address and a port to listen on.
    Address,
    /// A host's id.
    HostId,
    /// How votes combine: a word, or a word with its number.
    Combine,
    /// What differs for a voter, by its name.
    Voters,
    /// What plugins are configured with, by their names; below that anything.
    PluginConfigs,
    /// How events are handled, by their types.
    EventHandlers,
    /// Anything at all.
    Anything,
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Number { min, max } => write!(out, "a number from {min} to {max}"),
            Kind::Whole { min, max } => write!(out, "a whole number from {min} to {max}"),
            Kind::Bool => out.write_str("true or false"),
            Kind::Text | Kind::SecretText => out.write_str("a text that is not empty"),
            Kind::MaybeEmptyText => out.write_str("a text"),
            Kind::Choice(words) => write!(out, "one of {}", words.join(", ")),
            Kind::Choices(words) => write!(out, "a list of {}", words.join(", ")),
            Kind::Texts => out.write_str("a list of texts"),
            Kind::Address => out.write_str("an address and a port, as 127.0.0.1:7420"),
            Kind::HostId => out.write_str("1 to 64 of A-Z a-z 0-9 _ -, and not the word fleet"),
            Kind::Combine => {
                out.write_str("all, any, {\"quorum\": a number of voters} or {\"weighted\": a threshold}")
            }
            Kind::Voters => out.write_str(
                "an object of voters, as {\"memory\": {\"role\": \"required\", \"counted\" or \"advisory\", \"weight\": 0 or more}}",
            ),
            Kind::PluginConfigs => out.write_str("an object with an object for each plugin"),
            Kind::EventHandlers => out.write_str("an object with an object for each type of event"),
            Kind::Anything => out.write_str("anything"),
        }
    }
}

/// What was there instead of what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Misfit(String);

impl fmt::Display for Misfit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl Kind {
    /// The value in its one form, if it fits.
    pub(super) fn check(&self, value: &Value) -> Result<Value, Misfit> {
        self.fitted(value)
            .ok_or_else(|| Misfit(format!("expected {self}, found {}", self.shown(value))))
    }

    /// Whether variables may name levels below it.
    pub(super) fn has_levels(&self) -> bool {
        matches!(
            self,
            Kind::Combine | Kind::Voters | Kind::PluginConfigs | Kind::EventHandlers | Kind::Anything
        )
    }

    /// Whether a narrower layer replaces it whole instead of merging into it.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self, Kind::Combine)
    }

    /// Whether people may have put a password there.
    pub(super) fn is_secret(&self) -> bool {
        matches!(
            self,
            Kind::SecretText | Kind::PluginConfigs | Kind::EventHandlers | Kind::Anything
        )
    }

    fn fitted(&self, value: &Value) -> Option<Value> {
        match self {
            Kind::Number { min, max } => value
                .as_f64()
                .filter(|number| (*min..=*max).contains(number))
                .map(|_| value.clone()),
            Kind::Whole { min, max } => whole(value)
                .filter(|number| (*min..=*max).contains(number))
                .map(Value::from),
            Kind::Bool => value.is_boolean().then(|| value.clone()),
            Kind::Text | Kind::SecretText => value
                .as_str()
                .filter(|text| !text.trim().is_empty())
                .map(Value::from),
            Kind::MaybeEmptyText => value.is_string().then(|| value.clone()),
            Kind::Choice(words) => {
                let word = value.as_str()?.to_ascii_lowercase();
                words.contains(&word.as_str()).then(|| Value::from(word))
            }
            Kind::Choices(words) => {
                let choice = Kind::Choice(words);
                value.as_array()?.iter().map(|word| choice.fitted(word)).collect()
            }
            Kind::Texts => value
                .as_array()
                .filter(|list| list.iter().all(Value::is_string))
                .map(|_| value.clone()),
            Kind::Address => value
                .as_str()
                .filter(|text| text.parse::<SocketAddr>().is_ok())
                .map(Value::from),
            Kind::HostId => value
                .as_str()
                .filter(|text| *text != "fleet" && is_name(text))
                .map(Value::from),
            Kind::Combine => combine(value),
            Kind::Voters => {
                let voters = value.as_object()?;
                voters
                    .iter()
                    .all(|(name, policy)| is_name(name) && is_voter(policy))
                    .then(|| value.clone())
            }
            Kind::PluginConfigs | Kind::EventHandlers => value
                .as_object()
                .filter(|configs| configs.values().all(Value::is_object))
                .map(|_| value.clone()),
            Kind::Anything => Some(value.clone()),
        }
    }

    fn shown(&self, value: &Value) -> String {
        match (self, value) {
            (kind, _) if kind.is_secret() => type_name(value).to_owned(),
            (_, Value::String(text)) => {
                format!("the text {:?}", text.chars().take(40).collect::<String>())
            }
            (_, Value::Array(_) | Value::Object(_)) => type_name(value).to_owned(),
            (_, value) => value.to_string(),
        }
    }

    /// A variable's text as a value of this kind; checking it is the next step.
    pub(super) fn read_text(&self, text: &str) -> Value {
        let as_text = || Value::from(text);
        let as_json = || serde_json::from_str(text).ok();
        match self {
            Kind::Number { .. } | Kind::Whole { .. } => text
                .trim()
                .parse::<Number>()
                .map_or_else(|_| as_text(), Value::Number),
            Kind::Bool => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" | "on" => Value::Bool(true),
                "false" | "0" | "no" | "off" => Value::Bool(false),
                _ => as_text(),
            },
            Kind::Text
            | Kind::SecretText
            | Kind::MaybeEmptyText
            | Kind::Choice(_)
            | Kind::Address
            | Kind::HostId => as_text(),
            Kind::Texts | Kind::Choices(_) => as_json().filter(Value::is_array).unwrap_or_else(|| {
                text.split(',')
                    .map(str::trim)
                    .filter(|item| !item.is_empty())
                    .map(Value::from)
                    .collect()
            }),
            Kind::Combine | Kind::Voters | Kind::PluginConfigs | Kind::EventHandlers | Kind::Anything => {
                as_json().unwrap_or_else(as_text)
            }
        }
    }
}

fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| {
        let number = value
            .as_f64()
            .filter(|number| number.fract() == 0.0 && (0.0..=9e15).contains(number))?;
        // Exact: below 2^53 and without a fraction.
        format!("{number:.0}").parse().ok()
    })
}

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

fn combine(value: &Value) -> Option<Value> {
    if let Some(word) = value.as_str() {
        let word = word.to_ascii_lowercase();
        return matches!(word.as_str(), "all" | "any").then(|| Value::from(word));
    }
    let (word, number) = only_entry(value.as_object()?)?;
    let word = word.to_ascii_lowercase();
    let number = match word.as_str() {
        "quorum" => Value::from(whole(number).filter(|number| (1..=1_000).contains(number))?),
        "weighted" => number
            .as_f64()
            .filter(|number| *number > 0.0 && number.is_finite())
            .map(Value::from)?,
        _ => return None,
    };
    Some(Value::Object(Map::from_iter([(word, number)])))
}

fn only_entry(map: &Map<String, Value>) -> Option<(&String, &Value)> {
    let mut entries = map.iter();
    entries.next().filter(|_| entries.next().is_none())
}

fn is_voter(policy: &Value) -> bool {
    policy.as_object().is_some_and(|policy| {
        policy.iter().all(|(key, value)| match key.as_str() {
            "role" => value
                .as_str()
                .is_some_and(|role| ["required", "counted", "advisory"].contains(&role)),
            "weight" => value.as_f64().is_some_and(|weight| weight >= 0.0),
            _ => false,
        })
    })
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests;
