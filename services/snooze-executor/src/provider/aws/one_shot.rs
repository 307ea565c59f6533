//! The connection of a stop call: one request, the last look right before its first byte, abort on drop.
//!
//! An ordinary client may keep a connection, retry on it, and close it politely, which leaves the
//! kernel sending what is still in its buffer. A stop call must not be sent later than its answer is
//! waited for (rule P1), so its socket lingers for zero seconds: dropping it resets the connection and
//! throws the buffer away. This file sends what it is given; it signs nothing and repeats nothing.

use crate::provider::SendGuard;
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::body::SdkBody;
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName},
};

/// An answer to a stop is a few kilobytes of XML; a longer one is not an answer to a stop.
const ANSWER_LIMIT: usize = 1024 * 1024;

/// Sends one request over a connection of its own.
#[derive(Clone)]
pub(super) struct OneShot {
    guard: SendGuard,
    sent: Arc<AtomicBool>,
}

impl OneShot {
    /// For one call. `guard` is asked right before the request is written.
    pub(super) fn new(guard: SendGuard) -> Self {
        Self {
            guard,
            sent: Arc::new(AtomicBool::new(false)),
        }
    }

    /// Whether the first byte may have left this process. False means for certain that none has.
    pub(super) fn may_have_sent(&self) -> bool {
        self.sent.load(Ordering::SeqCst)
    }

    async fn exchange(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let request = request
            .try_into_http1x()
            .map_err(|error| ConnectorError::user(error.into()))?;
        let address = Address::of(request.uri())?;
        let stream = TcpStream::connect((address.host.as_str(), address.port))
            .await
            .map_err(|error| ConnectorError::io(error.into()))?;
        stream
            .set_zero_linger()
            .and_then(|()| stream.set_nodelay(true))
            .map_err(|error| ConnectorError::io(error.into()))?;
        if address.tls {
            let name =
                ServerName::try_from(address.host).map_err(|error| ConnectorError::user(error.into()))?;
            let stream = TlsConnector::from(tls()?)
                .connect(name, stream)
                .await
                .map_err(|error| ConnectorError::io(error.into()))?;
            self.send(stream, request).await
        } else {
            self.send(stream, request).await
        }
    }

    async fn send<S>(
        self,
        stream: S,
        mut request: hyper::Request<SdkBody>,
    ) -> Result<HttpResponse, ConnectorError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| ConnectorError::other(error.into(), None))?;
        to_origin_form(&mut request)?;
        (self.guard)().map_err(|reason| ConnectorError::user(BoxError::from(reason)))?;
        self.sent.store(true, Ordering::SeqCst);
        let answer = async {
            let (parts, body) = sender.send_request(request).await?.into_parts();
            let body = http_body_util::Limited::new(body, ANSWER_LIMIT)
                .collect()
                .await?
                .to_bytes();
            Ok::<_, BoxError>(hyper::Response::from_parts(parts, SdkBody::from(body)))
        };
        // The connection is driven here and not in a task of its own: when this future is dropped
        // at its deadline, the socket goes with it.
        let mut answer = std::pin::pin!(answer);
        let mut connection = std::pin::pin!(connection);
        let answer = tokio::select! {
            answer = &mut answer => answer,
            ended = &mut connection => match ended {
                // The server closed after answering: what was read is still handed over.
                Ok(()) => answer.await,
                Err(error) => Err(error.into()),
            },
        };
        let answer = answer.map_err(ConnectorError::io)?;
        answer
            .try_into()
            .map_err(|error| ConnectorError::other(BoxError::from(error), None))
    }
}

impl fmt::Debug for OneShot {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("OneShot")
            .field("sent", &self.sent)
            .finish_non_exhaustive()
    }
}

impl HttpConnector for OneShot {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(self.clone().exchange(request))
    }
}

impl HttpClient for OneShot {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

struct Address {
    host: String,
    port: u16,
    tls: bool,
}

impl Address {
    fn of(uri: &hyper::Uri) -> Result<Self, ConnectorError> {
        let wrong = || ConnectorError::user(format!("{uri} is not an HTTP address").into());
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong()),
        };
        Ok(Self {
            host: uri.host().ok_or_else(wrong)?.to_owned(),
            port: uri.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            tls,
        })
    }
}

/// Rewrites `https://host/path` to `/path` with a `Host` header, as a server expects it (RFC 9112, 3.2.1).
fn to_origin_form(request: &mut hyper::Request<SdkBody>) -> Result<(), ConnectorError> {
    let uri = request.uri().clone();
    let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    if let Some(authority) = uri.authority() {
        let host = hyper::header::HeaderValue::from_str(authority.as_str())
            .map_err(|error| ConnectorError::user(error.into()))?;
        request.headers_mut().entry(hyper::header::HOST).or_insert(host);
    }
    *request.uri_mut() = path
        .parse()
        .map_err(|error: hyper::http::uri::InvalidUri| ConnectorError::user(error.into()))?;
    Ok(())
}

/// The system's own roots, read once.
fn tls() -> Result<Arc<ClientConfig>, ConnectorError> {
    static TLS: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(config) = TLS.get() {
        return Ok(Arc::clone(config));
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(ConnectorError::user(
            "this machine has no root certificates".into(),
        ));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| ConnectorError::user(error.into()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::clone(TLS.get_or_init(|| Arc::new(config))))
}
