//! Keys of a manifest in other letters: the original's structs wrote `ConfigSchema` where ours has `config_schema`.
//!
//! It looks at the keys of the manifest, of its dependencies and of the fields of its shorthand, whose names nobody
//! else has given. What an author names keeps its letters, and a JSON Schema is not touched. The original had nothing
//! below `permissions` and `events`: in other letters a key there is unknown, and said to be. Of values it reads those
//! alone that the original's encoder wrote in its own way: `null` and `""` where nothing was said, and the words of
//! `type` and `process_model` in other letters.

use super::{
    fields,
    mistakes::Found,
    places::{below, names},
    shorthand,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use snooze_schemas::plugin::manifest::{ConfigField, Dependency, Manifest, PluginKind, ProcessModel};
use std::collections::BTreeMap;

/// What the original wrote `""` for where nothing was said, and an empty text cannot be.
const UNSAID: [&str; 3] = ["min_host_version", "type", "process_model"];

/// A manifest's document with the keys that its reader knows.
#[derive(Debug, Default)]
pub(super) struct Spelled {
    pub document: Map<String, Value>,
    /// The keys that stand there a second time, in other letters.
    pub twice: Vec<Found>,
    /// By the pointer of a key as it is read, the key as the author wrote it.
    written: BTreeMap<String, String>,
}

/// A manifest's document with the keys that every reader of one knows, for whoever writes it anew.
#[must_use]
pub fn canonical_manifest(document: Map<String, Value>) -> Map<String, Value> {
    Spelled::of(document).document
}

impl Spelled {
    pub(super) fn of(document: Map<String, Value>) -> Spelled {
        let mut spelled = Spelled::default();
        let mut document = spelled.respelled::<Manifest>("", document);
        document.retain(|key, value| value != "" || !UNSAID.contains(&key.as_str()));
        reword::<PluginKind>(&mut document, "type");
        reword::<ProcessModel>(&mut document, "process_model");
        if let Some(Value::Array(dependencies)) = document.get_mut("dependencies") {
            for (index, dependency) in dependencies.iter_mut().enumerate() {
                spelled.respell::<Dependency>(&below("/dependencies", &index.to_string()), dependency);
                any_version(dependency);
            }
        }
        if let Some(Value::Object(fields)) = document.get_mut("config_schema")
            && !shorthand::is_schema(fields)
        {
            for (name, field) in fields {
                spelled.respell::<ConfigField>(&below("/config_schema", name), field);
            }
        }
        spelled.document = document;
        spelled
    }

    /// A finding by the author's own keys, by which its place is found.
    pub(super) fn as_written(&self, found: Found) -> Found {
        let (mut read, mut pointer) = (String::new(), String::new());
        for name in names(&found.pointer) {
            read = below(&read, &name);
            pointer = below(&pointer, self.written.get(&read).unwrap_or(&name));
        }
        Found { pointer, ..found }
    }

    fn respell<T: Deserialize<'static>>(&mut self, pointer: &str, value: &mut Value) {
        if let Value::Object(map) = value {
            *map = self.respelled::<T>(pointer, std::mem::take(map));
        }
    }

    fn respelled<T: Deserialize<'static>>(
        &mut self,
        pointer: &str,
        map: Map<String, Value>,
    ) -> Map<String, Value> {
        let known = fields::of::<T>();
        // What is written as it should be comes first: nothing in other letters takes its place.
        let (mut right, others): (Map<_, _>, Map<_, _>) = map
            .into_iter()
            .partition(|(key, _)| known.contains(&key.as_str()));
        // The original's encoder wrote `null` where nothing was said.
        right.retain(|_, value| !value.is_null());
        for (key, value) in others {
            let meant = known.iter().find(|name| letters(name) == letters(&key));
            match meant {
                None => drop(right.insert(key, value)),
                Some(name) if right.contains_key(*name) => {
                    let read = below(pointer, name);
                    let other = self.written.get(&read).map_or(*name, String::as_str);
                    let text = format!("it stands there twice, the other time as {other}");
                    self.twice.push(Found::new(below(pointer, &key), text));
                }
                Some(_) if value.is_null() => {}
                Some(name) => {
                    self.written.insert(below(pointer, name), key);
                    right.insert((*name).to_owned(), value);
                }
            }
        }
        right
    }
}

/// One of the words of a type, written as its reader knows it; any other is its author's, and told as it stands there.
fn reword<T: DeserializeOwned>(document: &mut Map<String, Value>, key: &str) {
    if let Some(Value::String(word)) = document.get_mut(key) {
        let lower = word.to_ascii_lowercase();
        if serde_json::from_value::<T>(Value::from(lower.as_str())).is_ok() {
            *word = lower;
        }
    }
}

