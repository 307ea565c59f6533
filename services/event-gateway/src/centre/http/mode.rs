//! The three ways in which a request carries CloudEvents (CloudEvents HTTP Protocol Binding 1.0.2): structured,
//! batched and binary.
//!
//! Pure: from headers and bytes to events, or to the first mistake and where it is.

use super::cloud_event::{CloudEvent, Mistake, Place};
use data_encoding::BASE64;
use http::{HeaderMap, header::CONTENT_TYPE};
use serde_json::{Map, Value};
use snooze_schemas::unambiguous::Unambiguous;
use std::borrow::Cow;

/// The most events of one request: with each written in two milliseconds they are filed well before whoever sent
/// them stops waiting.
pub(super) const MAX_EVENTS: usize = 100;

const STRUCTURED: &str = "application/cloudevents+json";
const BATCHED: &str = "application/cloudevents-batch+json";
/// What begins the name of a header that is an attribute.
pub(super) const ATTRIBUTE: &str = "ce-";

/// How a request carries its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// One event, the body.
    Structured,
    /// A list of events, the body.
    Batched,
    /// One event, attributes in headers, the body its data.
    Binary,
}

/// Why a body is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NotRead {
    /// It is wrong.
    Mistake(Mistake),
    /// It has more events than one request may.
    TooMany(usize),
}

impl From<Mistake> for NotRead {
    fn from(mistake: Mistake) -> NotRead {
        NotRead::Mistake(mistake)
    }
}

impl Mode {
    /// By the content type; none where it is one that is not taken.
    pub(super) fn of(headers: &HeaderMap) -> Option<Mode> {
        let mut types = headers.get_all(CONTENT_TYPE).iter();
        let (first, second) = (types.next(), types.next());
        if second.is_some() || headers.contains_key(http::header::CONTENT_ENCODING) {
            return None;
        }
        let Some(first) = first else {
            // An event without data needs none.
            return headers.contains_key("ce-specversion").then_some(Mode::Binary);
        };
        let text = first.to_str().ok()?.to_ascii_lowercase();
        let mut parts = text.split(';').map(str::trim);
        let essence = parts.next()?;
        let is_utf8 = parts.all(|parameter| match parameter.strip_prefix("charset=") {
            Some(charset) => matches!(charset.trim_matches('"'), "utf-8" | "us-ascii"),
            None => true,
        });
        let mode = match essence {
            STRUCTURED => Mode::Structured,
            BATCHED => Mode::Batched,
            cloud_events if cloud_events.starts_with("application/cloudevents") => return None,
            "application/json" | "text/json" => Mode::Binary,
            json if json.ends_with("+json") => Mode::Binary,
            _ => return None,
        };
        is_utf8.then_some(mode)
    }

    /// Every event of a request.
    pub(super) fn read(self, headers: &HeaderMap, body: &[u8]) -> Result<Vec<CloudEvent>, NotRead> {
        match self {
            Mode::Structured => Ok(vec![structured(json(body)?, "")?]),
            Mode::Binary => Ok(vec![binary(headers, body)?]),
            Mode::Batched => {
                let Value::Array(list) = json(body)? else {
                    return Err(Mistake::new("body", "a batch is a list of events").into());
                };
                if list.len() > MAX_EVENTS {
                    return Err(NotRead::TooMany(list.len()));
                }
                let read = list
                    .into_iter()
                    .enumerate()
                    .map(|(index, event)| structured(event, &format!("[{index}]")));
                Ok(read.collect::<Result<_, _>>()?)
            }
        }
    }
}

fn json(body: &[u8]) -> Result<Value, Mistake> {
    match serde_json::from_slice(body) {
        Ok(Unambiguous(value)) => Ok(value),
        // It is JSON, and a key stands there twice: whose is said in the error.
        Err(error) if error.is_data() => Err(Mistake::new("body", error.to_string())),
        Err(error) => Err(Mistake::new("body", format!("it is no JSON: {error}"))),
    }
}

