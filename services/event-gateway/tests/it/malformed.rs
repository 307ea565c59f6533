//! Ten thousand events that are none, sent as people send theirs: each is refused with a reason, and nothing is filed.

use crate::{
    centre::{Centre, LIMIT},
    http::{answers_of, filed},
};
use futures_util::future::join_all;
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use snooze_bus::Format;
use snooze_schemas::{ErrorCode, event::CustomEvent};

const EVENTS: usize = 10_000;
/// So many are sent at once.
const AT_ONCE: usize = 64;

/// The bytes without their end or their beginning, with some of them exchanged, or others altogether. May be what they were.
pub(crate) fn spoilt(random: &mut impl Rng, good: &[u8]) -> Vec<u8> {
    match random.random_range(0..5) {
        0 => good[..random.random_range(0..good.len())].to_vec(),
        1 => good[random.random_range(1..good.len())..].to_vec(),
        2 => (0..random.random_range(0..300))
            .map(|_| random.random())
            .collect(),
        3 => b"{\"data\":[".repeat(random.random_range(1..2_000)),
        _ => {
            let mut bytes = good.to_vec();
            for _ in 0..random.random_range(1..5) {
                let at = random.random_range(0..bytes.len());
                bytes[at] = random.random();
            }
            bytes
        }
    }
}

async fn nightly(centre: &Centre) -> snooze_bus::Bus {
    centre
        .source("nightly", json!({"hosts": "all", "max_severity": 3}))
        .await
}

#[tokio::test]
async fn i3_ten_thousand_malformed_custom_events_are_refused_with_a_reason_and_change_nothing() {
    let centre = Centre::start().await;
    let gateway = centre.gateway(|_| {}).await;
    let nightly = nightly(&centre).await;
    let good = json!({
        "id": "b-1", "host": "h1", "severity": 3, "deadline": "2999-01-01T00:00:00Z", "data": {"files": [1, "x"]},
    });
    let read: CustomEvent = serde_json::from_value(good.clone()).expect("an event");
    let forms = [
        good.to_string().into_bytes(),
        snooze_bus::encode(&read, Format::MessagePack).expect("is written"),
    ];
    let mut random = StdRng::seed_from_u64(5);
    let mut bodies = Vec::new();
    while bodies.len() < EVENTS {
        let body = spoilt(&mut random, &forms[bodies.len() % forms.len()]);
        if snooze_bus::decode::<CustomEvent>(&body).is_err() {
            bodies.push(body);
        }
    }
    let subject = "snooze.v1.custom.nightly.backup.done";
    for some in bodies.chunks(AT_ONCE) {
        let asked = some
            .iter()
            .map(|body| nightly.raw_request(subject, &[], body, LIMIT));
        for (body, answer) in some.iter().zip(join_all(asked).await) {
            let answer = answer.expect("is answered");
            let said: Value = snooze_bus::decode(&answer.payload).expect("a map");
            let code = serde_json::from_value(said["code"].clone());
            let shown = String::from_utf8_lossy(body);
            assert_eq!(code.ok(), Some(ErrorCode::BadRequest), "{shown}: {said}");
            assert!(
                said["message"].as_str().is_some_and(|why| !why.is_empty()),
                "{shown}: {said}"
            );
        }
    }
    assert_eq!(filed(&centre).await, []);
    let sound = br#"{"id":"b1","host":"h1"}"#;
    let answer = nightly.raw_request(subject, &[], sound, LIMIT).await;
    let said: Value = snooze_bus::decode(&answer.expect("is answered").payload).expect("a map");
    assert_eq!(said["ok"], true, "{said}");
    assert_eq!(filed(&centre).await.len(), 1);
    gateway.end().await;
}

#[tokio::test]
async fn ten_thousand_malformed_requests_over_http_are_refused_with_a_reason_and_change_nothing() {
    let centre = Centre::start().await;
    nightly(&centre).await;
    let mut random = StdRng::seed_from_u64(5);
    let answers = answers_of(&centre, EVENTS, |good| {
        let mut body = spoilt(&mut random, good);
        // A control character is in no JSON; nor is anything after its end.
        body.extend([b'"', random.random_range(0..32), b'x']);
        body
    })
    .await;
    for (body, status, said) in &answers {
        let shown = String::from_utf8_lossy(body);
        assert_eq!((*status, &said["ok"]), (400, &json!(false)), "{shown}: {said}");
        assert_eq!(said["code"], "bad_request", "{shown}: {said}");
        assert!(
            said["message"].as_str().is_some_and(|why| !why.is_empty()),
            "{shown}: {said}"
        );
    }
    assert_eq!(answers.len(), EVENTS);
    assert_eq!(filed(&centre).await.len(), 1, "the sound one after them");
}
