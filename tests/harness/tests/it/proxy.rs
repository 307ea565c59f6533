//! The proxy: what passes, when, and what does not.

use snooze_test_harness::TcpProxy;
use std::{net::Ipv4Addr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{Instant, timeout},
};

const LIMIT: Duration = Duration::from_secs(10);
const MOMENT: Duration = Duration::from_millis(50);

/// A client connected through a proxy to a server that sends back what it reads.
async fn echo() -> (TcpProxy, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("a free port");
    let server = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                tokio::io::copy(&mut from, &mut to).await.ok();
            });
        }
    });
    let proxy = TcpProxy::start(server).await;
    let client = TcpStream::connect(proxy.address())
        .await
        .expect("the proxy listens");
    (proxy, client)
}

async fn round_trip(client: &mut TcpStream) -> std::io::Result<Duration> {
    let sent = Instant::now();
    client.write_all(b"ping").await?;
    let mut back = [0; 4];
    timeout(LIMIT, client.read_exact(&mut back)).await??;
    assert_eq!(&back, b"ping");
    Ok(sent.elapsed())
}

#[tokio::test]
async fn a_delay_counts_in_each_direction() {
    let (proxy, mut client) = echo().await;
    round_trip(&mut client).await.expect("passes");
    proxy.delay(MOMENT);
    assert!(round_trip(&mut client).await.expect("passes later") >= 2 * MOMENT);
}

#[tokio::test]
async fn what_is_held_passes_when_the_line_is_mended() {
    let (proxy, mut client) = echo().await;
    round_trip(&mut client).await.expect("passes");
    proxy.hold();
    client.write_all(b"ping").await.expect("the line looks whole");
    let mut back = [0; 4];
    assert!(timeout(MOMENT, client.read_exact(&mut back)).await.is_err());
    proxy.mend();
    timeout(LIMIT, client.read_exact(&mut back))
        .await
        .expect("in time")
        .expect("passes");
}

#[tokio::test]
async fn a_cut_closes_what_is_open_and_what_comes() {
    let (proxy, mut client) = echo().await;
    round_trip(&mut client).await.expect("passes");
    proxy.cut();
    assert!(round_trip(&mut client).await.is_err());
    let mut late = TcpStream::connect(proxy.address())
        .await
        .expect("the proxy still listens");
    assert!(round_trip(&mut late).await.is_err());
    proxy.mend();
    let mut again = TcpStream::connect(proxy.address())
        .await
        .expect("the proxy listens");
    round_trip(&mut again).await.expect("passes");
}
