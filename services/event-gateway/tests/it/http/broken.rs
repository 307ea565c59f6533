//! A broker that is away, a stream that breaks in the middle of a batch, and an end with a request in flight.

use super::client::{BATCHED, Http, NIGHTLY, STRUCTURED, event, event_with, filed};
use crate::centre::{Centre, LIMIT};
use serde_json::{Value, json};
use snooze_test_harness::wait_for;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

async fn nightly(centre: &Centre) {
    centre
        .source("nightly", json!({"hosts": "all", "max_severity": 3}))
        .await;
}

#[tokio::test]
async fn e8_without_the_stream_nothing_is_accepted_and_what_is_sent_again_is_filed_once() {
    let mut centre = Centre::start().await;
    nightly(&centre).await;
    let http = Http::start(&centre).await;
    let urgent = |id: &str| event_with(id, &json!({"snoozeseverity": 3}));
    let before = http
        .post(&[NIGHTLY, STRUCTURED], urgent("before").to_string())
        .await;
    assert_eq!(before.states(), ["filed"]);

    centre.server.kill();
    let batch = json!([urgent("before"), urgent("1"), urgent("2")]).to_string();
    let away = http.post(&[NIGHTLY, BATCHED], batch.clone()).await;
    assert_eq!(
        (away.status, &away.body["code"]),
        (503, &json!("unavailable")),
        "{away:?}"
    );
    assert!(away.headers.contains_key("retry-after"));

    centre.server.restart().await;
    let answer = wait_for(LIMIT, "it is accepted", async || {
        let answer = http.post(&[NIGHTLY, BATCHED], batch.clone()).await;
        (answer.status == 202).then_some(answer)
    })
    .await;
    assert_eq!(answer.states()[0], "duplicate");
    let events = filed(&centre).await;
    assert_eq!(events.len(), 3, "{events:?}");
    http.gateway.end().await;
}

#[tokio::test]
async fn a_batch_that_is_filed_in_part_says_which_part_and_may_be_sent_again() {
    let centre = Centre::open().await;
    nightly(&centre).await;
    let http = Http::start(&centre).await;
    let routine = snooze_bus::Stream::EventsRoutine;
    let full = json!({"max_msgs": 1, "discard": "new"});
    centre.reconfigure(routine, &full).await;
    let urgent = |id: &str| event_with(id, &json!({"snoozeseverity": 2}));
    let batch = json!([urgent("1"), event("2"), event("3"), urgent("4")]).to_string();
    let answer = http.post(&[NIGHTLY, BATCHED], batch.clone()).await;
    assert_eq!(
        (answer.status, &answer.body["ok"]),
        (503, &Value::Bool(false)),
        "{answer:?}"
    );
    assert_eq!(answer.states(), ["filed", "filed", "not_filed", "not_filed"]);
    assert_eq!(filed(&centre).await.len(), 2);

    let as_before = json!({"max_msgs": -1, "discard": "old"});
    centre.reconfigure(routine, &as_before).await;
    let again = http.post(&[NIGHTLY, BATCHED], batch).await;
    assert_eq!(
        (again.status, again.states()),
        (202, vec!["duplicate", "duplicate", "filed", "filed"])
    );
    assert_eq!(filed(&centre).await.len(), 4);
    http.gateway.end().await;
}

#[tokio::test]
async fn what_is_in_flight_at_the_end_is_still_answered() {
    let centre = Centre::start().await;
    nightly(&centre).await;
    let http = Http::start(&centre).await;
    let body = event("1").to_string();
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: {}\r\ncontent-type: {}\r\ncontent-length: {}\r\n\
         expect: 100-continue\r\n\r\n",
        NIGHTLY.1,
        STRUCTURED.1,
        body.len()
    );
    let mut stream = TcpStream::connect(http.address).await.expect("connects");
    stream.write_all(head.as_bytes()).await.expect("writes");
    // Asked to go on, so the request is in its hands.
    let mut said = [0; 12];
    stream.read_exact(&mut said).await.expect("reads");
    assert_eq!(&said, b"HTTP/1.1 100");
    let idle = TcpStream::connect(http.address).await.expect("connects");
    let address = http.address;
    let end = tokio::spawn(http.gateway.end());
    wait_for(LIMIT, "it does not listen any more", async || {
        TcpStream::connect(address).await.err()
    })
    .await;
    stream.write_all(body.as_bytes()).await.expect("writes");
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.expect("reads");
    assert!(
        rest.contains("HTTP/1.1 202 ") && rest.contains("\"state\":\"filed\""),
        "{rest}"
    );
    end.await.expect("ends in order");
    drop(idle);
    assert_eq!(filed(&centre).await.len(), 1);
}
