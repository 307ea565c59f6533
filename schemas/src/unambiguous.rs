//! What somebody else wrote, as it came, before anything is read into it: a plugin's answer, a person's data.
//!
//! **Invariant:** no key stands twice in one object of it, however deep: which of two values was meant nobody can
//! know, and readers differ. It is as large and as deep as who reads its bytes allows.

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};
use std::fmt;

/// So many characters of a key are shown.
const SHOWN: usize = 60;

/// A value in JSON, or in what has the same form.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Unambiguous(pub Value);

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AsItCame)
    }
}

/// The same, where it has to be an object.
///
/// # Errors
/// When it is none, or a key stands twice in one object of it.
pub fn object<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Map<String, Value>, D::Error> {
    match Unambiguous::deserialize(deserializer)? {
        Unambiguous(Value::Object(object)) => Ok(object),
        Unambiguous(_) => Err(D::Error::custom("it is no object")),
    }
}

struct AsItCame;

impl<'de> Visitor<'de> for AsItCame {
    type Value = Unambiguous;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("what has a form in JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Unambiguous, E> {
        Ok(Unambiguous(Value::Null))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Unambiguous, E> {
        Ok(Unambiguous(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Unambiguous, E> {
        Ok(Unambiguous(value.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Unambiguous, E> {
        Ok(Unambiguous(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Unambiguous, E> {
        // What is no number has no form in JSON, and counts as nothing, as it does where it is written.
        Ok(Unambiguous(
            Number::from_f64(value).map_or(Value::Null, Value::Number),
        ))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Unambiguous, E> {
        Ok(Unambiguous(value.into()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Unambiguous, E> {
        Ok(Unambiguous(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Unambiguous, A::Error> {
        let mut list = Vec::new();
        while let Some(Unambiguous(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Unambiguous(Value::Array(list)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Unambiguous, A::Error> {
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if object.contains_key(&key) {
                let shown: String = key.chars().take(SHOWN).collect();
                return Err(A::Error::custom(format!("the key {shown:?} stands there twice")));
            }
            let Unambiguous(value) = entries.next_value()?;
            object.insert(key, value);
        }
        Ok(Unambiguous(Value::Object(object)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Value, String> {
        let answer: Result<Unambiguous, _> = serde_json::from_str(text);
        answer.map(|answer| answer.0).map_err(|error| error.to_string())
    }

    #[test]
    fn s2_an_answer_that_says_a_thing_twice_says_nothing() {
        for (text, key) in [
            (r#"{"is_idle":false,"is_idle":true}"#, "is_idle"),
            (r#"{"is_idle":true,"is_idle":true}"#, "is_idle"),
            (r#"{"is_idle":false,"is\u005fidle":true}"#, "is_idle"),
            (r#"{"id":1,"result":{"is_idle":true},"id":2}"#, "id"),
            (r#"{"result":{"a":[{"b":{}},{"b":1,"c":2,"b":3}]}}"#, "b"),
        ] {
            let refused = read(text).expect_err(text);
            let expected = format!("the key {key:?} stands there twice");
            assert!(refused.starts_with(&expected), "{text}: {refused}");
        }
        let long = "k".repeat(100_000);
        let refused = read(&format!(r#"{{"{long}":1,"{long}":2}}"#)).expect_err("it stands there twice");
        assert!(refused.len() < 200, "{refused}");
    }

    #[test]
    fn everything_else_is_read_as_it_stands_there() {
        for text in [
            r#"{"a":{"b":1},"c":{"b":[1,{"b":null}]}}"#,
            r#"[1,-2,0.5,1e300,18446744073709551615,-9223372036854775808,true,"ä\u0000",[],{}]"#,
            "null",
            "\"text\"",
        ] {
            let plain: Value = serde_json::from_str(text).expect("JSON");
            assert_eq!(read(text).as_ref(), Ok(&plain), "{text}");
        }
        for text in ["", "{", "NaN", r#"{"a":1}}"#, &"[".repeat(1000)] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
