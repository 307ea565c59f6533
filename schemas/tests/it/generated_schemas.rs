//! The JSON Schemas in `schemas/json` are those of the types.

use snooze_schemas::catalogue::schemas;
use std::{fs, path::Path};

#[test]
fn the_schemas_in_the_tree_are_those_of_the_types() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("json");
    let mut expected: Vec<String> = Vec::new();
    for (name, schema) in schemas() {
        let file = format!("{name}.schema.json");
        let written = fs::read_to_string(folder.join(&file)).unwrap_or_default();
        // Compared as values: the order of keys depends on which features serde_json is built with.
        let written: serde_json::Value = serde_json::from_str(&written).unwrap_or_default();
        assert_eq!(
            written, schema,
            "{file} is stale: run `cargo run -p snooze-schemas --features json-schema --example write-schemas`"
        );
        expected.push(file);
    }
    for entry in fs::read_dir(folder).expect("schemas/json") {
        let file = entry
            .expect("an entry")
            .file_name()
            .to_string_lossy()
            .into_owned();
        assert!(expected.contains(&file), "{file} belongs to no type");
    }
}
