//! The example as a library: it keeps the same contract as the same plugin that is a process.

use crate::child::program;
use snooze_conformance::{Case, Form, Limits, Program, Selection, Step, Target, run, subjects};
use snooze_native::Library;
use snooze_plugin::serde_json::{Value, from_slice, json};
use std::{collections::BTreeMap, fs};

/// A library has no process of its own that could be asked to end.
fn is_of_a_process(case: &Case) -> bool {
    case.steps.iter().any(|step| matches!(step, Step::Terminate))
}

#[tokio::test]
async fn as_a_library_the_example_keeps_the_contract() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let path = |name| program(name).to_str().expect("a path in UTF-8").to_owned();
    let host = Program {
        command: vec![path("native-host"), path("libexample_rust_native.so")],
        folder: home.path().to_owned(),
        search_path: String::new(),
        home: home.path().to_owned(),
        environment: BTreeMap::new(),
    };
    let mut selection = Selection::example([Form::Lines, Form::JsonRpc]);
    for subject in subjects().expect("the cases read") {
        let cases = subject.cases.iter().filter(|case| !is_of_a_process(case));
        selection
            .names
            .extend(cases.map(|case| format!("{}/{}", subject.subject, case.name)));
    }
    let report = run(&Target::Process(host), &selection, &Limits::default()).await;
    let report = report.expect("the cases read");
    assert!(report.is_good(), "{report}");
    assert!(report.passed() > 40, "only {} cases were asked", report.passed());
}

#[test]
fn a_library_is_opened_as_often_as_it_is_loaded_and_each_has_its_own_configuration() {
    let bytes = fs::read(program("libexample_rust_native.so")).expect("it is built");
    let open = || Library::open(&bytes).expect("it is a plugin");
    let ask = |library: &mut Library, request: Value| -> Value {
        from_slice(&library.answer(request.to_string().as_bytes())).expect("an answer is JSON")
    };
    let (mut one, mut other) = (open(), open());
    let configured = ask(
        &mut one,
        json!({"method": "Configure", "params": {"config": {"threshold": 90}}, "id": 1}),
    );
    assert_eq!(configured, json!({"result": {"success": true}, "id": 1}));
    let question = json!({"method": "CheckIdle", "params": {"metrics": {"cpu_usage": 50}}, "id": 2});
    assert_eq!(ask(&mut one, question.clone())["result"]["is_idle"], json!(true));
    assert_eq!(ask(&mut other, question)["result"]["is_idle"], json!(false));
}
