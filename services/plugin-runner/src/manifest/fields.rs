//! Which fields a type has, and which keys of a document are none of them.
//!
//! The names are the type's own, asked of its reader: a list beside it would be one more to forget.

use super::{mistakes::Found, places::below};
use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor, value},
    forward_to_deserialize_any,
};
use serde_json::{Map, Value};
use snooze_schemas::plugin::{
    manifest::{Dependency, EventTerms, Manifest},
    permissions::{Permissions, TcpEndpoint},
};

/// Below this likeness a suggestion confuses more than it helps: as for the host's own configuration.
const LIKELY: f64 = 0.75;

/// The names of a struct's fields, as they are written.
pub(super) fn of<T: Deserialize<'static>>() -> &'static [&'static str] {
    let mut fields: &'static [&'static str] = &[];
    // It always fails: there is nothing to read.
    drop(T::deserialize(FieldNames(&mut fields)));
    fields
}

struct FieldNames<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for FieldNames<'_> {
    type Error = value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, value::Error> {
        Err(Error::custom("only a struct has fields"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, value::Error> {
        *self.0 = fields;
        Err(Error::custom("only the names were asked for"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// Every key of a manifest that this version does not know.
pub(super) fn unknown(document: &Map<String, Value>) -> Vec<Found> {
    let mut found = unknown_of::<Manifest>("", document);
    if let Some(Value::Object(permissions)) = document.get("permissions") {
        found.extend(unknown_of::<Permissions>("/permissions", permissions));
        found.extend(in_elements::<TcpEndpoint>(
            "/permissions/tcp",
            permissions.get("tcp"),
        ));
    }
    found.extend(in_elements::<Dependency>(
        "/dependencies",
        document.get("dependencies"),
    ));
    if let Some(Value::Object(events)) = document.get("events") {
        for (name, terms) in events {
            if let Value::Object(terms) = terms {
                found.extend(unknown_of::<EventTerms>(&below("/events", name), terms));
            }
        }
    }
    found
}

fn in_elements<T: Deserialize<'static>>(pointer: &str, list: Option<&Value>) -> Vec<Found> {
    let Some(Value::Array(list)) = list else {
        return Vec::new();
    };
    let elements = list.iter().enumerate();
    let maps = elements.filter_map(|(index, element)| Some((index, element.as_object()?)));
    maps.flat_map(|(index, map)| unknown_of::<T>(&below(pointer, &index.to_string()), map))
        .collect()
}

/// Every key of a map that is no field of this type.
pub(super) fn unknown_of<T: Deserialize<'static>>(pointer: &str, map: &Map<String, Value>) -> Vec<Found> {
    let known = of::<T>();
    map.keys()
        .filter(|key| !known.contains(&key.as_str()))
        .map(|key| Found::new(below(pointer, key), unknown_key(key, known)))
        .collect()
}

/// What is said of an unknown key, with the likely one.
pub(crate) fn unknown_key(key: &str, known: &[impl AsRef<str>]) -> String {
    match likely(key, known) {
        Some(meant) if squash(meant) == squash(key) => format!("unknown key; it is written {meant} here"),
        Some(meant) => format!("unknown key; probably {meant} is meant"),
        None => "unknown key".to_owned(),
    }
}

/// A longer name is compared with none: the work grows with the square of it.
const LONGEST: usize = 48;

/// More names are not compared with one.
const COMPARED: usize = 256;

/// What was probably meant.
pub(crate) fn likely<'a>(written: &str, known: &'a [impl AsRef<str>]) -> Option<&'a str> {
    if written.len() > LONGEST {
        return None;
    }
    let wanted = squash(written);
    let alike = |name: &str| strsim::normalized_damerau_levenshtein(&wanted, &squash(name));
    known
        .iter()
        .filter(|name| name.as_ref().len() <= LONGEST)
        .take(COMPARED)
        .map(|name| (name.as_ref(), alike(name.as_ref())))
        .filter(|(_, likeness)| *likeness >= LIKELY)
        .reduce(|best, next| if next.1 > best.1 { next } else { best })
        .map(|(name, _)| name)
}

/// A name without case and separators.
pub(super) fn squash(name: &str) -> String {
    name.chars()
        .filter(|c| !matches!(c, '_' | '-' | ' '))
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_fields_of_a_type_are_those_that_its_reader_knows() {
        assert_eq!(of::<Dependency>(), ["name", "version"]);
        assert!(of::<Manifest>().contains(&"type"), "as it is written");
        assert!(of::<String>().is_empty());
    }

    #[test]
    fn an_unknown_key_is_told_with_the_likely_one_wherever_it_stands() {
        let document = json!({
            "entrypoint": "a", "colour": 1,
            "permissions": {"memory_MB": 1, "tcp": [{"port": 1}, {"prot": 2}]},
            "dependencies": [{"nam": "a"}],
            "events": {"custom": {"prio": 1, "priorty": 2}},
        });
        let found = unknown(document.as_object().expect("a map"));
        let told: Vec<(&str, &str)> = found
            .iter()
            .map(|one| (one.pointer.as_str(), one.text.as_str()))
            .collect();
        let meant = |name: &str| format!("unknown key; probably {name} is meant");
        let written = |name: &str| format!("unknown key; it is written {name} here");
        assert_eq!(
            told,
            [
                ("/colour", "unknown key"),
                ("/entrypoint", written("entry_point").as_str()),
                ("/permissions/memory_MB", written("memory_mb").as_str()),
                ("/permissions/tcp/1/prot", meant("port").as_str()),
                ("/dependencies/0/nam", meant("name").as_str()),
                ("/events/custom/prio", "unknown key"),
                ("/events/custom/priorty", meant("priority").as_str()),
            ]
        );
    }
}
