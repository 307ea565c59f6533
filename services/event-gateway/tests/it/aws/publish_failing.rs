//! EventBridge refuses, throttles, answers in part or not at all: what was decided is told all the same.

use super::{
    found::REGION,
    publish::{Stage, texts},
};
use crate::centre::{Centre, LIMIT};
use serde_json::{Value, json};
use snooze_schemas::audit::AuditKind;
use snooze_test_harness::{AwsFront, FrontAnswer, wait_until};
use std::collections::BTreeSet;

const PUT: &str = "AWSEvents.PutEvents";

/// The entries of a call, by the ids in their details.
fn ids(call: &Value) -> Vec<String> {
    let entries = call["Entries"].as_array().expect("a list").iter();
    let detail = |entry: &Value| -> Value {
        serde_json::from_str(entry["Detail"].as_str().expect("a text")).expect("JSON")
    };
    entries
        .map(|entry| detail(entry)["id"].as_str().expect("a text").to_owned())
        .collect()
}

#[tokio::test]
async fn who_is_throttled_waits_and_tells_all_of_it_in_calls_of_ten() {
    let mut stage = Stage::start().await;
    let front = AwsFront::before(stage.moto.address()).await;
    let said = json!({"__type": "ThrottlingException", "message": "Rate exceeded"});
    front.always(PUT, FrontAnswer::Status(400, said));
    stage.file_stops(0..35).await;
    let gateway = stage.gateway(stage.settings(&front.url())).await;
    wait_until(LIMIT, "it has tried again", async || front.calls(PUT).len() >= 4).await;
    front.pass(PUT);
    let told = stage.arrived(35).await;
    assert_eq!(texts(told, "id").into_iter().collect::<BTreeSet<_>>().len(), 35);
    assert_eq!(told.len(), 35, "none twice");
    let sizes: Vec<usize> = front.calls(PUT).iter().map(|call| ids(call).len()).collect();
    assert!(sizes.iter().all(|size| (1..=10).contains(size)), "{sizes:?}");
    gateway.end().await;
}

#[tokio::test]
async fn of_a_call_that_was_taken_in_part_only_the_rest_is_offered_again() {
    let mut stage = Stage::start().await;
    let front = AwsFront::before(stage.moto.address()).await;
    stage.file_stops(0..3).await;
    let partly = json!({"FailedEntryCount": 2, "Entries": [
        {"EventId": "11710aed-b79e-4468-a20b-bb3c0c3b4860"},
        {"ErrorCode": "ThrottlingException", "ErrorMessage": "Rate exceeded"},
        {"ErrorCode": "InternalFailure", "ErrorMessage": "Internal Service Failure"},
    ]});
    front.answer(PUT, FrontAnswer::Status(200, partly));
    let gateway = stage.gateway(stage.settings(&front.url())).await;
    let told = texts(stage.arrived(2).await, "id");
    let calls = front.calls(PUT);
    let offered = ids(&calls[0]);
    assert_eq!(offered.len(), 3);
    let again: BTreeSet<&String> = told.iter().collect();
    assert_eq!(
        again,
        offered[1..].iter().collect(),
        "the first was taken by then"
    );
    assert!(calls[1..].iter().all(|call| !ids(call).contains(&offered[0])));
    gateway.end().await;
}

#[tokio::test]
async fn after_an_answer_that_was_lost_it_is_told_again_under_the_same_id() {
    let mut stage = Stage::start().await;
    let front = AwsFront::before(stage.moto.address()).await;
    front.answer(PUT, FrontAnswer::Lost);
    stage.file_stops(0..2).await;
    let gateway = stage.gateway(stage.settings(&front.url())).await;
    let told = texts(stage.arrived(4).await, "id");
    assert_eq!(told.len(), 4);
    assert_eq!(told.into_iter().collect::<BTreeSet<_>>().len(), 2);
    gateway.end().await;
}

