//! What is too much, too slow, too often, or no event at all.

use super::client::{BATCHED, Connection, Http, NIGHTLY, STRUCTURED, event, filed};
use crate::centre::{Centre, LIMIT, now};
use hyper::body::Bytes;
use serde_json::json;
use snooze_event_gateway::centre::http::Limits;
use std::{collections::BTreeSet, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

async fn centre() -> Centre {
    let centre = Centre::start().await;
    centre
        .source("nightly", json!({"hosts": "all", "max_severity": 3}))
        .await;
    centre
}

/// All that a server says until it closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut said = Vec::new();
    let read = timeout(LIMIT, stream.read_to_end(&mut said))
        .await
        .expect("it is closed in time");
    read.expect("it is closed in order");
    String::from_utf8(said).expect("a text")
}

fn head(length: &str) -> String {
    let (token, content) = (NIGHTLY.1, STRUCTURED.1);
    format!(
        "POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: {token}\r\ncontent-type: {content}\r\n{length}\r\n\r\n"
    )
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_before_it_is_there() {
    let centre = centre().await;
    let http = Http::with(&centre, |config| config.max_body_bytes = 1_024, Limits::default()).await;
    // By what it says of its length, and while it comes.
    let mut stream = TcpStream::connect(http.address).await.expect("connects");
    stream
        .write_all(head("content-length: 1025").as_bytes())
        .await
        .expect("writes");
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 413 "));
    let mut stream = TcpStream::connect(http.address).await.expect("connects");
    let chunk = format!(
        "{}401\r\n{}\r\n",
        head("transfer-encoding: chunked"),
        "x".repeat(0x401)
    );
    stream.write_all(chunk.as_bytes()).await.expect("writes");
    let mut said = [0; 13];
    timeout(LIMIT, stream.read_exact(&mut said))
        .await
        .expect("in time")
        .expect("reads");
    assert_eq!(&said, b"HTTP/1.1 413 ");
    let many = json!(vec![json!({}); 101]).to_string();
    let http_many = Http::start(&centre).await;
    let answer = http_many.post(&[NIGHTLY, BATCHED], many).await;
    assert_eq!(answer.status, 413, "{answer:?}");
    assert_eq!(filed(&centre).await, []);
    http.gateway.end().await;
    http_many.gateway.end().await;
}

#[tokio::test]
async fn what_is_no_cloud_event_in_json_is_another_media_type() {
    let centre = centre().await;
    let http = Http::start(&centre).await;
    for other in [
        "text/plain",
        "application/cloudevents+avro",
        "application/x-www-form-urlencoded",
    ] {
        let answer = http
            .post(&[NIGHTLY, ("content-type", other)], event("1").to_string())
            .await;
        assert_eq!(answer.status, 415, "{other}");
    }
    assert_eq!(http.post(&[NIGHTLY], event("1").to_string()).await.status, 415);
    let bare = http
        .post(
            &[NIGHTLY, ("content-type", "application/json")],
            event("1").to_string(),
        )
        .await;
    assert_eq!((bare.status, &bare.body["path"]), (400, &json!("ce-id")));
    http.gateway.end().await;
}

#[tokio::test]
async fn a_source_that_sends_too_much_is_told_when_to_come_back_and_holds_up_nobody() {
    let centre = centre().await;
    centre
        .source("unknown", json!({"hosts": "all", "max_severity": 3}))
        .await;
    let http = Http::with(
        &centre,
        |config| config.events_per_second = 0.02,
        Limits::default(),
    )
    .await;
    let batch: Vec<_> = (0..100).map(|id| event(&id.to_string())).collect();
    let all = http.post(&[NIGHTLY, BATCHED], json!(batch).to_string()).await;
    assert_eq!((all.status, all.states().len()), (202, 100));
    let answer = http.post(&[NIGHTLY, STRUCTURED], event("more").to_string()).await;
    assert_eq!(
        (answer.status, &answer.body["code"]),
        (429, &json!("rate_limited"))
    );
    let wait: u64 = answer.headers["retry-after"]
        .to_str()
        .expect("a text")
        .parse()
        .expect("seconds");
    assert!((1..=50).contains(&wait), "{wait}");
    let other = http
        .post(&[super::client::UNKNOWN, STRUCTURED], event("other").to_string())
        .await;
    assert_eq!(other.states(), ["filed"]);
    assert_eq!(filed(&centre).await.len(), 101);
    http.gateway.end().await;
}

#[tokio::test]
async fn whoever_says_little_for_long_is_cut_off_and_makes_room() {
    let centre = centre().await;
    let limits = Limits {
        connections: 2,
        head_within: Duration::from_millis(300),
        body_within: Duration::from_millis(300),
    };
    let http = Http::with(&centre, |_| {}, limits).await;
    let mut silent = TcpStream::connect(http.address).await.expect("connects");
    let mut slow = TcpStream::connect(http.address).await.expect("connects");
    slow.write_all(b"POST /v1/events HTTP/1.1\r\nhost: ")
        .await
        .expect("writes");
    let answer = timeout(LIMIT, http.post(&[NIGHTLY, STRUCTURED], event("1").to_string())).await;
    assert_eq!(answer.expect("in time").states(), ["filed"]);
    for stream in [&mut silent, &mut slow] {
        let said = rest(stream).await;
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 408 "), "{said}");
    }
    let mut body = TcpStream::connect(http.address).await.expect("connects");
    let half = format!("{}{{\"id\"", head("content-length: 100"));
    body.write_all(half.as_bytes()).await.expect("writes");
    assert!(rest(&mut body).await.starts_with("HTTP/1.1 408 "));
    http.gateway.end().await;
}

/// A connection whose request has begun to be answered, and lacks the end of its body.
async fn half_asked(http: &Http) -> TcpStream {
    let mut stream = TcpStream::connect(http.address).await.expect("connects");
    let half = head("content-length: 100\r\nexpect: 100-continue");
    stream.write_all(half.as_bytes()).await.expect("writes");
    let mut said = [0; 25];
    let read = timeout(LIMIT, stream.read_exact(&mut said)).await;
    read.expect("in time").expect("reads");
    assert_eq!(&said, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

#[tokio::test]
async fn who_asks_for_health_or_sends_an_event_is_answered_while_all_others_say_nothing() {
    let centre = centre().await;
    let limits = Limits {
        head_within: LIMIT * 100,
        body_within: LIMIT * 100,
        ..Limits::default()
    };
    let most = limits.connections;
    let http = Http::with(&centre, |_| {}, limits).await;
    // Whose it is would be known at the end of a body that never comes.
    let signed = format!(
        "POST /v1/events HTTP/1.1\r\nhost: x\r\nsnooze-source: nightly\r\nsnooze-timestamp: {}\r\nsnooze-signature: {}\r\n\
         content-type: {}\r\ncontent-length: 100\r\n\r\n",
        now().as_second(),
        "0".repeat(64),
        STRUCTURED.1
    );
    let mut silent = Vec::new();
    for number in 0..most {
        let mut stream = TcpStream::connect(http.address).await.expect("connects");
        let said = match number % 3 {
            0 => "",
            1 => "GET /healthz HTTP/1.1\r\nhost: ",
            _ => signed.as_str(),
        };
        stream.write_all(said.as_bytes()).await.expect("writes");
        silent.push(stream);
    }
    let asked = async {
        let mut connection = Connection::open(http.address).await;
        let health = connection.send("GET", "/healthz", &[], Bytes::new()).await;
        assert_eq!(health.status, 200);
        http.post(&[NIGHTLY, STRUCTURED], event("1").to_string()).await
    };
    let answer = timeout(LIMIT, asked).await.expect("is answered");
    assert_eq!(answer.states(), ["filed"]);
    // Those that waited longest made room, and no more than were needed.
    for stream in &mut silent[..2] {
        assert_eq!(rest(stream).await, "");
    }
    let waits = silent[most - 1].try_read(&mut [0; 1]).expect_err("it is there");
    assert_eq!(waits.kind(), std::io::ErrorKind::WouldBlock);
    http.gateway.end().await;
}

#[tokio::test]
async fn connections_beyond_those_that_are_being_answered_wait_for_one_to_end() {
    let centre = centre().await;
    let limits = Limits {
        connections: 3,
        body_within: LIMIT * 100,
        ..Limits::default()
    };
    let http = Http::with(&centre, |_| {}, limits).await;
    let mut other = Connection::open(http.address).await;
    let health = other.send("GET", "/healthz", &[], Bytes::new()).await;
    assert_eq!(health.status, 200);
    let first = half_asked(&http).await;
    let second = half_asked(&http).await;
    let third = half_asked(&http).await;
    let mut fourth = TcpStream::connect(http.address).await.expect("connects");
    let request = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    fourth.write_all(request).await.expect("writes");
    let waits = |stream: &TcpStream| {
        let read = stream
            .try_read(&mut [0; 1])
            .expect_err("nothing was said, and it is open");
        assert_eq!(read.kind(), std::io::ErrorKind::WouldBlock);
    };
    waits(&fourth);
    drop(first);
    assert!(rest(&mut fourth).await.starts_with("HTTP/1.1 200 "));
    waits(&second);
    waits(&third);
    http.gateway.end().await;
}

#[tokio::test]
async fn malformed_requests_change_nothing() {
    let centre = centre().await;
    let http = Http::with(
        &centre,
        |config| config.events_per_second = 1e9,
        Limits::default(),
    )
    .await;
    let whole = event("1").to_string();
    let mut connection = Connection::open(http.address).await;
    let (mut told, mut refused) = (BTreeSet::new(), 0);
    let mut seed = 88_172_645_463_325_252_u64;
    let mut below = |limit: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed >> 33).expect("31 bits") % limit
    };
    for _ in 0..10_000 {
        let mut body = whole.clone().into_bytes();
        for _ in 0..=below(4) {
            let (at, byte) = (below(body.len()), u8::try_from(below(256)).expect("a byte"));
            match below(8) {
                0 => body.truncate(at + 1),
                1 => body.insert(at, byte),
                _ => body[at] = byte,
            }
        }
        let answer = connection.post(&[NIGHTLY, STRUCTURED], body).await;
        match answer.status {
            202 => told.extend(
                answer.body["events"][0]["filed_as"]
                    .as_str()
                    .map(ToOwned::to_owned),
            ),
            400 => {
                assert!(
                    answer.body["path"].as_str().is_some_and(|path| !path.is_empty()),
                    "{answer:?}"
                );
                refused += 1;
            }
            _ => panic!("{answer:?}"),
        }
    }
    assert!(refused > 9_000, "{refused}");
    // What was by chance an event is filed, as it was told, and nothing else is.
    let known: BTreeSet<_> = filed(&centre)
        .await
        .into_iter()
        .map(|event| event.id.to_string())
        .collect();
    assert_eq!(known, told);
    let answer = connection
        .post(&[NIGHTLY, STRUCTURED], event("good").to_string())
        .await;
    assert_eq!(answer.states(), ["filed"]);
    http.gateway.end().await;
}
