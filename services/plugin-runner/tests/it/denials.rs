//! A runner that the broker does not let in any more, or denies something (rule E7): it goes on, and all is as before
//! once that is mended, without a restart.

use crate::{
    alone,
    collector::going_on,
    events::{SUCCESS, config, event, handler, noted, outcome, outcomes, send},
    neighbour::{hand_over, hand_over_at, taken},
    stage::{Runner, SOON, Stage, of},
};
use serde_json::json;
use snooze_bus::{Bus, BusConfig, RequestError, Role, RunnerVerb, User};
use snooze_schemas::{
    host::{Verified, Verify},
    verdict::VoteState,
};
use snooze_service_runtime::places;
use snooze_test_harness::{NatsServer, wait_until};
use std::{fs, path::Path, time::Duration};

/// Between two attempts there are a few seconds by then, on a machine that compiles meanwhile.
const MENDED: Duration = Duration::from_secs(60);

/// A stage with a handler, on this broker.
async fn stage_on(server: NatsServer) -> Stage {
    let stage = Stage::on(server).await;
    stage.plugin("one.py", &handler(&stage, "one", SUCCESS));
    stage
}

/// A runner as its process is one, and its connection.
async fn runner(stage: &Stage, connection: BusConfig) -> (Runner, Bus) {
    let bus = Bus::begin(connection).await.expect("nobody is waited for");
    let config = stage.granted(config(stage, &[("one", json!({}))]));
    (Stage::runner_on(config, bus.clone()), bus)
}

async fn until_denied(bus: &Bus) {
    wait_until(SOON, "the denial is heard", async || {
        bus.counters().violations > 0
    })
    .await;
}

/// What this host notices is handled once, and nobody has heard of it.
async fn handles_what_it_notices(stage: &Stage) {
    assert_eq!(hand_over(stage, event("e1")).await, taken(false));
    assert_eq!(hand_over(stage, event("e1")).await, taken(true));
    wait_until(SOON, "it is handled", async || noted(stage).len() == 2).await;
    assert_eq!(outcomes(stage).await, []);
}

/// Nobody who asks it to verify hears an answer, and without one nobody stops its host (P3).
async fn verifies_nothing(stage: &Stage) {
    let verify = Verify {
        claim: 1,
        nonce: "nonce".to_owned(),
        prolong_ms: 1,
    };
    let subject = stage.verb(RunnerVerb::Verify);
    let said = stage
        .executor
        .request::<_, Verified>(&subject, &verify, SOON)
        .await;
    assert!(matches!(said, Err(RequestError::NoResponders { .. })), "{said:?}");
}

/// What was handled meanwhile is filed once, and everything that it hears on the bus it hears again.
async fn is_back(stage: &mut Stage) {
    wait_until(MENDED, "the outcome is filed", async || {
        !outcomes(stage).await.is_empty()
    })
    .await;
    stage.until_it_answers().await;
    let sent = send(stage, event("e1"), Some(60_000)).await;
    assert!(sent.expect("it takes events").duplicate);
    let sent = send(stage, event("e2"), Some(60_000)).await;
    assert!(!sent.expect("it takes events").duplicate);
    wait_until(SOON, "the other one is over", async || {
        outcomes(stage).await.len() == 2
    })
    .await;
    assert_eq!(noted(stage), ["one begins", "one ends"].repeat(2));
    // The policy, and samples under it.
    stage.policy(json!({"naptime_minutes": 0.02})).await;
    stage
        .verdict("the CPU is idle under the new policy", |verdict| {
            let vote = of(verdict, "cpu");
            verdict.policy_revision == "2/0/0" && vote.is_some_and(|vote| vote.state == VoteState::Idle)
        })
        .await;
    for (subject, bus) in [
        ("$SRV.PING.snooze_plugin_runner", &stage.administrator),
        (
            "snooze.v1.host.h1.plugin.one.info",
            &stage.server.bus(&User::host(&stage.host)).await,
        ),
    ] {
        let said = bus.raw_request(subject, &[], b"", SOON).await;
        assert!(said.is_ok_and(|answer| answer.status.is_none()), "{subject}");
    }
}

