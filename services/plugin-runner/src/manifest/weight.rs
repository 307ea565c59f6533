//! How much there is to a schema once its references are followed.
//!
//! A few lines that refer to each other twice over say more than could be checked in a lifetime, and the check
//! of a configuration must not keep the runner from its votes.

use super::{mistakes::Found, places::below};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// A schema may come to so many parts. The largest that people write have some thousands.
const LIMIT: u64 = 20_000;

/// What gives a part of a schema a name.
const ANCHORS: [&str; 2] = ["$anchor", "$dynamicAnchor"];

/// So many references may lead on from one to the next: each is a few frames of the stack.
const CHAIN: usize = 64;

/// A schema may have so many regular expressions, each of which takes memory while it is held.
const PATTERNS: usize = 128;

/// What is wrong with the references of a schema: that they lead out of it, or that they come to too much.
pub(super) fn check(schema: &Value) -> Vec<Found> {
    let mut weighing = Weighing {
        schema,
        references: References::of(schema),
        known: BTreeMap::new(),
        patterns: 0,
        chain: 0,
        found: Vec::new(),
    };
    weighing.look_for_names("", schema, &mut BTreeSet::new());
    let weight = weighing.of("", schema);
    let too_much = [
        (
            weight > LIMIT,
            format!("followed through its references it has more than {LIMIT} parts"),
        ),
        (
            weighing.patterns > PATTERNS,
            format!("it has more than {PATTERNS} regular expressions"),
        ),
    ];
    if weighing.found.is_empty() {
        let told = too_much.into_iter().filter(|(is_too_much, _)| *is_too_much);
        weighing.found.extend(told.map(|(_, text)| Found::new("", text)));
    }
    weighing.found
}

/// Where the references of a schema lead.
pub(super) struct References<'a> {
    schema: &'a Value,
    anchors: BTreeMap<&'a str, &'a Value>,
}

impl<'a> References<'a> {
    pub(super) fn of(schema: &'a Value) -> References<'a> {
        let mut references = References {
            schema,
            anchors: BTreeMap::new(),
        };
        references.collect_anchors(schema);
        references
    }

    fn collect_anchors(&mut self, schema: &'a Value) {
        match schema {
            Value::Object(map) => {
                for name in ANCHORS {
                    if let Some(Value::String(name)) = map.get(name) {
                        self.anchors.insert(name, schema);
                    }
                }
                map.values().for_each(|value| self.collect_anchors(value));
            }
            Value::Array(list) => list.iter().for_each(|value| self.collect_anchors(value)),
            _ => {}
        }
    }

    /// Nothing where it leads out of the schema or nowhere. What is escaped as in an address is not looked for, as it
    /// may be read in two ways.
    pub(super) fn to(&self, target: &str) -> Option<&'a Value> {
        let fragment = target
            .strip_prefix('#')
            .filter(|fragment| !fragment.contains('%'))?;
        let referred = self.schema.pointer(fragment);
        referred.or_else(|| self.anchors.get(fragment).copied())
    }
}

struct Weighing<'a> {
    schema: &'a Value,
    references: References<'a>,
    /// By reference; nothing while it is being weighed, which is where it refers to itself: how often that is
    /// followed depends on how deep a configuration is.
    known: BTreeMap<&'a str, Option<u64>>,
    patterns: usize,
    /// So many references led here.
    chain: usize,
    found: Vec<Found>,
}

impl<'a> Weighing<'a> {
    /// Refuses what would make a reference mean something else by where it stands, and counts the patterns.
    fn look_for_names(&mut self, pointer: &str, part: &'a Value, anchors: &mut BTreeSet<&'a str>) {
        match part {
            Value::Object(map) => {
                // Draft 4 called it so; anywhere else it is anybody's word.
                let draft = self.schema.get("$schema").and_then(Value::as_str);
                let is_old = draft.is_some_and(|draft| draft.contains("draft-04"));
                let id = if is_old { "id" } else { "$id" };
                if !pointer.is_empty() && map.get(id).is_some_and(Value::is_string) {
                    let text = "only the schema as a whole may have one";
                    self.found.push(Found::new(below(pointer, id), text));
                }
                for name in ANCHORS {
                    if let Some(Value::String(anchor)) = map.get(name)
                        && !anchors.insert(anchor)
                    {
                        let text = format!("{anchor} stands there twice");
                        self.found.push(Found::new(below(pointer, name), text));
                    }
                }
                self.patterns += usize::from(map.get("pattern").is_some_and(Value::is_string));
                let patterns = map.get("patternProperties").and_then(Value::as_object);
                self.patterns += patterns.map_or(0, Map::len);
                for (name, value) in map {
                    self.look_for_names(&below(pointer, name), value, anchors);
                }
            }
            Value::Array(list) => {
                for (index, value) in list.iter().enumerate() {
                    self.look_for_names(&below(pointer, &index.to_string()), value, anchors);
                }
            }
            _ => {}
        }
    }

