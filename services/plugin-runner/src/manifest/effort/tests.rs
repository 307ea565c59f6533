//! Schemas that make much of little. Each is asked on a thread of its own, so that a check without end fails.

use super::super::schema::ConfigSchema;
use super::*;
use serde_json::json;
use std::{sync::mpsc, thread, time::Duration};

/// A thousand times what the work takes.
const LIMIT: Duration = Duration::from_secs(20);

fn in_time<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(work()));
    receiver
        .recv_timeout(LIMIT)
        .unwrap_or_else(|error| panic!("{what}: {error}"))
}

fn map(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).expect("an object")
}

/// The schema, or its first mistake.
fn read(schema: &Value) -> Result<ConfigSchema, String> {
    let schema = map(schema.clone());
    in_time("read the schema", move || match ConfigSchema::of(&schema) {
        Ok((schema, _)) => Ok(schema),
        Err(found) => Err(format!("{}: {}", found[0].pointer, found[0].text)),
    })
}

fn settle(schema: &Value, config: Value) -> Result<Map<String, Value>, String> {
    let schema = read(schema).expect("it is right");
    in_time("settle the configuration", move || {
        let settled = schema.settle(&map(config));
        settled.map_err(|mistakes| mistakes[0].to_string())
    })
}

fn nested(key: &str, levels: usize) -> Value {
    (1..levels).fold(json!({}), |inner, _| json!({key: inner}))
}

#[test]
fn a_default_that_doubles_the_work_with_each_level_is_refused() {
    let twice = json!([{"$ref": "#"}, {"$ref": "#"}]);
    let of_depth = |levels| {
        json!({"type": "object", "properties": {
            "c": {"allOf": twice}, "x": {"allOf": twice, "default": nested("c", levels)},
        }})
    };
    let told = read(&of_depth(30)).expect_err("it takes too long");
    assert!(
        told.starts_with("/config_schema/properties/x/default: at x.c.c"),
        "{told}"
    );
    assert!(told.contains("more than 200000 steps"), "{told}");
    let told = read(&of_depth(40)).expect_err("it is too deep");
    assert!(told.contains("more than 32 levels"), "{told}");
    assert!(read(&of_depth(5)).is_ok());
}

#[test]
fn whatever_branches_into_itself_takes_no_configuration_that_would_take_too_long() {
    let itself = json!({"$ref": "#"});
    let (allowed, twice) = (json!({"properties": {"c": itself}}), json!([itself, itself]));
    for schema in [
        json!({"properties": {"c": {"allOf": twice}}}),
        json!({"properties": {"c": {"anyOf": [{"allOf": twice, "required": ["z"]}, itself]}}, "minProperties": 1}),
        json!({"properties": {"c": {"oneOf": twice}}}),
        json!({"properties": {"c": {"not": {"oneOf": twice}}}}),
        json!({"properties": {"c": {"if": itself, "then": itself, "else": itself}}}),
        json!({"properties": {"c": {"dependentSchemas": {"c": itself}, "$ref": "#"}}}),
        json!({"properties": {"c": itself}, "patternProperties": {"^c": itself}}),
        json!({"patternProperties": {"^c": itself, "c$": itself}}),
        json!({"properties": {"c": {"$ref": "#b"}}, "$defs": {"b": {"$anchor": "b", "allOf": twice}}}),
        json!({"unevaluatedProperties": false, "allOf": [allowed]}),
        json!({"unevaluatedProperties": itself, "allOf": [{"unevaluatedProperties": itself}]}),
    ] {
        let schema = &mut schema.clone();
        schema["type"] = "object".into();
        let told = settle(schema, nested("c", 32)).expect_err("it takes too long");
        assert!(told.contains("200000 steps"), "{schema}: {told}");
        assert!(told.starts_with("c.c."), "{schema}: {told}");
        drop(settle(schema, nested("c", 4)));
    }
    let lists = json!({"properties": {"c": {"$ref": "#/$defs/l"}}, "$defs": {"l": {
        "items": {"$ref": "#/$defs/l"}, "contains": {"$ref": "#/$defs/l"},
    }}});
    let deep = (0..25).fold(json!(1), |inner, _| json!([inner]));
    let told = settle(&lists, json!({"c": deep})).expect_err("it takes too long");
    assert!(told.contains("200000 steps"), "{told}");
}

