//! Bodies over HTTP that a test makes of good ones, in each of the modes, and a good one after them.

use super::client::{BATCHED, Connection, Http, NIGHTLY, STRUCTURED, event};
use crate::centre::Centre;
use serde_json::{Value, json};
use snooze_event_gateway::centre::http::Limits;

/// What marks an event in the binary mode, beside its data.
const BINARY: [(&str, &str); 6] = [
    ("content-type", "application/json"),
    ("ce-specversion", "1.0"),
    ("ce-id", "build-7"),
    ("ce-source", "/ci"),
    ("ce-type", "build.failed"),
    ("ce-subject", "h1"),
];

/// What was sent, and what came back.
pub(crate) type Answered = (Vec<u8>, u16, Value);

/// Sends so many, one mode after the other, each made of a good body; then a good one, which has to be filed.
pub(crate) async fn answers_of(
    centre: &Centre,
    count: usize,
    mut made_of: impl FnMut(&[u8]) -> Vec<u8>,
) -> Vec<Answered> {
    let http = Http::with(centre, |config| config.events_per_second = 1e6, Limits::default()).await;
    let good = event("1");
    let (data, batch) = (json!({"branch": "main"}), json!([good, event("2")]));
    let structured = vec![NIGHTLY, STRUCTURED];
    let modes = [
        (structured.clone(), good.to_string()),
        (vec![NIGHTLY, BATCHED], batch.to_string()),
        ([vec![NIGHTLY], BINARY.to_vec()].concat(), data.to_string()),
    ];
    let mut connection = Connection::open(http.address).await;
    let mut answered = Vec::new();
    for number in 0..count {
        let (headers, good) = &modes[number % modes.len()];
        let body = made_of(good.as_bytes());
        let answer = connection.post(headers, body.clone()).await;
        answered.push((body, answer.status, answer.body));
    }
    let sound = connection.post(&structured, good.to_string()).await;
    assert_eq!((sound.status, sound.states()), (202, vec!["filed"]));
    http.gateway.end().await;
    answered
}
