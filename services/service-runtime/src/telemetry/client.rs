//! How spans leave the process: HTTP/1.1, by rustls with ring where the receiver has TLS.
//!
//! The exporter's own thread asks, the service's runtime sends: so no second runtime is started.
//! It never retries and never follows a redirect.

use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use std::{
    io,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use tokio::runtime::Handle;

/// The specification's default time-out of an export.
const EXPORT_LIMIT: Duration = Duration::from_secs(10);
/// A receiver answers with a few bytes; what is longer is no receiver.
const ANSWER_LIMIT: usize = 64 * 1024;

/// A client for one receiver.
#[derive(Debug)]
pub(super) struct ExportClient {
    runtime: Handle,
    client: Transport,
    failing: AtomicBool,
}

#[derive(Debug, Clone)]
enum Transport {
    Plain(Client<HttpConnector, Full<Bytes>>),
    Tls(Client<HttpsConnector<HttpConnector>, Full<Bytes>>),
}

impl ExportClient {
    /// A client that sends on this runtime. Only for an `https` endpoint the machine's certificates are loaded.
    pub(super) fn new(runtime: Handle, endpoint: &str) -> io::Result<ExportClient> {
        let builder = Client::builder(TokioExecutor::new());
        let client = if endpoint.starts_with("https:") {
            let connector = HttpsConnectorBuilder::new()
                .with_provider_and_native_roots(rustls::crypto::ring::default_provider())?
                .https_only()
                .enable_http1()
                .build();
            Transport::Tls(builder.build(connector))
        } else {
            Transport::Plain(builder.build(HttpConnector::new()))
        };
        Ok(ExportClient {
            runtime,
            client,
            failing: AtomicBool::new(false),
        })
    }

    /// One line when exporting begins to fail and one when it works again, not one for each batch.
    fn note(&self, outcome: &Result<Response<Bytes>, HttpError>) {
        let problem = match outcome {
            Ok(response) if response.status().is_success() => None,
            Ok(response) => Some(response.status().to_string()),
            Err(error) => Some(crate::exit::one_line(error.as_ref())),
        };
        let was_failing = self.failing.swap(problem.is_some(), Ordering::Relaxed);
        match problem {
            Some(problem) if !was_failing => {
                tracing::warn!(target: "snooze_telemetry", %problem, "traces cannot be exported");
            }
            None if was_failing => tracing::info!(target: "snooze_telemetry", "traces are exported again"),
            _ => {}
        }
    }
}

#[async_trait::async_trait]
impl HttpClient for ExportClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        // Cancelling the wait leaves the task to its own time-out, which must be made within the runtime.
        let sent = self
            .runtime
            .spawn(async move { tokio::time::timeout(EXPORT_LIMIT, send(client, request)).await });
        let outcome = match sent.await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(format!("no answer within {} s", EXPORT_LIMIT.as_secs()).into()),
            Err(_) => Err("the service's runtime has ended".into()),
        };
        self.note(&outcome);
        outcome
    }
}

async fn send(client: Transport, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let (head, body) = request.into_parts();
    let request = Request::from_parts(head, Full::new(body));
    let response = match client {
        Transport::Plain(client) => client.request(request).await?,
        Transport::Tls(client) => client.request(request).await?,
    };
    let (head, body) = response.into_parts();
    let body = Limited::new(body, ANSWER_LIMIT).collect().await?.to_bytes();
    Ok(Response::from_parts(head, body))
}
