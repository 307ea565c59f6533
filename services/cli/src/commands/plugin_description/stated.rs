//! What an author states of a plugin for people, and what it needs beside itself. Pure.
//!
//! One on the bus without a manifest says of itself what it likes: what is of another shape than a manifest's is left
//! out.

use serde_json::{Map, Value};

/// A name and what it holds, in the order in which they are told.
pub(super) fn lines(more: &Map<String, Value>) -> Vec<(&'static str, String)> {
    let text = |key: &str| more.get(key).and_then(Value::as_str).unwrap_or_default();
    let mut lines: Vec<(&'static str, String)> = ["category", "language", "repository", "homepage"]
        .map(|key| (key, text(key).to_owned()))
        .into();
    lines.insert(1, ("tags", tags(more)));
    let oldest = text("min_host_version");
    if !oldest.is_empty() {
        lines.push(("needs", format!("CloudSnooze {oldest} or newer")));
    }
    lines.extend(needed(more).map(|plugin| ("needs", plugin)));
    lines.retain(|(_, value)| !value.is_empty());
    lines
}

fn list<'a>(more: &'a Map<String, Value>, key: &str) -> impl Iterator<Item = &'a Value> {
    more.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn tags(more: &Map<String, Value>) -> String {
    let tags: Vec<&str> = list(more, "tags").filter_map(Value::as_str).collect();
    tags.join(", ")
}

/// The plugins that it depends on.
fn needed(more: &Map<String, Value>) -> impl Iterator<Item = String> {
    list(more, "dependencies").filter_map(|needed| {
        let name = needed.get("name")?.as_str()?;
        let version = needed.get("version").and_then(Value::as_str).unwrap_or("*");
        Some(format!("the plugin {name}, version {version}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(more: Value) -> Vec<(&'static str, String)> {
        let Value::Object(more) = more else {
            panic!("what is said is a map");
        };
        lines(&more)
    }

    #[test]
    fn all_that_an_author_states_is_told_and_what_it_needs() {
        let stated = json!({
            "category": "database", "language": "go", "repository": "https://example.org/git",
            "homepage": "https://example.org", "tags": ["redis", "cache"], "min_host_version": "0.2.0",
            "dependencies": [{"name": "net", "version": ">=1.0, <2"}, {"name": "disk", "version": "*"}],
        });
        let expected = [
            ("category", "database"),
            ("tags", "redis, cache"),
            ("language", "go"),
            ("repository", "https://example.org/git"),
            ("homepage", "https://example.org"),
            ("needs", "CloudSnooze 0.2.0 or newer"),
            ("needs", "the plugin net, version >=1.0, <2"),
            ("needs", "the plugin disk, version *"),
        ];
        assert_eq!(
            told(stated),
            expected.map(|(name, value)| (name, value.to_owned()))
        );
    }

    #[test]
    fn what_is_of_another_shape_is_left_out() {
        assert_eq!(told(json!({})), []);
        let odd =
            json!({"tags": "redis", "language": 7, "dependencies": [1, {"version": "*"}, {"name": "net"}]});
        assert_eq!(told(odd), [("needs", "the plugin net, version *".to_owned())]);
    }
}