/// The original had no way to leave a dependency's version out: with an empty one any will do.
fn any_version(dependency: &mut Value) {
    if let Some(version) = dependency.get_mut("version").filter(|version| **version == "") {
        *version = Value::from("*");
    }
}

/// A key without its case and its underscores, which is all in which two spellings may differ.
fn letters(key: &str) -> String {
    key.replace('_', "").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn spelled(document: &Value) -> Spelled {
        Spelled::of(document.as_object().expect("a map").clone())
    }

    #[test]
    fn keys_are_known_whatever_their_case_and_underscores() {
        let spelled = spelled(&json!({
            "Name": "a", "minHostVersion": "0.1.0", "ENTRY_POINT": "run", "process_model": "process",
            "Dependencies": [{"Name": "b", "Version": "*"}, 7],
            "ConfigSchema": {
                "Limit": {"Type": "int", "Constraints": "min=1"},
                "limit": {"Required": true, "Default": {"Type": 1}, "Description": "d"},
            },
            "Permissions": {"Env": ["A"]}, "Events": {"Custom": {"Priority": 1}}, "Naem": 1,
        }));
        assert_eq!(
            Value::Object(spelled.document),
            json!({
                "name": "a", "min_host_version": "0.1.0", "entry_point": "run", "process_model": "process",
                "dependencies": [{"name": "b", "version": "*"}, 7],
                // What an author names keeps its letters, and so does what he states below a key.
                "config_schema": {
                    "Limit": {"type": "int", "constraints": "min=1"},
                    "limit": {"required": true, "default": {"Type": 1}, "description": "d"},
                },
                "permissions": {"Env": ["A"]}, "events": {"Custom": {"Priority": 1}}, "Naem": 1,
            })
        );
        assert!(spelled.twice.is_empty());
    }

    #[test]
    fn what_the_original_says_nothing_of_is_not_there() {
        let spelled = spelled(&json!({
            "Name": "a", "Tags": null, "dependencies": null, "Naem": null,
            "ConfigSchema": {"limit": {"Type": "int", "Default": null}},
        }));
        let expected = json!({"name": "a", "Naem": null, "config_schema": {"limit": {"type": "int"}}});
        assert_eq!(Value::Object(spelled.document), expected);
    }

    #[test]
    fn what_the_original_wrote_empty_is_unsaid_and_its_words_are_known_whatever_their_case() {
        let of = |document: Value| Value::Object(spelled(&document).document);
        let empty = json!({
            "MinHostVersion": "", "type": "", "Process_Model": "", "Language": "",
            "Dependencies": [{"Name": "b", "Version": ""}, {"name": "c", "version": ""}, {"name": "d"}],
        });
        let any = json!([{"name": "b", "version": "*"}, {"name": "c", "version": "*"}, {"name": "d"}]);
        assert_eq!(of(empty), json!({"language": "", "dependencies": any}));
        let words = json!({"Type": "Native", "ProcessModel": "JSON-RPC"});
        assert_eq!(of(words), json!({"type": "native", "process_model": "json-rpc"}));
        // What is none of them is told as its author wrote it.
        let other = json!({"type": "Internal", "process_model": 7});
        assert_eq!(of(other.clone()), other);
        // What cannot be left out is not taken for that.
        let needed = json!({"name": "", "version": "", "entry_point": ""});
        assert_eq!(of(needed.clone()), needed);
    }

    #[test]
    fn a_json_schema_is_not_touched() {
        let schema = json!({"type": "object", "properties": {"Type": {"Type": 1}}, "Required": []});
        let spelled = spelled(&json!({"ConfigSchema": schema}));
        assert_eq!(spelled.document["config_schema"], schema);
    }

    #[test]
    fn a_key_in_two_spellings_is_a_mistake_by_the_authors_own_keys() {
        let spelled = spelled(&json!({
            "version": "1", "Version": "2",
            "Dependencies": [{"Name": "b", "NAME": "c"}],
            "Config_Schema": {"a": {"type": "int", "Type": "int"}},
        }));
        assert_eq!(spelled.document["version"], "1", "what is written right is read");
        let told: Vec<(String, String)> = spelled
            .twice
            .iter()
            .map(|found| spelled.as_written(found.clone()))
            .map(|found| (found.pointer, found.text))
            .collect();
        let told_of = |pointer: &str, other: &str| {
            let text = format!("it stands there twice, the other time as {other}");
            (pointer.to_owned(), text)
        };
        assert_eq!(
            told,
            [
                told_of("/Version", "version"),
                told_of("/Dependencies/0/Name", "NAME"),
                told_of("/Config_Schema/a/Type", "type"),
            ]
        );
    }
}
