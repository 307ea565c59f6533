//! The original's shorthand for what a plugin can be configured with, as a JSON Schema (draft 2020-12).
//!
//! A key that no field names is refused: the author has listed them all, and a misspelt threshold that is
//! silently ignored is how a machine in use is stopped.

use super::{
    fields::{self, likely},
    mistakes::Found,
    places::below,
};
use serde_json::{Map, Number, Value, json};
use snooze_schemas::plugin::manifest::ConfigField;

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// What the original and JSON Schema call a type, and what it is in JSON Schema.
const TYPES: [(&str, &str); 14] = [
    ("string", "string"),
    ("str", "string"),
    ("int", "integer"),
    ("integer", "integer"),
    ("float", "number"),
    ("double", "number"),
    ("number", "number"),
    ("bool", "boolean"),
    ("boolean", "boolean"),
    ("array", "array"),
    ("list", "array"),
    ("object", "object"),
    ("map", "object"),
    ("null", "null"),
];

const CONSTRAINTS: [&str; 7] = [
    "min",
    "max",
    "min_length",
    "max_length",
    "pattern",
    "enum",
    "format",
];

/// Whether it is a JSON Schema rather than the shorthand, whose values are all maps.
pub(super) fn is_schema(map: &Map<String, Value>) -> bool {
    let subschemas = |key: &str| match map.get(key) {
        Some(Value::Object(inner)) => {
            !inner.is_empty()
                && inner
                    .values()
                    .all(|value| value.is_object() || value.is_boolean())
        }
        _ => false,
    };
    map.values().any(|value| !value.is_object()) || subschemas("properties") || subschemas("$defs")
}

/// Translates it. Keys of a field that are unknown are returned beside the schema.
///
/// # Errors
/// All mistakes in it, with the unknown keys, one of which may be what is missed.
pub(super) fn translated(map: &Map<String, Value>) -> Result<(Value, Vec<Found>), Vec<Found>> {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    let (mut found, mut unknown) = (Vec::new(), Vec::new());
    for (name, value) in map {
        let pointer = below("", name);
        if let Value::Object(field) = value {
            unknown.extend(fields::unknown_of::<ConfigField>(&pointer, field));
        }
        match serde_path_to_error::deserialize::<_, ConfigField>(value) {
            Err(error) => {
                let inner = error.path().to_string();
                let pointer = if inner == "." {
                    pointer
                } else {
                    below(&pointer, &inner)
                };
                found.push(Found::new(pointer, error.inner().to_string()));
            }
            Ok(field) => {
                if field.required {
                    required.push(Value::from(name.as_str()));
                }
                match property(&field) {
                    Ok(property) => drop(properties.insert(name.clone(), Value::Object(property))),
                    Err((part, text)) => found.push(Found::new(below(&pointer, part), text)),
                }
            }
        }
    }
    if !found.is_empty() {
        found.extend(unknown);
        return Err(found);
    }
    let schema = json!({
        "$schema": DRAFT,
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    });
    Ok((schema, unknown))
}

type Property = Map<String, Value>;

fn property(field: &ConfigField) -> Result<Property, (&'static str, String)> {
    let mut property = Property::new();
    let kind = type_of(&field.kind).map_err(|text| ("type", text))?;
    if let Some(kind) = kind {
        property.insert("type".to_owned(), Value::from(kind));
    }
    if !field.description.is_empty() {
        property.insert("description".to_owned(), Value::from(field.description.as_str()));
    }
    if !field.default.is_null() {
        property.insert("default".to_owned(), field.default.clone());
    }
    constrain(&mut property, &field.constraints, kind).map_err(|text| ("constraints", text))?;
    Ok(property)
}

fn type_of(written: &str) -> Result<Option<&'static str>, String> {
    if written.is_empty() {
        return Ok(None);
    }
    let known = TYPES.iter().find(|(name, _)| written.eq_ignore_ascii_case(name));
    match known {
        Some((_, kind)) => Ok(Some(kind)),
        None => {
            let names: Vec<&str> = TYPES.iter().map(|(name, _)| *name).collect();
            let meant = likely(written, &names).map(|meant| format!("; probably {meant} is meant"));
            let meant = meant.unwrap_or_else(|| format!("; there are {}", names.join(", ")));
            Err(format!("unknown type {written:?}{meant}"))
        }
    }
}

