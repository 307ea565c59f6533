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

#[test]
fn events_that_cannot_be_are_refused_and_those_before_stay_with_and_without_a_manifest() {
    let (book, described, _folder) = described(&json!({"url": "a"}));
    let plain: PluginName = "plain".parse().expect("a name");
    let lay = |events: Value| {
        let config = map(json!({"events": events, "limit": 7}));
        let both = ["redis", "plain"].map(|name| (name.to_owned(), config.clone()));
        book.lay(both.into());
    };
    let custom = json!({"custom": {"priority": 7}});
    lay(custom.clone());
    let version = book.version();
    lay(json!(["custom.backup"]));
    assert_ne!(book.version(), version, "who shows what is refused hears of it");
    for name in [&described, &plain] {
        assert_eq!(book.of(name)["events"], custom, "{name}");
        let handed = book.handed(name);
        assert_eq!(handed.config.expect("it has one")["limit"], 7, "{name}");
        let why = handed.refused.expect("it is said");
        assert!(why.starts_with("events: expected a map"), "{name}: {why}");
    }
    lay(json!({}));
    for name in [&described, &plain] {
        assert_eq!(book.of(name)["events"], json!({}), "{name}");
        assert_eq!(book.handed(name).refused, None, "{name}");
    }
}

#[test]
fn t3_events_that_were_right_only_in_the_file_do_not_outlive_layers_in_which_they_are_not() {
    let (book, name, _folder) = described(&json!({"url": "a", "events": {"custom": {}}}));
    let plain: PluginName = "plain".parse().expect("a name");
    assert!(book.handed(&name).config.is_some());
    let wrong = map(json!({"events": {"custom": 1}}));
    book.lay(
        ["redis", "plain"]
            .map(|name| (name.to_owned(), wrong.clone()))
            .into(),
    );
    for name in [&name, &plain] {
        let handed = book.handed(name);
        assert_eq!(handed.config, None, "{name}");
        assert!(
            handed
                .refused
                .is_some_and(|why| why.starts_with("events.custom: ")),
            "{name}"
        );
    }
}

#[test]
fn what_the_file_says_of_events_is_judged_as_what_a_layer_says() {
    let file = |events: Value| {
        let own = map(json!({"events": events}));
        ConfigBook::new([("plain".to_owned(), own)].into())
    };
    let name: PluginName = "plain".parse().expect("a name");
    let handed = file(json!(["custom"])).handed(&name);
    assert_eq!(handed.config, None);
    assert!(
        handed
            .refused
            .is_some_and(|why| why.contains("events: expected a map"))
    );
    assert_eq!(file(json!({"custom": {}})).handed(&name).refused, None);
}

#[test]
fn what_is_the_runners_own_is_checked_where_no_manifest_says_anything() {
    let book = ConfigBook::default();
    let name: PluginName = "plain".parse().expect("a name");
    assert!(
        book.check(&name, &map(json!({"events": {"custom": {}}})))
            .is_none()
    );
    let wrong = map(json!({"events": {"custom": {"priority": "high"}}, "runtime": 1}));
    let mistakes = book
        .check(&name, &wrong)
        .expect("it is judged")
        .expect_err("it is wrong");
    assert_eq!(mistakes.len(), 2, "{mistakes:?}");
    let (book, name, _folder) = described(&json!({"url": "a"}));
    let both = map(json!({"events": [], "limit": 0}));
    let mistakes = book
        .check(&name, &both)
        .expect("it is judged")
        .expect_err("it is wrong");
    assert_eq!(mistakes.len(), 2, "both are told at once: {mistakes:?}");
}
