//! Configurations as people write them, against both forms of a schema.

use super::{super::words::without_secrets, *};
use serde_json::json;

fn map(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).expect("an object")
}

fn schema(written: Value) -> ConfigSchema {
    match ConfigSchema::of(&map(written)) {
        Ok((schema, unknown)) => {
            assert!(unknown.is_empty(), "{unknown:?}");
            schema
        }
        Err(found) => panic!("{found:?}"),
    }
}

fn refused(schema: &ConfigSchema, config: Value) -> Vec<String> {
    let mistakes = schema.settle(&map(config)).expect_err("it is wrong");
    mistakes.iter().map(ToString::to_string).collect()
}

fn redis() -> ConfigSchema {
    schema(json!({
        "connection_threshold": {"type": "int", "default": 5, "constraints": "min=1"},
        "redis_url": {"type": "string", "required": true},
        "redis_password": {"type": "string", "constraints": "min_length=8"},
    }))
}

#[test]
fn the_defaults_of_the_schema_are_filled_in() {
    let settled = redis()
        .settle(&map(json!({"redis_url": "redis://a"})))
        .expect("it is right");
    assert_eq!(
        Value::Object(settled),
        json!({"redis_url": "redis://a", "connection_threshold": 5})
    );
    let nested = schema(json!({
        "type": "object",
        "properties": {
            "server": {"$ref": "#/$defs/server", "default": {}},
            "other": {"$ref": "#/$defs/server"},
            "own": {"type": "string", "default": "x"},
        },
        "$defs": {"server": {"type": "object", "properties": {"port": {"type": "integer", "default": 6379}}}},
    }));
    let settled = nested.settle(&map(json!({"own": "y"}))).expect("it is right");
    assert_eq!(
        Value::Object(settled),
        json!({"own": "y", "server": {"port": 6379}})
    );
}

#[test]
fn a_bad_configuration_is_refused_with_path_expected_and_found() {
    assert_eq!(
        refused(
            &redis(),
            json!({"connection_threshold": 0, "conection_threshold": 3})
        ),
        [
            "conection_threshold: unknown key; probably connection_threshold is meant",
            "connection_threshold: expected at least 1, found 0",
            "redis_url: it is required, and missing",
        ]
    );
    assert_eq!(
        refused(&redis(), json!({"redis_url": 7})),
        ["redis_url: expected string, found 7"]
    );
    let queues = schema(json!({
        "properties": {
            "queues": {"type": "array", "items": {"type": "object", "properties": {
                "kind": {"enum": ["nats", "redis"]},
                "depth": {"anyOf": [{"type": "integer"}, {"const": "any"}]},
            }}},
        },
    }));
    assert_eq!(
        refused(
            &queues,
            json!({"queues": [{"kind": "nats"}, {"kind": "kafka", "depth": true}]})
        ),
        [
            "queues[1].depth: expected integer, or \"any\", found true",
            "queues[1].kind: expected one of [\"nats\",\"redis\"], found \"kafka\"",
        ]
    );
    let either = schema(json!({"oneOf": [{"required": ["dsn"]}, {"required": ["dsn_file"]}]}));
    assert_eq!(
        refused(&either, json!({})),
        ["expected the field dsn, or the field dsn_file, found a map"]
    );
    assert_eq!(
        refused(&either, json!({"dsn": "a", "dsn_file": "/b"})),
        ["expected one of the fields dsn, dsn_file, not several"]
    );
    let both = schema(json!({"oneOf": [{"minProperties": 1}, {"maxProperties": 2}]}));
    assert_eq!(
        refused(&both, json!({"a": 1})),
        ["expected one of the alternatives, not several"]
    );
}

#[test]
fn secrets_are_not_shown() {
    let all = schema(json!({
        "type": "object",
        "properties": {
            "pin": {"type": "integer", "writeOnly": true, "maximum": 5},
            "phrase": {"type": "string", "format": "password", "pattern": "^a"},
            "mysql_dsn": {"type": "integer"},
            "API-Token": {"type": "integer"},
            "url": {"type": "string", "maxLength": 3},
            "auth": {"properties": {"client_secret": {"items": {"maxLength": 2}}}},
            "choice": {"properties": {"password": {"anyOf": [{"type": "integer"}, {"type": "null"}]}}},
        },
        "additionalProperties": {"type": "integer"},
    }));
    let told = refused(
        &all,
        json!({
            "pin": 4711, "phrase": "hunter2", "mysql_dsn": "user:hunter2", "API-Token": "hunter2",
            "url": "redis://:hunter2@db", "auth": {"client_secret": ["hunter2"]},
            "choice": {"password": "hunter2"}, "passwords": ["hunter2"],
        }),
    );
    assert_eq!(told.len(), 8, "{told:?}");
    for text in &told {
        assert!(!text.contains("hunter2") && !text.contains("4711"), "{text}");
    }
}