fn constrain(property: &mut Property, constraints: &str, kind: Option<&str>) -> Result<(), String> {
    let mut rest = constraints.trim();
    while !rest.is_empty() {
        // A pattern may have commas, and is the last one.
        let (one, others) = match rest.strip_prefix("pattern=") {
            Some(_) => (rest, ""),
            None => rest.split_once(',').unwrap_or((rest, "")),
        };
        rest = others.trim();
        let Some((name, value)) = one.split_once('=') else {
            return Err(format!("{one:?} is not of the form name=value"));
        };
        let (name, value) = (name.trim(), value.trim());
        let of_numbers = || number(value).ok_or_else(|| format!("{name}={value} is no number"));
        let of_lengths = || {
            let length = value.parse::<u64>().map(Value::from);
            length.map_err(|_| format!("{name}={value} is no length"))
        };
        let is_list = kind == Some("array");
        let (keyword, value) = match name {
            "min" => ("minimum", of_numbers()?),
            "max" => ("maximum", of_numbers()?),
            "min_length" => (if is_list { "minItems" } else { "minLength" }, of_lengths()?),
            "max_length" => (if is_list { "maxItems" } else { "maxLength" }, of_lengths()?),
            "pattern" => ("pattern", Value::from(value)),
            "format" => ("format", Value::from(value)),
            "enum" => (
                "enum",
                value.split('|').map(|one| option(one.trim(), kind)).collect(),
            ),
            other => return Err(fields::unknown_key(other, &CONSTRAINTS).replace("key", other)),
        };
        property.insert(keyword.to_owned(), value);
    }
    Ok(())
}

fn number(text: &str) -> Option<Value> {
    if let Ok(whole) = text.parse::<i64>() {
        return Some(Value::from(whole));
    }
    Number::from_f64(text.parse().ok()?).map(Value::Number)
}

/// One of the values of an enumeration, which is a number where the field is one.
fn option(text: &str, kind: Option<&str>) -> Value {
    let said = match kind {
        Some("integer" | "number") => number(text),
        Some("boolean") => text.parse().ok().map(Value::Bool),
        _ => None,
    };
    said.unwrap_or_else(|| Value::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        serde_json::from_value(value).expect("an object")
    }

    #[test]
    fn a_schema_is_told_from_the_shorthand() {
        for schema in [
            json!({"$schema": DRAFT}),
            json!({"type": "object"}),
            json!({"properties": {"a": {"type": "string"}}}),
            json!({"properties": {"a": true}, "$defs": {"b": {}}}),
            json!({"additionalProperties": false}),
        ] {
            assert!(is_schema(&map(schema.clone())), "{schema}");
        }
        for shorthand in [
            json!({"dsn": {"type": "string"}}),
            // Fields that happen to be called so.
            json!({"properties": {"type": "string"}, "type": {"type": "string"}}),
        ] {
            assert!(!is_schema(&map(shorthand.clone())), "{shorthand}");
        }
    }

    #[test]
    fn the_shorthand_is_translated_field_by_field() {
        let shorthand = map(json!({
            "connection_threshold": {"type": "int", "description": "Idle below this", "default": 5, "constraints": "min=1, max=100"},
            "redis_url": {"type": "string", "required": true, "constraints": "min_length=1,format=uri"},
            "ratio": {"type": "float", "constraints": "min=0.5"},
            "level": {"type": "int", "constraints": "enum=1|2"},
            "hosts": {"type": "array", "constraints": "max_length=3"},
            "name": {"constraints": "pattern=^[a-z]{1,3}$"},
        }));
        let (schema, unknown) = translated(&shorthand).expect("it is right");
        assert!(unknown.is_empty());
        assert_eq!(
            schema,
            json!({
                "$schema": DRAFT,
                "type": "object",
                "properties": {
                    "connection_threshold": {
                        "type": "integer", "description": "Idle below this", "default": 5, "minimum": 1, "maximum": 100,
                    },
                    "redis_url": {"type": "string", "minLength": 1, "format": "uri"},
                    "ratio": {"type": "number", "minimum": 0.5},
                    "level": {"type": "integer", "enum": [1, 2]},
                    "hosts": {"type": "array", "maxItems": 3},
                    "name": {"pattern": "^[a-z]{1,3}$"},
                },
                "required": ["redis_url"],
                "additionalProperties": false,
            })
        );
    }

    #[test]
    fn every_mistake_of_the_shorthand_is_told_by_its_field() {
        let shorthand = map(json!({
            "a": {"type": "integr"},
            "b": {"type": "int", "constraints": "mim=1"},
            "c": {"type": 5},
            "d": {"constraints": "min=x"},
            "e": {"constraints": "min"},
        }));
        let found = translated(&shorthand).expect_err("it is wrong");
        let told: Vec<String> = found
            .into_iter()
            .map(|found| format!("{} {}", found.pointer, found.text))
            .collect();
        assert_eq!(told.len(), 5, "{told:?}");
        assert!(
            told[0].starts_with("/a/type") && told[0].contains("integer is meant"),
            "{told:?}"
        );
        assert!(told[1].starts_with("/b/constraints"), "{told:?}");
        assert!(told[2].starts_with("/c/type"), "{told:?}");
        let (_, unknown) = translated(&map(json!({"f": {"typ": "int"}}))).expect("it is read");
        assert_eq!(unknown[0].text, "unknown key; probably type is meant");
    }
}
