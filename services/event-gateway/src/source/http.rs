//! Asking a metadata service over one kept connection: every answer bounded in time and size.
//!
//! Metadata services speak plain HTTP on a link-local address and are asked every second, so a connection of
//! our own is kept and nothing is pooled, resolved, redirected or compressed. A service that closes it between
//! two questions is asked again at once over a new one; nothing else is tried twice here.

use http::{HeaderMap, Method, Request, Uri, header::HOST};
use http_body_util::{BodyExt, Empty, Full, Limited, combinators::BoxBody};
use hyper::{
    body::{Bytes, Incoming},
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use std::{convert::Infallible, time::Duration};
use tokio::net::TcpStream;
use tokio_util::task::AbortOnDropHandle;

/// The largest answer that is read. Azure's list of events of a large scale set has some hundred kilobytes.
const LARGEST: usize = 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The address is of no use.
    #[error("{url} is no address of a metadata service: it is http://HOST or http://HOST:PORT")]
    Address {
        /// What was given.
        url: String,
    },
    /// Nobody could be connected to.
    #[error("connect to {authority}")]
    Connect {
        /// Where.
        authority: String,
        /// Why.
        source: std::io::Error,
    },
    /// The exchange broke.
    #[error("ask {authority}")]
    Exchange {
        /// Whom.
        authority: String,
        /// Why.
        source: hyper::Error,
    },
    /// The request cannot be made of what was given.
    #[error("ask for {path}")]
    Request {
        /// What was asked for.
        path: String,
        /// Why.
        source: http::Error,
    },
    /// The body broke off, or is larger than is read.
    #[error("read the answer of {authority}, of which at most {LARGEST} bytes are taken")]
    Body {
        /// Whose.
        authority: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It took too long.
    #[error("{authority} did not answer within {} ms", within.as_millis())]
    Late {
        /// Who.
        authority: String,
        /// The limit.
        within: Duration,
    },
}

/// What was answered, whole.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// GET, PUT or POST.
    pub method: &'a Method,
    /// The path, with its query.
    pub path: &'a str,
    /// Headers beside `Host`.
    pub headers: &'a [(&'a str, &'a str)],
    /// What is sent along.
    pub body: &'a str,
}

impl<'a> Question<'a> {
    /// A GET with these headers.
    #[must_use]
    pub fn get(path: &'a str, headers: &'a [(&'a str, &'a str)]) -> Question<'a> {
        Question {
            method: &Method::GET,
            path,
            headers,
            body: "",
        }
    }
}

type Body = BoxBody<Bytes, Infallible>;

/// One service and the connection to it.
#[derive(Debug)]
pub struct Service {
    authority: String,
    address: String,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    sender: SendRequest<Body>,
    /// What moves bytes; it ends with the connection.
    _driver: AbortOnDropHandle<()>,
}

impl Service {
    /// A service at this address; nothing is connected yet.
    ///
    /// # Errors
    /// When it is no plain HTTP address, or has a path.
    pub fn at(url: &str) -> Result<Service, HttpError> {
        let wrong = || HttpError::Address { url: url.to_owned() };
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let authority = uri.authority().ok_or_else(wrong)?;
        let is_bare = uri.path_and_query().is_none_or(|path| path.as_str() == "/");
        if uri.scheme_str() != Some("http") || !is_bare || authority.as_str().contains('@') {
            return Err(wrong());
        }
        Ok(Service {
            address: format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(80)),
            authority: authority.to_string(),
            open: None,
        })
    }

    /// Asks, and reads the whole answer, within a limit.
    ///
    /// # Errors
    /// When there is no answer; its status is the caller's to judge.
    pub async fn ask(&mut self, question: Question<'_>, within: Duration) -> Result<Answer, HttpError> {
        match tokio::time::timeout(within, self.ask_now(question)).await {
            Ok(answer) => answer,
            Err(_) => {
                // An answer that comes yet would be taken for the next question's.
                self.open = None;
                Err(HttpError::Late {
                    authority: self.authority.clone(),
                    within,
                })
            }
        }
    }

    async fn ask_now(&mut self, question: Question<'_>) -> Result<Answer, HttpError> {
        // One that was kept may have been closed meanwhile, which only shows when it is used.
        if let Some(mut open) = self.open.take() {
            match self.exchange(&mut open, question).await {
                Err(HttpError::Exchange { source, .. })
                    if source.is_closed() || source.is_canceled() || source.is_incomplete_message() => {}
                Err(error) => return Err(error),
                Ok(answer) => {
                    self.open = Some(open);
                    return Ok(answer);
                }
            }
        }
        let mut open = self.connect().await?;
        let answer = self.exchange(&mut open, question).await?;
        self.open = Some(open);
        Ok(answer)
    }

    async fn connect(&self) -> Result<Open, HttpError> {
        let connected = TcpStream::connect(&self.address).await;
        let stream = connected.map_err(|source| HttpError::Connect {
            authority: self.authority.clone(),
            source,
        })?;
        // Without it nothing but a few milliseconds is lost.
        drop(stream.set_nodelay(true));
        let shaken = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = shaken.map_err(|source| self.broken(source))?;
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a kept connection to a metadata service ended");
            }
        });
        Ok(Open {
            sender,
            _driver: AbortOnDropHandle::new(driver),
        })
    }

    async fn exchange(&self, open: &mut Open, question: Question<'_>) -> Result<Answer, HttpError> {
        open.sender.ready().await.map_err(|source| self.broken(source))?;
        let request = self.request(question)?;
        let sent = open.sender.send_request(request).await;
        let (parts, body) = sent.map_err(|source| self.broken(source))?.into_parts();
        Ok(Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: self.whole(body).await?,
        })
    }

    async fn whole(&self, body: Incoming) -> Result<Bytes, HttpError> {
        let read = Limited::new(body, LARGEST).collect().await;
        read.map(http_body_util::Collected::to_bytes)
            .map_err(|source| HttpError::Body {
                authority: self.authority.clone(),
                source,
            })
    }

    fn request(&self, question: Question<'_>) -> Result<Request<Body>, HttpError> {
        let body = if question.body.is_empty() {
            Empty::new().boxed()
        } else {
            Full::new(Bytes::copy_from_slice(question.body.as_bytes())).boxed()
        };
        let mut request = Request::builder()
            .method(question.method)
            .uri(question.path)
            .header(HOST, &self.authority);
        for (name, value) in question.headers {
            request = request.header(*name, *value);
        }
        request.body(body).map_err(|source| HttpError::Request {
            path: question.path.to_owned(),
            source,
        })
    }

    fn broken(&self, source: hyper::Error) -> HttpError {
        HttpError::Exchange {
            authority: self.authority.clone(),
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_plain_http_without_a_path() {
        assert!(Service::at("http://169.254.169.254").is_ok());
        assert!(Service::at("http://127.0.0.1:1338/").is_ok());
        assert!(Service::at("http://[fd00:ec2::254]").is_ok());
        for url in [
            "",
            "169.254.169.254",
            "https://h",
            "http://h/latest",
            "http://u:p@h",
            "http://",
        ] {
            assert!(Service::at(url).is_err(), "{url}");
        }
    }
}
