//! From a document to a manifest, with every mistake in it rather than the first.
//!
//! What does not fit is told, taken out, and the rest is read again. What comes of it is looked at for
//! further mistakes; it is never used where there was one.

use super::{mistakes::Found, places::below};
use crate::fence::{PERMISSIONS, expected_at};
use serde_json::{Map, Value};
use serde_path_to_error::{Path, Segment};
use snooze_schemas::plugin::manifest::Manifest;
use std::collections::BTreeSet;

/// More are not looked for: whoever has so many begins anew.
const LIMIT: usize = 64;

/// What is needed, and what stands for it while the rest is looked at.
const NEEDED: [(&str, &str); 3] = [("name", "nameless"), ("version", "0.0.0"), ("entry_point", "-")];

/// What could be read of a document.
#[derive(Debug)]
pub(super) struct Typed {
    /// What is left without the mistakes.
    pub manifest: Option<Manifest>,
    /// The mistakes.
    pub found: Vec<Found>,
    /// The keys at the top whose values are not the author's, or not all of them.
    pub spoiled: BTreeSet<String>,
}

/// Reads it.
pub(super) fn read(document: &Map<String, Value>) -> Typed {
    let mut left = document.clone();
    let mut typed = Typed {
        manifest: None,
        found: Vec::new(),
        spoiled: BTreeSet::new(),
    };
    for (key, stand_in) in NEEDED {
        if !left.contains_key(key) {
            typed.found.push(Found::new("", format!("{key} is missing")));
            typed.spoil(&mut left, key, stand_in);
        }
    }
    let mut left = Value::Object(left);
    let mut cut = Cut::default();
    while typed.found.len() < LIMIT {
        match serde_path_to_error::deserialize::<_, Manifest>(&left) {
            Ok(manifest) => {
                typed.manifest = Some(manifest);
                break;
            }
            Err(error) => {
                let path = steps(error.path());
                let text = said(&left, &path).unwrap_or_else(|| error.inner().to_string());
                typed.found.push(Found::new(cut.original(&path), text));
                let Some(Step::Key(top)) = path.first() else {
                    break;
                };
                let stand_in = NEEDED.iter().find(|(key, _)| key == top);
                match (stand_in, &mut left) {
                    (Some((key, stand_in)), Value::Object(left)) => typed.spoil(left, key, stand_in),
                    (Some(_), _) => break,
                    (None, left) => {
                        typed.spoiled.insert(top.clone());
                        cut.out_of(left, &path);
                    }
                }
            }
        }
    }
    typed
}

impl Typed {
    fn spoil(&mut self, left: &mut Map<String, Value>, key: &str, stand_in: &str) {
        self.spoiled.insert(key.to_owned());
        left.insert(key.to_owned(), Value::from(stand_in));
    }
}

/// What was expected of a permission, in the words in which its host's file would be told.
fn said(document: &Value, path: &[Step]) -> Option<String> {
    let (first, within) = path.split_first()?;
    if *first != Step::Key(PERMISSIONS.to_owned()) {
        return None;
    }
    let pointer = within.iter().fold(String::new(), |pointer, step| match step {
        Step::Key(key) => below(&pointer, key),
        Step::Index(index) => below(&pointer, &index.to_string()),
    });
    Some(expected_at(document.get(PERMISSIONS)?, &pointer))
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

fn steps(path: &Path) -> Vec<Step> {
    path.iter()
        .map_while(|segment| match segment {
            Segment::Map { key } => Some(Step::Key(key.clone())),
            Segment::Seq { index } => Some(Step::Index(*index)),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}

/// The elements that were taken out of lists, by where they stood in the author's text.
#[derive(Debug, Default)]
struct Cut {
    elements: BTreeSet<(String, usize)>,
}

impl Cut {
    /// Where something stood before elements were taken out.
    fn original(&self, path: &[Step]) -> String {
        let mut pointer = String::new();
        for step in path {
            let name = match step {
                Step::Key(key) => key.clone(),
                Step::Index(index) => {
                    let is_left = |at: &usize| !self.elements.contains(&(pointer.clone(), *at));
                    let stood = (0..).filter(is_left).nth(*index);
                    stood.unwrap_or(*index).to_string()
                }
            };
            pointer = below(&pointer, &name);
        }
        pointer
    }

    /// Takes out what does not fit. An element of a list goes as a whole: without one of its fields it would
    /// be mistaken a second time.
    fn out_of(&mut self, document: &mut Value, path: &[Step]) {
        let first_element = path.iter().position(|step| matches!(step, Step::Index(_)));
        let path = first_element.map_or(path, |at| &path[..=at]);
        let Some((last, around)) = path.split_last() else {
            return;
        };
        let mut parent = document;
        for step in around {
            let child = match step {
                Step::Key(key) => parent.get_mut(key),
                Step::Index(index) => parent.get_mut(index),
            };
            let Some(child) = child else { return };
            parent = child;
        }
        match (last, parent) {
            (Step::Key(key), Value::Object(map)) => drop(map.remove(key)),
            (Step::Index(index), Value::Array(list)) if *index < list.len() => {
                let stood = self.original(path);
                let index_then = stood.rsplit('/').next().and_then(|text| text.parse().ok());
                self.elements
                    .insert((self.original(around), index_then.unwrap_or(*index)));
                list.remove(*index);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(document: &Value) -> Vec<String> {
        let typed = read(document.as_object().expect("a map"));
        typed.found.into_iter().map(|found| found.pointer).collect()
    }

    #[test]
    fn every_mistake_is_found_and_told_where_it_stood() {
        let document = json!({
            "name": "No Name", "version": "1.0.0",
            "type": "internal",
            "tags": ["a", 1, "b", 2],
            "dependencies": [{"name": "x"}, {"name": "y", "version": "*"}, {"name": "Z", "version": "*"}],
            "permissions": {"tcp": [{"port": 70000}, {"port": 1}, {"host": "h"}], "udp": "yes"},
            "events": {"custom": {"priority": "high", "enabled": 1}},
        });
        assert_eq!(
            found(&document),
            [
                "",
                "/dependencies/0",
                "/dependencies/2/name",
                "/events/custom/enabled",
                "/events/custom/priority",
                "/name",
                "/permissions/tcp/0/port",
                "/permissions/tcp/2",
                "/permissions/udp",
                "/tags/1",
                "/tags/3",
                "/type",
            ]
        );
    }

    #[test]
    fn what_is_right_is_read_as_it_is() {
        let document = json!({"name": "a", "version": "1.0.0", "entry_point": "run", "later": 1});
        let typed = read(document.as_object().expect("a map"));
        assert!(typed.found.is_empty() && typed.spoiled.is_empty());
        assert_eq!(typed.manifest.expect("it is read").entry_point, "run");
    }
}
