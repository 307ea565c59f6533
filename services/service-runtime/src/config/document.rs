//! From one document, the file or all variables, to settings under canonical names.
//!
//! Every mistake is noted and the walk goes on, so that all are told at once.

use super::{
    event_handlers,
    keys::{Effect, Key, Since, key},
    kind::Kind,
    notice::{ConfigError, Notice, Origin},
    spelling,
};
use crate::{args::ARGUMENT_VARIABLES, secret::Secret};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What a document sets, by canonical path.
#[derive(Debug, Default)]
pub(super) struct Document {
    /// Whether there is such a document at all.
    pub(super) is_there: bool,
    pub(super) settings: BTreeMap<&'static str, Setting>,
    pub(super) notices: Vec<Notice>,
    pub(super) errors: Vec<ConfigError>,
}

/// One value that fits its key.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) written: String,
    pub(super) origin: Origin,
    pub(super) value: Value,
}

/// What variables begin with.
const PREFIX: &str = "SNOOZE_";
/// What joins their levels.
const LEVELS: &str = "__";

/// Reads a file's object.
pub(super) fn from_file(top: &Map<String, Value>, origin: &Origin) -> Document {
    let mut document = Document::default();
    document.section("", "", top, origin);
    document.beat_older_names();
    document
}

/// Reads all variables; names below opaque keys take the case of the same name in `file`.
pub(super) fn from_variables(variables: &[(String, String)], file: &Document) -> Document {
    let mut document = Document::default();
    let mut variables: Vec<_> = variables
        .iter()
        .filter(|(name, _)| name.starts_with(PREFIX) && !ARGUMENT_VARIABLES.contains(&name.as_str()))
        .collect();
    variables.sort();
    for (name, text) in variables {
        document.variable(name, text, file);
    }
    document.beat_older_names();
    document
}

impl Document {
    /// A document that could not be read as one.
    pub(super) fn with_error(error: ConfigError) -> Document {
        Document {
            errors: vec![error],
            ..Document::default()
        }
    }

    fn section(&mut self, path: &str, written_path: &str, section: &Map<String, Value>, origin: &Origin) {
        // The canonical spelling goes first, so that it is the one that counts when there are two.
        let mut entries: Vec<_> = section.iter().collect();
        entries.sort_by_key(|(written, _)| {
            spelling::canonical(path, written) != Some(spelling::join(path, written))
        });
        for (written, value) in entries {
            let shown = spelling::join(written_path, written);
            let Some(canonical) = spelling::canonical(path, written) else {
                self.unknown(shown, origin);
                continue;
            };
            if value.is_null() {
                continue;
            }
            if spelling::holds_keys(&canonical) {
                match value {
                    Value::Object(inner) => self.section(&canonical, &shown, inner, origin),
                    _ => self.mistake(shown, origin, "expected an object".to_owned()),
                }
            } else if let Some(key) = key(&canonical) {
                self.set(key, shown.clone(), origin, value);
                let counts = self
                    .settings
                    .get(key.path)
                    .filter(|setting| setting.written == shown);
                if let (false, Some(setting)) = (spelling::original_read_it(written, key.path), counts) {
                    self.notices.push(Notice::Respelt {
                        key: setting.written.clone(),
                        origin: origin.clone(),
                        read_as: key.path,
                        value: if key.kind.is_secret() {
                            Secret::default().to_string()
                        } else {
                            setting.value.to_string()
                        },
                        before: (key.since == Since::Original).then_some(key.default),
                    });
                }
            }
        }
    }

    fn variable(&mut self, name: &str, text: &str, file: &Document) {
        let origin = Origin::Variable(name.to_owned());
        let mut levels = name[PREFIX.len()..].split(LEVELS);
        let mut path = String::new();
        let known = loop {
            let Some(level) = levels.next() else {
                let problem = format!("it is a group of keys: set one of them, as {name}{LEVELS}<KEY>");
                self.mistake(path, &origin, problem);
                return;
            };
            match spelling::canonical(&path, level) {
                Some(longer) => path = longer,
                None => break None,
            }
            if let Some(key) = key(&path) {
                break Some(key);
            }
        };
        let rest: Vec<&str> = levels.collect();
        let Some(key) = known.filter(|key| rest.is_empty() || key.kind.has_levels()) else {
            self.unknown(
                name[PREFIX.len()..].to_ascii_lowercase().replace(LEVELS, "."),
                &origin,
            );
            return;
        };
        let value = if rest.is_empty() {
            key.kind.read_text(text)
        } else {
            let like = file.settings.get(key.path).map(|setting| &setting.value);
            nested(&rest, text, like)
        };
        self.set(key, key.path.to_owned(), &origin, &value);
    }

