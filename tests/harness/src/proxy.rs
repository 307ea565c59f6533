//! A TCP proxy on loopback that a test can cut, hold and slow down, to see what a bad network does.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{Instant, sleep_until},
};

/// Chunks under way in one direction of a connection; beyond it the sender has to wait, as on a real line.
const CHUNKS: usize = 1024;

/// The state of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// Everything passes, so much later.
    Open(Duration),
    /// Nothing passes, and nobody is told: a partition.
    Held,
    /// Connections are closed, those there are and new ones.
    Cut,
}

/// A proxy before one server. Gone on drop, with its connections.
#[derive(Debug)]
pub struct TcpProxy {
    address: SocketAddr,
    line: watch::Sender<Line>,
    accepting: JoinHandle<()>,
}

impl TcpProxy {
    /// A proxy that lets everything pass to a server.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub async fn start(server: SocketAddr) -> TcpProxy {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("loopback has free ports");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (line, state) = watch::channel(Line::Open(Duration::ZERO));
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(connect(client, server, state.clone()));
            }
        });
        TcpProxy {
            address,
            line,
            accepting,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets everything pass at once. Connections that were held go on where they were.
    pub fn mend(&self) {
        self.line.send_replace(Line::Open(Duration::ZERO));
    }

    /// Lets everything pass so much later, in each direction. What is under way keeps its time.
    pub fn delay(&self, by: Duration) {
        self.line.send_replace(Line::Open(by));
    }

    /// Lets nothing pass and tells nobody; what arrives meanwhile passes after [`mend`](TcpProxy::mend).
    pub fn hold(&self) {
        self.line.send_replace(Line::Held);
    }

    /// Closes all connections, and each new one at once.
    pub fn cut(&self) {
        self.line.send_replace(Line::Cut);
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn connect(client: TcpStream, server: SocketAddr, state: watch::Receiver<Line>) {
    if *state.borrow() == Line::Cut {
        return;
    }
    let Ok(server) = TcpStream::connect(server).await else {
        return;
    };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut cut = state.clone();
    tokio::select! {
        // Either end closes both directions: the protocols that we proxy have no half-closed state.
        () = pump(from_client, to_server, state.clone()) => {}
        () = pump(from_server, to_client, state) => {}
        // An error means that the proxy is gone.
        _ = cut.wait_for(|line| *line == Line::Cut) => {}
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: watch::Receiver<Line>) {
    let (chunks, mut under_way) = mpsc::channel::<(Instant, Vec<u8>)>(CHUNKS);
    let mut line = state.clone();
    let reading = async move {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            let delay = match *state.borrow() {
                Line::Open(delay) => delay,
                Line::Held | Line::Cut => Duration::ZERO,
            };
            let chunk = (Instant::now() + delay, buffer[..length].to_vec());
            if chunks.send(chunk).await.is_err() {
                return;
            }
        }
    };
    let writing = async move {
        while let Some((due, chunk)) = under_way.recv().await {
            sleep_until(due).await;
            if line.wait_for(|line| *line != Line::Held).await.is_err() || to.write_all(&chunk).await.is_err()
            {
                return;
            }
        }
    };
    // The reader ends first, by dropping its end of the queue; the writer then sends what is left.
    tokio::join!(reading, writing);
}
