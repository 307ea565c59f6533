//! What every message and every reply is on the wire: maps with string keys (M3), and the envelope of replies with its
//! closed list of codes (M4). Held against every schema and every fixture.

use crate::fixtures::{fixture, json as message};
use serde_json::{Map, Value, json};
use snooze_schemas::{ErrorCode, Refusal, Reply, catalogue::schemas, reply::Empty};

#[test]
fn m3_every_message_is_a_map_with_string_keys() {
    for (name, schema) in schemas() {
        let choices = schema["anyOf"]
            .as_array()
            .map_or(std::slice::from_ref(&schema), Vec::as_slice);
        assert!(
            choices.iter().all(|one| one["type"] == "object"),
            "{name} is {schema}"
        );
        // A reader of maps with string keys takes no other: neither a list of a type's fields nor keys of numbers.
        let packed: Map<String, Value> =
            rmp_serde::from_slice(&fixture(&format!("{name}.msgpack")).expect("it has one"))
                .unwrap_or_else(|cause| panic!("{name}: {cause}"));
        let packed = Value::Object(packed);
        // And what lies within are the same maps as in JSON, and no lists in their place.
        assert_eq!(packed, message(name), "{name}");
    }
    // {1: "x"}
    assert!(rmp_serde::from_slice::<Map<String, Value>>(b"\x81\x01\xa1x").is_err());
}

/// The closed list, in its order.
const CODES: [&str; 10] = [
    "bad_request",
    "unknown_version",
    "forbidden",
    "not_found",
    "conflict",
    "too_late",
    "rate_limited",
    "unavailable",
    "timeout",
    "internal",
];

#[test]
fn m4_a_refusal_has_one_of_the_codes_listed_and_no_other() {
    let schema = schemars::schema_for!(ErrorCode).to_value();
    let stated: Vec<&str> = schema["oneOf"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|one| one["const"].as_str())
        .collect();
    assert_eq!(stated, CODES);
    for code in CODES {
        let wire = json!({"ok": false, "code": code, "message": "why"});
        let read: Reply<Empty> =
            serde_json::from_value(wire.clone()).unwrap_or_else(|cause| panic!("{code}: {cause}"));
        let refusal = read.into_result().expect_err("it is a refusal");
        assert_eq!(refusal.message, "why");
        assert_eq!(
            serde_json::to_value(Reply::<Empty>::from(Err(refusal))).expect("it is written"),
            wire
        );
    }
    for no_reply in [
        json!({"ok": false, "code": "teapot", "message": "why"}),
        json!({"ok": false, "message": "why"}),
        json!({"ok": false, "code": "internal"}),
        json!({"ok": "no", "code": "internal", "message": "why"}),
        json!({"code": "internal", "message": "why"}),
        json!({}),
    ] {
        assert!(
            serde_json::from_value::<Reply<Empty>>(no_reply.clone()).is_err(),
            "{no_reply}"
        );
    }
}

#[test]
fn m4_an_answer_has_its_fields_beside_ok_and_hides_none_of_them() {
    for (name, schema) in schemas() {
        // A field `ok` of a body would be the envelope's, or the envelope's the body's.
        assert!(
            schema["properties"].get("ok").is_none(),
            "{name} has a field `ok`"
        );
        let Value::Object(body) = message(name) else {
            panic!("{name} is no map")
        };
        let done = Reply::from(Ok::<_, Refusal>(body.clone()));
        let written = serde_json::to_value(&done).expect("it is written");
        let mut expected = Map::from_iter([("ok".to_owned(), Value::Bool(true))]);
        expected.extend(body);
        assert_eq!(written, Value::Object(expected), "{name}");
    }
}
