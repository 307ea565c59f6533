//! What a plugin can be configured with: that its schema refuses what breaks it, and the plugin takes what does not.
//!
//! One that is refused reaches no plugin; the one that runs stays.

use super::{Findings, trial::Trial};
use serde_json::{Map, Value, json};
use snooze_plugin_runner::{ConfigSchema, PluginManifest};
use std::collections::BTreeMap;

/// What all of it is about.
const SUBJECT: &str = "configuration";

/// A value for a field that is broken in one way, and which.
type Broken = (&'static str, Value);

/// Tries every field.
pub(super) async fn try_out(tried: &impl Trial, config: &Map<String, Value>, findings: &mut Findings) {
    let Some(schema) = tried.plugin().manifest().and_then(PluginManifest::schema) else {
        findings.note("its manifest has no config_schema: whatever is configured is handed to it unchecked");
        return;
    };
    let Ok(settled) = schema.settle(config) else {
        return;
    };
    for (key, field) in fields(schema) {
        for (constraint, value) in broken(&field) {
            refused(tried, (&key, constraint, value), findings).await;
        }
        for (bound, value) in bounds(&field) {
            let mut other = settled.clone();
            other.insert(key.clone(), value);
            // Bounds of one field may not go with the others as they are.
            if schema.settle(&other).is_ok() {
                taken(tried, &format!("{key}-takes-its-{bound}"), &other, findings).await;
            }
        }
    }
    for key in required(schema) {
        let case = format!("{key}-is-required");
        let begun = findings.begin(SUBJECT, &case);
        let mut without = settled.clone();
        without.remove(&key);
        let has_default = schema.settle(&Map::new()).is_ok();
        let kept = match schema.settle(&without) {
            Ok(_) if !has_default => Err(("a refusal".to_owned(), "it is taken".to_owned())),
            Ok(_) | Err(_) => Ok(()),
        };
        let law = "A configuration without what is required is refused.";
        findings.add(SUBJECT, &case, law, begun, kept);
    }
    taken(tried, "the-one-before-is-taken-again", &settled, findings).await;
}

/// A broken value is refused, and the process that runs goes on as it is.
async fn refused(tried: &impl Trial, (key, constraint, value): (&str, &str, Value), findings: &mut Findings) {
    let case = format!("{key}-breaks-its-{constraint}");
    let begun = findings.begin(SUBJECT, &case);
    let (name, process) = (tried.plugin().name().to_string(), tried.process_id());
    let shown = value.to_string();
    let layer = Map::from_iter([(key.to_owned(), value)]);
    tried.configs().lay(BTreeMap::from([(name, layer)]));
    let why = tried.config_refused().await;
    let answers = tried.answers().await;
    let same = tried.process_id() == process && answers;
    tried.configs().lay(BTreeMap::new());
    let shown: String = shown.chars().take(60).collect();
    let kept = match (why, same) {
        (Some(_), true) => Ok(()),
        (None, _) => Err((format!("a refusal of {key}={shown}"), "it is taken".to_owned())),
        (_, false) => Err(("a process that goes on".to_owned(), "it was ended".to_owned())),
    };
    let law = "What breaks a constraint is refused, and the configuration that runs stays.";
    findings.add_with_log((SUBJECT, &case, law), begun, kept, || tried.last_words());
}

/// What the schema allows the plugin takes.
async fn taken(tried: &impl Trial, case: &str, config: &Map<String, Value>, findings: &mut Findings) {
    let begun = findings.begin(SUBJECT, case);
    let taken = tried.configure(config).await;
    let kept = taken.map_err(|why| ("success".to_owned(), why));
    let law = "What its schema allows it takes.";
    findings.add_with_log((SUBJECT, case, law), begun, kept, || tried.last_words());
}

fn fields(schema: &ConfigSchema) -> Vec<(String, Value)> {
    let properties = schema.as_value().get("properties").and_then(Value::as_object);
    properties
        .into_iter()
        .flatten()
        .map(|(key, field)| (key.clone(), field.clone()))
        .collect()
}

fn required(schema: &ConfigSchema) -> Vec<String> {
    let required = schema.as_value().get("required").and_then(Value::as_array);
    required
        .into_iter()
        .flatten()
        .filter_map(|key| Some(key.as_str()?.to_owned()))
        .collect()
}

/// A value for each constraint of a field that breaks it, as far as one can be made up.
fn broken(field: &Value) -> Vec<Broken> {
    let number = |key: &str| field.get(key).and_then(Value::as_f64);
    let count = |key: &str| {
        field
            .get(key)
            .and_then(Value::as_u64)
            .and_then(|count| usize::try_from(count).ok())
    };
    let text = |length: usize| Value::from("x".repeat(length));
    let list = |length: usize| Value::from(vec![Value::Null; length]);
    let mut broken: Vec<Broken> = Vec::new();
    let mut add = |name, value: Option<Value>| broken.extend(value.map(|value| (name, value)));
    add("type", of_another_type(field));
    add("minimum", number("minimum").map(|least| json!(least - 1.0)));
    add(
        "exclusiveMinimum",
        number("exclusiveMinimum").map(|least| json!(least)),
    );
    add("maximum", number("maximum").map(|most| json!(most + 1.0)));
    add(
        "exclusiveMaximum",
        number("exclusiveMaximum").map(|most| json!(most)),
    );
    add(
        "minLength",
        count("minLength")
            .and_then(|least| least.checked_sub(1))
            .map(text),
    );
    add(
        "maxLength",
        count("maxLength")
            .filter(|most| *most < LONGEST)
            .map(|most| text(most + 1)),
    );
    add(
        "minItems",
        count("minItems").and_then(|least| least.checked_sub(1)).map(list),
    );
    add(
        "maxItems",
        count("maxItems")
            .filter(|most| *most < LONGEST)
            .map(|most| list(most + 1)),
    );
    add("enum", field.get("enum").map(|_| json!("\u{fffd} none of them")));
    broken
}

/// Nothing longer is made up.
const LONGEST: usize = 64 * 1024;

/// A value of a type that the field does not have, where it has one.
fn of_another_type(field: &Value) -> Option<Value> {
    let types: Vec<&str> = match field.get("type")? {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    let values = [
        (&["string"][..], json!("a text")),
        (&["object"], json!({"a": "map"})),
        (&["array"], json!(["a list"])),
        (&["boolean"], json!(true)),
        (&["number", "integer"], json!(1)),
        (&["null"], Value::Null),
    ];
    let mut others = values
        .into_iter()
        .filter(|(named, _)| !named.iter().any(|name| types.contains(name)));
    others.next().map(|(_, value)| value)
}

/// The values at the edge of what a field allows.
fn bounds(field: &Value) -> Vec<Broken> {
    let at = |key: &'static str| field.get(key).map(|bound| (key, bound.clone()));
    let options = field.get("enum").and_then(Value::as_array).into_iter().flatten();
    let options = options.map(|option| ("enum", option.clone()));
    [at("minimum"), at("maximum"), at("default")]
        .into_iter()
        .flatten()
        .chain(options)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_constraint_is_broken_by_a_value_of_its_own() {
        let names = |field: Value| {
            broken(&field)
                .into_iter()
                .map(|(name, _)| name)
                .collect::<Vec<_>>()
        };
        let field = json!({"type": "integer", "minimum": 1, "maximum": 9});
        assert_eq!(
            broken(&field),
            [
                ("type", json!("a text")),
                ("minimum", json!(0.0)),
                ("maximum", json!(10.0))
            ]
        );
        let field = json!({"type": "string", "minLength": 1, "maxLength": 3, "enum": ["a", "b"]});
        assert_eq!(names(field), ["type", "minLength", "maxLength", "enum"]);
        assert_eq!(
            names(json!({"type": "array", "minItems": 1, "maxItems": 2})),
            ["type", "minItems", "maxItems"]
        );
        assert_eq!(names(json!({"exclusiveMinimum": 0})), ["exclusiveMinimum"]);
        let any = ["string", "object", "array", "boolean", "number", "null"];
        assert_eq!(
            of_another_type(&json!({"type": any})),
            None,
            "nothing is of another type"
        );
        assert_eq!(
            of_another_type(&json!({"type": ["string", "null"]})),
            Some(json!({"a": "map"}))
        );
    }

    #[test]
    fn the_edge_of_what_is_allowed_is_tried_too() {
        let field = json!({"minimum": 1, "default": 5, "enum": [1, 5]});
        let bounds = bounds(&field);
        assert_eq!(
            bounds,
            [
                ("minimum", json!(1)),
                ("default", json!(5)),
                ("enum", json!(1)),
                ("enum", json!(5))
            ]
        );
    }
}
