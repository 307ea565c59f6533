//! A plugin's manifest as a page that people read: what it is, what it can be configured with, what it may do.
//!
//! Pure: the same manifest gives the same text.

mod markdown;

use markdown::{block, code, line, paragraph, table};
use serde_json::{Map, Value, json};
use snooze_plugin_runner::PluginManifest;
use snooze_schemas::plugin::{
    manifest::{EventTerms, Manifest},
    permissions::Permissions,
};

/// What JSON Schema asks of a value, and how that is said.
const ALLOWED: [(&str, &str); 12] = [
    ("minimum", "at least"),
    ("exclusiveMinimum", "more than"),
    ("maximum", "at most"),
    ("exclusiveMaximum", "less than"),
    ("multipleOf", "a multiple of"),
    ("minLength", "characters, at least"),
    ("maxLength", "characters, at most"),
    ("minItems", "elements, at least"),
    ("maxItems", "elements, at most"),
    ("enum", "one of"),
    ("format", "format"),
    ("pattern", "matches"),
];

/// The page, in Markdown.
pub(super) fn documentation(manifest: &PluginManifest) -> String {
    let stated = manifest.stated();
    let title = match stated.display_name.as_str() {
        "" => stated.name.as_str(),
        title => title,
    };
    let mut page = format!("# {}\n\n", line(title));
    if !stated.description.is_empty() {
        paragraph(&mut page, &line(&stated.description));
    }
    paragraph(&mut page, &facts(stated));
    page.push_str("## Configuration\n\n");
    match manifest.schema() {
        None => paragraph(
            &mut page,
            "Its manifest says nothing of one: it is handed what is configured.",
        ),
        Some(schema) => configuration(&mut page, schema.as_value(), stated.name.as_str()),
    }
    page.push_str("## Permissions\n\n");
    permissions(&mut page, &stated.permissions, stated.name.as_str());
    page.push_str("## Events\n\n");
    events(&mut page, stated);
    if !stated.dependencies.is_empty() {
        page.push_str("## Other plugins that have to be there\n\n");
        let rows = stated.dependencies.iter();
        let rows = rows.map(|needed| [code(needed.name.as_str()), code(&needed.version)]);
        table(&mut page, ["plugin", "version"], rows);
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

fn facts(stated: &Manifest) -> String {
    let mut facts = vec![format!(
        "Plugin {}, version {}",
        code(stated.name.as_str()),
        line(&stated.version)
    )];
    for (said, value) in [
        ("by", &stated.author),
        ("written in", &stated.language),
        ("category", &stated.category),
        ("more at", &stated.homepage),
        ("source at", &stated.repository),
    ] {
        if !value.is_empty() {
            facts.push(format!("{said} {}", line(value)));
        }
    }
    if let Some(oldest) = &stated.min_host_version {
        facts.push(format!("for CloudSnooze {} or newer", line(oldest)));
    }
    format!("{}.", facts.join("; "))
}

fn configuration(page: &mut String, schema: &Value, name: &str) {
    let none = Map::new();
    let properties = schema
        .get("properties")
        .and_then(Value::as_object)
        .unwrap_or(&none);
    if properties.is_empty() {
        paragraph(
            page,
            "Nothing of it is listed one by one; its JSON Schema is in `plugin.json`.",
        );
        return;
    }
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let rows = properties.iter().map(|(key, field)| {
        let default = match field.get("default") {
            Some(default) => code(&default.to_string()),
            None if required.contains(&key.as_str()) => "none; it has to be set".to_owned(),
            None => "none".to_owned(),
        };
        let text = |key: &str| field.get(key).and_then(Value::as_str).unwrap_or_default();
        [
            code(key),
            kind(field),
            default,
            allowed(field),
            line(text("description")),
        ]
    });
    table(page, ["key", "type", "default", "allowed", "is"], rows);
    let example: Map<String, Value> = properties
        .iter()
        .map(|(key, field)| (key.clone(), field.get("default").cloned().unwrap_or(Value::Null)))
        .filter(|(key, value)| !value.is_null() || required.contains(&key.as_str()))
        .collect();
    if !example.is_empty() {
        paragraph(
            page,
            "In the host's own file, with its defaults (`null` is to be replaced):",
        );
        block(page, &json!({"plugins": {"plugin_configs": {name: example}}}));
    }
}

fn kind(field: &Value) -> String {
    match field.get("type") {
        Some(Value::String(one)) => line(one),
        Some(Value::Array(several)) => {
            let several: Vec<&str> = several.iter().filter_map(Value::as_str).collect();
            line(&several.join(" or "))
        }
        _ => "any".to_owned(),
    }
}

fn allowed(field: &Value) -> String {
    let said = ALLOWED.iter().filter_map(|(key, said)| {
        let value = match field.get(*key)? {
            Value::Array(options) => {
                let options: Vec<String> = options.iter().map(|option| code(&option.to_string())).collect();
                options.join(", ")
            }
            other => code(&other.to_string()),
        };
        Some(format!("{said} {value}"))
    });
    said.collect::<Vec<_>>().join("; ")
}

fn permissions(page: &mut String, asked: &Permissions, name: &str) {
    if asked.is_empty() {
        let text = "It asks for none: it may compute, read its own folder and the system's libraries, write into its \
                    own working folder, and answer.";
        return paragraph(page, text);
    }
    let asked = json!(asked);
    let rows = asked.as_object().into_iter().flatten();
    let rows = rows.map(|(key, value)| [code(key), code(&value.to_string())]);
    table(page, ["permission", "asked for"], rows);
    paragraph(
        page,
        "Asking grants nothing. An operator grants them for these very files, or the host's own file does:",
    );
    block(
        page,
        &json!({"plugins": {"plugin_configs": {name: {"permissions": asked}}}}),
    );
}

fn events(page: &mut String, stated: &Manifest) {
    if stated.events.is_empty() {
        return paragraph(
            page,
            "Its manifest names none; it says when it is started which it handles.",
        );
    }
    let rows = stated.events.iter().map(|(event, terms)| {
        let enabled = if terms.enabled {
            "yes"
        } else {
            "no, unless it is enabled"
        };
        [
            code(event.as_str()),
            terms.priority.unwrap_or(EventTerms::DEFAULT_PRIORITY).to_string(),
            enabled.to_owned(),
        ]
    });
    table(page, ["event", "priority, larger first", "gets it"], rows);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt};

    fn page(manifest: &Value) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let run = folder.path().join("run");
        fs::write(&run, "").expect("writes");
        fs::set_permissions(&run, fs::Permissions::from_mode(0o755)).expect("it is ours");
        fs::write(folder.path().join("plugin.json"), manifest.to_string()).expect("writes");
        documentation(&PluginManifest::read(folder.path()).expect("it is right"))
    }

    #[test]
    fn everything_that_a_manifest_states_stands_on_its_page() {
        let page = page(&json!({
            "name": "redis", "display_name": "Redis | watched", "version": "1.2.0", "entry_point": "run",
            "author": "A. N. Author", "description": "Counts\nconnections", "min_host_version": "0.2.0",
            "config_schema": {
                "limit": {"type": "int", "description": "Idle below this", "default": 5, "constraints": "min=1, max=9"},
                "url": {"type": "string", "required": true, "constraints": "enum=a|b"},
            },
            "permissions": {"tcp": [{"port": 6379}], "events": ["custom"]},
            "events": {"custom": {"priority": 10}, "cloud.spot.interrupt": {"enabled": false}},
            "dependencies": [{"name": "other", "version": ">=1"}],
        }));
        for said in [
            "# Redis \\| watched\n\nCounts connections\n\nPlugin `redis`, version 1.2.0; by A. N. Author; for CloudSnooze 0.2.0 or newer.",
            "| `limit` | integer | `5` | at least `1`; at most `9` | Idle below this |",
            "| `url` | string | none; it has to be set | one of `\"a\"`, `\"b\"` |  |",
            "\"limit\": 5",
            "\"url\": null",
            "| `tcp` | `[{\"port\":6379}]` |",
            "Asking grants nothing.",
            "| `custom` | 10 | yes |",
            "| `cloud.spot.interrupt` | 50 | no, unless it is enabled |",
            "| `other` | `>=1` |",
        ] {
            assert!(page.contains(said), "{said}\n\n{page}");
        }
    }

    #[test]
    fn a_manifest_that_asks_for_nothing_says_so() {
        let page = page(&json!({"name": "plain", "version": "1.0.0", "entry_point": "run"}));
        for said in [
            "# plain\n",
            "says nothing of one",
            "It asks for none",
            "names none",
        ] {
            assert!(page.contains(said), "{said}\n\n{page}");
        }
    }
}
