//! The executor as a program: how it ends where it cannot begin, or cannot go on.

use snooze_bus::{Role, User};
use snooze_test_harness::{NatsServer, Process, wait_for, wait_until};
use std::{fs, path::Path};

use crate::support::LONG;

/// The program with these credentials.
fn start(server: &NatsServer, credentials: &Path) -> Process {
    let arguments = [
        "--server",
        &server.url(),
        "--credentials",
        &credentials.to_string_lossy(),
    ]
    .map(str::to_owned);
    let program = Path::new(env!("CARGO_BIN_EXE_snooze-executor"));
    let log = server.folder().join("executor.log");
    Process::start(program, &arguments, &log).expect("the executor starts")
}

/// Its exit code.
async fn exit_code(mut process: Process) -> Option<i32> {
    let ended = wait_for(LONG, "the executor ends", async || process.ended()).await;
    ended.code()
}

/// The exit code of the program with these credentials.
async fn ends_with(server: &NatsServer, credentials: &Path) -> Option<i32> {
    exit_code(start(server, credentials)).await
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
    let user = User::named(Role::Executor, "executor").expect("a name");
    assert_eq!(ends_with(&server, &other.credentials(&user)).await, Some(4));
}

#[tokio::test]
async fn a_denial_while_it_runs_is_a_refusal() {
    let mut server = NatsServer::with_roles().await;
    let user = |role, name| User::named(role, name).expect("a name");
    let set_up = server.bus(&user(Role::SetUp, "set-up")).await;
    set_up.set_up().await.expect("the set-up may make everything");
    let executor = start(&server, &server.credentials(&user(Role::Executor, "executor")));
    wait_until(LONG, "the executor runs", async || {
        executor.said_all().contains("the executor runs")
    })
    .await;
    server.restart_with_other_keys().await;
    assert_eq!(exit_code(executor).await, Some(4));
}
