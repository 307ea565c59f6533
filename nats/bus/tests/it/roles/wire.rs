//! The client's side of the NATS protocol, just enough of it to ask the server what a user may do. A client
//! library tells of a refusal later and elsewhere; here it comes before the answer to a ping.

use super::super::support::{LIMIT, NatsServer};
use data_encoding::BASE64URL_NOPAD;
use nkeys::KeyPair;
use serde_json::{Value, json};
use snooze_bus::User;
use std::fs;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

/// A connection of a user.
pub(super) struct Wire {
    stream: BufReader<TcpStream>,
    subscriptions: u32,
    refusals: Vec<String>,
    heard: Vec<(String, Vec<u8>)>,
}

impl Wire {
    pub(super) async fn connect(server: &NatsServer, user: &User) -> Wire {
        let text = fs::read_to_string(server.credentials(user)).expect("credentials");
        let line = |start: &str| {
            text.lines()
                .find(|line| line.starts_with(start))
                .expect("credentials")
        };
        let key = KeyPair::from_seed(line("SU")).expect("a user's seed");
        let stream = TcpStream::connect(server.address())
            .await
            .expect("the server listens");
        let mut wire = Wire {
            stream: BufReader::new(stream),
            subscriptions: 0,
            refusals: Vec::new(),
            heard: Vec::new(),
        };
        let info: Value = serde_json::from_str(wire.line().await.strip_prefix("INFO ").expect("a greeting"))
            .expect("the greeting is JSON");
        let nonce = info["nonce"].as_str().expect("a nonce to sign");
        let signature = key.sign(nonce.as_bytes()).expect("a seed signs");
        let connect = json!({
            "verbose": false, "pedantic": false, "headers": true, "no_responders": true,
            "jwt": line("ey"), "sig": BASE64URL_NOPAD.encode(&signature),
        });
        wire.send(&format!("CONNECT {connect}\r\n")).await;
        wire.settle().await;
        assert_eq!(
            wire.refusals,
            [""; 0],
            "{} {} is let in",
            user.role(),
            user.name()
        );
        wire
    }

    /// Whether the server lets this be published.
    pub(super) async fn may_publish(&mut self, subject: &str) -> bool {
        self.publish(subject, None, b"{}").await;
        self.taken().await
    }

    /// Whether the server lets this be subscribed to.
    pub(super) async fn may_hear(&mut self, subject: &str) -> bool {
        self.subscriptions += 1;
        let line = format!("SUB {subject} {}\r\n", self.subscriptions);
        self.send(&line).await;
        self.taken().await
    }

    pub(super) async fn publish(&mut self, subject: &str, reply: Option<&str>, body: &[u8]) {
        let reply = reply.map(|reply| format!("{reply} ")).unwrap_or_default();
        let text = String::from_utf8(body.to_vec()).expect("a test's body is text");
        self.send(&format!("PUB {subject} {reply}{}\r\n{text}\r\n", body.len()))
            .await;
    }

    /// Publishes with headers.
    pub(super) async fn publish_with(
        &mut self,
        subject: &str,
        reply: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) {
        let lines: String = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let head = format!("NATS/1.0\r\n{lines}\r\n");
        let (head_length, length) = (head.len(), head.len() + body.len());
        self.send(&format!(
            "HPUB {subject} {reply} {head_length} {length}\r\n{head}{body}\r\n"
        ))
        .await;
    }

    /// Whether the server has refused nothing since the last look.
    pub(super) async fn taken(&mut self) -> bool {
        self.settle().await;
        std::mem::take(&mut self.refusals).is_empty()
    }

    /// What arrived since the last look: subjects and bodies, headers included.
    pub(super) async fn heard(&mut self) -> Vec<(String, Vec<u8>)> {
        self.settle().await;
        std::mem::take(&mut self.heard)
    }

    /// Waits until the server has seen all that was sent.
    async fn settle(&mut self) {
        self.send("PING\r\n").await;
        loop {
            let line = self.line().await;
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["PONG"] => return,
                ["PING"] => self.send("PONG\r\n").await,
                ["-ERR", ..] => self.refusals.push(line),
                ["MSG" | "HMSG", subject, .., length] => {
                    let length: usize = length.parse().expect("a length");
                    let mut body = vec![0; length + 2];
                    let read = self.stream.read_exact(&mut body);
                    timeout(LIMIT, read).await.expect("in time").expect("a body");
                    body.truncate(length);
                    self.heard.push((subject.to_owned(), body));
                }
                _ => {}
            }
        }
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        let length = timeout(LIMIT, self.stream.read_line(&mut line))
            .await
            .expect("the server answers in time")
            .expect("the connection is open");
        assert_ne!(length, 0, "the server closed the connection: {:?}", self.refusals);
        line
    }

    async fn send(&mut self, text: &str) {
        let sent = self.stream.get_mut().write_all(text.as_bytes());
        sent.await.expect("the connection is open");
    }
}
