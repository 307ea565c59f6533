//! How much there is to a schema once its references are followed.
//!
//! A few lines that refer to each other twice over say more than could be checked in a lifetime, and the check
//! of a configuration must not keep the runner from its votes.

use super::{mistakes::Found, places::below};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A schema may come to so many parts. The largest that people write have some thousands.
const LIMIT: u64 = 20_000;

/// What is wrong with the references of a schema: that they lead out of it, or that they come to too much.
pub(super) fn check(schema: &Value) -> Vec<Found> {
    let mut weighing = Weighing {
        schema,
        anchors: BTreeMap::new(),
        known: BTreeMap::new(),
        found: Vec::new(),
    };
    weighing.collect_anchors(schema);
    let weight = weighing.of("", schema);
    if weighing.found.is_empty() && weight > LIMIT {
        let text = format!("followed through its references it has more than {LIMIT} parts");
        weighing.found.push(Found::new("", text));
    }
    weighing.found
}

struct Weighing<'a> {
    schema: &'a Value,
    anchors: BTreeMap<&'a str, &'a Value>,
    /// By reference; nothing while it is being weighed, which is where it refers to itself: how often that is
    /// followed depends on how deep a configuration is.
    known: BTreeMap<&'a str, Option<u64>>,
    found: Vec<Found>,
}

impl<'a> Weighing<'a> {
    fn collect_anchors(&mut self, schema: &'a Value) {
        match schema {
            Value::Object(map) => {
                for name in ["$anchor", "$dynamicAnchor"] {
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
        let Some(fragment) = target.strip_prefix('#') else {
            let text = format!(
                "{target} is not fetched: what is referred to has to stand in the manifest, as #/$defs/…"
            );
            self.found.push(Found::new(pointer, text));
            return 1;
        };
        let referred = match self.schema.pointer(fragment) {
            Some(referred) => Some(referred),
            None => self.anchors.get(fragment).copied(),
        };
        let Some(referred) = referred else {
            self.found
                .push(Found::new(pointer, format!("{target} leads nowhere")));
            return 1;
        };
        self.known.insert(target, None);
        let weight = self.of(pointer, referred);
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
}
