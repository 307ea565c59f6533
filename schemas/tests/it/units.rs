//! How numbers and times are written in messages: durations (M1) and times (M2). Held against every schema and every
//! fixture, and never against a list of messages that somebody keeps by hand.

use crate::fixtures::json as message;
use serde_json::{Value, json};
use snooze_schemas::{
    Timestamp,
    catalogue::{read_back, schemas},
};
use std::collections::BTreeSet;

/// Numbers that are no durations, of everything that is sent. A new number that is neither of these nor ends in
/// `_ms` or in a unit that is no time does not pass.
const COUNTS: [&str; 27] = [
    "after",
    "asked_again",
    "calls",
    "claim",
    "cpu_usage",
    "disk_io",
    "dropped",
    "errors",
    "events",
    "gpu_usage",
    "index",
    "limit",
    "lines",
    "listen",
    "max_severity",
    "memory_usage",
    "network_traffic",
    "port",
    "priority",
    "processes",
    "restarts",
    "seq",
    "severity",
    "time_outs",
    "timestamp",
    "value",
    "version",
];

/// Units of what is measured, none of them of time.
const UNITS: [&str; 4] = ["_percent", "_mb", "_bytes", "_celsius"];

/// A question takes less than a millisecond: how long it took is told in a finer unit, whole numbers as well.
const LATENCIES: [&str; 4] = ["max_us", "p50_us", "p99_us", "took_us"];

/// What an operator writes as the original did, in minutes and seconds: the settings of the policy, no message.
const SETTINGS: &str = "policy";

/// The same in a manifest: what an author writes as the original's configuration has it, and no message either.
const AUTHORS: [(&str, &str); 1] = [("manifest", "timeout_seconds")];

/// A field of a schema: its name, and every type that it may have.
struct Field {
    name: String,
    types: BTreeSet<String>,
    format: Option<String>,
    minimum: Option<i64>,
}

/// Every field of a schema, those of its parts included, with references followed.
fn fields(schema: &Value) -> Vec<Field> {
    let mut found = Vec::new();
    gather(schema, schema, &mut found);
    found
}

fn gather(whole: &Value, part: &Value, found: &mut Vec<Field>) {
    match part {
        Value::Object(map) => {
            let properties = map.get("properties").and_then(Value::as_object);
            for (name, field) in properties.into_iter().flatten() {
                let mut types = BTreeSet::new();
                let mut format = None;
                let mut minimum = None;
                describe(whole, field, &mut types, &mut format, &mut minimum);
                found.push(Field {
                    name: name.clone(),
                    types,
                    format,
                    minimum,
                });
            }
            map.values().for_each(|value| gather(whole, value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| gather(whole, value, found)),
        _ => {}
    }
}

/// What a field may be: its own types, those of what it refers to, and those of a list's entries.
fn describe(
    whole: &Value,
    field: &Value,
    types: &mut BTreeSet<String>,
    format: &mut Option<String>,
    minimum: &mut Option<i64>,
) {
    match &field["type"] {
        Value::String(one) => drop(types.insert(one.clone())),
        Value::Array(all) => types.extend(all.iter().filter_map(Value::as_str).map(str::to_owned)),
        _ => {}
    }
    if let Some(said) = field["format"].as_str() {
        *format = Some(said.to_owned());
    }
    *minimum = minimum.or(field["minimum"].as_i64());
    if let Some(name) = field["$ref"]
        .as_str()
        .and_then(|path| path.strip_prefix("#/$defs/"))
    {
        // One level: no number refers to itself.
        let target = &whole["$defs"][name];
        if target.get("properties").is_none() {
            describe(whole, target, types, format, minimum);
        }
    }
    for choice in field["anyOf"].as_array().into_iter().flatten() {
        describe(whole, choice, types, format, minimum);
    }
    if field["items"].is_object() {
        describe(whole, &field["items"], types, format, minimum);
    }
}

/// Every text and number in a value, with the key under which it stands.
fn leaves<'a>(key: &'a str, value: &'a Value, found: &mut Vec<(&'a str, &'a Value)>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| leaves(key, value, found)),
        Value::Array(list) => list.iter().for_each(|value| leaves(key, value, found)),
        leaf => found.push((key, leaf)),
    }
}

#[test]
fn m1_durations_are_integers_whose_names_end_in_ms() {
    let (mut durations, mut wrong) = (0, Vec::new());
    for (name, schema) in schemas().into_iter().filter(|(name, _)| *name != SETTINGS) {
        for field in fields(&schema) {
            let types: BTreeSet<&str> = field.types.iter().map(String::as_str).collect();
            let number = types.contains("integer") || types.contains("number");
            let whole = types.contains("integer") && !types.contains("number") && field.minimum == Some(0);
            let known = COUNTS.contains(&&*field.name) || UNITS.iter().any(|unit| field.name.ends_with(unit));
            let fits = match &*field.name {
                latency if LATENCIES.contains(&latency) => whole,
                duration if duration.ends_with("_ms") => {
                    durations += 1;
                    whole
                }
                other => !number || known || AUTHORS.contains(&(name, other)),
            };
            if !fits {
                wrong.push(format!("{name}: {} is {:?}", field.name, field.types));
            }
        }
        let whole = message(name);
        let mut found = Vec::new();
        leaves("", &whole, &mut found);
        let texts = found
            .iter()
            .filter(|(key, value)| key.ends_with("_ms") && !value.is_u64());
        wrong.extend(texts.map(|(key, value)| format!("{name}: {key} is {value}")));
    }
    assert!(durations > 20, "the walk saw {durations} durations");
    assert!(
        wrong.is_empty(),
        "no durations in whole milliseconds:\n{}",
        wrong.join("\n")
    );
}

/// Whether a text looks like a time, in whichever zone.
fn like_a_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() > 10 && bytes[4] == b'-' && bytes[7] == b'-' && matches!(bytes[10], b'T' | b't' | b' ')
}

#[test]
fn m2_times_are_rfc_3339_in_utc() {
    let (mut times, mut wrong) = (0, Vec::new());
    for (name, schema) in schemas() {
        for field in fields(&schema) {
            let named =
                ["at", "since", "deadline", "until"].contains(&&*field.name) || field.name.ends_with("_at");
            let timed = field.format.as_deref() == Some("date-time");
            if named != timed || (timed && !field.types.contains("string")) {
                wrong.push(format!("{name}: {} is {:?}", field.name, field.types));
            }
        }
        let whole = message(name);
        let mut found = Vec::new();
        leaves("", &whole, &mut found);
        for text in found.into_iter().filter_map(|(_, value)| value.as_str()) {
            if like_a_time(text) {
                times += 1;
                if !text.ends_with('Z') || text.parse::<Timestamp>().is_err() {
                    wrong.push(format!("{name}: {text} is no time in UTC"));
                }
            }
        }
    }
    assert!(times > 10, "the fixtures hold {times} times");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn m2_a_time_of_another_zone_is_written_in_utc() {
    let mut event = message("event");
    event["noticed_at"] = json!("2026-11-23T05:15:00+02:00");
    let back = read_back("event", &event).expect("it is a time");
    assert_eq!(back["noticed_at"], "2026-11-23T03:15:00Z");
    // Without a zone it would be another moment at each reader.
    for no_time in [
        json!("2026-11-23T05:15:00"),
        json!("yesterday"),
        json!(1_763_867_700),
        Value::Null,
    ] {
        event["noticed_at"] = no_time;
        assert!(read_back("event", &event).is_err(), "{event}");
    }
}
