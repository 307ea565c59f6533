//! Bytes and subjects as somebody sends them who knows nothing of this crate: a shell, a plugin in
//! another language, an attacker. For tests; no service uses it.

use crate::{Bus, error::BusError};
use async_nats::{HeaderMap, HeaderName, HeaderValue, Message, StatusCode};
use futures_util::StreamExt;
use std::{str::FromStr, time::Duration};

/// A message as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawMessage {
    /// Where it was sent.
    pub subject: String,
    /// Where an answer is wanted.
    pub reply: Option<String>,
    /// Its headers, sorted.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub payload: Vec<u8>,
    /// What a server says in place of an answer, as 503 where nobody listens.
    pub status: Option<u16>,
}

impl From<Message> for RawMessage {
    fn from(message: Message) -> Self {
        let mut headers: Vec<_> = message
            .headers
            .iter()
            .flat_map(HeaderMap::iter)
            .flat_map(|(name, values)| {
                values
                    .iter()
                    .map(move |value| (name.to_string(), value.to_string()))
            })
            .collect();
        headers.sort();
        RawMessage {
            subject: message.subject.to_string(),
            reply: message.reply.map(|reply| reply.to_string()),
            headers,
            payload: message.payload.to_vec(),
            status: message.status.map(|status: StatusCode| status.as_u16()),
        }
    }
}

/// Messages as they come.
#[derive(Debug)]
pub struct RawSubscription(async_nats::Subscriber);

impl RawSubscription {
    /// The next one; none once the connection is closed.
    pub async fn next(&mut self) -> Option<RawMessage> {
        self.0.next().await.map(RawMessage::from)
    }

    /// The body of the next one alone, not copied: what a subscriber costs that does nothing else.
    pub async fn next_payload(&mut self) -> Option<bytes::Bytes> {
        self.0.next().await.map(|message| message.payload)
    }
}

fn headers_of(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let name = HeaderName::from_str(name).expect("a test names valid headers");
        headers.append(
            name,
            HeaderValue::from_str(value).expect("a test sends valid headers"),
        );
    }
    headers
}

impl Bus {
    /// Publishes bytes with any headers and any reply subject.
    ///
    /// # Errors
    /// When the connection is closed or the subject is none.
    ///
    /// # Panics
    /// When a header is not valid.
    pub async fn raw_publish(
        &self,
        subject: &str,
        reply: Option<&str>,
        headers: &[(&str, &str)],
        payload: &[u8],
    ) -> Result<(), BusError> {
        let (subject, headers, payload) = (subject.to_owned(), headers_of(headers), payload.to_vec().into());
        let client = &self.inner.client;
        match reply {
            Some(reply) => {
                let reply = reply.to_owned();
                client
                    .publish_with_reply_and_headers(subject, reply, headers, payload)
                    .await
            }
            None => client.publish_with_headers(subject, headers, payload).await,
        }
        .map_err(|cause| BusError::Publish {
            template: "raw",
            source: cause.into(),
        })
    }

    /// Asks with bytes and takes whatever comes back.
    ///
    /// # Errors
    /// When nothing comes back in time.
    ///
    /// # Panics
    /// When a header is not valid.
    pub async fn raw_request(
        &self,
        subject: &str,
        headers: &[(&str, &str)],
        payload: &[u8],
        within: Duration,
    ) -> Result<RawMessage, BusError> {
        let mut awaited = self.inner.inbox.one();
        self.raw_publish(subject, Some(&awaited.reply), headers, payload)
            .await?;
        match tokio::time::timeout(within, &mut awaited.answer).await {
            Ok(Ok(message)) => Ok(message.into()),
            Ok(Err(_)) | Err(_) => Err(BusError::TimedOut {
                operation: "asking",
                within_ms: within.as_millis(),
            }),
        }
    }

    /// Subscribes to any subject; the server knows of it when this returns.
    ///
    /// # Errors
    /// When the connection is closed or the subject is none.
    pub async fn raw_subscribe(&self, subject: &str) -> Result<RawSubscription, BusError> {
        let subscriber = self.inner.client.subscribe(subject.to_owned()).await;
        let subscriber = subscriber.map_err(|cause| BusError::Subscribe {
            template: "raw",
            source: cause.into(),
        })?;
        self.flush(Duration::from_secs(5)).await?;
        Ok(RawSubscription(subscriber))
    }
}