    fn of(&mut self, pointer: &str, schema: &'a Value) -> u64 {
        match schema {
            Value::Object(map) => self.of_map(pointer, map),
            Value::Array(list) => {
                let parts = list.iter().enumerate();
                parts.fold(0, |sum: u64, (index, part)| {
                    sum.saturating_add(self.of(&below(pointer, &index.to_string()), part))
                })
            }
            _ => 0,
        }
    }

    fn of_map(&mut self, pointer: &str, map: &'a Map<String, Value>) -> u64 {
        map.iter().fold(1, |sum: u64, (name, value)| {
            let pointer = below(pointer, name);
            let weight = match (name.as_str(), value) {
                ("$ref" | "$dynamicRef" | "$recursiveRef", Value::String(target)) => {
                    self.of_reference(&pointer, target)
                }
                _ => self.of(&pointer, value),
            };
            sum.saturating_add(weight)
        })
    }

    fn of_reference(&mut self, pointer: &str, target: &'a str) -> u64 {
        if let Some(known) = self.known.get(target) {
            return known.unwrap_or(1);
        }
        let Some(referred) = self.references.to(target) else {
            let text = match target.starts_with('#') {
                true => format!("{target} leads nowhere"),
                false => format!(
                    "{target} is not fetched: what is referred to has to stand in the manifest, as #/$defs/…"
                ),
            };
            self.found.push(Found::new(pointer, text));
            return 1;
        };
        if self.chain == CHAIN {
            let text = format!("more than {CHAIN} references lead on from one to the next");
            self.found.push(Found::new(pointer, text));
            return 1;
        }
        self.known.insert(target, None);
        self.chain += 1;
        let weight = self.of(pointer, referred);
        self.chain -= 1;
        self.known.insert(target, Some(weight));
        weight
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_schema_that_doubles_itself_over_and_over_is_refused() {
        let mut defs = Map::new();
        for level in 0..60 {
            let next = json!({"$ref": format!("#/$defs/d{}", level + 1)});
            defs.insert(format!("d{level}"), json!({"allOf": [next.clone(), next]}));
        }
        defs.insert("d60".to_owned(), json!({"type": "object"}));
        let found = check(&json!({"$ref": "#/$defs/d0", "$defs": defs}));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].text.contains("20000 parts"), "{found:?}");
    }

    #[test]
    fn references_within_the_schema_are_followed_and_no_others() {
        let within = json!({
            "properties": {"a": {"$ref": "#/$defs/tree"}, "b": {"$ref": "#leaf"}},
            "$defs": {
                "tree": {"properties": {"left": {"$ref": "#/$defs/tree"}}},
                "leaf": {"$anchor": "leaf", "type": "string"},
            },
        });
        assert!(check(&within).is_empty());
        for (target, told) in [
            ("http://127.0.0.1:1/schema.json", "is not fetched"),
            ("other.json", "is not fetched"),
            ("#/$defs/absent", "leads nowhere"),
        ] {
            let found = check(&json!({"properties": {"a": {"$ref": target}}}));
            assert_eq!(found[0].pointer, "/properties/a/$ref");
            assert!(found[0].text.contains(told), "{found:?}");
        }
    }

    #[test]
    fn what_a_reference_means_does_not_depend_on_where_it_stands() {
        for (schema, told) in [
            (json!({"$defs": {"a": {"$id": "other"}}}), "/$defs/a/$id"),
            (
                json!({"$schema": "http://json-schema.org/draft-04/schema#", "definitions": {"a": {"id": "b"}}}),
                "/definitions/a/id",
            ),
            (
                json!({"$defs": {"a": {"$anchor": "n"}, "b": {"$anchor": "n"}}}),
                "/$defs/b/$anchor",
            ),
            (
                json!({"$ref": "#/$defs/a%62", "$defs": {"a%62": {}, "ab": {}}}),
                "/$ref",
            ),
        ] {
            assert_eq!(check(&schema)[0].pointer, told);
        }
        let of_all =
            json!({"$id": "https://example.org/a", "properties": {"$id": {}, "id": {"const": {"id": "a"}}}});
        assert!(check(&of_all).is_empty());
    }

    #[test]
    fn a_long_chain_of_references_is_refused_from_whichever_end_it_is_seen() {
        let chain = |length: usize, name: fn(usize) -> String| {
            let link = |index: usize| json!({"$ref": format!("#/$defs/{}", name(index + 1))});
            let mut defs: Map<String, Value> = (0..length).map(|index| (name(index), link(index))).collect();
            defs.insert(name(length), json!({"type": "object"}));
            json!({"$ref": format!("#/$defs/{}", name(0)), "$defs": defs})
        };
        let (up, down) = (
            |index| format!("d{index:05}"),
            |index| format!("d{:05}", 9999 - index),
        );
        assert!(check(&chain(60, up)).is_empty());
        assert!(check(&chain(60, down)).is_empty());
        let found = check(&chain(5000, up));
        assert!(found[0].text.contains("more than 64 references"), "{found:?}");
        let found = check(&chain(5000, down));
        assert!(found[0].text.contains("more than 20000 parts"), "{found:?}");
    }
}
