//! A message as a server keeps it, however it was read.

use async_nats::{HeaderMap, HeaderName, HeaderValue, Message};
use bytes::Bytes;
use data_encoding::BASE64;
use serde::Deserialize;
use snooze_schemas::Timestamp;
use std::str::FromStr;

/// A stored message.
#[derive(Debug, Clone)]
pub(super) struct StoredMessage {
    pub(super) subject: String,
    pub(super) sequence: u64,
    pub(super) time: Timestamp,
    pub(super) headers: HeaderMap,
    pub(super) payload: Bytes,
}

/// The part of `STREAM.MSG.GET`'s answer that holds the message.
#[derive(Deserialize)]
pub(super) struct GotMessage {
    message: Encoded,
}

#[derive(Deserialize)]
struct Encoded {
    subject: String,
    seq: u64,
    #[serde(default)]
    data: String,
    #[serde(default)]
    hdrs: String,
    time: Timestamp,
}

impl GotMessage {
    /// The message; none where the server's answer is not in its own format.
    pub(super) fn decode(self) -> Option<StoredMessage> {
        let Encoded {
            subject,
            seq,
            data,
            hdrs,
            time,
        } = self.message;
        Some(StoredMessage {
            subject,
            sequence: seq,
            time,
            headers: parse_headers(&BASE64.decode(hdrs.as_bytes()).ok()?)?,
            payload: BASE64.decode(data.as_bytes()).ok()?.into(),
        })
    }
}

impl StoredMessage {
    /// What a direct get delivered; none where it is no stored message.
    pub(super) fn from_direct(message: Message) -> Option<StoredMessage> {
        let headers = message.headers?;
        let value = |name| headers.get(name).map(HeaderValue::as_str);
        Some(StoredMessage {
            subject: value("Nats-Subject")?.to_owned(),
            sequence: value("Nats-Sequence")?.parse().ok()?,
            time: value("Nats-Time-Stamp")?.parse().ok()?,
            payload: message.payload,
            headers,
        })
    }

    pub(super) fn header(&self, name: &'static str) -> Option<&str> {
        self.headers.get(name).map(HeaderValue::as_str)
    }

    /// Whether it says that its key is gone, by a delete or by an expiry.
    pub(super) fn is_marker(&self) -> bool {
        is_marker(Some(&self.headers))
    }
}

pub(super) fn is_marker(headers: Option<&HeaderMap>) -> bool {
    headers.is_some_and(|headers| {
        headers.get("Nats-Marker-Reason").is_some()
            || headers
                .get("KV-Operation")
                .is_some_and(|operation| matches!(operation.as_str(), "DEL" | "PURGE"))
    })
}

/// `NATS/1.0`, then a line for each header.
fn parse_headers(bytes: &[u8]) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    let text = std::str::from_utf8(bytes).ok()?;
    for line in text.split("\r\n").skip(1).filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        headers.append(
            HeaderName::from_str(name).ok()?,
            HeaderValue::from_str(value.trim()).ok()?,
        );
    }
    Some(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_the_server_writes_them() {
        let headers = parse_headers(b"NATS/1.0\r\nKV-Operation: DEL\r\nA:b: c\r\n\r\n").expect("reads");
        assert_eq!(headers.get("A").map(HeaderValue::as_str), Some("b: c"));
        assert!(is_marker(Some(&headers)));
        assert!(parse_headers(b"").expect("reads").is_empty());
        assert!(parse_headers(b"NATS/1.0\r\nnonsense\r\n\r\n").is_none());
    }
}
