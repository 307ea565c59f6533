//! A program that was built without AWS.

use crate::centre::LIMIT;
use snooze_test_harness::{Process, wait_for};
use std::{fs, path::Path};

#[tokio::test]
async fn a_source_that_this_program_lacks_is_a_mistake_at_its_start_and_not_silence() {
    let folder = tempfile::tempdir().expect("a folder");
    let (config, log) = (folder.path().join("snooze.json"), folder.path().join("log"));
    let url = "https://sqs.eu-central-1.amazonaws.com/123456789012/snooze";
    let text = format!(r#"{{"event_sources": {{"aws_queue": {{"enabled": true, "queue_url": "{url}"}}}}}}"#);
    fs::write(&config, text).expect("writes");
    let program = Path::new(env!("CARGO_BIN_EXE_snooze-event-gateway"));
    let arguments = ["--config".to_owned(), config.to_string_lossy().into_owned()];
    let mut gateway = Process::start(program, &arguments, &log).expect("it starts");
    let ended = wait_for(LIMIT, "it ends", async || gateway.ended()).await;
    assert_eq!(ended.code(), Some(64));
    assert!(
        gateway.said_all().contains("built without AWS"),
        "{}",
        gateway.said_all()
    );
}
