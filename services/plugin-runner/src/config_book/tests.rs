//! What is handed to plugins, and what is not.

use super::*;
use serde_json::json;

fn map(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).expect("an object")
}

#[test]
fn a_layer_replaces_single_keys_of_the_file() {
    let file = [("redis_monitor".to_owned(), map(json!({"a": 1, "b": 2})))].into();
    let book = ConfigBook::new(file);
    let name: PluginName = "redis-monitor".parse().expect("a name");
    assert_eq!(book.of(&name), map(json!({"a": 1, "b": 2})));
    let layers: BTreeMap<_, _> = [("redis-monitor".to_owned(), map(json!({"b": 3})))].into();
    assert!(book.lay(layers.clone()));
    assert!(!book.lay(layers));
    assert_eq!(book.of(&name), map(json!({"a": 1, "b": 3})));
}

fn described(file: &Value) -> (ConfigBook, PluginName, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let manifest = json!({
        "name": "redis", "version": "1.0.0", "entry_point": "run", "process_model": "nats",
        "config_schema": {
            "limit": {"type": "int", "default": 5, "constraints": "min=1"},
            "url": {"type": "string", "required": true},
        },
    });
    std::fs::write(folder.path().join("plugin.json"), manifest.to_string()).expect("writes");
    let manifest = PluginManifest::read(folder.path()).expect("it is right");
    let name = manifest.name().clone();
    let file = [("redis".to_owned(), map(file.clone()))].into();
    let book = ConfigBook::new(file).with_manifests([Arc::new(manifest)]);
    (book, name, folder)
}

fn layer(config: Value) -> BTreeMap<String, Map<String, Value>> {
    [("redis".to_owned(), map(config))].into()
}

#[test]
fn a_plugin_is_handed_the_defaults_and_none_of_the_runners_keys() {
    let file = json!({"url": "a", "enabled": true, "runtime": "process", "events": {}, "permissions": {}});
    let (book, name, _folder) = described(&file);
    let handed = book.handed(&name);
    assert_eq!(handed.config, Some(map(json!({"url": "a", "limit": 5}))));
    assert_eq!(handed.refused, None);
}

#[test]
fn a_configuration_that_cannot_be_is_refused_and_the_one_before_stays() {
    let (book, name, _folder) = described(&json!({"url": "a"}));
    assert!(book.lay(BTreeMap::new()));
    assert!(book.lay(layer(json!({"limit": 0}))));
    let handed = book.handed(&name);
    assert_eq!(handed.config, Some(map(json!({"url": "a", "limit": 5}))));
    assert_eq!(
        handed.refused.as_deref(),
        Some("limit: expected at least 1, found 0")
    );
    assert!(book.lay(layer(json!({"limit": 2}))));
    let handed = book.handed(&name);
    assert_eq!(handed.config, Some(map(json!({"url": "a", "limit": 2}))));
    assert_eq!(handed.refused, None);
}

#[test]
fn t3_what_was_handed_before_the_layers_were_known_does_not_outlive_them() {
    let (book, name, _folder) = described(&json!({"url": "a"}));
    assert!(
        book.handed(&name).config.is_some(),
        "the file's, while the bus was never heard"
    );
    assert!(book.lay(layer(json!({"limit": 0}))));
    let handed = book.handed(&name);
    assert_eq!(handed.config, None);
    assert!(handed.refused.is_some());
    assert!(book.lay(layer(json!({"limit": 2}))));
    assert_eq!(
        book.handed(&name).config,
        Some(map(json!({"url": "a", "limit": 2})))
    );
}

#[test]
fn without_an_earlier_one_nothing_is_handed() {
    let (book, name, _folder) = described(&json!({}));
    assert!(book.handed(&name).config.is_none());
    assert!(book.lay(layer(json!({"url": "b"}))));
    assert_eq!(
        book.handed(&name).config,
        Some(map(json!({"url": "b", "limit": 5})))
    );
}

#[test]
fn a_configuration_is_checked_over_the_file_and_instead_of_the_layers_that_hold() {
    let (book, name, _folder) = described(&json!({"url": "a"}));
    book.lay(layer(json!({"limit": 0})));
    let check = |layers| book.check(&name, &map(layers)).expect("there is a schema");
    assert!(check(json!({"limit": 7})).is_ok());
    assert!(check(json!({})).is_ok(), "the file's own holds without any layer");
    let mistakes = check(json!({"limit": "x", "lmit": 1, "url": 3})).expect_err("it is wrong");
    assert_eq!(mistakes.len(), 3, "{mistakes:?}");
    let refused = book.handed(&name).refused;
    assert!(refused.is_some(), "nothing has changed: {refused:?}");
    assert!(
        book.check(&"other".parse().expect("a name"), &Map::new())
            .is_none()
    );
}

#[test]
fn secrets_are_not_shown() {
    let book = ConfigBook::new([("db".to_owned(), map(json!({"password": "hunter2"})))].into());
    assert!(!format!("{book:?}").contains("hunter2"));
}
