//! Manifests as the original wrote them.

use super::*;
use snooze_schemas::plugin::manifest::PluginKind;

#[test]
fn a_manifest_in_the_originals_spelling_holds_in_full() {
    let folder = folder(
        &json!({
            "Name": "a", "Version": "1.2.3", "EntryPoint": "run", "DisplayName": "A", "ProcessModel": "json-rpc",
            "Dependencies": [{"Name": "b", "Version": ">=1"}],
            "ConfigSchema": {"Limit": {"Type": "int", "Constraints": "min=1", "Default": 3, "Required": true}},
        })
        .to_string(),
    );
    let manifest = PluginManifest::read(folder.path()).expect("it is right");
    assert!(manifest.warnings().is_empty(), "{:?}", manifest.warnings());
    assert_eq!(manifest.stated().display_name, "A");
    assert_eq!(manifest.candidate().needs.len(), 1);
    let schema = manifest.schema().expect("it has one");
    let settled = |config: Value| schema.settle(config.as_object().expect("a map"));
    assert_eq!(settled(json!({})).expect("the default is there")["Limit"], 3);
    for wrong in [json!({"Limit": 0}), json!({"Limit": "x"}), json!({"limit": 5})] {
        settled(wrong.clone()).expect_err(&wrong.to_string());
    }
}

/// What Go's `encoding/json` makes of the original's struct with its sixteen fields, and the entry point that it lacked:
/// of nothing but what is needed, and of all of them.
const OF_GO: [&str; 2] = [
    r#"{"Name":"a","DisplayName":"","Version":"1.2.3","Author":"","Description":"","Category":"","Tags":null,"Repository":"","Homepage":"","Official":false,"ConfigSchema":null,"Dependencies":null,"MinHostVersion":"","Type":"","Language":"","ProcessModel":"","EntryPoint":"run"}"#,
    r#"{"Name":"a","DisplayName":"A","Version":"1.2.3","Author":"CloudSnooze Team","Description":"Watches A","Category":"database","Tags":["a","b"],"Repository":"https://example.org/a?x=1\u0026y=2","Homepage":"https://example.org","Official":true,"ConfigSchema":{"Limit":{"Type":"int","Description":"Idle below","Default":3,"Required":true,"Constraints":"min=1"},"dsn":{"Type":"string","Description":"","Default":null,"Required":false,"Constraints":""}},"Dependencies":[{"Name":"b","Version":"\u003e=1.0, \u003c2"},{"Name":"c","Version":""}],"MinHostVersion":"0.1.0","Type":"External","Language":"go","ProcessModel":"Process","EntryPoint":"run"}"#,
];

#[test]
fn what_go_writes_of_the_originals_struct_holds_in_full() {
    let read = |text: &str| {
        let written: Map<String, Value> = serde_json::from_str(text).expect("a map");
        assert_eq!(
            written.len(),
            16 + 1,
            "all fields of the original, and the entry point"
        );
        let manifest = PluginManifest::read(folder(text).path()).expect("it is right");
        assert!(manifest.warnings().is_empty(), "{:?}", manifest.warnings());
        manifest
    };
    let least = json!({"name": "a", "version": "1.2.3", "entry_point": "run"});
    let unsaid = read(OF_GO[0]);
    assert_eq!(serde_json::to_value(unsaid.stated()).expect("a map"), least);
    assert!(unsaid.schema().is_none() && unsaid.candidate().needs.is_empty());

    let all = read(OF_GO[1]);
    let field = |kind: &str| json!({"type": kind, "description": "", "required": false, "constraints": ""});
    let mut limit = field("int");
    limit["description"] = "Idle below".into();
    limit["default"] = 3.into();
    limit["required"] = true.into();
    limit["constraints"] = "min=1".into();
    assert_eq!(
        serde_json::to_value(all.stated()).expect("a map"),
        json!({
            "name": "a", "display_name": "A", "version": "1.2.3", "author": "CloudSnooze Team",
            "description": "Watches A", "category": "database", "tags": ["a", "b"],
            "repository": "https://example.org/a?x=1&y=2", "homepage": "https://example.org", "official": true,
            "config_schema": {"Limit": limit, "dsn": field("string")},
            "dependencies": [{"name": "b", "version": ">=1.0, <2"}, {"name": "c", "version": "*"}],
            "min_host_version": "0.1.0", "language": "go", "entry_point": "run",
        }),
        "what is left out is as it is by itself: external, and a process"
    );
    let schema = all.schema().expect("it has one");
    schema
        .settle(&Map::new())
        .expect("the default is there, and dsn needs nothing");
    let native = OF_GO[1].replace("External", "Native");
    assert_eq!(read(&native).stated().kind, PluginKind::Native);
}