#[tokio::test]
async fn e7_a_runner_whose_credentials_are_revoked_goes_on_and_is_back_once_they_are_renewed() {
    let mut stage = stage_on(NatsServer::with_kept_keys().await).await;
    let (runner, bus) = runner(&stage, going_on(&stage.server, &stage.host)).await;
    stage.until_it_answers().await;
    stage.vote("cpu", VoteState::Idle).await;
    stage.server.revoke(Role::Host);
    until_denied(&bus).await;
    handles_what_it_notices(&stage).await;
    verifies_nothing(&stage).await;
    let renewed = stage.server.credentials(&User::host(&stage.host));
    assert_eq!(Some(renewed), going_on(&stage.server, &stage.host).credentials);
    is_back(&mut stage).await;
    runner.stop().await;
}

#[tokio::test]
async fn e7_a_runner_whose_credentials_run_out_goes_on_and_is_back_once_they_are_renewed() {
    let mut stage = stage_on(NatsServer::with_kept_keys().await).await;
    let user = User::host(&stage.host);
    let credentials = stage.file("host.creds");
    fs::write(
        &credentials,
        stage.server.credentials_for(&user, Duration::from_secs(2)),
    )
    .expect("writes");
    let connection = BusConfig {
        credentials: Some(credentials.clone()),
        ..going_on(&stage.server, &stage.host)
    };
    let (runner, bus) = runner(&stage, connection).await;
    until_denied(&bus).await;
    handles_what_it_notices(&stage).await;
    verifies_nothing(&stage).await;
    fs::copy(stage.server.credentials(&user), &credentials).expect("copies");
    is_back(&mut stage).await;
    runner.stop().await;
}

/// As a process, since whether it goes on is for its `main` to say.
#[tokio::test]
async fn e7_a_runner_that_was_never_let_in_handles_events_and_files_them_once_it_is() {
    let (stage, stranger) = (
        stage_on(NatsServer::with_roles().await).await,
        NatsServer::with_roles().await,
    );
    let user = User::host(&stage.host);
    let supports = r#"    elif method == "GetSupportedEvents":
        result = {"events": ["custom.backup"]}
    elif method == "HandleEvent":
"#;
    let script = handler(&stage, "one", SUCCESS);
    let script = script.replace("    elif method == \"HandleEvent\":\n", supports);
    stage.plugin("one.py", &script);
    let mut command = alone::command(&stage, &["one"], &json!({"events": ["custom"]}));
    let known = stage.server.credentials(&user);
    let credentials = stage.file("host.creds");
    fs::copy(stranger.credentials(&user), &credentials).expect("copies");
    for word in &mut command {
        if Path::new(word) == known {
            *word = credentials.display().to_string();
        }
    }
    let mut process = alone::start(&stage, &command);
    let own = places::own_runtime_folder(&stage.file("runtime-of-process"));
    let socket = places::runner_socket(&own, stage.host.as_str());
    // It says what to do.
    wait_until(SOON, "it is turned away", async || {
        process.said_all().contains("once they are renewed in their file")
    })
    .await;
    assert_eq!(hand_over_at(&socket, event("e1")).await, taken(false));
    wait_until(SOON, "it is handled", async || noted(&stage).len() == 2).await;
    assert_eq!(outcomes(&stage).await, []);
    assert_eq!(process.ended(), None);
    fs::copy(known, &credentials).expect("copies");
    wait_until(MENDED, "the outcome is filed", async || {
        !outcomes(&stage).await.is_empty()
    })
    .await;
    stage.until_it_answers().await;
    assert_eq!(noted(&stage), ["one begins", "one ends"]);
    alone::ask_to_end(&process);
    wait_until(SOON, "it ends", async || process.ended().is_some()).await;
    assert!(process.ended().is_some_and(|status| status.success()));
}

#[tokio::test]
async fn e7_one_subject_that_is_denied_takes_nothing_else_from_a_host() {
    let mut stage = stage_on(NatsServer::denying(&[], &["snooze.v1.host.h1.runner.>"]).await).await;
    let (runner, bus) = runner(&stage, going_on(&stage.server, &stage.host)).await;
    until_denied(&bus).await;
    // It votes, handles and files; what it may not hear it does not answer.
    stage.vote("cpu", VoteState::Idle).await;
    assert_eq!(hand_over(&stage, event("e1")).await, taken(false));
    assert_eq!(outcome(&stage).await.id.as_str(), "e1");
    verifies_nothing(&stage).await;
    stage.server.deny_nothing();
    is_back(&mut stage).await;
    runner.stop().await;
}
