//! The fields that only a queue's messages have: those that may be missing, and ids of instances.

pub(super) use crate::source::field::{Unreadable, object, text, time};

use serde_json::{Map, Value};

/// A field's text, where it is there.
pub(super) fn maybe_text<'a>(
    object: &'a Map<String, Value>,
    field: &str,
) -> Result<Option<&'a str>, Unreadable> {
    match object.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(_) => text(object, field).map(Some),
    }
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
