//! An instance that the cloud takes away is not judged (S2): a stop of ours would come between its handlers and their
//! work.

use crate::{
    events::{event, send},
    stage::Stage,
};
use serde_json::{Value, json};
use snooze_schemas::{
    event::{Event, Severity},
    verdict::{Role, Verdict, VoteState},
};

fn interruption(id: &str, state: &str) -> Event {
    let Value::Object(data) = json!({"state": state, "raised_as": "e1"}) else {
        unreachable!("written as an object")
    };
    Event {
        event_type: "cloud.spot.interrupt".parse().expect("a type"),
        severity: Severity::Critical,
        data,
        ..event(id)
    }
}

#[tokio::test]
async fn s2_while_the_cloud_takes_the_instance_away_its_own_vote_is_unknown_and_required_in_every_mode() {
    let mut stage = Stage::set().await;
    stage.policy(json!({"combine": "any"})).await;
    let unjudged = |verdict: &Verdict| {
        let mut votes = verdict.votes.iter();
        votes.any(|vote| vote.voter.as_str() == "instance" && vote.state == VoteState::Unknown)
    };
    let runner = stage.runner().await;
    stage.until_it_answers().await;
    send(&stage, interruption("e1", "raised"), Some(120_000))
        .await
        .expect("accepted");
    let first = stage.verdict("the instance is unknown", unjudged).await;
    let mut votes = first.votes.iter();
    let vote = votes
        .find(|vote| vote.voter.as_str() == "instance")
        .expect("it votes");
    assert_eq!(vote.role, Role::Required);
    assert!(vote.reason.contains("cloud.spot.interrupt e1"), "{}", vote.reason);
    runner.stop().await;

    // Its handlers are done, and a runner that was started anew still knows.
    let runner = stage.runner().await;
    stage.until_it_answers().await;
    let is_later = |verdict: &Verdict| verdict.agent != first.agent;
    stage
        .verdict("the instance is still unknown", |verdict| {
            is_later(verdict) && unjudged(verdict)
        })
        .await;
    send(&stage, interruption("e2", "cancelled"), Some(120_000))
        .await
        .expect("accepted");
    stage
        .verdict("it is judged again", |verdict| {
            is_later(verdict) && !unjudged(verdict)
        })
        .await;
    runner.stop().await;
}