#[tokio::test]
async fn what_eventbridge_never_takes_is_given_up_and_holds_nothing_up() {
    let mut stage = Stage::on(Centre::open().await).await;
    let front = AwsFront::before(stage.moto.address()).await;
    let never = json!({"FailedEntryCount": 1, "Entries": [
        {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."},
    ]});
    front.answer(PUT, FrontAnswer::Status(200, never));
    stage.file_stops(0..1).await;
    let gateway = stage.gateway(stage.settings(&front.url())).await;
    stage.all_settled().await;
    stage.file_stops(1..2).await;
    assert_eq!(texts(stage.arrived(1).await, "message"), ["stop 1"]);
    assert_eq!(front.calls(PUT).len(), 2);
    gateway.end().await;
}

#[tokio::test]
async fn an_event_bus_that_is_not_there_is_waited_for_and_nothing_is_told_into_the_void() {
    let mut stage = Stage::start().await;
    let front = AwsFront::before(stage.moto.address()).await;
    stage.file_stops(0..3).await;
    let mut settings = stage.settings(&front.url());
    settings.event_bus = "later".to_owned();
    let gateway = stage.gateway(settings).await;
    wait_until(LIMIT, "it looks again", async || {
        front.calls("AWSEvents.DescribeEventBus").len() >= 3
    })
    .await;
    assert_eq!(front.calls(PUT), Vec::<Value>::new());
    let made = stage
        .moto
        .api(REGION, "AWSEvents.CreateEventBus", &json!({"Name": "later"}))
        .await;
    made.expect("makes");
    stage.lead_from("later").await;
    let told = stage.arrived(3).await;
    assert_eq!(texts(told, "message"), ["stop 0", "stop 1", "stop 2"]);
    gateway.end().await;
}

#[tokio::test]
async fn who_may_publish_and_not_look_publishes() {
    let mut stage = Stage::start().await;
    let front = AwsFront::before(stage.moto.address()).await;
    let said = json!({"__type": "AccessDeniedException", "message": "not authorized"});
    front.always("AWSEvents.DescribeEventBus", FrontAnswer::Status(400, said));
    stage.file_stops(0..1).await;
    let gateway = stage.gateway(stage.settings(&front.url())).await;
    assert_eq!(texts(stage.arrived(1).await, "message"), ["stop 0"]);
    gateway.end().await;
}

#[tokio::test]
async fn large_entries_go_in_calls_below_what_one_may_have() {
    let mut stage = Stage::start().await;
    let front = AwsFront::before(stage.moto.address()).await;
    for number in 0..5 {
        let details = json!({"x": "y".repeat(100 * 1024)});
        stage
            .file(AuditKind::Alarm, &format!("large {number}"), &details)
            .await;
    }
    let details = json!({"x": "y".repeat(400 * 1024)});
    stage.file(AuditKind::Alarm, "too large", &details).await;
    let gateway = stage.gateway(stage.settings(&front.url())).await;
    let told = stage.arrived(6).await;
    let whole = |event: &&Value| event["detail"]["details"]["x"].is_string();
    assert_eq!(told.iter().filter(whole).count(), 5);
    let cut = told
        .iter()
        .find(|event| !whole(event))
        .expect("one was too large");
    assert_eq!(cut["detail"]["message"], "too large");
    assert_eq!(cut["detail"]["details_left_out_bytes"], 400 * 1024 + 8);
    for call in front.calls(PUT) {
        let details = call["Entries"].as_array().expect("a list").iter();
        let bytes: usize = details
            .filter_map(|entry| entry["Detail"].as_str())
            .map(str::len)
            .sum();
        assert!(bytes < 256 * 1024, "{bytes}");
    }
    gateway.end().await;
}

#[tokio::test]
async fn what_is_in_hand_at_the_end_goes_to_the_next_at_once() {
    let mut stage = Stage::on(Centre::open().await).await;
    let front = AwsFront::before(stage.moto.address()).await;
    let said = json!({"__type": "ThrottlingException", "message": "Rate exceeded"});
    front.always(PUT, FrontAnswer::Status(400, said));
    stage.file_stops(0..12).await;
    let gateway = stage.gateway(stage.settings(&front.url())).await;
    wait_until(LIMIT, "it has tried", async || !front.calls(PUT).is_empty()).await;
    gateway.end().await;
    assert_ne!(
        stage.waiting().await,
        (0, 0),
        "nothing that was not told is settled"
    );
    let gateway = stage.gateway(stage.settings(&stage.moto.url())).await;
    let told = stage.arrived(12).await;
    assert_eq!(texts(told, "id").into_iter().collect::<BTreeSet<_>>().len(), 12);
    stage.all_settled().await;
    gateway.end().await;
}
