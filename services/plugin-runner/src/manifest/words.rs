//! What a configuration should have been and what it is, in words that show no secret.
//!
//! **Invariant:** of a value that may be a secret only its kind is told.

use super::{credentials::holds_credential, fields, places};
use jsonschema::{ValidationError, error::ValidationErrorKind};
use serde_json::Value;
use std::{collections::BTreeSet, fmt};

/// A name that holds one of these, without case and separators, names a secret.
const SECRET_WORDS: [&str; 10] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "dsn",
    "credential",
    "apikey",
    "privatekey",
    "connectionstring",
];

/// What is told in place of a secret.
const NOT_SHOWN: &str = "(not shown)";

/// So much of a value is shown.
const SHOWN: usize = 60;

/// Of more unknown keys in one place the rest is not told.
const LIMIT: usize = 16;

/// One mistake in a configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigMistake {
    /// The path of the field; empty for the configuration as a whole.
    pub field: String,
    /// What was expected and what was found.
    pub text: String,
}

impl fmt::Display for ConfigMistake {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field.is_empty() {
            write!(out, "{}: ", self.field)?;
        }
        out.write_str(&self.text)
    }
}

/// Which fields of a schema are secrets.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    names: BTreeSet<String>,
    files: BTreeSet<String>,
}

impl Secrets {
    /// Those that the schema says: `writeOnly`, or the format `password`, wherever they stand in it.
    pub(super) fn of(schema: &Value) -> Secrets {
        let mut secrets = Secrets::default();
        secrets.look_into(schema);
        secrets
    }

    fn look_into(&mut self, schema: &Value) {
        match schema {
            Value::Object(map) => {
                if let Some(Value::Object(properties)) = map.get("properties") {
                    let said = properties.iter().filter(|(_, property)| {
                        property.get("writeOnly") == Some(&Value::Bool(true))
                            || property.get("format").and_then(Value::as_str) == Some("password")
                    });
                    self.names.extend(said.map(|(name, _)| name.clone()));
                    // A file with what another field holds, or by whose name a secret is in it.
                    let files = properties.keys().filter(|name| {
                        name.strip_suffix("_file").is_some_and(|what| {
                            properties.contains_key(what) || holds_secret_word(&fields::squash(what))
                        })
                    });
                    self.files.extend(files.cloned());
                }
                map.values().for_each(|value| self.look_into(value));
            }
            Value::Array(list) => list.iter().for_each(|value| self.look_into(value)),
            _ => {}
        }
    }

    /// Their names.
    pub(super) fn names(&self) -> Vec<String> {
        self.names.iter().cloned().collect()
    }

    /// The names of those that say in which file a secret lies.
    pub(super) fn files(&self) -> Vec<String> {
        self.files.iter().cloned().collect()
    }

    /// Whether what is there may be a secret, by what it and all around it are called.
    fn covers(&self, pointer: &str) -> bool {
        places::names(pointer).any(|name| {
            let squashed = fields::squash(&name);
            // Where a secret lies is none.
            let is_place = squashed.ends_with("file") || squashed.ends_with("path");
            self.names.contains(&name) || (!is_place && holds_secret_word(&squashed))
        })
    }

    /// A value as it may be shown: in place of what may be a secret it says so.
    fn shown(&self, pointer: &str, value: &Value) -> Value {
        match value {
            Value::Object(map) => {
                let below = |name: &String, value| self.shown(&places::below(pointer, name), value);
                map.iter()
                    .map(|(name, value)| (name.clone(), below(name, value)))
                    .collect()
            }
            Value::Array(list) => list.iter().map(|value| self.shown(pointer, value)).collect(),
            Value::Null => Value::Null,
            _ if self.covers(pointer) => Value::from(NOT_SHOWN),
            // An address or the text of a connection may hold a password.
            Value::String(text)
                if text.contains('@')
                    || (text.contains('=') && holds_secret_word(&fields::squash(text)))
                    || holds_credential(text) =>
            {
                Value::from(NOT_SHOWN)
            }
            other => other.clone(),
        }
    }

    /// What was found, as far as it may be shown.
    fn found(&self, pointer: &str, value: &Value) -> String {
        match value {
            Value::Null => "null".to_owned(),
            Value::Array(list) => format!("a list of {}", list.len()),
            Value::Object(_) => "a map".to_owned(),
            _ if self.covers(pointer) => format!("{}, which is not shown", kind(value)),
            // An address may hold a password.
            Value::String(text) if text.contains('@') || holds_credential(text) => {
                "a text, which is not shown".to_owned()
            }
            other => brief(other),
        }
    }
}

fn holds_secret_word(squashed: &str) -> bool {
    SECRET_WORDS.iter().any(|word| squashed.contains(word))
}

