//! Plugins that serve every host, wherever they run.

use crate::stage::{Stage, of};
use serde_json::{Value, json};
use snooze_bus::{SubjectFilter, User};
use snooze_schemas::{PluginName, plugin::CheckIdle, verdict::VoteState};

fn llm() -> PluginName {
    "llm".parse().expect("a name")
}

/// A replica that says which host it was asked about.
async fn replica(stage: &Stage) -> tokio::task::JoinHandle<()> {
    let bus = stage.server.bus(&User::fleet_plugin(&llm())).await;
    let filter = SubjectFilter::FleetPlugin(llm());
    let mut questions = bus.subscribe(&filter, Some("llm")).await.expect("it listens");
    tokio::spawn(async move {
        let _bus = bus;
        while let Some(question) = questions.next().await {
            let asked: CheckIdle = question.read().expect("a question");
            let host = asked.host.expect("it is named");
            let idle = json!({"is_idle": true, "reason": format!("asked for {host}")});
            question.answer_bare(&idle).await.expect("the answer goes");
        }
    })
}

fn fleet() -> Value {
    json!({"llm": {"config": {"runtime": "fleet"}}})
}

fn quick() -> Value {
    json!({"heartbeat_seconds": 0.2})
}

#[tokio::test]
async fn a_plugin_of_the_fleet_votes_for_the_host_that_asks_and_is_absent_at_once() {
    let mut stage = Stage::set().await;
    stage.layer(quick(), fleet()).await;
    let user = User::host(&stage.host).granting(&llm());
    let runner = stage.runner_of(stage.config(), &user).await;
    stage
        .verdict("nobody answers", |verdict| {
            of(verdict, "llm").is_some_and(|vote| vote.reason.contains("nobody answers"))
        })
        .await;
    let replica = replica(&stage).await;
    let vote = stage.vote("llm", VoteState::Idle).await;
    assert_eq!(vote.reason, "asked for h1");
    replica.abort();
    stage.vote("llm", VoteState::Unknown).await;
    runner.stop().await;
}

#[tokio::test]
async fn i5_a_plugin_of_the_fleet_that_the_host_was_not_granted_is_unknown_and_ends_nobody() {
    let mut stage = Stage::set().await;
    let mut config = stage.config();
    let own = json!({"runtime": "fleet"}).as_object().expect("a map").clone();
    config.plugin_configs.insert("llm".to_owned(), own);
    stage.policy(quick()).await;
    let _replica = replica(&stage).await;
    let runner = stage.runner_as(config).await;
    let verdict = stage
        .verdict("it is told, and the others go on", |verdict| {
            of(verdict, "llm").is_some_and(|vote| vote.reason.contains("this host may not ask it"))
                && of(verdict, "cpu").is_some_and(|vote| vote.idle_ms >= 600)
        })
        .await;
    let vote = of(&verdict, "llm").expect("it votes");
    assert_eq!(vote.state, VoteState::Unknown);
    let told = "`snooze credentials host h1 --fleet-plugin llm`";
    assert!(vote.reason.contains(told), "{}", vote.reason);
    runner.stop().await;
}
