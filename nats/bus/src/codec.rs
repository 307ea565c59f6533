//! Bytes on the wire: MessagePack maps with string keys, and JSON on sight.
//!
//! Reading never trusts: a body has a largest size and a deepest nesting, is a map, and ends where it
//! ends. Nothing here knows a header or a subject.

use serde::{Serialize, de::DeserializeOwned};

/// The largest body that is read: the server's own default limit, which the shipped configuration keeps.
pub const MAX_BODY: usize = 1024 * 1024;

/// The deepest nesting that is read: the limit that the JSON parser has built in, kept for both formats,
/// so that a body of brackets cannot exhaust the stack.
pub const MAX_DEPTH: usize = 128;

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// A MessagePack map with string keys.
    #[default]
    MessagePack,
    /// A JSON object, as a shell sends it.
    Json,
}

impl Format {
    /// The format of a body, by its first byte. An empty body is an empty JSON object: what `nats req`
    /// sends when it is given nothing.
    ///
    /// # Errors
    /// When it is neither a MessagePack map nor a JSON object.
    pub fn of(body: &[u8]) -> Result<Self, DecodeError> {
        match body.first() {
            None | Some(b'{') => Ok(Self::Json),
            // fixmap, map 16, map 32
            Some(0x80..=0x8f | 0xde | 0xdf) => Ok(Self::MessagePack),
            Some(_) => Err(DecodeError::NoMap),
        }
    }
}

