//! What is filed, and what is answered then.

use super::client::{BATCHED, Connection, Http, NIGHTLY, STRUCTURED, event, event_with, filed};
use crate::centre::Centre;
use hyper::body::Bytes;
use serde_json::{Value, json};
use snooze_schemas::event::Severity;

async fn centre() -> Centre {
    let centre = Centre::start().await;
    centre
        .source("nightly", json!({"hosts": {"only": ["h1"]}, "max_severity": 2}))
        .await;
    centre
}

#[tokio::test]
async fn e8_each_of_the_three_ways_is_accepted_once_the_stream_has_the_event() {
    let centre = centre().await;
    let http = Http::start(&centre).await;
    let one = event_with(
        "1",
        &json!({"snoozeseverity": 2, "snoozedeadline": "2999-01-01T00:00:00Z"}),
    );
    let far = http.post(&[NIGHTLY, STRUCTURED], one.to_string()).await;
    assert_eq!(
        (far.status, &far.body["path"]),
        (400, &json!("snoozedeadline")),
        "{far:?}"
    );

    let one = event_with("1", &json!({"snoozeseverity": 2}));
    let structured = http.post(&[NIGHTLY, STRUCTURED], one.to_string()).await;
    let headers = [
        NIGHTLY,
        ("content-type", "application/json"),
        ("ce-specversion", "1.0"),
        ("ce-id", "2"),
        ("ce-source", "/backup"),
        ("ce-type", "backup.done"),
        ("ce-snoozehost", "h1"),
    ];
    let binary = http.post(&headers, "[1, 2]").await;
    let batch = json!([event("3"), event("4")]).to_string();
    let batched = http.post(&[NIGHTLY, BATCHED], batch).await;

    let mut ids = Vec::new();
    for (answer, own) in [
        (&structured, &["1"][..]),
        (&binary, &["2"]),
        (&batched, &["3", "4"]),
    ] {
        assert_eq!(answer.status, 202, "{answer:?}");
        for (event, own) in answer.body["events"].as_array().expect("a list").iter().zip(own) {
            assert_eq!((&event["id"], &event["state"]), (&json!(own), &json!("filed")));
            assert_eq!(event["source"], "/backup");
            ids.push(event["filed_as"].as_str().expect("an id").to_owned());
        }
    }
    let events = filed(&centre).await;
    assert_eq!((ids.len(), events.len()), (4, 4));
    for event in &events {
        assert!(ids.contains(&event.id.to_string()));
        assert_eq!(
            (event.source.as_str(), event.event_type.as_str()),
            ("custom.nightly", "custom.backup.done")
        );
    }
    let urgent: Vec<_> = events
        .iter()
        .filter(|event| event.severity == Severity::Urgent)
        .collect();
    assert_eq!(urgent.len(), 1);
    assert_eq!(urgent[0].data["files"], 3);
    assert!(
        events
            .iter()
            .any(|event| event.data.get("value") == Some(&json!([1, 2])))
    );
    http.gateway.end().await;
}

#[tokio::test]
async fn e1_what_is_sent_again_is_told_to_be_there_and_filed_once() {
    let centre = centre().await;
    let (first, second) = (Http::start(&centre).await, Http::start(&centre).await);
    let batch = json!([event("1"), event("2"), event("1")]).to_string();
    let answer = first.post(&[NIGHTLY, BATCHED], batch.clone()).await;
    assert_eq!(answer.states(), ["filed", "filed", "duplicate"]);
    // To whichever gateway it is sent.
    let again = second.post(&[NIGHTLY, BATCHED], batch).await;
    assert_eq!((again.status, again.states()), (202, vec!["duplicate"; 3]));
    let ids = |answer: &super::client::Answer| -> Vec<Value> {
        let events = answer.body["events"].as_array().expect("a list");
        events.iter().map(|event| event["filed_as"].clone()).collect()
    };
    assert_eq!(ids(&answer), ids(&again));
    // The same id of another source of the sender's is another happening.
    let other = event_with("1", &json!({"source": "/restore"})).to_string();
    assert_eq!(
        second.post(&[NIGHTLY, STRUCTURED], other).await.states(),
        ["filed"]
    );
    first.gateway.kill().await;
    assert_eq!(
        second
            .post(&[NIGHTLY, STRUCTURED], event("3").to_string())
            .await
            .states(),
        ["filed"]
    );
    assert_eq!(filed(&centre).await.len(), 4);
    second.gateway.end().await;
}

#[tokio::test]
async fn a_batch_with_one_event_that_cannot_be_filed_is_not_filed_at_all() {
    let centre = centre().await;
    let http = Http::start(&centre).await;
    let large = "x".repeat(70_000);
    let deep = (0..101).fold(json!(1), |inner, _| json!({ "x": inner }));
    for (wrong, status, path) in [
        (json!({"id": ""}), 400, json!("[1].id")),
        (json!({"data": {"x": large}}), 400, json!("[1].data")),
        (json!({"data": deep}), 400, json!("[1].data")),
        (json!({"type": "a.b.c.d.e.f.g.h"}), 400, json!("[1].type")),
        (
            json!({"snoozedeadline": "2001-01-01T00:00:00Z"}),
            400,
            json!("[1].snoozedeadline"),
        ),
        (json!({"snoozeseverity": 3}), 403, Value::Null),
        (json!({"subject": "h2"}), 403, Value::Null),
    ] {
        let batch = json!([event("1"), event_with("2", &wrong)]).to_string();
        let answer = http.post(&[NIGHTLY, BATCHED], batch).await;
        assert_eq!(
            (answer.status, &answer.body["path"]),
            (status, &path),
            "{answer:?}"
        );
        assert_eq!(answer.body["ok"], false);
    }
    assert_eq!(filed(&centre).await, []);
    let empty = http.post(&[NIGHTLY, BATCHED], "[]").await;
    assert_eq!((empty.status, empty.states()), (202, vec![]));
    http.gateway.end().await;
}

#[tokio::test]
async fn it_answers_that_it_lives_and_nothing_else_is_there() {
    let centre = centre().await;
    let http = Http::start(&centre).await;
    let mut connection = Connection::open(http.address).await;
    for (method, path, status, allow) in [
        ("GET", "/healthz", 200, None),
        ("HEAD", "/healthz", 200, None),
        ("POST", "/healthz", 405, Some("GET, HEAD")),
        ("GET", "/v1/events", 405, Some("POST")),
        ("GET", "/", 404, None),
        ("POST", "/v1/events/", 404, None),
    ] {
        let answer = connection.send(method, path, &[], Bytes::new()).await;
        assert_eq!(answer.status, status, "{method} {path}");
        let allowed = answer
            .headers
            .get("allow")
            .map(|value| value.to_str().expect("a text"));
        assert_eq!(allowed, allow);
    }
    http.gateway.end().await;
}
