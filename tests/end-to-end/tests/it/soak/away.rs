//! The broker is away while something is noticed: the host handles it all the same, and it is filed once when the broker
//! is back. And what concerns a host that is away itself waits for it.

use super::{
    LIMIT,
    load::subject,
    moment::Plan,
    notices::{Announcer, filed, reports},
    records::HANDLERS,
    stage::{Part, SOURCE, Stage},
};
use crate::separate::host;
use serde_json::json;
use snooze_bus::{Bucket, Subject, keys};
use snooze_schemas::{
    Timestamp,
    event::{CustomEvent, Filed, OpenEvent, OpenState, Scope, Severity},
};
use snooze_test_harness::wait_until;
use std::time::Duration;

/// What is left of an event's time when it is sent.
const LEFT: Duration = Duration::from_secs(100);
/// What an answer over the bus may take.
const ANSWER: Duration = Duration::from_secs(5);

/// Both handlers have run once with the event, and no more.
fn ran_once(stage: &Stage, id: &str) {
    for handler in HANDLERS {
        let runs = stage.records.runs(handler, id);
        assert_eq!((runs.begun.len(), runs.ended.len()), (1, 1), "{handler}: {id}");
    }
}

/// Once for each ten kills of the others.
fn rounds(plan: &Plan) -> u32 {
    (plan.kills / 10).max(1)
}

#[tokio::test]
async fn e7_with_the_broker_away_a_spot_notice_is_handled_at_once_and_filed_once_when_it_is_back() {
    let plan = Plan::drawn("broker away during a notice");
    let mut took = Vec::new();
    for _ in 0..rounds(&plan) {
        let announcer = Announcer::start().await;
        let mut stage = Stage::start(&announcer.config(1.0)).await;
        stage.begin(Part::Host);
        announcer.until_asked().await;
        stage.server.kill();
        let announced = Timestamp::now().as_nanosecond();
        announcer.interrupt();
        wait_until(LIMIT, "the host's handlers ran", async || {
            stage.records.ended() == HANDLERS.len()
        })
        .await;
        stage.server.restart().await;
        wait_until(LIMIT, "event and outcome are filed", async || {
            !filed(&stage).await.is_empty() && !reports(&stage).await.is_empty()
        })
        .await;
        stage.until_all_is_dispatched().await;
        let events = filed(&stage).await;
        assert_eq!(events.len(), 1, "{events:?}");
        let id = events[0].id.as_str();
        ran_once(&stage, id);
        assert_eq!(reports(&stage).await, [(id.to_owned(), 1)].into());
        let first = HANDLERS
            .iter()
            .filter_map(|handler| stage.records.runs(handler, id).begun.first().copied());
        took.push((first.min().expect("they ran") - announced) / 1_000_000);
    }
    println!("with the broker away, from the notice to the first handler, at a poll of 1 s: {took:?} ms");
}

#[tokio::test]
async fn e5_an_event_of_a_host_that_is_away_is_handled_when_it_is_back_also_after_the_broker_was_killed() {
    let plan = Plan::drawn("broker killed while a host is away");
    let mut took = Vec::new();
    for _ in 0..rounds(&plan) {
        let mut stage = Stage::set(&json!({})).await;
        stage.begin(Part::Centre);
        let source = stage.source().await;
        let custom = Subject::Custom {
            source: SOURCE.parse().expect("a source"),
            event_type: "soak".parse().expect("a type"),
        };
        let event = CustomEvent {
            id: Some("1".parse().expect("an id")),
            host: Some(host()),
            severity: Some(Severity::Critical),
            deadline: Some(Timestamp::now() + LEFT),
            ..CustomEvent::default()
        };
        let mut id = None;
        wait_until(LIMIT, "it is acknowledged", async || {
            let filed: Option<Filed> = source.request(&custom, &event, ANSWER).await.ok();
            id = filed.map(|filed| filed.id);
            id.is_some()
        })
        .await;
        let id = id.expect("it is acknowledged");
        let looker = stage.looker().await;
        let key = keys::open_key(&Scope::Host(host()), &id);
        wait_until(LIMIT, "it waits for its host", async || {
            let note = looker.bucket(Bucket::Open).get::<OpenEvent>(&key).await;
            note.is_ok_and(|note| note.is_some_and(|note| note.value.state == OpenState::Parked))
        })
        .await;
        stage.server.kill();
        stage.server.restart().await;
        let back = Timestamp::now().as_nanosecond();
        stage.begin(Part::Runner);
        wait_until(LIMIT, "it is handled", async || {
            stage.records.ended() == HANDLERS.len()
        })
        .await;
        wait_until(LIMIT, "its outcome is filed", async || {
            !reports(&stage).await.is_empty()
        })
        .await;
        stage.until_all_is_dispatched().await;
        ran_once(&stage, id.as_str());
        assert_eq!(
            reports(&stage).await,
            [(id.to_string(), 1)].into(),
            "{}",
            subject(Severity::Critical, id.as_str())
        );
        let first = HANDLERS
            .iter()
            .filter_map(|handler| stage.records.runs(handler, id.as_str()).begun.first().copied());
        took.push((first.min().expect("they ran") - back) / 1_000_000);
    }
    println!("from the start of the runner to the first handler: {took:?} ms");
}
