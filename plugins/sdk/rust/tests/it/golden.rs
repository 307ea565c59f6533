//! The types of this crate read the golden messages that all of the protocol share.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use snooze_plugin::{Event, Info, Metrics, Opinion, Outcome, serde_json};
use std::{fmt::Debug, fs, path::Path};

fn golden(file: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../schemas/fixtures")
        .join(file);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn json(name: &str) -> Value {
    serde_json::from_slice(&golden(&format!("{name}.json"))).expect(name)
}

/// Reads a golden message in both forms and writes it back as it was.
fn keeps<T: DeserializeOwned + Serialize + PartialEq + Debug>(name: &str) -> T {
    let read: T = serde_json::from_value(json(name)).expect(name);
    let unpacked: T = rmp_serde::from_slice(&golden(&format!("{name}.msgpack"))).expect(name);
    assert_eq!(unpacked, read, "{name}");
    assert_eq!(serde_json::to_value(&read).expect(name), json(name), "{name}");
    read
}

#[test]
fn opinions_outcomes_and_introductions_are_golden() {
    let opinion: Opinion = keeps("check_idle_result");
    assert!(opinion.is_idle() && opinion.details()["connection_count"] == 0);
    let outcome: Outcome = keeps("handler_result");
    assert!(outcome.is_handled() && !outcome.is_done() && outcome.message() == "the flush failed");
    let info: Info = keeps("plugin_info");
    assert_eq!(info.more["category"], "database");
}

#[test]
fn readings_and_events_are_golden() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct CheckIdle {
        metrics: Metrics,
        host: String,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct HandleEvent {
        event: Event,
        left_ms: u64,
    }
    let asked: CheckIdle = keeps("check_idle");
    assert_eq!(
        (asked.metrics.cpu_usage, asked.metrics.gpu_usage),
        (Some(1.5), None)
    );
    assert!(asked.metrics.more.is_empty(), "each reading has its field");
    let asked: HandleEvent = keeps("handle_event");
    assert!(asked.event.is_a("custom") && !asked.event.is_a("cust"));
    keeps::<Event>("event");
}

#[test]
fn the_examples_manifest_is_one_and_says_what_the_example_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("example");
    let text = fs::read_to_string(folder.join("plugin.json")).expect("it has a manifest");
    let manifest: snooze_schemas::plugin::manifest::Manifest =
        serde_json::from_str(&text).expect("a manifest");
    let info = crate::child::Child::start("example-rust").ask("Info", serde_json::json!({}));
    for (key, told) in info["result"].as_object().expect("an introduction") {
        let written: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(&written[key], told, "{key}");
    }
    assert_eq!(manifest.name.to_string(), "example-rust");
}
