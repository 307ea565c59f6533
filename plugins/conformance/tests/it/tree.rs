//! The plugins of this tree keep the contract.

use crate::stand::{OnTheBus, patient, program, root};
use snooze_conformance::{Form, Selection, Target, run};
use snooze_test_harness::{NatsServer, python};
use std::path::Path;

/// Asks a plugin of the tree what every plugin has to do.
async fn keeps_the_contract(words: &[&str]) {
    let home = tempfile::tempdir().expect("a temporary folder");
    let target = Target::Process(program(&root().join("plugins"), words, home.path()));
    let report = run(&target, &Selection::contract([Form::Lines]), &patient())
        .await
        .expect("the cases read");
    assert!(report.is_good(), "{words:?}: {report}");
}

/// An interpreter and a script.
async fn script_keeps_the_contract(path: &str) {
    let python = python();
    keeps_the_contract(&[python.to_str().expect("a path of text"), path]).await;
}

#[tokio::test]
async fn keep_awake_keeps_the_contract() {
    keeps_the_contract(&["demonstration/keep-awake.sh"]).await;
}

#[tokio::test]
async fn load_average_keeps_the_contract() {
    script_keeps_the_contract("demonstration/load-average.py").await;
}

#[tokio::test]
async fn redis_monitor_keeps_the_contract() {
    script_keeps_the_contract("examples/redis-monitor.py").await;
}

#[tokio::test]
async fn spot_checkpoint_keeps_the_contract() {
    script_keeps_the_contract("examples/spot-checkpoint.py").await;
}

#[tokio::test]
async fn file_watch_keeps_the_contract_on_the_bus() {
    let server = NatsServer::open().await;
    let home = tempfile::tempdir().expect("a temporary folder");
    let script = root().join("plugins/examples/file-watch-nats.py");
    let python = python();
    let words = [
        python.to_str().expect("a path of text"),
        script.to_str().expect("a path of text"),
        "web-1",
        "file-watch",
        "busy",
    ];
    let mut program = program(home.path(), &words, home.path());
    program.environment.insert("NATS_URL".to_owned(), server.url());
    let there = OnTheBus::start(&server, program, "file-watch", false).await;
    let report = run(&there.target(), &Selection::contract(Form::ALL), &patient())
        .await
        .expect("the cases read");
    assert!(report.is_good(), "{report}\n{}", there.running.log());
}

#[test]
fn every_plugin_of_the_tree_is_asked() {
    let source = include_str!("tree.rs");
    for folder in ["demonstration", "examples"] {
        let listed = std::fs::read_dir(root().join("plugins").join(folder)).expect("the folder reads");
        for entry in listed {
            let path = entry.expect("an entry of a folder that was opened").path();
            let name = format!(
                "{folder}/{}",
                path.file_name().and_then(|name| name.to_str()).expect("a name")
            );
            let is_plugin = Path::new(&name)
                .extension()
                .is_some_and(|end| end == "py" || end == "sh");
            assert!(!is_plugin || source.contains(&name), "{name} is not asked");
        }
    }
}
