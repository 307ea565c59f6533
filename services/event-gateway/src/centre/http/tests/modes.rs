//! CloudEvents as the specification has them, and almost so.

use super::headers;
use crate::{
    centre::{
        http::{
            cloud_event::{CloudEvent, Mistake},
            mode::{MAX_EVENTS, Mode, NotRead},
        },
        taking::Part,
    },
    source::malformed::Random,
};
use http::HeaderMap;
use serde_json::{Value, json};
use snooze_schemas::event::Severity;

const STRUCTURED: &str = "application/cloudevents+json; charset=UTF-8";
const BATCHED: &str = "application/cloudevents-batch+json";

fn whole() -> Value {
    json!({
        "specversion": "1.0", "id": "build 7", "source": "https://ci.example/é", "type": "build.failed",
        "time": "2030-01-01T00:00:00.5Z", "subject": "web-1", "dataschema": "urn:x", "traceparent": "00-ab",
        "datacontenttype": "application/json", "snoozeseverity": 2, "comexampleextension": true,
        "snoozedeadline": "2030-01-01T01:00:00+01:00", "data": {"branch": "main"},
    })
}

fn binary() -> HeaderMap {
    headers(&[
        ("content-type", "application/json"),
        ("ce-specversion", "1.0"),
        ("ce-id", "build 7"),
        ("ce-source", "https://ci.example/%C3%A9"),
        ("ce-type", "build.failed"),
        ("ce-time", "2030-01-01T00:00:00.5Z"),
        ("ce-subject", "web-1"),
        ("ce-snoozeseverity", "2"),
        ("ce-snoozedeadline", "2030-01-01T00:00:00Z"),
    ])
}

fn read(headers: &HeaderMap, body: &[u8]) -> Result<Vec<CloudEvent>, NotRead> {
    Mode::of(headers)
        .expect("a type that is taken")
        .read(headers, body)
}

fn structured(event: &Value) -> Result<CloudEvent, Mistake> {
    match read(
        &headers(&[("content-type", STRUCTURED)]),
        event.to_string().as_bytes(),
    ) {
        Ok(mut events) => Ok(events.remove(0)),
        Err(NotRead::Mistake(mistake)) => Err(mistake),
        Err(NotRead::TooMany(count)) => panic!("one is not {count}"),
    }
}

