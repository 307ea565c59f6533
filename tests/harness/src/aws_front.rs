//! A front before moto's services that speak JSON: it refuses, throttles and loses answers where a test says so, and
//! keeps account of what was asked.
//!
//! What it is told nothing of goes to moto and back as it is.

use serde_json::Value;
use std::{
    collections::{BTreeMap, VecDeque},
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

/// No call of ours has more.
const MOST_BYTES: usize = 1024 * 1024;

/// How a call is answered.
#[derive(Debug, Clone)]
pub enum FrontAnswer {
    /// With this status and this body.
    Status(u16, Value),
    /// By moto, as if nothing had been said of it.
    Pass,
    /// By moto, but nobody sees what it answered: the connection ends.
    Lost,
}

#[derive(Debug, Default)]
struct State {
    once: BTreeMap<String, VecDeque<FrontAnswer>>,
    always: BTreeMap<String, FrontAnswer>,
    at_most: Vec<(String, &'static str, u64)>,
    calls: Vec<(String, Value)>,
}

impl State {
    /// A call with what is to be lower; none where nothing is.
    fn lowered(&self, action: &str, said: &Value) -> Option<Value> {
        let mut lowered = said.clone();
        for (_, key, most) in self.at_most.iter().filter(|(of, _, _)| of == action) {
            if lowered[*key].as_u64() > Some(*most) {
                lowered[*key] = (*most).into();
            }
        }
        (lowered != *said).then_some(lowered)
    }
}

/// The front. Gone on drop.
#[derive(Debug)]
pub struct AwsFront {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    accepting: JoinHandle<()>,
}

impl AwsFront {
    /// A front before a server.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub async fn before(server: SocketAddr) -> AwsFront {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("loopback has free ports");
        let address = listener.local_addr().expect("a bound socket has an address");
        let state = Arc::<Mutex<State>>::default();
        let shared = Arc::clone(&state);
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                while connections.try_join_next().is_some() {}
                // One call a connection: the client makes another one.
                connections.spawn(serve(client, server, Arc::clone(&shared)));
            }
        });
        AwsFront {
            address,
            state,
            accepting,
        }
    }

    /// The endpoint of every service.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers the next call of an action so, after those that this was said of before.
    pub fn answer(&self, action: &str, answer: FrontAnswer) {
        let mut state = lock(&self.state);
        state.once.entry(action.to_owned()).or_default().push_back(answer);
    }

    /// Answers every call of an action so, until [`pass`](AwsFront::pass).
    pub fn always(&self, action: &str, answer: FrontAnswer) {
        lock(&self.state).always.insert(action.to_owned(), answer);
    }

    /// Lets calls of an action through again.
    pub fn pass(&self, action: &str) {
        lock(&self.state).always.remove(action);
    }

    /// Lowers a number that calls of an action give to what it may be at most, so that a test need not wait for it.
    pub fn at_most(&self, action: &str, key: &'static str, most: u64) {
        lock(&self.state).at_most.push((action.to_owned(), key, most));
    }

    /// The bodies of all calls of an action, as they were asked.
    #[must_use]
    pub fn calls(&self, action: &str) -> Vec<Value> {
        let state = lock(&self.state);
        let calls = state.calls.iter().filter(|(asked, _)| asked == action);
        calls.map(|(_, body)| body.clone()).collect()
    }

    /// Every action that was asked for, in that order.
    #[must_use]
    pub fn actions(&self) -> Vec<String> {
        let state = lock(&self.state);
        state.calls.iter().map(|(action, _)| action.clone()).collect()
    }
}

impl Drop for AwsFront {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(client: TcpStream, server: SocketAddr, state: Arc<Mutex<State>>) -> Option<()> {
    let mut client = BufReader::new(client);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if client.read_line(&mut line).await.ok()? == 0 || head.len() > 100 {
            return None;
        }
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        head.push(line);
    }
    let header = |name: &str| {
        let named = head.iter().filter_map(|line| line.split_once(':'));
        let mut values = named.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        values.next().map(|(_, value)| value.trim().to_owned())
    };
    let length: usize = header("content-length")?.parse().ok()?;
    let mut body = vec![0; length.min(MOST_BYTES)];
    client.read_exact(&mut body).await.ok()?;
    let action = header("x-amz-target").unwrap_or_default();
    let said: Value = serde_json::from_slice(&body).unwrap_or_default();
    let told = {
        let mut state = lock(&state);
        let lowered = state.lowered(&action, &said);
        if let Some(lowered) = lowered {
            body = lowered.to_string().into_bytes();
        }
        state.calls.push((action.clone(), said));
        let once = state.once.get_mut(&action).and_then(VecDeque::pop_front);
        once.or_else(|| state.always.get(&action).cloned())
    };
    let answer = match told {
        Some(FrontAnswer::Status(status, body)) => {
            let body = body.to_string();
            let length = body.len();
            let kind = "content-type: application/x-amz-json-1.1";
            format!(
                "HTTP/1.1 {status} X\r\n{kind}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
            )
            .into_bytes()
        }
        Some(FrontAnswer::Lost) => {
            forward(server, &head, &body).await?;
            return None;
        }
        None | Some(FrontAnswer::Pass) => forward(server, &head, &body).await?,
    };
    client.get_mut().write_all(&answer).await.ok()
}

async fn forward(server: SocketAddr, head: &[String], body: &[u8]) -> Option<Vec<u8>> {
    let mut server = TcpStream::connect(server).await.ok()?;
    let own = ["connection:", "content-length:"];
    let kept = head
        .iter()
        .filter(|line| !own.iter().any(|name| line.to_ascii_lowercase().starts_with(name)));
    let mut request: String = kept.map(|line| format!("{line}\r\n")).collect();
    request.push_str(&format!(
        "connection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    ));
    server.write_all(request.as_bytes()).await.ok()?;
    server.write_all(body).await.ok()?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).await.ok()?;
    Some(answer)
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
