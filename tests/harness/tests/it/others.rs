//! Redis, moto and the OTLP receiver: they start, they are what they say, they end.

use snooze_test_harness::{MotoServer, OtlpReceiver, Redis, wait_until};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const LIMIT: Duration = Duration::from_secs(10);

/// What a server answers to some bytes, once it answers with this text in it.
async fn answer(address: SocketAddr, request: &str, expected: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    stream
        .write_all(request.as_bytes())
        .await
        .expect("the server reads");
    let mut text = String::new();
    wait_until(LIMIT, &format!("the server answers {expected}"), async || {
        let mut buffer = [0; 4096];
        let length = stream.read(&mut buffer).await.expect("the server answers");
        text.push_str(&String::from_utf8_lossy(&buffer[..length]));
        text.contains(expected)
    })
    .await;
    text
}

#[tokio::test]
async fn redis_starts_and_comes_back_on_its_port() {
    let mut redis = Redis::start().await;
    answer(redis.address(), "PING\r\n", "PONG").await;
    redis.kill();
    assert!(TcpStream::connect(redis.address()).await.is_err());
    redis.restart().await;
    answer(redis.address(), "PING\r\n", "PONG").await;
}

#[tokio::test]
async fn moto_speaks_ec2() {
    let moto = MotoServer::start().await;
    let body = "Action=DescribeRegions&Version=2016-11-15";
    let request = format!(
        "POST / HTTP/1.1\r\nHost: ec2.eu-west-1.amazonaws.com\r\nConnection: close\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=key/20261123/eu-west-1/ec2/aws4_request, \
         SignedHeaders=host, Signature=unchecked\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    answer(moto.address(), &request, "DescribeRegionsResponse").await;
}

#[tokio::test]
async fn the_receiver_shows_what_it_was_sent() {
    let receiver = OtlpReceiver::start().await;
    let body = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"runner"}}]},
        "scopeSpans":[{"scope":{"name":"s"},"spans":[{"traceId":"5b8efff798038103d269b633813fc60c",
        "spanId":"eee19b7ec3c1b174","parentSpanId":"eee19b7ec3c1b173","name":"verify","kind":2,"attributes":[],
        "startTimeUnixNano":"1544712660000000000","endTimeUnixNano":"1544712661000000000"}]}]}]}"#;
    let address = receiver
        .url()
        .strip_prefix("http://")
        .expect("a URL")
        .parse()
        .expect("an address");
    let request = format!(
        "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    answer(address, &request, "200 OK").await;
    wait_until(LIMIT, "the span is shown", async || !receiver.spans().is_empty()).await;
    let span = &receiver.spans()[0];
    assert_eq!((span.service.as_str(), span.name.as_str()), ("runner", "verify"));
    assert_eq!(span.trace, "5b8efff798038103d269b633813fc60c");
    assert_eq!(
        (span.id.as_str(), span.parent.as_str()),
        ("eee19b7ec3c1b174", "eee19b7ec3c1b173")
    );
}