#[test]
fn an_event_is_the_same_in_each_of_the_three_ways() {
    let one = structured(&whole()).expect("is read");
    assert_eq!(
        (one.id.as_str(), one.source.as_str()),
        ("build 7", "https://ci.example/é")
    );
    assert_eq!(one.event_type.as_str(), "build.failed");
    assert_eq!(
        one.sent.host.as_ref().map(ToString::to_string),
        Some("web-1".to_owned())
    );
    assert_eq!(one.sent.severity, Some(Severity::Urgent));
    assert_eq!(one.sent.happened_at, "2030-01-01T00:00:00.5Z".parse().ok());
    assert_eq!(one.sent.deadline, "2030-01-01T00:00:00Z".parse().ok());
    assert_eq!(Value::from(one.sent.data.clone()), json!({"branch": "main"}));

    let body = json!([whole(), whole()]).to_string();
    let batch = read(&headers(&[("content-type", BATCHED)]), body.as_bytes()).expect("is read");
    let headed = read(&binary(), br#"{"branch": "main"}"#).expect("is read");
    for other in batch.iter().chain(&headed) {
        assert_eq!((&other.own_id, &other.sent), (&one.own_id, &one.sent));
        assert_eq!(other.event_type, one.event_type);
    }
    assert_eq!((batch.len(), headed.len()), (2, 1));
}

#[test]
fn data_that_is_no_object_is_filed_under_a_name() {
    for (name, data, filed) in [
        ("data", json!({"a": 1}), json!({"a": 1})),
        ("data", json!([1]), json!({"value": [1]})),
        ("data", json!("<x/>"), json!({"value": "<x/>"})),
        ("data", Value::Null, json!({})),
        ("data_base64", json!("AP8="), json!({"data_base64": "AP8="})),
        ("data_base64", Value::Null, json!({})),
    ] {
        let mut event = whole();
        event.as_object_mut().expect("an object").remove("data");
        event[name] = data;
        let read = structured(&event).expect("is read");
        assert_eq!(Value::from(read.sent.data), filed);
    }
    let empty = read(&binary(), b"").expect("is read").remove(0);
    assert!(empty.sent.data.is_empty());
}

#[test]
fn who_is_meant_is_a_host_or_the_fleet_and_never_guessed() {
    let host = |changes: Value| {
        let mut event = whole();
        for (name, value) in changes.as_object().expect("an object") {
            event[name] = value.clone();
        }
        structured(&event).map(|event| event.sent.host.map(String::from))
    };
    assert_eq!(host(json!({"snoozehost": "db"})), Ok(Some("db".to_owned())));
    assert_eq!(
        host(json!({"snoozehost": "db", "subject": "/a b"})),
        Ok(Some("db".to_owned()))
    );
    assert_eq!(host(json!({"snoozehost": "fleet"})), Ok(None));
    assert_eq!(host(json!({"subject": null})), Ok(None));
    let guessed = host(json!({"subject": "/a b"})).expect_err("is no host");
    assert_eq!(guessed.path, "subject");
}

#[test]
fn a_mistake_is_told_with_the_field_that_it_is_in() {
    for (field, wrong) in [
        ("id", json!("")),
        ("id", json!(7)),
        ("id", Value::Null),
        ("source", json!("x".repeat(1_025))),
        ("source", json!("a\u{0}b")),
        ("specversion", json!("0.3")),
        ("type", json!("Build.Failed")),
        ("time", json!("yesterday")),
        ("subject", json!("")),
        ("snoozehost", json!("a/b")),
        ("snoozeseverity", json!(4)),
        ("snoozeseverity", json!("high")),
        ("snoozedeadline", json!(1)),
        ("snoozedeadline", json!("soon")),
        ("extension", json!({})),
        ("extension", json!(1.5)),
        ("extension", json!(3_000_000_000_u64)),
        ("Extension", json!("x")),
        ("data_base64", json!("AP8=")),
    ] {
        let mut event = whole();
        event[field] = wrong.clone();
        let mistake = structured(&event).expect_err(field);
        assert_eq!(mistake.path, field, "{wrong}: {mistake:?}");

        let body = json!([whole(), event]).to_string();
        let batch = read(&headers(&[("content-type", BATCHED)]), body.as_bytes());
        let path = format!("[1].{field}");
        assert!(
            matches!(batch, Err(NotRead::Mistake(mistake)) if mistake.path == path),
            "{path}"
        );
    }
    for (name, wrong) in [
        ("ce-id", "%zz"),
        ("ce-id", "%C3"),
        ("ce-id", "%+1"),
        ("ce-id", "a%00"),
        ("ce-snoozeseverity", "9"),
        ("ce-datacontenttype", "application/json"),
        ("ce-type", ""),
    ] {
        let mut head = binary();
        head.insert(name, wrong.parse().expect("a value"));
        let mistake = read(&head, b"{}");
        assert!(
            matches!(&mistake, Err(NotRead::Mistake(mistake)) if mistake.path == name),
            "{mistake:?}"
        );
    }
    let mut twice = binary();
    twice.append("ce-id", "another".parse().expect("a value"));
    assert!(matches!(read(&twice, b""), Err(NotRead::Mistake(mistake)) if mistake.path == "ce-id"));
}

#[test]
fn a_key_that_stands_twice_is_refused_by_its_name_in_every_mode() {
    let twice = |key: &str| format!("the key {key:?} stands there twice");
    let plain = whole().to_string();
    let doubled = plain.replacen('{', r#"{"type": "build.passed", "#, 1);
    let deep = plain.replace(r#"{"branch":"main"}"#, r#"{"branch":"main","branch":"next"}"#);
    assert_ne!(plain, deep);
    for (headers, body, key) in [
        (headers(&[("content-type", STRUCTURED)]), doubled, "type"),
        (headers(&[("content-type", STRUCTURED)]), deep.clone(), "branch"),
        (
            headers(&[("content-type", BATCHED)]),
            format!("[{plain},{deep}]"),
            "branch",
        ),
        (binary(), r#"{"a": [{"b": 1, "b": 1}]}"#.to_owned(), "b"),
    ] {
        let Err(NotRead::Mistake(mistake)) = read(&headers, body.as_bytes()) else {
            panic!("{body} is read");
        };
        assert_eq!(mistake.path, "body", "{body}");
        assert!(mistake.text.starts_with(&twice(key)), "{body}: {}", mistake.text);
    }
}

#[test]
fn a_part_that_cannot_be_filed_is_named_as_it_was_sent() {
    let one = structured(&whole()).expect("is read");
    assert_eq!(
        (one.field(Part::Host), one.field(Part::Data)),
        ("subject".into(), "data".into())
    );
    let head = read(&binary(), b"").expect("is read").remove(0);
    assert_eq!(head.field(Part::Deadline), "ce-snoozedeadline");
    assert_eq!(head.field(Part::Data), "body");
}

#[test]
fn only_json_in_utf_8_is_taken_and_no_more_than_so_many() {
    for (content_type, mode) in [
        (STRUCTURED, Some(Mode::Structured)),
        ("Application/CloudEvents+JSON", Some(Mode::Structured)),
        (BATCHED, Some(Mode::Batched)),
        ("application/json;charset=\"utf-8\"", Some(Mode::Binary)),
        ("application/vnd.example+json", Some(Mode::Binary)),
        ("application/cloudevents+avro", None),
        ("application/cloudevents+json; charset=utf-16", None),
        ("text/plain", None),
        ("", None),
    ] {
        assert_eq!(
            Mode::of(&headers(&[("content-type", content_type)])),
            mode,
            "{content_type}"
        );
    }
    let packed = headers(&[("content-type", STRUCTURED), ("content-encoding", "gzip")]);
    assert_eq!((Mode::of(&packed), Mode::of(&HeaderMap::new())), (None, None));
    let many = |count| {
        let body = Value::from(vec![whole(); count]).to_string();
        read(&headers(&[("content-type", BATCHED)]), body.as_bytes()).map(|read| read.len())
    };
    assert_eq!((many(0), many(MAX_EVENTS)), (Ok(0), Ok(MAX_EVENTS)));
    assert_eq!(many(MAX_EVENTS + 1), Err(NotRead::TooMany(MAX_EVENTS + 1)));
}

#[test]
fn malformed_bodies_and_headers_are_refused_with_a_place_and_never_worse() {
    let (one, batch) = (whole().to_string(), json!([whole(), whole()]).to_string());
    let mut random = Random::new(5);
    let mut refused = 0;
    for round in 0..10_000 {
        let (head, body) = match round % 3 {
            0 => (
                headers(&[("content-type", STRUCTURED)]),
                random.spoil(one.as_bytes()),
            ),
            1 => (
                headers(&[("content-type", BATCHED)]),
                random.spoil(batch.as_bytes()),
            ),
            _ => {
                let mut head = binary();
                let name = ["ce-id", "ce-source", "ce-type", "ce-snoozeseverity"][random.below(4)];
                if let Ok(value) = random.spoil(b"https%3A//x%C3%A9").try_into() {
                    head.insert(name, value);
                }
                (head, random.spoil(b"{\"branch\": [1, 2]}"))
            }
        };
        match read(&head, &body) {
            Err(NotRead::Mistake(mistake)) => {
                assert!(!mistake.path.is_empty() && !mistake.text.is_empty());
                refused += 1;
            }
            Err(NotRead::TooMany(_)) => refused += 1,
            Ok(events) => assert!(events.iter().all(|event| !event.id.is_empty())),
        }
    }
    assert!(refused > 5_000, "{refused} were refused");
}

#[test]
fn a_header_in_quotes_says_what_stands_between_them_and_is_decoded_once() {
    let subject = |value: &str| {
        let mut head = binary();
        head.insert("ce-subject", value.parse().expect("a header's value"));
        read(&head, b"").map(|mut events| events.remove(0).sent.host)
    };
    let host = |name: &str| Ok(Some(name.parse().expect("a host")));
    assert_eq!(subject("web-1"), host("web-1"));
    assert_eq!(subject(r#""web-1""#), host("web-1"));
    assert_eq!(subject(r#""\w\e\b-1""#), host("web-1"));
    assert_eq!(subject(r#""web%2D1""#), host("web-1"));
    for broken in [r#""web-1"#, r#"""web-1""#, r#""web-1" x"#, r#""web-1\"#] {
        assert!(subject(broken).is_err(), "{broken}");
    }
}
