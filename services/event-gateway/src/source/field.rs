//! Taking known fields out of JSON that AWS wrote, each bounded; and why it could not be.
//!
//! What is not asked for is ignored, and no text of it is repeated in an error.

use jiff::fmt::rfc2822;
use serde_json::{Map, Value};
use snooze_schemas::Timestamp;

/// The longest text that is taken: names of Auto Scaling have 255 characters at most, an ARN of AWS Health's some 200.
const LONGEST: usize = 512;

/// Why it says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("what AWS says cannot be read: {reason}")]
pub struct Unreadable {
    reason: String,
}

impl Unreadable {
    pub(super) fn new(reason: impl Into<String>) -> Unreadable {
        Unreadable {
            reason: reason.into(),
        }
    }
}

/// A JSON object.
pub(super) fn object(json: &[u8]) -> Result<Map<String, Value>, Unreadable> {
    match serde_json::from_slice(json) {
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

/// A field's time: RFC 3339, or as the metadata service's maintenance paths and AWS Health write it, `21 Jan 2019 09:00:43
/// GMT` and `Fri, 27 Jan 2023 06:02:51 GMT`.
pub(super) fn time(object: &Map<String, Value>, field: &str) -> Result<Timestamp, Unreadable> {
    let text = text(object, field)?;
    let parsed = text.parse().ok();
    parsed
        .or_else(|| rfc2822::DateTimeParser::new().parse_timestamp(text).ok())
        .ok_or_else(|| Unreadable::new(format!("{field} is no time")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_each_service_writes_them() {
        let object = object(br#"{"a": "2019-01-21T09:00:43Z", "b": "21 Jan 2019 09:00:43 GMT", "c": "1 Feb 2019 00:00:00 GMT", "d": "Mon", "f": "Mon, 21 Jan 2019 09:00:43 GMT"}"#).expect("an object");
        for same in ["b", "f"] {
            assert_eq!(time(&object, "a"), time(&object, same));
        }
        assert_eq!(
            time(&object, "c"),
            Ok("2019-02-01T00:00:00Z".parse().expect("a time"))
        );
        assert!(time(&object, "d").is_err());
        assert!(time(&object, "e").is_err());
    }

    #[test]
    fn an_error_repeats_nothing_of_what_was_said() {
        let error = object(b"{\"secret-token").expect_err("it is cut off");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
