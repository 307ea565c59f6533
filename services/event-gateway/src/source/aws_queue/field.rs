//! Taking known fields out of JSON of somebody else's, each bounded; and why it could not be.
//!
//! What is not asked for is ignored, and no text of a message is repeated in an error.

use jiff::fmt::rfc2822;
use serde_json::{Map, Value};
use snooze_schemas::Timestamp;

/// The longest text that is taken: names of Auto Scaling have 255 characters at most, an ARN of AWS Health's some 200.
const LONGEST: usize = 512;

/// Why a message says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the message cannot be read: {reason}")]
pub(crate) struct Unreadable {
    reason: String,
}

impl Unreadable {
    pub(super) fn new(reason: impl Into<String>) -> Unreadable {
        let reason = reason.into();
        Unreadable { reason }
    }
}

/// A JSON object.
pub(super) fn object(body: &[u8]) -> Result<Map<String, Value>, Unreadable> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Unreadable::new("it is no JSON object")),
        Err(error) => Err(Unreadable::new(format!(
            "it is no JSON at line {}, column {}",
            error.line(),
            error.column()
        ))),
    }
}

/// A field's text, which is not empty, not too long and has no control characters.
pub(super) fn text<'a>(object: &'a Map<String, Value>, field: &str) -> Result<&'a str, Unreadable> {
    let text = object.get(field).and_then(Value::as_str).unwrap_or_default();
    if text.is_empty() || text.len() > LONGEST || text.chars().any(char::is_control) {
        return Err(Unreadable::new(format!(
            "{field} is no text of 1 to {LONGEST} bytes without control characters"
        )));
    }
    Ok(text)
}

/// The same of a field that may be missing.
pub(super) fn maybe_text<'a>(
    object: &'a Map<String, Value>,
    field: &str,
) -> Result<Option<&'a str>, Unreadable> {
    match object.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(_) => text(object, field).map(Some),
    }
}

/// A field's time: RFC 3339, or as AWS Health writes it, `Fri, 27 Jan 2023 06:02:51 GMT`.
pub(super) fn time(object: &Map<String, Value>, field: &str) -> Result<Timestamp, Unreadable> {
    let text = text(object, field)?;
    let parsed = text.parse().ok();
    parsed
        .or_else(|| rfc2822::DateTimeParser::new().parse_timestamp(text).ok())
        .ok_or_else(|| Unreadable::new(format!("{field} is no time")))
}

/// The id of an instance of EC2, as `i-1234567890abcdef0`.
pub(super) fn instance<'a>(object: &'a Map<String, Value>, field: &str) -> Result<&'a str, Unreadable> {
    let id = text(object, field)?;
    if is_instance(id) {
        Ok(id)
    } else {
        Err(Unreadable::new(format!("{field} is no id of an instance")))
    }
}

/// Whether a text is one.
pub(super) fn is_instance(text: &str) -> bool {
    let digits = text.strip_prefix("i-").unwrap_or_default();
    (1..=62).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_both_services_write_them() {
        let object =
            object(br#"{"a": "2023-01-27T06:02:51Z", "b": "Fri, 27 Jan 2023 06:02:51 GMT", "c": "Fri"}"#)
                .expect("an object");
        assert_eq!(time(&object, "a"), time(&object, "b"));
        assert!(time(&object, "c").is_err() && time(&object, "d").is_err());
    }

    #[test]
    fn an_error_repeats_nothing_of_the_message() {
        let error = object(b"{\"secret-token").expect_err("it is cut off");
        assert!(!error.to_string().contains("secret"), "{error}");
    }

    #[test]
    fn what_is_no_instance_is_none() {
        for id in ["i-1234567890abcdef0", "i-0abc"] {
            assert!(is_instance(id), "{id}");
        }
        for id in [
            "",
            "i-",
            "vol-1",
            "i-1.2",
            "i-1 ",
            "I-1",
            &format!("i-{}", "a".repeat(63)),
        ] {
            assert!(!is_instance(id), "{id}");
        }
    }
}
