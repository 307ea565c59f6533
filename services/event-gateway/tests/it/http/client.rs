//! A gateway that takes events over HTTP, and whoever sends them.

use crate::centre::{Centre, Gateway};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper::{body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use snooze_bus::{Stream, SubjectFilter};
use snooze_event_gateway::centre::{
    Config,
    http::{Front, Limits},
};
use snooze_schemas::{Timestamp, event::Event};
use snooze_service_runtime::config::EventHttpConfig;
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::PermissionsExt,
};
use tokio::net::TcpStream;

pub(super) const STRUCTURED: (&str, &str) = ("content-type", "application/cloudevents+json");
pub(super) const BATCHED: (&str, &str) = ("content-type", "application/cloudevents-batch+json");
/// The token of the source `nightly`.
pub(super) const NIGHTLY: (&str, &str) = ("authorization", "Bearer nightly-0123456789");
/// The token of a source without a record.
pub(super) const UNKNOWN: (&str, &str) = ("authorization", "Bearer unknown-0123456789");
/// What the source `hook` signs with.
pub(super) const KEY: &str = "hook-0123456789abcdef";

/// A gateway, and where it listens.
pub(super) struct Http {
    pub(super) gateway: Gateway,
    pub(super) address: SocketAddr,
}

impl Http {
    pub(super) async fn start(centre: &Centre) -> Http {
        Http::with(centre, |_| {}, Limits::default()).await
    }

    pub(super) async fn with(
        centre: &Centre,
        change: impl FnOnce(&mut EventHttpConfig),
        limits: Limits,
    ) -> Http {
        let front = front(change).with_limits(limits);
        let address = front.address().expect("it listens");
        let with_http = |config: &mut Config| config.http = Some(front);
        let gateway = centre.gateway(with_http).await;
        Http { gateway, address }
    }

    pub(super) async fn post(&self, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
        Connection::open(self.address).await.post(headers, body).await
    }
}

/// A socket on loopback, and the secrets of all sources.
pub(super) fn front(change: impl FnOnce(&mut EventHttpConfig)) -> Front {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, secret) in [
        ("nightly.token", "nightly-0123456789"),
        ("unknown.token", "unknown-0123456789"),
        ("hook.hmac", KEY),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, secret).expect("writes");
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("sets the mode");
    }
    let mut config = EventHttpConfig {
        enabled: true,
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        secrets: folder.path().to_owned(),
        ..EventHttpConfig::default()
    };
    change(&mut config);
    Front::open(&config).expect("opens").expect("is switched on")
}

/// What came back.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

impl Answer {
    /// Of each event, what became of it.
    pub(super) fn states(&self) -> Vec<&str> {
        let events = self.body["events"].as_array().expect("a list of events");
        let state = |event: &'_ Value| event["state"].as_str().is_some();
        assert!(events.iter().all(state), "{events:?}");
        events
            .iter()
            .filter_map(|event| event["state"].as_str())
            .collect()
    }
}

/// A connection that is kept.
pub(super) struct Connection(http1::SendRequest<Full<Bytes>>);

impl Connection {
    pub(super) async fn open(address: SocketAddr) -> Connection {
        let stream = TcpStream::connect(address).await.expect("connects");
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("begins");
        tokio::spawn(connection);
        Connection(sender)
    }

    pub(super) async fn post(&mut self, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
        self.send("POST", "/v1/events", headers, body.into()).await
    }

    pub(super) async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "gateway");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body)).expect("a request");
        self.0.ready().await.expect("the connection stands");
        let response = self.0.send_request(request).await.expect("is answered");
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("the whole answer").to_bytes();
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body: serde_json::from_slice(&body).unwrap_or_default(),
        }
    }
}

/// A CloudEvent for the host `h1`.
pub(super) fn event(id: &str) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": "/backup", "type": "backup.done", "subject": "h1",
        "data": {"files": 3},
    })
}

/// With other attributes.
pub(super) fn event_with(id: &str, changes: &Value) -> Value {
    let mut event = event(id);
    for (name, value) in changes.as_object().expect("an object") {
        event[name] = value.clone();
    }
    event
}

/// The current time, as a signature says it.
pub(super) fn seconds_from_now(seconds: i64) -> String {
    let now: Timestamp = crate::centre::now();
    (now.as_second() + seconds).to_string()
}

/// Every event that is filed.
pub(crate) async fn filed(centre: &Centre) -> Vec<Event> {
    let mut events = Vec::new();
    for stream in [Stream::EventsUrgent, Stream::EventsRoutine] {
        let found = centre
            .administrator
            .history::<Event>(stream, &SubjectFilter::AllEvents, 10_000)
            .await;
        events.extend(found.expect("reads").into_iter().map(|stored| stored.message));
    }
    events
}