    fn set(&mut self, key: &'static Key, written: String, origin: &Origin, value: &Value) {
        if let Effect::None(instead) = key.effect {
            // Whatever stands there: what has no effect is no reason not to start.
            self.notices.push(Notice::NoEffect {
                key: written,
                origin: origin.clone(),
                instead,
            });
            return;
        }
        if key.since == Since::Original && key.kind == Kind::Text && is_blank(value) {
            self.notices.push(Notice::Empty {
                key: written,
                origin: origin.clone(),
                default: key.default,
            });
            return;
        }
        if let (Kind::EventHandlers, Value::Object(types)) = (key.kind, value) {
            let mistakes = event_handlers::mistakes(types);
            for (path, problem) in &mistakes {
                self.mistake(spelling::join(&written, path), origin, problem.clone());
            }
            if !mistakes.is_empty() {
                return;
            }
        }
        let value = match key.kind.check(value) {
            Ok(value) => value,
            Err(misfit) => {
                self.mistake(written, origin, misfit.to_string());
                return;
            }
        };
        match self.settings.get_mut(key.path) {
            Some(first) if key.kind.has_levels() && matches!(origin, Origin::Variable(_)) => {
                merge(&mut first.value, value);
            }
            Some(first) => self.notices.push(Notice::Overruled {
                key: written,
                origin: origin.clone(),
                by: first.written.clone(),
            }),
            None => {
                self.settings.insert(
                    key.path,
                    Setting {
                        written,
                        origin: origin.clone(),
                        value,
                    },
                );
            }
        }
    }

    /// Gives what an older name sets to the key that it stands for, unless that one is set too.
    fn beat_older_names(&mut self) {
        for key in super::keys::KEYS {
            let Effect::OlderNameOf(newer) = key.effect else {
                continue;
            };
            let Some(mut setting) = self.settings.remove(key.path) else {
                continue;
            };
            if self.settings.contains_key(newer) {
                self.notices.push(Notice::Overruled {
                    key: setting.written,
                    origin: setting.origin,
                    by: newer.to_owned(),
                });
                continue;
            }
            if newer == "plugins.directories" {
                setting.value = Value::Array(vec![setting.value]);
            }
            self.settings.insert(newer, setting);
        }
    }

    fn unknown(&mut self, key: String, origin: &Origin) {
        let likely = spelling::likely(&key);
        self.notices.push(Notice::UnknownKey {
            key,
            origin: origin.clone(),
            likely,
        });
    }

    fn mistake(&mut self, key: String, origin: &Origin, problem: String) {
        self.errors.push(ConfigError {
            key,
            origin: origin.clone(),
            problem,
        });
    }
}

/// The original took an empty text for one that was not set.
fn is_blank(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.trim().is_empty())
}

/// A variable's text below the levels that its name gives. Variables have no case of their own, so a
/// level takes the name of its like in the file, else it is in lower case.
fn nested(levels: &[&str], text: &str, like: Option<&Value>) -> Value {
    let Some((level, rest)) = levels.split_first() else {
        return serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
    };
    let found = like.and_then(Value::as_object).and_then(|map| {
        map.iter()
            .find(|(name, _)| spelling::squash(name) == spelling::squash(level))
    });
    let name = found.map_or_else(|| level.to_ascii_lowercase(), |(name, _)| name.clone());
    let inner = nested(rest, text, found.map(|(_, value)| value));
    Value::Object(Map::from_iter([(name, inner)]))
}

fn merge(under: &mut Value, over: Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (name, value) in over {
                match under.get_mut(&name) {
                    Some(lower) => merge(lower, value),
                    None => {
                        under.insert(name, value);
                    }
                }
            }
        }
        (under, over) => *under = over,
    }
}
