//! nats-server: starts, crashes, comes back, and never stays behind.

use snooze_bus::User;
use snooze_test_harness::{NatsServer, wait_until};
use std::{path::PathBuf, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpStream,
};

const LIMIT: Duration = Duration::from_secs(10);

/// What a server says to whoever connects.
async fn greeting(server: &NatsServer) -> serde_json::Value {
    let stream = TcpStream::connect(server.address())
        .await
        .expect("the server listens");
    let mut line = String::new();
    BufReader::new(stream)
        .read_line(&mut line)
        .await
        .expect("the server greets");
    let info = line.strip_prefix("INFO ").expect("NATS greets with INFO");
    serde_json::from_str(info).expect("INFO carries JSON")
}

#[tokio::test]
async fn servers_do_not_share_ports() {
    let (one, two) = tokio::join!(NatsServer::open(), NatsServer::open());
    assert_ne!(one.address(), two.address());
    assert!(greeting(&one).await["jetstream"].as_bool().unwrap_or_default());
}

#[tokio::test]
async fn a_crashed_server_comes_back_on_its_port() {
    let mut server = NatsServer::open().await;
    let (address, before) = (server.address(), greeting(&server).await);
    server.kill();
    assert!(TcpStream::connect(address).await.is_err());
    server.restart().await;
    assert_eq!(server.address(), address);
    assert_ne!(greeting(&server).await["server_id"], before["server_id"]);
}

#[tokio::test]
async fn a_dropped_server_leaves_neither_process_nor_files() {
    let server = NatsServer::open().await;
    let (address, folder) = (server.address(), PathBuf::from(server.folder()));
    drop(server);
    assert!(TcpStream::connect(address).await.is_err());
    wait_until(LIMIT, "the folder is gone", async || !folder.exists()).await;
}

#[tokio::test]
async fn a_role_connects_with_its_credentials_and_a_stranger_does_not() {
    let server = NatsServer::with_roles().await;
    let user = User::host(&"a".parse().expect("a host id"));
    let options = async_nats::ConnectOptions::with_credentials_file(server.credentials(&user))
        .await
        .expect("credentials that a client reads");
    options.connect(server.url()).await.expect("is let in");
    assert!(async_nats::connect(server.url()).await.is_err());
}
