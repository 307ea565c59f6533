//! HTTP/1.1 with kept connections, as much as a metadata service speaks, and what can go wrong with it.
//!
//! It never decides what is answered: that is the provider's.

use crate::Record;
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

/// A question to a metadata service is a few hundred bytes.
const QUESTION_LIMIT: usize = 64 * 1024;

/// What goes wrong with every answer until it is mended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MetadataFault {
    /// No answer comes.
    Silent,
    /// Another status, with an empty body.
    Status(u16),
    /// The connection ends in the middle of the body.
    Truncated,
    /// Nobody is there: connections end, those there are and new ones.
    Gone,
    /// Another body.
    Body(Vec<u8>),
}

/// A question that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataQuestion {
    /// As `GET`.
    pub method: String,
    /// The path, without its query.
    pub path: String,
    /// The query, in its order.
    pub query: Vec<(String, String)>,
    /// Headers; names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl MetadataQuestion {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        value_of(&self.headers, name)
    }

    /// The same, to be answered with what is.
    fn without_waiting(&self) -> MetadataQuestion {
        let mut question = self.clone();
        question.query.retain(|(name, _)| name != "wait_for_change");
        question
    }

    /// The value of a parameter of the query.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        value_of(&self.query, name)
    }
}

/// What is answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

/// What a cloud's service answers; it may take its time.
pub(super) trait Provider: Send + Sync + 'static {
    fn answer(&self, question: &MetadataQuestion) -> impl Future<Output = Answer> + Send;
}

/// A running service. Gone on drop, with its connections.
#[derive(Debug)]
pub(super) struct Serving {
    address: SocketAddr,
    seen: Arc<Seen>,
    fault: watch::Sender<Option<MetadataFault>>,
    accepting: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Seen {
    questions: Mutex<Record<MetadataQuestion>>,
    connections: AtomicUsize,
}

impl Serving {
    pub(super) async fn start(provider: Arc<impl Provider>) -> io::Result<Serving> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let seen = Arc::new(Seen::default());
        let (fault, state) = watch::channel(None);
        let accepting = tokio::spawn(accept(listener, provider, Arc::clone(&seen), state));
        Ok(Serving {
            address,
            seen,
            fault,
            accepting,
        })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn spoil(&self, fault: MetadataFault) {
        self.fault.send_replace(Some(fault));
    }

    pub(super) fn mend(&self) {
        self.fault.send_replace(None);
    }

    pub(super) fn questions(&self) -> Vec<MetadataQuestion> {
        let questions = self.seen.questions.lock();
        questions.unwrap_or_else(PoisonError::into_inner).all()
    }

    pub(super) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(
    listener: TcpListener,
    provider: Arc<impl Provider>,
    seen: Arc<Seen>,
    fault: watch::Receiver<Option<MetadataFault>>,
) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        seen.connections.fetch_add(1, Ordering::Relaxed);
        if *fault.borrow() == Some(MetadataFault::Gone) {
            continue;
        }
        let (provider, seen, mut gone) = (Arc::clone(&provider), Arc::clone(&seen), fault.clone());
        let fault = fault.clone();
        connections.spawn(async move {
            tokio::select! {
                // A client that went away is nobody's concern.
                _ = serve(client, &*provider, &seen, fault) => {}
                // An error means that the service is gone as well.
                _ = gone.wait_for(|fault| *fault == Some(MetadataFault::Gone)) => {}
            }
        });
    }
}

async fn serve(
    mut client: TcpStream,
    provider: &impl Provider,
    seen: &Seen,
    mut fault: watch::Receiver<Option<MetadataFault>>,
) -> io::Result<()> {
    let mut bytes = Vec::new();
    while let Some(question) = next_question(&mut client, &mut bytes).await? {
        let noted = seen.questions.lock();
        noted
            .unwrap_or_else(PoisonError::into_inner)
            .add(question.clone());
        let (answer, is_whole) = loop {
            let now = fault.borrow_and_update().clone();
            if matches!(now, Some(MetadataFault::Silent)) {
                // An error means that the service is gone.
                drop(fault.changed().await);
                continue;
            }
            if let Some(MetadataFault::Status(status)) = now {
                let (headers, body) = (Vec::new(), Vec::new());
                break (
                    Answer {
                        status,
                        headers,
                        body,
                    },
                    true,
                );
            }
            let asked = match now {
                None => question.clone(),
                // What is spoiled is spoiled at once, not when its value changes.
                Some(_) => question.without_waiting(),
            };
            tokio::select! {
                // A question that is being answered is spoiled by a fault that comes meanwhile, too.
                _ = fault.changed() => {}
                mut answer = provider.answer(&asked) => {
                    if let Some(MetadataFault::Body(body)) = &now {
                        answer.body.clone_from(body);
                    }
                    break (answer, now != Some(MetadataFault::Truncated));
                }
            }
        };
        let sent = if is_whole {
            answer.body.len()
        } else {
            answer.body.len() / 2
        };
        client.write_all(head(&answer).as_bytes()).await?;
        client.write_all(&answer.body[..sent]).await?;
        if !is_whole {
            return client.shutdown().await;
        }
    }
    Ok(())
}

fn head(answer: &Answer) -> String {
    let mut head = format!(
        "HTTP/1.1 {} said so\r\ncontent-length: {}\r\n",
        answer.status,
        answer.body.len()
    );
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head + "\r\n"
}

/// The next question on a connection; nothing where the client has closed it.
async fn next_question(client: &mut TcpStream, bytes: &mut Vec<u8>) -> io::Result<Option<MetadataQuestion>> {
    loop {
        if let Some((question, length)) = parse(bytes) {
            bytes.drain(..length);
            return Ok(Some(question));
        }
        if bytes.len() > QUESTION_LIMIT {
            return Err(io::Error::other("the question is too long"));
        }
        if client.read_buf(bytes).await? == 0 {
            return Ok(None);
        }
    }
}

/// A question, once it is there whole, and its length.
fn parse(bytes: &[u8]) -> Option<(MetadataQuestion, usize)> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..head]);
    let mut lines = text.lines();
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?, first.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pair = |(name, value): (&str, &str)| (name.to_ascii_lowercase(), value.trim().to_owned());
    let question = MetadataQuestion {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query
            .split('&')
            .filter_map(|text| text.split_once('='))
            .map(pair)
            .collect(),
        headers: lines.filter_map(|line| line.split_once(':')).map(pair).collect(),
        body: String::new(),
    };
    let length = question
        .header("content-length")
        .and_then(|text| text.parse().ok());
    let end = head + length.unwrap_or(0);
    let body = String::from_utf8_lossy(bytes.get(head..end)?).into_owned();
    Some((MetadataQuestion { body, ..question }, end))
}

fn value_of<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = pairs.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str())
}
