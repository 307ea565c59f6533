//! What a plugin can be configured with: the check of a configuration, and the defaults in it.
//!
//! It fetches nothing: a schema that refers to another one elsewhere is refused.

use super::{
    effort,
    mistakes::Found,
    places::{below, names, shown},
    shorthand, weight,
    words::{self, ConfigMistake, Secrets},
};
use jsonschema::{
    Draft, PatternOptions, Retrieve, Uri, ValidationError, Validator, error::ValidationErrorKind,
};
use serde_json::{Map, Value};
use std::{error::Error, fmt};

/// How far defaults are looked for through references and maps in maps, and in how many places. A schema may
/// refer to itself, and have itself as its default.
const DEPTH: usize = 16;
const PLACES: usize = 4096;

/// One regular expression may take so many bytes. At worst its time is this times the text.
const PATTERN_SIZE: usize = 256 * 1024;

/// More mistakes of one configuration are not told.
const LIMIT: usize = 64;

/// The key of a manifest that it stands under.
const KEY: &str = "/config_schema";

/// A plugin's schema, ready to be asked.
pub struct ConfigSchema {
    schema: Value,
    validator: Validator,
    secrets: Secrets,
}

impl fmt::Debug for ConfigSchema {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("ConfigSchema").field(&self.schema).finish()
    }
}

/// How many places defaults may still be looked for, and how much of them may still be put in.
struct Room {
    places: usize,
    parts: usize,
}

impl Default for Room {
    fn default() -> Room {
        Room {
            places: PLACES,
            // One more than a configuration may have, so that what had no room is told and never left out silently.
            parts: effort::PARTS + 1,
        }
    }
}

impl Room {
    /// The first that is too large still goes in: what comes to too much is refused as a whole.
    fn holds(&mut self, default: &Value) -> bool {
        let holds = self.parts > 0;
        self.parts = self.parts.saturating_sub(effort::parts(default));
        holds
    }
}

/// Whoever asks it for a schema gets none.
struct FetchesNothing;

impl Retrieve for FetchesNothing {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn Error + Send + Sync>> {
        Err(format!("{uri} is not fetched").into())
    }
}

impl ConfigSchema {
    /// That of a manifest, a JSON Schema or the original's shorthand, and the keys in it that are unknown.
    pub(super) fn of(written: &Map<String, Value>) -> Result<(ConfigSchema, Vec<Found>), Vec<Found>> {
        let is_schema = shorthand::is_schema(written);
        let under_key = |found: Found| Found::new(format!("{KEY}{}", found.pointer), found.text);
        let (schema, unknown) = if is_schema {
            (Value::Object(written.clone()), Vec::new())
        } else {
            let translated = shorthand::translated(written);
            translated.map_err(|found| found.into_iter().map(under_key).collect::<Vec<_>>())?
        };
        if schema.get("type").is_some_and(|kind| kind != "object") {
            let text = "a configuration is a map: its type is object";
            return Err(vec![Found::new(format!("{KEY}/type"), text)]);
        }
        let unknown: Vec<Found> = unknown.into_iter().map(under_key).collect();
        let validator = validator(&schema).map_err(|found| match is_schema {
            true => found.into_iter().map(under_key).collect::<Vec<_>>(),
            // What was made of the shorthand is right but for what the author wrote into it.
            false => {
                let found = found.into_iter().map(|found| of_shorthand(&found));
                found.chain(unknown.iter().cloned()).collect()
            }
        })?;
        let secrets = Secrets::of(&schema);
        let schema = ConfigSchema {
            schema,
            validator,
            secrets,
        };
        let mut found = schema.wrong_defaults(is_schema);
        if found.is_empty() {
            Ok((schema, unknown))
        } else {
            found.extend(unknown);
            Err(found)
        }
    }

    /// The JSON Schema (draft 2020-12 where it does not say another).
    #[must_use]
    pub fn as_value(&self) -> &Value {
        &self.schema
    }

