//! Golden messages, shared with every SDK: `fixtures/<name>.json` and the same as MessagePack in
//! `fixtures/<name>.msgpack`. A released fixture is never edited: what it says must be read for ever.

use serde_json::Value;
use snooze_schemas::catalogue::{read_back, schemas};
use std::{fs, path::Path};

pub(crate) fn fixture(file: &str) -> Option<Vec<u8>> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(file)).ok()
}

/// Every message and record: one without a fixture would be one that nobody notices to have changed.
fn names() -> Vec<&'static str> {
    schemas().into_iter().map(|(name, _)| name).collect()
}

pub(crate) fn json(name: &str) -> Value {
    let text = fixture(&format!("{name}.json")).unwrap_or_else(|| panic!("{name}.json is missing"));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{name}.json: {error}"))
}

#[test]
fn every_fixture_is_read_and_written_back_unchanged() {
    for name in names() {
        let message = json(name);
        let back = read_back(name, &message).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(back, message, "{name}");
    }
}

#[test]
fn messagepack_and_json_say_the_same() {
    for name in names() {
        let packed =
            fixture(&format!("{name}.msgpack")).unwrap_or_else(|| panic!("{name}.msgpack is missing"));
        let unpacked: Value =
            rmp_serde::from_slice(&packed).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(read_back(name, &unpacked).expect(name), json(name), "{name}");
    }
}

#[test]
fn an_unknown_field_is_ignored() {
    for name in names().into_iter().filter(|name| *name != "plugin_info") {
        let Value::Object(mut message) = json(name) else {
            panic!("{name} is no map")
        };
        message.insert("said_by_a_later_version".to_owned(), Value::from(1));
        assert_eq!(
            read_back(name, &Value::Object(message)).expect(name),
            json(name),
            "{name}"
        );
    }
}
