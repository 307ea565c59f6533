//! People's own events.

use crate::centre::{Centre, LIMIT, event_type, host, id};
use serde_json::{Value, json};
use snooze_bus::{Bus, RequestError, Stream, Subject};
use snooze_schemas::{
    ErrorCode, SourceName,
    event::{CustomEvent, Event, Filed, Scope, Severity},
};
use snooze_test_harness::wait_for;

fn custom(source: &str, what: &str) -> Subject {
    Subject::Custom {
        source: source.parse::<SourceName>().expect("a source"),
        event_type: event_type(what),
    }
}

fn filed_as(name: &str, scope: Scope, severity: Severity) -> Subject {
    Subject::Event {
        scope,
        severity,
        id: id(name),
        event_type: event_type("custom.backup.done"),
    }
}

async fn send(bus: &Bus, event: &CustomEvent) -> Result<Filed, RequestError> {
    bus.request(&custom("nightly", "backup.done"), event, LIMIT).await
}

async fn find(centre: &Centre, stream: Stream, subject: &Subject) -> Option<Event> {
    let found = centre
        .administrator
        .last::<Event>(stream, subject)
        .await
        .expect("reads");
    found.map(|stored| stored.message)
}

#[tokio::test]
async fn e8_a_request_is_answered_once_the_stream_has_the_event() {
    let centre = Centre::start().await;
    let gateway = centre.gateway(|_| {}).await;
    let nightly = centre
        .source("nightly", json!({"hosts": "all", "max_severity": 1}))
        .await;
    // As a shell sends it: no headers, JSON; and answered in JSON.
    let body = br#"{"id":"b1","host":"h1","data":{"files":3}}"#;
    let answer = nightly
        .raw_request("snooze.v1.custom.nightly.backup.done", &[], body, LIMIT)
        .await
        .expect("is answered");
    let said: Value = serde_json::from_slice(&answer.payload).expect("JSON");
    assert_eq!(said, json!({"ok": true, "id": "b1", "duplicate": false}));
    let subject = filed_as("b1", Scope::Host(host("h1")), Severity::Info);
    let event = find(&centre, Stream::EventsRoutine, &subject)
        .await
        .expect("is in its stream");
    assert_eq!(event.source, "custom.nightly");
    assert_eq!(event.data["files"], 3);
    gateway.end().await;
}

#[tokio::test]
async fn e8_a_bare_publish_is_filed_where_it_arrives() {
    let centre = Centre::start().await;
    let gateway = centre.gateway(|_| {}).await;
    let nightly = centre
        .source("nightly", json!({"hosts": "all", "max_severity": 1}))
        .await;
    // Answered first, so that the gateway is known to listen.
    send(&nightly, &CustomEvent::default())
        .await
        .expect("is answered");
    nightly
        .raw_publish(
            "snooze.v1.custom.nightly.backup.done",
            None,
            &[],
            br#"{"id":"b2"}"#,
        )
        .await
        .expect("publishes");
    let subject = filed_as("b2", Scope::Fleet, Severity::Info);
    wait_for(LIMIT, "the event is filed", async || {
        find(&centre, Stream::EventsRoutine, &subject).await
    })
    .await;
    gateway.end().await;
}

#[tokio::test]
async fn e1_a_second_report_of_the_same_happening_is_not_filed_again() {
    let centre = Centre::start().await;
    let gateway = centre.gateway(|_| {}).await;
    let nightly = centre
        .source("nightly", json!({"hosts": "all", "max_severity": 1}))
        .await;
    let mut sent = CustomEvent {
        id: Some(id("same")),
        host: Some(host("h1")),
        ..CustomEvent::default()
    };
    let first = send(&nightly, &sent).await.expect("is filed");
    sent.data.insert("later".to_owned(), json!(true));
    let second = send(&nightly, &sent).await.expect("is answered");
    assert_eq!((first.duplicate, second.duplicate), (false, true));
    let subject = filed_as("same", Scope::Host(host("h1")), Severity::Info);
    let event = find(&centre, Stream::EventsRoutine, &subject)
        .await
        .expect("is in its stream");
    assert!(event.data.is_empty(), "the first report stands");
    gateway.end().await;
}

#[tokio::test]
async fn i5_the_sources_record_and_not_the_body_says_what_it_may_send() {
    let centre = Centre::start().await;
    let gateway = centre.gateway(|_| {}).await;
    let fenced = json!({"hosts": {"only": ["h1"]}, "max_severity": 1});
    let nightly = centre.source("nightly", fenced).await;

    let most_urgent = CustomEvent {
        id: Some(id("urgent")),
        host: Some(host("h1")),
        severity: Some(Severity::Critical),
        ..CustomEvent::default()
    };
    send(&nightly, &most_urgent).await.expect("is filed");
    let capped = filed_as("urgent", Scope::Host(host("h1")), Severity::Warning);
    assert!(
        find(&centre, Stream::EventsRoutine, &capped).await.is_some(),
        "capped by the record"
    );

    for named in [Some(host("h2")), None] {
        let other = CustomEvent {
            host: named,
            ..CustomEvent::default()
        };
        let error = send(&nightly, &other).await.expect_err("is refused");
        assert_eq!(
            error.refusal().map(|refusal| refusal.code),
            Some(ErrorCode::Forbidden)
        );
    }

    let unknown = "stranger".parse::<SourceName>().expect("a source");
    let stranger = centre.server.bus(&snooze_bus::User::source(&unknown)).await;
    let asked = custom("stranger", "backup.done");
    let error = stranger
        .request::<_, Filed>(&asked, &CustomEvent::default(), LIMIT)
        .await
        .expect_err("has no record");
    assert_eq!(
        error.refusal().map(|refusal| refusal.code),
        Some(ErrorCode::Forbidden)
    );
    gateway.end().await;
}

#[tokio::test]
async fn what_cannot_be_an_event_is_refused_with_the_reason() {
    let centre = Centre::start().await;
    let gateway = centre.gateway(|_| {}).await;
    let nightly = centre
        .source("nightly", json!({"hosts": "all", "max_severity": 3}))
        .await;
    let past = r#"{"deadline":"2001-01-01T00:00:00Z"}"#.to_owned();
    let large = format!(r#"{{"data":{{"x":"{}"}}}}"#, "x".repeat(200_000));
    let severity = r#"{"severity":4}"#.to_owned();
    for body in [past, large, severity, "{".to_owned()] {
        let answer = nightly
            .raw_request("snooze.v1.custom.nightly.x", &[], body.as_bytes(), LIMIT)
            .await
            .expect("is answered");
        let said: Value = snooze_bus::decode(&answer.payload).expect("a map");
        assert_eq!(said["code"], "bad_request", "{said}");
        assert!(said["message"].as_str().is_some_and(|text| !text.is_empty()));
    }
    gateway.end().await;
}