#[test]
fn a_field_for_the_file_of_a_secret_is_known_and_one_for_another_file_is_not() {
    let all = schema(json!({
        "type": "object",
        "properties": {
            "redis_url": {"writeOnly": true}, "password_file": {}, "ca_file": {}, "lock_file": {},
            "queues": {"items": {"type": "object", "properties": {"url": {}, "url_file": {}, "ca_file": {}}}},
        },
    }));
    assert_eq!(all.secret_files(), ["password_file", "url_file"]);
}

#[test]
fn a_configuration_is_shown_without_its_secrets_and_with_all_else() {
    let config = json!({
        "pin": 4711, "dsn": "hunter2", "dsn_file": "/etc/dsn", "threshold": 5, "url": "redis://:hunter2@db", "plain": "redis://db",
        "connection": "host=db password=hunter2", "why": "tokens are counted", "note": format!("ghp_{}", "a1".repeat(18)),
        "servers": [{"name": "a", "api_key": "hunter2", "token": null}], "passwords": {"any": ["hunter2", 4711]},
    });
    assert_eq!(
        without_secrets(&config, ["pin".to_owned()]),
        json!({
            "pin": "(not shown)", "dsn": "(not shown)", "dsn_file": "/etc/dsn", "threshold": 5, "url": "(not shown)", "plain": "redis://db",
            "connection": "(not shown)", "why": "tokens are counted", "note": "(not shown)",
            "servers": [{"name": "a", "api_key": "(not shown)", "token": null}],
            "passwords": {"any": ["(not shown)", "(not shown)"]},
        })
    );
}

#[test]
fn a_schema_elsewhere_is_not_fetched() {
    for reference in [
        "http://127.0.0.1:1/schema.json",
        "file:///etc/hostname",
        "other.json",
    ] {
        let written = json!({"type": "object", "properties": {"a": {"$ref": reference}}});
        let found = ConfigSchema::of(&map(written)).expect_err("it leads out");
        assert_eq!(
            found[0].pointer, "/config_schema/properties/a/$ref",
            "{reference}"
        );
        assert!(found[0].text.contains("not fetched"), "{found:?}");
    }
}

#[test]
fn a_schema_that_is_none_is_told_where_it_is_wrong() {
    let pointers = |written: Value| -> Vec<String> {
        let found = ConfigSchema::of(&map(written)).expect_err("it is wrong");
        found.into_iter().map(|found| found.pointer).collect()
    };
    assert_eq!(
        pointers(json!({"properties": {"a": {"type": "integr"}, "b": {"minimum": "x"}}})),
        [
            "/config_schema/properties/a/type",
            "/config_schema/properties/b/minimum"
        ]
    );
    assert_eq!(pointers(json!({"type": "array"})), ["/config_schema/type"]);
    assert_eq!(
        pointers(json!({"properties": {"a": {"pattern": "["}}})),
        ["/config_schema/properties/a/pattern"]
    );
    assert_eq!(
        pointers(json!({"a": {"constraints": "pattern=["}})),
        ["/config_schema/a/constraints"]
    );
    assert_eq!(
        pointers(json!({"a": {"type": "int", "default": 0, "constraints": "min=1"}})),
        ["/config_schema/a/default"]
    );
    assert_eq!(
        pointers(json!({"properties": {"a": {"type": "integer", "default": "x"}}})),
        ["/config_schema/properties/a/default"]
    );
}

#[test]
fn formats_are_checked_and_other_drafts_are_read() {
    let uri = schema(json!({"url": {"type": "string", "constraints": "format=uri"}}));
    assert_eq!(
        refused(&uri, json!({"url": "no address"})),
        ["url: expected the format uri, found \"no address\""]
    );
    let seven = schema(json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "properties": {"a": {"type": "integer"}},
    }));
    assert!(seven.settle(&map(json!({"a": "x"}))).is_err());
}

#[test]
fn a_schema_that_refers_to_itself_without_end_ends_nobody() {
    for written in [
        json!({"$ref": "#"}),
        json!({"type": "object", "allOf": [{"$ref": "#"}]}),
        json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"anyOf": [{"$ref": "#/$defs/a"}]}}}),
        json!({"type": "object", "not": {"$ref": "#"}}),
        json!({"type": "object", "properties": {"a": {"$ref": "#"}}}),
        json!({"type": "object", "properties": {"a": {"$ref": "#", "default": {}}}}),
        json!({"properties": {"a": {"$ref": "#", "default": {}}, "b": {"$ref": "#", "default": {}}, "c": {"$ref": "#", "default": {}}}}),
    ] {
        if let Ok((schema, _)) = ConfigSchema::of(&map(written)) {
            drop(schema.settle(&map(json!({"a": {"a": {}}}))));
        }
    }
}