    /// The names of the fields that it calls secret.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        self.secrets.names()
    }

    /// The names of the fields that say in which file a secret lies.
    #[must_use]
    pub fn secret_files(&self) -> Vec<String> {
        self.secrets.files()
    }

    /// The configuration with the schema's defaults, where it is right.
    ///
    /// # Errors
    /// Every mistake in it. No secret is among the words.
    pub fn settle(&self, config: &Map<String, Value>) -> Result<Map<String, Value>, Vec<ConfigMistake>> {
        let mut config = Value::Object(config.clone());
        self.fill(&mut config, &self.schema, DEPTH, &mut Room::default());
        effort::check(&self.schema, &config).map_err(|found| {
            vec![ConfigMistake {
                field: shown(&found.pointer),
                text: found.text,
            }]
        })?;
        let mut mistakes: Vec<ConfigMistake> = Vec::new();
        for error in self.validator.iter_errors(&config).take(LIMIT) {
            for mistake in words::mistakes(&error, &self.schema, &self.secrets) {
                if !mistakes.contains(&mistake) {
                    mistakes.push(mistake);
                }
            }
        }
        mistakes.sort();
        match config {
            Value::Object(config) if mistakes.is_empty() => Ok(config),
            _ => Err(mistakes),
        }
    }

    /// Puts the defaults of `properties` where nothing stands, also through references within the schema.
    fn fill(&self, value: &mut Value, schema: &Value, depth: usize, room: &mut Room) {
        let (Some(depth), Some(places)) = (depth.checked_sub(1), room.places.checked_sub(1)) else {
            return;
        };
        room.places = places;
        if let Some(other) = self.referred(schema) {
            self.fill(value, other, depth, room);
        }
        let (Value::Object(map), Some(Value::Object(properties))) = (value, schema.get("properties")) else {
            return;
        };
        for (name, property) in properties {
            let default = property
                .get("default")
                .or_else(|| self.referred(property)?.get("default"));
            if let Some(default) = default
                && !map.contains_key(name)
                && room.holds(default)
            {
                map.insert(name.clone(), default.clone());
            }
            if let Some(inner) = map.get_mut(name) {
                self.fill(inner, property, depth, room);
            }
        }
    }

    fn referred(&self, schema: &Value) -> Option<&Value> {
        let reference = schema.get("$ref")?.as_str()?;
        self.schema.pointer(reference.strip_prefix('#')?)
    }

    /// The defaults that the schema itself refuses: with them no configuration would be right.
    fn wrong_defaults(&self, is_schema: bool) -> Vec<Found> {
        let mut defaults = Value::Object(Map::new());
        self.fill(&mut defaults, &self.schema, DEPTH, &mut Room::default());
        let around = if is_schema { "/properties" } else { "" };
        let default_of = |name: &str| below(&below(&format!("{KEY}{around}"), name), "default");
        if let Err(found) = effort::check(&self.schema, &defaults) {
            let name = names(&found.pointer).next();
            let pointer = name.map_or_else(|| KEY.to_owned(), |name| default_of(&name));
            let place = match found.pointer.is_empty() {
                true => "its defaults".to_owned(),
                false => shown(&found.pointer),
            };
            return vec![Found::new(pointer, format!("at {place}: {}", found.text))];
        }
        let errors = self.validator.iter_errors(&defaults);
        let wrong = errors.filter_map(|error| {
            let name = names(error.instance_path().as_str()).next()?;
            if matches!(error.kind(), ValidationErrorKind::Required { .. }) {
                return None;
            }
            let pointer = default_of(&name);
            let mistake = words::mistakes(&error, &self.schema, &self.secrets)
                .into_iter()
                .next()?;
            Some(Found::new(pointer, mistake.text))
        });
        wrong.take(LIMIT).collect()
    }
}

fn validator(schema: &Value) -> Result<Validator, Vec<Found>> {
    let is_current = schema
        .get("$schema")
        .is_none_or(|draft| draft.as_str().is_some_and(|draft| draft.contains("2020-12")));
    if is_current {
        let of_the_schema = jsonschema::draft202012::meta::validator();
        let found: Vec<Found> = of_the_schema
            .iter_errors(schema)
            .take(LIMIT)
            .map(|error| of_the_meta_schema(&error))
            .collect();
        if !found.is_empty() {
            return Err(found);
        }
    }
    let found = weight::check(schema);
    if !found.is_empty() {
        return Err(found);
    }
    let options = match is_current {
        true => jsonschema::options().with_draft(Draft::Draft202012),
        false => jsonschema::options(),
    };
    let built = options
        .should_validate_formats(true)
        .with_retriever(FetchesNothing)
        // Its time grows with the text alone. The one that looks around goes back over the text without end.
        .with_pattern_options(PatternOptions::regex().size_limit(PATTERN_SIZE))
        .build(schema);
    built.map_err(|error| match error.kind() {
        ValidationErrorKind::Referencing(why) if is_current => {
            vec![Found::new("", format!("a reference in it leads nowhere: {why}"))]
        }
        ValidationErrorKind::Referencing(why) => {
            vec![Found::new(
                "/$schema",
                format!("not a draft that is known here: {why}"),
            )]
        }
        _ => {
            let mut found = of_the_meta_schema(&error);
            if found.pointer.ends_with("/pattern") {
                found.text =
                    "expected a regular expression without look-around and back-references, and not as large"
                        .to_owned();
            }
            vec![found]
        }
    })
}

fn of_the_meta_schema(error: &ValidationError<'_>) -> Found {
    let pointer = error.instance_path().as_str();
    let told = words::mistakes(error, &Value::Null, &Secrets::default());
    Found::new(
        pointer,
        told.into_iter()
            .next()
            .map_or_else(String::new, |mistake| mistake.text),
    )
}

fn of_shorthand(found: &Found) -> Found {
    let name = names(&found.pointer).nth(1).unwrap_or_default();
    Found::new(below(&below(KEY, &name), "constraints"), found.text.clone())
}

#[cfg(test)]
mod tests;
