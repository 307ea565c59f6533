//! The executor as a program: how it ends where it cannot begin.

use snooze_test_harness::{NatsServer, Process, wait_for};
use std::{fs, path::Path};

use crate::support::LONG;

/// The exit code of the program with these credentials.
async fn ends_with(server: &NatsServer, credentials: &Path) -> Option<i32> {
    let arguments = [
        "--server",
        &server.url(),
        "--credentials",
        &credentials.to_string_lossy(),
    ]
    .map(str::to_owned);
    let program = Path::new(env!("CARGO_BIN_EXE_snooze-executor"));
    let log = server.folder().join("executor.log");
    let mut process = Process::start(program, &arguments, &log).expect("the executor starts");
    let ended = wait_for(LONG, "the executor ends", async || process.ended()).await;
    ended.code()
}

#[tokio::test]
async fn credentials_that_are_no_credentials_are_a_mistake_and_refused_ones_a_refusal() {
    let server = NatsServer::with_roles().await;
    let missing = server.folder().join("missing.creds");
    assert_eq!(ends_with(&server, &missing).await, Some(64));
    let garbage = server.folder().join("garbage.creds");
    fs::write(&garbage, "no credentials").expect("the folder can be written");
    assert_eq!(ends_with(&server, &garbage).await, Some(64));
    let other = NatsServer::with_roles().await;
    let user = snooze_bus::User::named(snooze_bus::Role::Executor, "executor").expect("a name");
    assert_eq!(ends_with(&server, &other.credentials(&user)).await, Some(4));
}