#[test]
fn a_schema_of_one_reference_to_itself_takes_what_people_write() {
    let tree = json!({"type": "object", "properties": {
        "left": {"$ref": "#"}, "right": {"$ref": "#"}, "list": {"items": {"$ref": "#"}}, "size": {"type": "integer"},
    }, "additionalProperties": false});
    assert!(settle(&tree, nested("left", 32)).is_ok());
    let full = (1..10).fold(
        json!({"size": 1}),
        |inner, _| json!({"left": inner, "right": inner}),
    );
    assert!(settle(&tree, full).is_ok());
    let either = json!({"properties": {"when": {"$ref": "#/$defs/when"}}, "$defs": {"when": {"anyOf": [
        {"type": "string"},
        {"type": "object", "properties": {"not": {"$ref": "#/$defs/when"}}, "required": ["not"]},
        {"type": "object", "properties": {"all": {"items": {"$ref": "#/$defs/when"}}}, "required": ["all"]},
    ]}}});
    let when = json!({"when": {"all": [{"not": "a"}, {"all": ["b", {"not": {"not": "c"}}]}]}});
    assert!(settle(&either, when).is_ok());
    let names: Vec<String> = (0..20).map(|index| format!("field{index}")).collect();
    let fields = |value: Value| {
        names
            .iter()
            .map(|name| (name.clone(), value.clone()))
            .collect::<Map<_, _>>()
    };
    let many = json!({"properties": {"hosts": {"type": "array", "items": {
        "properties": fields(json!({"type": "integer", "minimum": 0})), "additionalProperties": false,
    }}}});
    let hosts = vec![Value::Object(fields(json!(1))); 1000];
    assert!(settle(&many, json!({"hosts": hosts})).is_ok());
}

#[test]
fn a_configuration_is_so_deep_and_so_large_and_no_more() {
    let open = json!({"type": "object"});
    assert!(settle(&open, json!({"a": nested("b", 32)})).is_ok());
    let told = settle(&open, json!({"a": nested("b", 33)})).expect_err("it is too deep");
    assert!(
        told.starts_with("a.b.b.") && told.ends_with("more than 32 levels deep"),
        "{told}"
    );
    assert!(settle(&open, json!({"a": vec![1; 60_000], "b": "x".repeat(100_000)})).is_ok());
    let told = settle(&open, json!({"a": vec![1; 70_000]})).expect_err("it is too large");
    assert!(told.contains("more than 65536 parts"), "{told}");
    // A default that is written once and goes in two thousand times.
    let mut grown = json!({"properties": {}});
    for index in 0..2000 {
        grown["properties"][format!("a{index}")] = json!({"$ref": "#/$defs/large"});
    }
    grown["$defs"] = json!({"large": {"type": "array", "default": vec![1; 20_000]}});
    let told = read(&grown).expect_err("it grows");
    assert!(
        told.contains("at its defaults: with its defaults it has more than"),
        "{told}"
    );
}

#[test]
fn a_reference_that_leads_back_without_a_step_into_the_value_is_refused() {
    for schema in [
        json!({"type": "object", "allOf": [{"$ref": "#"}, {"$ref": "#"}]}),
        json!({"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/b"}]}, "b": {"not": {"$ref": "#/$defs/a"}}}}),
    ] {
        let told = read(&schema).expect_err("it leads back");
        assert!(told.contains("more than 256 times"), "{told}");
    }
}

#[test]
fn a_pattern_takes_time_by_the_text_alone() {
    let of_pattern = |pattern: &str| json!({"properties": {"a": {"type": "string", "pattern": pattern}}});
    for pattern in ["^(?=(a+)+$)b", "^(a+)+\\1$", "^(\\p{L}{1000}|a)+b$"] {
        let told = read(&of_pattern(pattern)).expect_err("it is not linear, or too large");
        assert!(told.starts_with("/config_schema/properties/a/pattern"), "{told}");
    }
    let text = "a".repeat(60_000) + "b";
    assert!(settle(&of_pattern("^(a+)+$"), json!({"a": text})).is_err());
    assert!(settle(&of_pattern("^\\p{L}{1,20}$"), json!({"a": "ä"})).is_ok());
    assert!(settle(&of_pattern("^[\\w.-]{1,63}$"), json!({"a": "b-1"})).is_ok());
    let patterns: Map<String, Value> = (0..129).map(|index| (format!("^{index}"), json!(true))).collect();
    let told =
        read(&json!({"type": "object", "patternProperties": patterns})).expect_err("they are too many");
    assert!(told.contains("more than 128 regular expressions"), "{told}");
}

#[test]
fn unknown_keys_are_told_without_comparing_everything_with_everything() {
    let long = |kind: &str, count: usize| -> Map<String, Value> {
        let names = (0..count).map(|index| (format!("{kind}{index}{}", "x".repeat(30)), json!(true)));
        names.collect()
    };
    let schema = json!({"properties": long("known", 2000), "additionalProperties": false});
    let config = Value::Object(long("unknown", 5000));
    assert!(settle(&schema, config).is_err());
    let close = json!({"properties": {"k".repeat(100_000): true}, "additionalProperties": false});
    assert!(settle(&close, json!({"K".repeat(100_001): 1})).is_err());
}

#[test]
fn what_is_taken_is_checked_in_time_however_wrong_it_is() {
    let leaf = json!({"anyOf": [{"type": "string"}, {"oneOf": [{"type": "integer"}, {"not": {}}]}]});
    let schema = json!({"properties": {"c": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"anyOf": [
        {"properties": {"c": {"$ref": "#/$defs/n"}, "l": {"items": leaf}}, "required": ["z"]},
        {"properties": {"c": {"$ref": "#/$defs/n"}}, "required": ["y"]},
    ]}}});
    for levels in 1..32 {
        let deep = (0..levels).fold(json!({"l": vec![true; 50]}), |inner, _| json!({"c": inner}));
        drop(settle(&schema, json!({"c": deep})));
    }
}
