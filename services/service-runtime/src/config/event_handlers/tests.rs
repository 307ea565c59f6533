//! What a file may say by type of event, and what is told of the rest.

use super::*;
use crate::config::{DEFAULT_PATH, FixedSource, LoadedConfig, load};
use serde_json::json;

fn loaded(file: &Value) -> Result<LoadedConfig, Vec<String>> {
    let source = FixedSource::default().file(DEFAULT_PATH, file.to_string());
    let told = |errors: Vec<ConfigError>| errors.iter().map(ToString::to_string).collect();
    load(&source, None).map_err(told)
}

fn notices(file: &Value) -> Vec<String> {
    let loaded = loaded(file).expect("nothing is wrong with it");
    let told = loaded.notices.iter().map(ToString::to_string);
    told.filter(|told| told.contains("event_handlers")).collect()
}

/// As the original's documents write it.
fn original() -> Value {
    json!({"event_handlers": {
        "cloud.spot.interrupt": {
            "enabled": true,
            "polling_interval_seconds": 5,
            "dispatch": "First",
            "plugins": [
                {"name": "spot_interrupt_handler", "priority": 100, "timeout_seconds": 60,
                 "config": {"shutdown_script_path": "/usr/local/bin/save.sh"}},
                {"name": "notifier", "priority": 1},
            ],
        },
        "custom": {"enabled": false},
    }})
}

#[test]
fn what_the_original_documents_is_taken_whole() {
    let handlers = loaded(&original()).expect("it is right").local.event_handlers;
    let spot = handlers.of("cloud.spot.interrupt").expect("it is said");
    assert_eq!(
        (spot.enabled, spot.polling_interval, spot.dispatch),
        (true, Some(Duration::from_secs(5)), Dispatch::First)
    );
    let plugins = spot.plugins.as_ref().expect("they are named");
    assert_eq!(plugins[0].name, "spot_interrupt_handler");
    assert_eq!(
        Value::from(plugins[0].terms.clone()),
        json!({"priority": 100, "timeout_seconds": 60})
    );
    assert_eq!(
        plugins[0].config["shutdown_script_path"],
        "/usr/local/bin/save.sh"
    );
    assert!(plugins[1].config.is_empty());
    assert_eq!(
        handlers.of("custom.backup").map(|handling| handling.enabled),
        Some(false),
        "custom stands for every custom.*"
    );
    assert_eq!(handlers.of("customs"), None);
    assert_eq!(handlers.of("cloud.spot.rebalance"), None);
    let polled: Vec<(&str, Duration)> = handlers.polling_intervals().collect();
    assert_eq!(polled, [("cloud.spot.interrupt", Duration::from_secs(5))]);
    assert_eq!(notices(&original()), [""; 0], "all of it has an effect");
}

#[test]
fn a_shape_that_cannot_be_is_told_with_its_path_and_what_was_expected() {
    for (handlers, expected) in [
        (
            json!([]),
            "event_handlers: expected an object with an object for each type of event, found a list",
        ),
        (
            json!({"Spot": {}}),
            "event_handlers.Spot: expected a type of event, as cloud.spot.interrupt or custom.backup",
        ),
        (
            json!({"custom": true}),
            "event_handlers.custom: expected an object of enabled, polling_interval_seconds, dispatch, plugins",
        ),
        (
            json!({"custom": {"enabled": "no"}}),
            r#"event_handlers.custom.enabled: expected true or false, found the text "no""#,
        ),
        (
            json!({"custom": {"dispatch": "some"}}),
            r#"event_handlers.custom.dispatch: expected one of all, first, found the text "some""#,
        ),
        (
            json!({"custom": {"polling_interval_seconds": 0}}),
            "event_handlers.custom.polling_interval_seconds: expected a number from 0.1 to 60, found 0",
        ),
        (
            json!({"custom": {"plugin": []}}),
            "event_handlers.custom.plugin: unknown key; did you mean plugins?",
        ),
        (
            json!({"custom": {"plugins": {"a": {}}}}),
            r#"event_handlers.custom.plugins: expected a list, as [{"name": "database-flusher"}]"#,
        ),
        (
            json!({"custom": {"plugins": [{"priority": 1}]}}),
            "event_handlers.custom.plugins[0]: expected an object with the name of a plugin as `name`",
        ),
        (
            json!({"custom": {"plugins": [{"name": "a-b"}, {"name": "A_b"}]}}),
            "event_handlers.custom.plugins[1]: this plugin stands in the list twice",
        ),
        (
            json!({"custom": {"plugins": [{"name": "a", "config": {"permissions": {"run": ["/bin/sh"]}}}]}}),
            "event_handlers.custom.plugins[0].config.permissions: it has no effect here; it stands in \
             plugins.plugin_configs.<plugin>.permissions",
        ),
    ] {
        let told = loaded(&json!({"event_handlers": handlers})).expect_err("it cannot be");
        let expected = format!("{DEFAULT_PATH}: {expected}");
        assert_eq!(told, [expected], "{handlers}");
    }
}

#[test]
fn where_both_forms_say_something_else_a_notice_says_which_wins() {
    let mut file = original();
    file["plugins"] = json!({"plugin_configs": {
        "spot-interrupt-handler": {
            "shutdown_script_path": "/etc/other.sh",
            "events": {"cloud.spot.interrupt": {"priority": 7, "timeout_seconds": 60}},
        },
    }});
    let told = notices(&file);
    assert_eq!(
        told,
        [
            format!(
                "{DEFAULT_PATH}: event_handlers.cloud.spot.interrupt.plugins.spot_interrupt_handler.priority has no \
                 effect, plugins.plugin_configs.spot-interrupt-handler.events.cloud.spot.interrupt.priority beats it"
            ),
            format!(
                "{DEFAULT_PATH}: event_handlers.cloud.spot.interrupt.plugins.spot_interrupt_handler.config.\
                 shutdown_script_path has no effect, \
                 plugins.plugin_configs.spot-interrupt-handler.shutdown_script_path beats it"
            ),
        ]
    );
}

#[test]
fn a_plugin_that_is_configured_in_two_ways_is_a_mistake() {
    let with = |url: &str| json!({"plugins": [{"name": "notifier", "config": {"url": url}}]});
    let two = |one: &str, other: &str| json!({"event_handlers": {"custom": with(one), "system.disk.low": with(other)}});
    loaded(&two("http://a", "http://a")).expect("they agree");
    let told = loaded(&two("http://secret", "http://b")).expect_err("which one?");
    assert_eq!(
        told,
        [format!(
            "{DEFAULT_PATH}: event_handlers.system.disk.low.plugins.notifier.config.url: a plugin has one configuration \
             for all its events, and event_handlers.custom.plugins.notifier.config.url says something else"
        )]
    );
    assert!(!told[0].contains("secret"), "what it is stays unsaid");
}

#[test]
fn an_interval_of_what_nobody_asks_for_is_said_to_have_no_effect() {
    let told = notices(&json!({"event_handlers": {"system.disk.low": {"polling_interval_seconds": 5}}}));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("event_handlers.system.disk.low.polling_interval_seconds has no effect"),
        "{told:?}"
    );
}

#[test]
fn secrets_are_not_shown() {
    let file = json!({"event_handlers": {"custom": {"plugins": [{"name": "db", "config": {"password": "hunter2"}}]}}});
    let shown = format!("{:?}", loaded(&file).expect("it is right").local);
    assert!(shown.contains("db") && !shown.contains("hunter2"), "{shown}");
}
