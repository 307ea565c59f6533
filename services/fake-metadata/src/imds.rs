//! A metadata service as EC2's documents describe version 2 of it, which fails as no real one can be asked to.
//!
//! It answers only requests with a token that it gave, on connections that are kept, and keeps account of all.

mod connection;

use crate::Record;
use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle, time::Instant};

/// Where tokens are given.
const TOKEN_PATH: &str = "/latest/api/token";

/// How a path is answered.
#[derive(Debug, Clone)]
pub enum ImdsAnswer {
    /// 200 with this body.
    Body(Vec<u8>),
    /// This status.
    Status(u16),
    /// Not at all; the connection stays open.
    Never,
    /// 200 with this body so much later.
    Late(Duration, Vec<u8>),
    /// The beginning of an answer, and the end of the connection.
    Truncated,
}

/// What was asked.
#[derive(Debug, Clone)]
pub struct ImdsRequest {
    /// PUT or GET.
    pub method: String,
    /// What for.
    pub path: String,
    /// With which token.
    pub token: Option<String>,
    /// When.
    pub at: Instant,
    /// What was answered; nothing where nothing was.
    pub status: Option<u16>,
}

#[derive(Debug)]
struct State {
    answers: BTreeMap<String, ImdsAnswer>,
    token: u64,
    token_life_seconds: u64,
    requests: Record<ImdsRequest>,
    connections: usize,
}

/// A metadata service on loopback. Gone on drop.
#[derive(Debug)]
pub struct ImdsServer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    /// Each change closes all connections.
    closing: watch::Sender<()>,
    accepting: JoinHandle<()>,
}

impl ImdsServer {
    /// A service that has nothing to announce: 404 everywhere but for tokens.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub async fn start() -> ImdsServer {
        let begun = ImdsServer::try_start().await;
        begun.expect("loopback has free ports")
    }

    /// The same.
    ///
    /// # Errors
    /// When there is no free port, or no more files can be opened.
    pub async fn try_start() -> io::Result<ImdsServer> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(State {
            answers: BTreeMap::new(),
            token: 1,
            token_life_seconds: 21_600,
            requests: Record::default(),
            connections: 0,
        }));
        let (closing, closed) = watch::channel(());
        let shared = Arc::clone(&state);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                lock(&shared).connections += 1;
                tokio::spawn(connection::serve(stream, Arc::clone(&shared), closed.clone()));
            }
        });
        Ok(ImdsServer {
            address,
            state,
            closing,
            accepting,
        })
    }

    /// What a client asks.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers a path like this from now on.
    pub fn answer(&self, path: &str, answer: ImdsAnswer) {
        lock(&self.state).answers.insert(path.to_owned(), answer);
    }

    /// Announces a text there.
    pub fn announce(&self, path: &str, body: &str) {
        self.answer(path, ImdsAnswer::Body(body.as_bytes().to_vec()));
    }

    /// Has nothing there any more.
    pub fn withdraw(&self, path: &str) {
        lock(&self.state).answers.remove(path);
    }

    /// Refuses all tokens given so far, and gives others.
    pub fn revoke_tokens(&self) {
        lock(&self.state).token += 1;
    }

    /// Says of tokens that they end so soon. They do not: a client that goes by what it is told never sees it.
    pub fn say_tokens_live(&self, seconds: u64) {
        lock(&self.state).token_life_seconds = seconds;
    }

    /// Closes the connections that are there.
    pub fn close_connections(&self) {
        self.closing.send_replace(());
    }

    /// All that was asked so far.
    #[must_use]
    pub fn requests(&self) -> Vec<ImdsRequest> {
        lock(&self.state).requests.all()
    }

    /// What was asked of one path.
    #[must_use]
    pub fn requests_for(&self, path: &str) -> Vec<ImdsRequest> {
        let all = self.requests();
        all.into_iter().filter(|request| request.path == path).collect()
    }

    /// How often a token was asked for.
    #[must_use]
    pub fn tokens_asked(&self) -> usize {
        self.requests_for(TOKEN_PATH).len()
    }

    /// How many connections there ever were.
    #[must_use]
    pub fn connections(&self) -> usize {
        lock(&self.state).connections
    }
}

impl Drop for ImdsServer {
    fn drop(&mut self) {
        self.accepting.abort();
        self.close_connections();
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