fn structured(event: Value, at: &str) -> Result<CloudEvent, Mistake> {
    let whole = if at.is_empty() { "body" } else { at };
    let Value::Object(mut attributes) = event else {
        return Err(Mistake::new(whole, "an event is an object"));
    };
    let before_attributes = if at.is_empty() {
        String::new()
    } else {
        format!("{at}.")
    };
    let of = |name: &str| format!("{before_attributes}{name}");
    let (plain, encoded) = (attributes.remove("data"), attributes.remove("data_base64"));
    let data = match (plain, encoded) {
        (Some(_), Some(_)) => {
            return Err(Mistake::new(
                of("data_base64"),
                "an event has data or data_base64",
            ));
        }
        (None, Some(Value::String(text))) if BASE64.decode(text.as_bytes()).is_ok() => {
            Map::from_iter([("data_base64".to_owned(), Value::String(text))])
        }
        (None, Some(Value::Null)) => Map::new(),
        (None, Some(_)) => return Err(Mistake::new(of("data_base64"), "it is no text in base64")),
        (plain, None) => object(plain.unwrap_or_default()),
    };
    let place = Place {
        data: of("data"),
        whole: whole.to_owned(),
        before_attributes,
    };
    CloudEvent::read(&attributes, data, place)
}

fn binary(headers: &HeaderMap, body: &[u8]) -> Result<CloudEvent, Mistake> {
    let mut attributes = Map::new();
    for (name, value) in headers {
        let Some(attribute) = name.as_str().strip_prefix(ATTRIBUTE) else {
            continue;
        };
        let text = unquoted(value.as_bytes()).and_then(|value| percent_decoded(&value));
        let text = text.ok_or_else(|| {
            let text =
                "it is no printable ASCII with all else percent-encoded as UTF-8, in quotes or without";
            Mistake::new(name.as_str(), text)
        })?;
        if attributes
            .insert(attribute.to_owned(), Value::String(text))
            .is_some()
        {
            return Err(Mistake::new(name.as_str(), "it is there twice"));
        }
    }
    if attributes.contains_key("datacontenttype") {
        return Err(Mistake::new("ce-datacontenttype", "the content type says that"));
    }
    let data = if body.is_empty() { Value::Null } else { json(body)? };
    let place = Place {
        before_attributes: ATTRIBUTE.to_owned(),
        data: "body".to_owned(),
        whole: format!("{ATTRIBUTE}*"),
    };
    CloudEvent::read(&attributes, object(data), place)
}

/// Data as it is filed: an object as it is, anything else under `value`.
fn object(data: Value) -> Map<String, Value> {
    match data {
        Value::Null => Map::new(),
        Value::Object(map) => map,
        other => Map::from_iter([("value".to_owned(), other)]),
    }
}

/// A header's value without the quotes that may be around it (RFC 7230 3.2.6); none where they are not closed, or stand
/// within.
fn unquoted(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    let Some(quoted) = value.strip_prefix(b"\"") else {
        return Some(Cow::Borrowed(value));
    };
    let mut plain = Vec::with_capacity(quoted.len());
    let mut rest = quoted.iter();
    while let Some(byte) = rest.next() {
        match byte {
            b'"' => return rest.as_slice().is_empty().then_some(Cow::Owned(plain)),
            b'\\' => plain.push(*rest.next()?),
            plain_byte => plain.push(*plain_byte),
        }
    }
    None
}

fn percent_decoded(value: &[u8]) -> Option<String> {
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'%' => {
                let (digits, after) = rest.split_at_checked(2)?;
                let digits = std::str::from_utf8(digits).ok()?;
                let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
                decoded.push(u8::from_str_radix(digits, 16).ok().filter(|_| is_hex)?);
                rest = after;
            }
            b' '..=b'~' => decoded.push(*first),
            _ => return None,
        }
    }
    String::from_utf8(decoded).ok()
}
