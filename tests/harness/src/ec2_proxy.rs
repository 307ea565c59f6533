//! A proxy before an EC2 API that makes trouble on request: it delays, drops, applies late, throttles,
//! refuses and resets.
//!
//! It forwards plain HTTP/1.1, one request a connection, and understands no more of it than the name of
//! the action. What it was not told to spoil it forwards unchanged. It never invents a success.

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::{Instant, sleep},
};

/// A request to the EC2 API is a few hundred bytes, an answer some kilobytes.
const MESSAGE_LIMIT: usize = 4 * 1024 * 1024;
/// How long an answer that never comes is not given for; then the connection is reset.
const SILENCE: Duration = Duration::from_secs(600);

/// What is to go wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ec2Fault {
    /// Applied at once, answered so much later.
    DelayAnswer(Duration),
    /// Applied so much later, even when the asker has gone; never answered.
    ApplyLate(Duration),
    /// Applied at once, never answered.
    DropAnswer,
    /// Not applied, never answered.
    DropRequest,
    /// Not applied; the connection is reset.
    Reset,
    /// Applied; the connection is reset instead of an answer.
    ResetAfterApplying,
    /// Not applied; answered with 503 `RequestLimitExceeded`.
    Throttle,
    /// Not applied; answered with 403 `UnauthorizedOperation`.
    Refuse,
    /// Not applied; answered with 500 `InternalError`.
    ServerError,
}

/// A request that reached the proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ec2Call {
    /// As `StopInstances`.
    pub action: String,
    /// The instances or resources that it names.
    pub named: Vec<String>,
    /// Whether it asked only whether it could.
    pub dry_run: bool,
    /// The region that it was signed for.
    pub region: String,
    /// The whole body, as it was sent.
    pub body: String,
}

/// A running proxy; it ends on drop, and everything that it still held back with it.
#[derive(Debug)]
pub struct Ec2Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    upstream: SocketAddr,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    calls: Vec<Ec2Call>,
    faults: VecDeque<(String, Ec2Fault)>,
    stop_takes: Duration,
    stops: Vec<(String, Instant)>,
    gave_up: Vec<GaveUp>,
}

/// How a client ended a connection that it got no answer on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GaveUp {
    /// By a reset: what it had not sent yet is gone.
    Reset,
    /// Politely: what it had not sent yet still came.
    Closed,
}

impl Ec2Proxy {
    /// A proxy on a free loopback port before the API at this address.
    ///
    /// # Panics
    /// When no port can be had.
    pub async fn before(upstream: SocketAddr) -> Ec2Proxy {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            upstream,
            state: Mutex::default(),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ec2Proxy {
            address,
            shared,
            accepting,
        }
    }

    /// What a client is given as its endpoint.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next request with this action goes wrong like this; several wait in turn. A dry run's action is
    /// called `StopInstances DryRun`.
    pub fn spoil_next(&self, action: &str, fault: Ec2Fault) {
        self.shared.lock().faults.push_back((action.to_owned(), fault));
    }

    /// From now on a stopped instance shows itself as `stopping` for so long: moto's are stopped at once.
    pub fn stopping_takes(&self, time: Duration) {
        self.shared.lock().stop_takes = time;
    }

    /// Every request so far, spoiled ones included, the oldest first.
    #[must_use]
    pub fn calls(&self) -> Vec<Ec2Call> {
        self.shared.lock().calls.clone()
    }

    /// How clients ended the connections that got no answer.
    #[must_use]
    pub fn gave_up(&self) -> Vec<GaveUp> {
        self.shared.lock().gave_up.clone()
    }

    /// How many requests with this action, dry runs left out, have named this instance.
    #[must_use]
    pub fn count(&self, action: &str, instance: &str) -> usize {
        let counts = |call: &&Ec2Call| {
            call.action == action && !call.dry_run && call.named.iter().any(|named| named == instance)
        };
        self.shared.lock().calls.iter().filter(counts).count()
    }
}

impl Drop for Ec2Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers nothing until the client has given up, and notes how it did.
    async fn be_silent(&self, mut client: TcpStream) -> io::Result<()> {
        let mut more = [0; 64];
        let ended = tokio::time::timeout(SILENCE, client.read(&mut more)).await;
        let gave_up = match ended {
            Ok(Ok(0)) => GaveUp::Closed,
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionReset => GaveUp::Reset,
            _ => return Ok(()),
        };
        self.lock().gave_up.push(gave_up);
        Ok(())
    }

    /// Files the call and takes the fault that waits for it.
    fn arrived(&self, call: Ec2Call) -> Option<Ec2Fault> {
        let mut state = self.lock();
        let name = match call.dry_run {
            true => format!("{} DryRun", call.action),
            false => call.action.clone(),
        };
        let place = state.faults.iter().position(|(action, _)| *action == name);
        state.calls.push(call);
        place
            .and_then(|place| state.faults.remove(place))
            .map(|(_, fault)| fault)
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Connections end with the proxy: what is held back must not reach another test's instance.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { return };
                connections.spawn(serve(client, Arc::clone(&shared)));
            }
            Some(ended) = connections.join_next() => {
                if let Ok(Err(error)) = ended {
                    eprintln!("ec2 proxy: {error}");
                }
            }
        }
    }
}

