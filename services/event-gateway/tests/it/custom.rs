//! People's own events.

use crate::centre::{Centre, LIMIT, event, event_type, host, id};
use serde_json::{Value, json};
use snooze_bus::{Bus, RequestError, Stream, Subject, SubjectFilter};
use snooze_schemas::{
    ErrorCode, EventId, SourceName,
    event::{CustomEvent, Event, Filed, Scope, Severity},
};
use snooze_test_harness::wait_for;

fn custom(source: &str, what: &str) -> Subject {
    Subject::Custom {
        source: source.parse::<SourceName>().expect("a source"),
        event_type: event_type(what),
    }
}

fn filed_as(id: EventId, scope: Scope, severity: Severity) -> Subject {
    Subject::Event {
        scope,
        severity,
        id,
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
async fn e8_an_event_in_which_a_key_stands_twice_is_refused_by_the_keys_name_and_not_filed() {
    let centre = Centre::start().await;
    let gateway = centre.gateway(|_| {}).await;
    let nightly = centre
        .source("nightly", json!({"hosts": "all", "max_severity": 1}))
        .await;
    for (body, key) in [
        (r#"{"id":"b1","data":{"files":3,"files":4}}"#, "files"),
        (r#"{"id":"b1","data":{"list":[{"deep":1,"deep":1}]}}"#, "deep"),
        (r#"{"id":"b1","host":"h1","host":"h2","data":{}}"#, "host"),
    ] {
        let answer = nightly
            .raw_request(
                "snooze.v1.custom.nightly.backup.done",
                &[],
                body.as_bytes(),
                LIMIT,
            )
            .await
            .expect("is answered");
        let said: Value = serde_json::from_slice(&answer.payload).expect("JSON");
        assert_eq!(said["code"], "bad_request", "{body}: {said}");
        let message = said["message"].as_str().expect("a text");
        assert!(message.contains(key), "{body}: {message}");
    }
    let filter = snooze_bus::SubjectFilter::AllEvents;
    let filed = centre
        .administrator
        .history::<Event>(Stream::EventsRoutine, &filter, 10)
        .await;
    assert_eq!(filed.expect("reads").len(), 0);
    gateway.end().await;
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
    assert_eq!((&said["ok"], &said["duplicate"]), (&json!(true), &json!(false)));
    let filed = id(said["id"].as_str().expect("an id"));
    assert!(
        filed.as_str().starts_with("custom-b1-"),
        "people know it again: {filed}"
    );
    let subject = filed_as(filed, Scope::Host(host("h1")), Severity::Info);
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
    let filter = SubjectFilter::EventsOf(Scope::Fleet);
    wait_for(LIMIT, "the event is filed", async || {
        let found = centre
            .administrator
            .history::<Event>(Stream::EventsRoutine, &filter, 10)
            .await;
        let mut ids = found.expect("reads").into_iter().map(|stored| stored.message.id);
        ids.find(|id| id.as_str().starts_with("custom-b2-"))
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
    assert_eq!(first.id, second.id);
    let subject = filed_as(first.id, Scope::Host(host("h1")), Severity::Info);
    let event = find(&centre, Stream::EventsRoutine, &subject)
        .await
        .expect("is in its stream");
    assert!(event.data.is_empty(), "the first report stands");
    gateway.end().await;
}

#[tokio::test]
async fn e1_an_id_that_anybody_has_spent_hides_no_other_event() {
    let centre = Centre::start().await;
    let gateway = centre.gateway(|_| {}).await;
    let open = json!({"hosts": "all", "max_severity": 3});
    let nightly = centre.source("nightly", open.clone()).await;
    let evil = centre.source("evil", open).await;
    let mut runner = centre.runner("h1").await;
    let sent = |severity| CustomEvent {
        id: Some(id("snooze-pending-7")),
        host: Some(host("h1")),
        severity: Some(severity),
        ..CustomEvent::default()
    };
    // The same id from another source, with another severity, of another type, and of what is not custom.
    let theirs = evil
        .request::<_, Filed>(&custom("evil", "backup.done"), &sent(Severity::Info), LIMIT)
        .await;
    theirs.expect("is filed");
    for (what, severity) in [
        ("backup.done", Severity::Info),
        ("backup.done", Severity::Critical),
        ("backup.failed", Severity::Critical),
    ] {
        let (subject, sent) = (custom("nightly", what), sent(severity));
        let filed = nightly.request::<_, Filed>(&subject, &sent, LIMIT).await;
        assert!(!filed.expect("is filed").duplicate, "{what} {severity:?}");
    }
    let pending = Event {
        event_type: event_type("snooze.pending"),
        ..event("snooze-pending-7", Scope::Host(host("h1")), Severity::Urgent)
    };
    centre.file(&pending).await;
    let mut ids = std::collections::BTreeSet::new();
    for _ in 0..5 {
        ids.insert(runner.accept().await.id);
    }
    assert_eq!(
        ids.len(),
        5,
        "a journal that goes by ids takes each of them for new: {ids:?}"
    );
    assert_eq!(
        ids.iter()
            .filter(|id| !id.as_str().starts_with("custom-"))
            .count(),
        1
    );
    gateway.end().await;
}

#[tokio::test]
async fn i5_the_sources_record_and_not_the_body_says_what_it_may_send() {
    let centre = Centre::start().await;
    let gateway = centre.gateway(|_| {}).await;
    let fenced = json!({"hosts": {"only": ["h1"]}, "max_severity": 1});
    let nightly = centre.source("nightly", fenced).await;

    let sent = |host, severity| CustomEvent {
        host,
        severity: Some(severity),
        ..CustomEvent::default()
    };
    let most = sent(Some(host("h1")), Severity::Warning);
    let filed = send(&nightly, &most).await.expect("is filed");
    let subject = filed_as(filed.id, Scope::Host(host("h1")), Severity::Warning);
    assert!(find(&centre, Stream::EventsRoutine, &subject).await.is_some());

    for (other, part) in [
        (sent(Some(host("h2")), Severity::Info), "the host h2"),
        (sent(None, Severity::Info), "the fleet"),
        (
            sent(Some(host("h1")), Severity::Urgent),
            "severity 1 at most, and not 2",
        ),
    ] {
        let error = send(&nightly, &other).await.expect_err("is refused");
        let refusal = error.refusal().expect("by the gateway");
        assert_eq!(refusal.code, ErrorCode::Forbidden);
        assert!(refusal.message.contains(part), "{part:?} in {refusal}");
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
    let large = format!(r#"{{"data":{{"x":"{}"}}}}"#, "x".repeat(70_000));
    // Small as JSON, and more than the stream takes once every number has nine bytes.
    let numbers = format!(r#"{{"data":{{"x":[{}0]}}}}"#, "1e1,".repeat(15_000));
    let far = r#"{"deadline":"2999-01-01T00:00:00Z"}"#.to_owned();
    let severity = r#"{"severity":4}"#.to_owned();
    for body in [past, far, large, numbers, severity, "{".to_owned()] {
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