/// Why a body cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// It is too large.
    #[error("the body has {0} bytes, {MAX_BODY} are allowed")]
    TooLarge(usize),
    /// It is neither format.
    #[error("the body is neither a MessagePack map nor a JSON object")]
    NoMap,
    /// It does not hold what it should.
    #[error("the body is not what it should be as MessagePack")]
    MessagePack(#[from] rmp_serde::decode::Error),
    /// It does not hold what it should.
    #[error("the body is not what it should be as JSON")]
    Json(#[from] serde_json::Error),
    /// It goes on after its end.
    #[error("{0} bytes follow the end of the body")]
    Trailing(usize),
}

/// Why a body cannot be written: the type is no map, or writes something that has no place in one.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// As MessagePack.
    #[error("writing MessagePack")]
    MessagePack(#[from] rmp_serde::encode::Error),
    /// As JSON.
    #[error("writing JSON")]
    Json(#[from] serde_json::Error),
    /// Receivers would refuse it.
    #[error("the body would have {0} bytes, {MAX_BODY} are allowed")]
    TooLarge(usize),
    /// Receivers would refuse it.
    #[error("the type is written as something else than a map")]
    NoMap,
}

/// Writes a body.
///
/// # Errors
/// When the value is not written as a map, or as too large a one.
pub fn encode<T: Serialize + ?Sized>(value: &T, format: Format) -> Result<Vec<u8>, EncodeError> {
    let body = match format {
        Format::MessagePack => {
            let mut body = Vec::with_capacity(256);
            // Human-readable: both formats then hold the same map, times as text in either.
            let mut serializer = rmp_serde::Serializer::new(&mut body)
                .with_struct_map()
                .with_human_readable();
            value.serialize(&mut serializer)?;
            body
        }
        Format::Json => serde_json::to_vec(value)?,
    };
    if body.len() > MAX_BODY {
        return Err(EncodeError::TooLarge(body.len()));
    }
    match Format::of(&body) {
        Ok(seen) if seen == format => Ok(body),
        _ => Err(EncodeError::NoMap),
    }
}

/// Reads a body in whichever format it is.
///
/// # Errors
/// When it is too large, too deep, no map, or not a `T`.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, DecodeError> {
    if body.len() > MAX_BODY {
        return Err(DecodeError::TooLarge(body.len()));
    }
    match Format::of(body)? {
        Format::Json if body.is_empty() => Ok(serde_json::from_slice(b"{}")?),
        Format::Json => Ok(serde_json::from_slice(body)?),
        Format::MessagePack => {
            let mut deserializer = rmp_serde::Deserializer::new(body).with_human_readable();
            deserializer.set_max_depth(MAX_DEPTH);
            let value = T::deserialize(&mut deserializer)?;
            match deserializer.get_ref().len() {
                0 => Ok(value),
                left => Err(DecodeError::Trailing(left)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::Deserialize;
    use snooze_schemas::Timestamp;
    use std::collections::BTreeMap;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Body {
        text: String,
        at: Timestamp,
        number: f64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        maybe: Option<u64>,
        #[serde(default)]
        more: BTreeMap<String, serde_json::Value>,
    }

    fn body(more: BTreeMap<String, serde_json::Value>) -> Body {
        Body {
            text: "ä".to_owned(),
            at: "2026-01-02T03:04:05Z".parse().expect("a time"),
            number: 0.5,
            maybe: Some(u64::MAX),
            more,
        }
    }

    fn nested(depth: usize) -> serde_json::Value {
        (0..depth).fold(serde_json::json!(1), |inner, _| serde_json::json!([inner]))
    }

    #[test]
    fn both_formats_hold_the_same_map() {
        let body = body(BTreeMap::from([(
            "list".to_owned(),
            serde_json::json!([1, -2, null, "x"]),
        )]));
        let packed = encode(&body, Format::MessagePack).expect("writes");
        let json = encode(&body, Format::Json).expect("writes");
        assert_eq!(decode::<Body>(&packed).expect("reads"), body);
        assert_eq!(decode::<Body>(&json).expect("reads"), body);
        let as_value: serde_json::Value = decode(&packed).expect("reads");
        assert_eq!(as_value, decode::<serde_json::Value>(&json).expect("reads"));
        assert_eq!(as_value["at"], "2026-01-02T03:04:05Z");
    }

    #[test]
    fn an_unknown_field_is_ignored_in_both_formats() {
        #[derive(Deserialize)]
        struct Less {
            text: String,
        }
        for format in [Format::MessagePack, Format::Json] {
            let bytes = encode(&body(BTreeMap::new()), format).expect("writes");
            assert_eq!(decode::<Less>(&bytes).expect("reads").text, "ä");
        }
    }

    #[test]
    fn an_empty_body_is_an_empty_map() {
        assert_eq!(
            decode::<BTreeMap<String, u8>>(b"").expect("reads"),
            BTreeMap::new()
        );
        assert!(decode::<Body>(b"").is_err());
    }

    #[test]
    fn a_list_in_place_of_a_map_is_refused() {
        let list = rmp_serde::to_vec(&body(BTreeMap::new())).expect("writes");
        assert!(matches!(decode::<Body>(&list), Err(DecodeError::NoMap)));
        assert!(matches!(decode::<Body>(b"[1]"), Err(DecodeError::NoMap)));
        assert!(matches!(encode(&[1], Format::Json), Err(EncodeError::NoMap)));
        assert!(matches!(
            encode("text", Format::MessagePack),
            Err(EncodeError::NoMap)
        ));
    }

    #[test]
    fn a_body_that_goes_on_after_its_end_is_refused() {
        for format in [Format::MessagePack, Format::Json] {
            let mut bytes = encode(&body(BTreeMap::new()), format).expect("writes");
            bytes.push(b'1');
            assert!(decode::<Body>(&bytes).is_err(), "{format:?}");
        }
    }

    #[test]
    fn a_body_over_the_limit_is_refused() {
        let more = BTreeMap::from([("x".to_owned(), serde_json::json!("y".repeat(MAX_BODY)))]);
        assert!(matches!(
            encode(&body(more), Format::Json),
            Err(EncodeError::TooLarge(_))
        ));
        let large = vec![b'{'; MAX_BODY + 1];
        assert!(matches!(decode::<Body>(&large), Err(DecodeError::TooLarge(_))));
    }

    #[test]
    fn a_body_that_is_nested_too_deep_is_refused() {
        for format in [Format::MessagePack, Format::Json] {
            let deep = |depth| {
                let more = BTreeMap::from([("x".to_owned(), nested(depth))]);
                encode(&body(more), format).expect("writes")
            };
            assert!(decode::<Body>(&deep(MAX_DEPTH / 2)).is_ok(), "{format:?}");
            assert!(decode::<Body>(&deep(MAX_DEPTH + 1)).is_err(), "{format:?}");
        }
        // Skipped content is bounded too: an unknown field must not cost a stack.
        let mut bytes = vec![0x81, 0xa1, b'z'];
        bytes.extend(std::iter::repeat_n(0x91, 500_000));
        assert!(decode::<Body>(&bytes).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_reading_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256), first in 0x80u8..=0x8f) {
            drop(decode::<Body>(&bytes));
            let mut map = vec![first];
            map.extend(bytes);
            drop(decode::<serde_json::Value>(&map));
        }
    }
}