async fn serve(mut client: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    let Some(request) = read_request(&mut client).await? else {
        return Ok(());
    };
    let call = describe(&request);
    let instance = call.named.first().cloned().unwrap_or_default();
    let (action, dry_run) = (call.action.clone(), call.dry_run);
    let fault = shared.arrived(call);
    let forward = async || {
        let answer = forward(shared.upstream, &request).await?;
        if action == "StopInstances" && !dry_run {
            shared.lock().stops.push((instance.clone(), Instant::now()));
        }
        if action == "StartInstances" {
            shared.lock().stops.retain(|(stopped, _)| *stopped != instance);
        }
        io::Result::Ok(still_stopping(&shared, &action, &instance, answer))
    };
    let answer = match fault {
        None => forward().await?,
        Some(Ec2Fault::DelayAnswer(time)) => {
            let answer = forward().await?;
            sleep(time).await;
            answer
        }
        Some(Ec2Fault::ApplyLate(time)) => {
            sleep(time).await;
            forward().await?;
            return shared.be_silent(client).await;
        }
        Some(Ec2Fault::DropAnswer) => {
            forward().await?;
            return shared.be_silent(client).await;
        }
        Some(Ec2Fault::DropRequest) => return shared.be_silent(client).await,
        Some(Ec2Fault::Reset) => return client.set_zero_linger(),
        Some(Ec2Fault::ResetAfterApplying) => {
            forward().await?;
            return client.set_zero_linger();
        }
        Some(Ec2Fault::Throttle) => error_answer("503 Service Unavailable", "RequestLimitExceeded"),
        Some(Ec2Fault::Refuse) => error_answer("403 Forbidden", "UnauthorizedOperation"),
        Some(Ec2Fault::ServerError) => error_answer("500 Internal Server Error", "InternalError"),
    };
    client.write_all(&answer).await?;
    client.shutdown().await
}

/// Head and body of one request; nothing where the client closed without one.
async fn read_request(client: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    loop {
        if let Some(length) = length_of(&bytes)
            && bytes.len() >= length
        {
            return Ok(Some(bytes));
        }
        if bytes.len() > MESSAGE_LIMIT {
            return Err(io::Error::other("the request is too long"));
        }
        if client.read_buf(&mut bytes).await? == 0 {
            return if bytes.is_empty() {
                Ok(None)
            } else {
                Err(io::ErrorKind::UnexpectedEof.into())
            };
        }
    }
}

/// The length of head and body together, once the head is there.
fn length_of(bytes: &[u8]) -> Option<usize> {
    let head = head_end(bytes)?;
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let body = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .and_then(|value| value.trim().parse::<usize>().ok())
        .unwrap_or(0);
    Some(head + body)
}

fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .map(|at| at + 4)
}

fn describe(request: &[u8]) -> Ec2Call {
    let head = head_end(request).unwrap_or(request.len());
    let head_text = String::from_utf8_lossy(&request[..head]);
    let body = String::from_utf8_lossy(&request[head..]).into_owned();
    let pairs: Vec<(&str, &str)> = body.split('&').filter_map(|pair| pair.split_once('=')).collect();
    let value = |name: &str| {
        pairs
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| *value)
    };
    let named = pairs
        .iter()
        .filter(|(key, _)| {
            *key == "InstanceId" || key.starts_with("InstanceId.") || key.starts_with("ResourceId.")
        })
        .map(|(_, value)| (*value).to_owned())
        .collect();
    // Credential=KEY/20260101/us-east-1/ec2/aws4_request
    let region = head_text
        .split_once("Credential=")
        .and_then(|(_, scope)| scope.split('/').nth(2))
        .unwrap_or_default();
    Ec2Call {
        action: value("Action").unwrap_or_default().to_owned(),
        dry_run: value("DryRun") == Some("true"),
        region: region.to_owned(),
        named,
        body: body.clone(),
    }
}

/// Sends the request on over a connection of its own and reads the whole answer.
async fn forward(upstream: SocketAddr, request: &[u8]) -> io::Result<Vec<u8>> {
    let head = head_end(request).unwrap_or(request.len());
    let mut closing = String::new();
    for line in String::from_utf8_lossy(&request[..head]).trim_end().lines() {
        if !line.to_ascii_lowercase().starts_with("connection:") {
            closing.push_str(line);
            closing.push_str("\r\n");
        }
    }
    closing.push_str("connection: close\r\n\r\n");
    let mut server = TcpStream::connect(upstream).await?;
    server.write_all(closing.as_bytes()).await?;
    server.write_all(&request[head..]).await?;
    let mut answer = Vec::new();
    server.take(MESSAGE_LIMIT as u64).read_to_end(&mut answer).await?;
    Ok(answer)
}

/// Shows an instance that was stopped a moment ago as `stopping`, which moto never does.
fn still_stopping(shared: &Shared, action: &str, instance: &str, answer: Vec<u8>) -> Vec<u8> {
    let state = shared.lock();
    let takes = state.stop_takes;
    let stopping = state
        .stops
        .iter()
        .any(|(stopped, at)| stopped == instance && at.elapsed() < takes);
    drop(state);
    let Some(head) = head_end(&answer).filter(|_| stopping && action == "DescribeInstances") else {
        return answer;
    };
    let body = String::from_utf8_lossy(&answer[head..])
        .replace("<name>stopped</name>", "<name>stopping</name>")
        .replace("<code>80</code>", "<code>64</code>");
    whole("200 OK", &body)
}

fn error_answer(status: &str, code: &str) -> Vec<u8> {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Errors><Error><Code>{code}</Code>\
         <Message>said by the proxy of the tests</Message></Error></Errors>\
         <RequestID>00000000-0000-0000-0000-000000000000</RequestID></Response>"
    );
    whole(status, &body)
}

fn whole(status: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/xml\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
