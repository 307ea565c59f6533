//! Keys that stand twice in one object of a JSON text. What reads JSON into a map keeps the last of them and says
//! nothing, so they are looked for in the text itself. It never keeps a value.

use super::spelling;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::{collections::BTreeSet, fmt};

/// The doubled keys, levels joined by dots, each once and in the order of their second place. None where the text is
/// no JSON, which whoever reads it says.
pub(super) fn doubled(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut reader = serde_json::Deserializer::from_str(text);
    let look = Look {
        path: "",
        found: &mut found,
    };
    match look.deserialize(&mut reader) {
        Ok(()) => found,
        Err(_) => Vec::new(),
    }
}

/// Looks through one value.
struct Look<'a> {
    path: &'a str,
    found: &'a mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for Look<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Look<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let mut seen = BTreeSet::new();
        while let Some(key) = object.next_key::<String>()? {
            let path = spelling::join(self.path, &key);
            object.next_value_seed(Look {
                path: &path,
                found: self.found,
            })?;
            if !seen.insert(key) && !self.found.contains(&path) {
                self.found.push(path);
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list
            .next_element_seed(Look {
                path: self.path,
                found: self.found,
            })?
            .is_some()
        {}
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_doubled_within_its_own_object_at_any_depth() {
        let text = r#"{"a": 1, "b": {"a": null, "c": [{"d": 1.5, "d": -1}, {"d": true}]}, "a": "x", "a": 2}"#;
        assert_eq!(doubled(text), ["b.c.d", "a"]);
        assert_eq!(doubled(r#"{"a": {"b": 1}, "c": {"b": 2}}"#), [""; 0]);
        assert_eq!(
            doubled(r#"{"a": 1, "a": "#),
            [""; 0],
            "what is no JSON is told elsewhere"
        );
    }
}