/// A configuration as it may be shown to people: what its schema calls a secret, as far as that is known, what goes by
/// the name of one, and what looks like an address or a connection with one is not in it.
#[must_use]
pub fn without_secrets(config: &Value, known: impl IntoIterator<Item = String>) -> Value {
    let secrets = Secrets {
        names: known.into_iter().collect(),
        ..Secrets::default()
    };
    secrets.shown("", config)
}

/// What stands where nothing is secret, in words.
pub(crate) fn found(value: &Value) -> String {
    Secrets::default().found("", value)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

fn brief(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= SHOWN {
        return text;
    }
    let cut: String = text.chars().take(SHOWN).collect();
    format!("{cut}…")
}

/// One error of the validation as the mistakes that it is.
pub(super) fn mistakes(error: &ValidationError<'_>, schema: &Value, secrets: &Secrets) -> Vec<ConfigMistake> {
    let pointer = error.instance_path().as_str();
    let at = |name: &str, text: String| ConfigMistake {
        field: places::shown(&places::below(pointer, name)),
        text,
    };
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            vec![at(name, "it is required, and missing".to_owned())]
        }
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            let known = known_beside(error, schema);
            let unknown = unexpected.iter().take(LIMIT);
            unknown
                .map(|name| at(name, fields::unknown_key(name, &known)))
                .collect()
        }
        ValidationErrorKind::OneOfMultipleValid { .. } => {
            let fields = required_alternatives(error, schema);
            let text = match fields.is_empty() {
                true => "expected one of the alternatives, not several".to_owned(),
                false => format!("expected one of the fields {}, not several", fields.join(", ")),
            };
            vec![ConfigMistake {
                field: places::shown(pointer),
                text,
            }]
        }
        kind => {
            let found = secrets.found(pointer, error.instance());
            vec![ConfigMistake {
                field: places::shown(pointer),
                text: format!("expected {}, found {found}", expected(kind)),
            }]
        }
    }
}

/// The properties that the schema names where it refuses others.
fn known_beside(error: &ValidationError<'_>, schema: &Value) -> Vec<String> {
    let keyword = error.schema_path().as_str();
    let around = keyword.rsplit_once('/').map_or("", |(around, _)| around);
    match schema.pointer(around).and_then(|around| around.get("properties")) {
        Some(Value::Object(properties)) => properties.keys().cloned().collect(),
        _ => Vec::new(),
    }
}

/// The fields that each alternative requires, where the schema's alternatives do nothing else.
fn required_alternatives<'a>(error: &ValidationError<'_>, schema: &'a Value) -> Vec<&'a str> {
    let alternatives = schema
        .pointer(error.schema_path().as_str())
        .and_then(Value::as_array);
    let required = |one: &'a Value| one.get("required")?.as_array()?.first()?.as_str();
    let fields: Option<Vec<&str>> = alternatives.and_then(|all| all.iter().map(required).collect());
    fields.unwrap_or_default()
}

/// What should have been there.
fn expected(kind: &ValidationErrorKind) -> String {
    use ValidationErrorKind as Kind;
    match kind {
        Kind::Type { kind } => match kind {
            jsonschema::error::TypeKind::Single(one) => one.to_string(),
            jsonschema::error::TypeKind::Multiple(many) => {
                let many: Vec<String> = many.iter().map(|one| one.to_string()).collect();
                many.join(" or ")
            }
        },
        Kind::Enum { options } => format!("one of {}", brief(options)),
        Kind::Constant { expected_value } => brief(expected_value),
        Kind::Minimum { limit } => format!("at least {limit}"),
        Kind::Maximum { limit } => format!("at most {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("more than {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("less than {limit}"),
        Kind::MultipleOf { multiple_of } => format!("a multiple of {multiple_of}"),
        Kind::MinLength { limit } => format!("at least {limit} characters"),
        Kind::MaxLength { limit } => format!("at most {limit} characters"),
        Kind::MinItems { limit } => format!("at least {limit} elements"),
        Kind::MaxItems { limit } => format!("at most {limit} elements"),
        Kind::UniqueItems => "elements that differ".to_owned(),
        Kind::Contains => "an element that is asked for".to_owned(),
        Kind::MinProperties { limit } => format!("at least {limit} keys"),
        Kind::MaxProperties { limit } => format!("at most {limit} keys"),
        Kind::Pattern { pattern } => format!("what matches {pattern}"),
        Kind::Format { format } => format!("the format {format}"),
        Kind::FalseSchema => "nothing".to_owned(),
        // As one of several that are possible: where it is the only one it is told at the field itself.
        Kind::Required { property } => format!("the field {}", property.as_str().unwrap_or_default()),
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => alternatives(context),
        other => format!("what {} asks for", other.keyword()),
    }
}

fn alternatives(context: &[Vec<ValidationError<'_>>]) -> String {
    let all: Vec<String> = context
        .iter()
        .filter_map(|errors| Some(expected(errors.first()?.kind())))
        .collect();
    all.join(", or ")
}
