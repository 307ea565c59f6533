//! One kept connection to the metadata service: requests in, answers out, one after the other.

use super::{ImdsAnswer, ImdsRequest, State, TOKEN_PATH, lock};
use std::sync::{Arc, Mutex};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpStream, tcp::OwnedReadHalf},
    sync::watch,
    time::{Instant, sleep},
};

/// What a metadata service is asked has no body and few headers.
const MOST_HEADERS: usize = 64;

pub(super) async fn serve(stream: TcpStream, state: Arc<Mutex<State>>, mut closing: watch::Receiver<()>) {
    // Only what comes from now on closes this one.
    closing.mark_unchanged();
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    let talking = async {
        while let Some(head) = head(&mut read).await {
            let (answer, life) = judge(&state, head);
            let (status, body) = match answer {
                ImdsAnswer::Body(body) => (200, body),
                ImdsAnswer::Status(status) => (status, b"<html>no</html>".to_vec()),
                ImdsAnswer::Never => std::future::pending().await,
                ImdsAnswer::Late(by, body) => {
                    sleep(by).await;
                    (200, body)
                }
                ImdsAnswer::Truncated => {
                    let part = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"action\": ";
                    // Whether it arrives is nothing to a server that breaks off.
                    drop(write.write_all(part).await);
                    return;
                }
            };
            let length = body.len();
            let mut whole =
                format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n{life}\r\n").into_bytes();
            whole.extend(body);
            if write.write_all(&whole).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = talking => {}
        _ = closing.changed() => {}
    }
}

struct Head {
    method: String,
    path: String,
    token: Option<String>,
    /// For how many seconds a token is to live.
    life: Option<String>,
    /// Whether it came by way of somebody else.
    is_forwarded: bool,
}

async fn head(read: &mut BufReader<OwnedReadHalf>) -> Option<Head> {
    let mut lines = Vec::new();
    while lines.len() < MOST_HEADERS {
        let mut line = String::new();
        if read.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let header = |name: &str| {
        let named = lines.iter().filter_map(|line| line.split_once(':'));
        let mut values = named.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        values.next().map(|(_, value)| value.trim().to_owned())
    };
    let mut request = lines.first()?.split(' ');
    Some(Head {
        method: request.next()?.to_owned(),
        path: request.next()?.to_owned(),
        token: header("x-aws-ec2-metadata-token"),
        life: header("x-aws-ec2-metadata-token-ttl-seconds"),
        is_forwarded: header("x-forwarded-for").is_some(),
    })
}

/// Whether a token may live so long: a second to six hours.
fn is_life(seconds: Option<&str>) -> bool {
    let seconds = seconds.and_then(|text| text.parse().ok());
    seconds.is_some_and(|seconds| (1..=21_600).contains::<u32>(&seconds))
}

/// What is answered, and a header that goes with it; and the request is on record.
fn judge(state: &Mutex<State>, head: Head) -> (ImdsAnswer, String) {
    let mut state = lock(state);
    let current = format!("token-{}", state.token);
    let set = state.answers.get(&head.path).cloned();
    let is_token = head.path == TOKEN_PATH;
    let answer = match (head.method.as_str(), is_token) {
        ("PUT", true) if head.is_forwarded => ImdsAnswer::Status(403),
        ("PUT", true) if !is_life(head.life.as_deref()) => ImdsAnswer::Status(400),
        ("PUT", true) => set.unwrap_or_else(|| ImdsAnswer::Body(current.into_bytes())),
        ("GET", false) if head.token.as_deref() != Some(&current) => ImdsAnswer::Status(401),
        ("GET", false) => set.unwrap_or(ImdsAnswer::Status(404)),
        _ => ImdsAnswer::Status(405),
    };
    let status = match answer {
        ImdsAnswer::Body(_) | ImdsAnswer::Late(..) | ImdsAnswer::Truncated => Some(200),
        ImdsAnswer::Status(status) => Some(status),
        ImdsAnswer::Never => None,
    };
    state.requests.add(ImdsRequest {
        method: head.method,
        path: head.path,
        token: head.token,
        at: Instant::now(),
        status,
    });
    let life = state.token_life_seconds;
    let header = if is_token {
        format!("x-aws-ec2-metadata-token-ttl-seconds: {life}\r\n")
    } else {
        String::new()
    };
    (answer, header)
}
