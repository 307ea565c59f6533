//! What version 2 of the protocol refuses, and what it has nothing of.

use super::*;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const PATH: &str = "/latest/meta-data/spot/instance-action";

/// Asks on a connection of its own; the status, and the body.
async fn ask(service: &ImdsServer, request: &str, headers: &str) -> (String, String) {
    let mut stream = TcpStream::connect(service.address).await.expect("it listens");
    let question = format!("{request} HTTP/1.1\r\nHost: h\r\n{headers}\r\n");
    stream.write_all(question.as_bytes()).await.expect("it reads");
    stream.shutdown().await.expect("no more is asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("it answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).expect("a status");
    (status.to_owned(), body.to_owned())
}

#[tokio::test]
async fn a_token_is_given_for_a_second_to_six_hours_and_to_nobody_who_was_forwarded() {
    let service = ImdsServer::try_start().await.expect("it listens");
    let put = "PUT /latest/api/token";
    let life = |seconds: &str| format!("X-aws-ec2-metadata-token-ttl-seconds: {seconds}\r\n");
    for (headers, status) in [
        (String::new(), "400"),
        (life("0"), "400"),
        (life("21601"), "400"),
        (life("soon"), "400"),
        (format!("{}X-Forwarded-For: 10.0.0.1\r\n", life("60")), "403"),
        (life("1"), "200"),
        (life("21600"), "200"),
    ] {
        assert_eq!(ask(&service, put, &headers).await.0, status, "{headers}");
    }
    assert_eq!(ask(&service, "GET /latest/api/token", "").await.0, "405");
}

#[tokio::test]
async fn nothing_is_said_without_a_token_and_what_is_not_announced_is_not_there() {
    let service = ImdsServer::try_start().await.expect("it listens");
    let put = ask(
        &service,
        "PUT /latest/api/token",
        "X-aws-ec2-metadata-token-ttl-seconds: 60\r\n",
    );
    let token = format!("X-aws-ec2-metadata-token: {}\r\n", put.await.1);
    let get = format!("GET {PATH}");
    assert_eq!(ask(&service, &get, "").await.0, "401");
    assert_eq!(
        ask(&service, &get, "X-aws-ec2-metadata-token: made-up\r\n")
            .await
            .0,
        "401"
    );
    assert_eq!(ask(&service, &get, &token).await.0, "404");
    service.announce(PATH, "{}");
    assert_eq!(
        ask(&service, &get, &token).await,
        ("200".to_owned(), "{}".to_owned())
    );
    service.withdraw(PATH);
    assert_eq!(ask(&service, &get, &token).await.0, "404");
    service.revoke_tokens();
    assert_eq!(ask(&service, &get, &token).await.0, "401");
}
