//! The examples of plugins/PROTOCOL.md hold: they are of the wire's types, and a real plugin answers so.

use crate::stand::{OnTheBus, PATIENCE, example, root};
use serde::de::DeserializeOwned;
use serde_json::Value;
use snooze_bus::Subject;
use snooze_conformance::Running;
use snooze_schemas::{
    event::{Event, HandleEvent, HandlerResult},
    plugin::{CheckIdle, CheckIdleResult, Configure, PluginInfo, SupportedEventsResult, manifest::Manifest},
};
use snooze_test_harness::NatsServer;

/// What a block of JSON in the document is.
enum Block {
    Manifest(Value),
    Configuration,
    /// Questions and answers on the lines, in turn.
    Session(Vec<(String, String)>),
    /// The same on the bus.
    OnTheBus(Vec<(Value, Value)>),
}

/// Every fenced block of JSON. One that is nothing of this is a failure.
fn blocks() -> Vec<Block> {
    let text = std::fs::read_to_string(root().join("plugins/PROTOCOL.md")).expect("the document reads");
    let fenced = text.split("\n```json\n").skip(1);
    fenced
        .map(|rest| block(rest.split("\n```").next().expect("a block has an end")))
        .collect()
}

fn block(text: &str) -> Block {
    if let Ok(whole) = serde_json::from_str::<Value>(text) {
        assert!(
            whole.get("entry_point").is_some() != whole.get("plugins").is_some(),
            "{text}"
        );
        return match whole.get("plugins") {
            Some(_) => Block::Configuration,
            None => Block::Manifest(whole),
        };
    }
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines.len().is_multiple_of(2),
        "a question without an answer: {text}"
    );
    let turns = lines
        .chunks(2)
        .map(|turn| (turn[0].to_owned(), turn[1].to_owned()));
    if lines[0].contains("\"subject\"") {
        return Block::OnTheBus(
            turns
                .map(|(question, answer)| (value(&question), value(&answer)))
                .collect(),
        );
    }
    Block::Session(turns.collect())
}

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|cause| panic!("{cause}: {text}"))
}

fn is_a<T: DeserializeOwned>(what: &Value) {
    if let Err(cause) = serde_json::from_value::<T>(what.clone()) {
        panic!("{what} is no {}: {cause}", std::any::type_name::<T>());
    }
}

/// Holds a question and its answer against the wire's types.
fn typed(method: &str, params: &Value, result: &Value) {
    match method {
        "Info" | "info" => is_a::<PluginInfo>(result),
        "Configure" | "configure" => {
            is_a::<Configure>(params);
            assert_eq!(result["success"], true);
        }
        "GetSupportedEvents" => is_a::<SupportedEventsResult>(result),
        "CheckIdle" | "check_idle" => {
            is_a::<CheckIdle>(params);
            is_a::<CheckIdleResult>(result);
        }
        "HandleEvent" => {
            is_a::<Event>(&params["event"]);
            is_a::<HandlerResult>(result);
        }
        "handle_event" => {
            is_a::<HandleEvent>(params);
            is_a::<HandlerResult>(result);
        }
        "Initialize" | "Shutdown" => assert_eq!(result["success"], true),
        other => panic!("{other} is no method"),
    }
}

#[test]
fn every_example_is_of_the_wires_types() {
    let mut methods = std::collections::BTreeSet::new();
    let (mut manifests, mut configurations) = (0, 0);
    for block in blocks() {
        match block {
            Block::Manifest(manifest) => {
                is_a::<Manifest>(&manifest);
                manifests += 1;
            }
            Block::Configuration => configurations += 1,
            Block::Session(turns) => {
                for (question, answer) in turns {
                    let (question, answer) = (value(&question), value(&answer));
                    assert_eq!(question["id"], answer["id"]);
                    assert_eq!(question.get("jsonrpc"), answer.get("jsonrpc"));
                    let method = question["method"]
                        .as_str()
                        .expect("a method is a text")
                        .to_owned();
                    if let Some(result) = answer.get("result") {
                        typed(&method, &question["params"], result);
                        methods.insert(method);
                    }
                }
            }
            Block::OnTheBus(turns) => {
                for (question, answer) in turns {
                    let subject: Subject = question["subject"]
                        .as_str()
                        .expect("a text")
                        .parse()
                        .expect("a subject");
                    let Subject::HostPlugin { method, .. } = subject else {
                        panic!("{subject} is no plugin's");
                    };
                    if answer.get("error").is_none() {
                        typed(method.as_str(), &question["body"], &answer);
                        methods.insert(method.to_string());
                    }
                }
            }
        }
    }
    assert_eq!((manifests, configurations), (1, 2));
    for method in [
        "Info",
        "Configure",
        "Initialize",
        "GetSupportedEvents",
        "CheckIdle",
        "HandleEvent",
        "Shutdown",
        "check_idle",
        "handle_event",
        "configure",
    ] {
        assert!(methods.contains(method), "there is no example of {method}");
    }
}

#[tokio::test]
async fn a_real_plugin_answers_each_session_as_it_stands_there() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let mut sessions = 0;
    for block in blocks() {
        let Block::Session(turns) = block else { continue };
        let mut running = Running::start(&example(home.path(), "")).expect("it starts");
        for (question, answer) in turns {
            let said = running.exchange(&format!("{question}\n"), PATIENCE).await;
            let said = said.unwrap_or_else(|why| panic!("{question}: {why}"));
            assert_eq!(value(&said), value(&answer), "{question}");
        }
        sessions += 1;
    }
    assert_eq!(sessions, 2, "one on lines, one in JSON-RPC");
}

#[tokio::test]
async fn a_real_plugin_answers_on_the_bus_as_it_stands_there() {
    let server = NatsServer::open().await;
    let home = tempfile::tempdir().expect("a temporary folder");
    let there = OnTheBus::start(&server, example(home.path(), ""), "example-python", false).await;
    let mut asked = 0;
    for block in blocks() {
        let Block::OnTheBus(turns) = block else { continue };
        for (question, answer) in turns {
            let subject = question["subject"].as_str().expect("a text");
            let body = question["body"].to_string();
            let headers = question["headers"].as_object().into_iter().flatten();
            let headers: Vec<(&str, &str)> = headers
                .map(|(name, value)| (name.as_str(), value.as_str().expect("a text")))
                .collect();
            let said = there
                .plugin
                .bus
                .raw_request(subject, &headers, body.as_bytes(), PATIENCE)
                .await;
            let said = said.expect("it answers").payload;
            assert_eq!(
                value(&String::from_utf8(said).expect("text")),
                answer,
                "{question}"
            );
            asked += 1;
        }
    }
    assert_eq!(asked, 6);
}
