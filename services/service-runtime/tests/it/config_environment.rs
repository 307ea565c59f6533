//! `SNOOZE_<KEY>`, with `__` between levels: it beats the file.

use crate::config_file::{file, loaded};
use serde_json::{Value, json};
use snooze_service_runtime::config::{FixedSource, load};
use std::path::Path;

#[test]
fn the_environment_beats_the_file() {
    let source = file(r#"{"mode": "act", "naptime_minutes": 30, "cpu_threshold_percent": 10, "logging": {"log_level": "info"}}"#)
        .variable("SNOOZE_NAPTIME_MINUTES", "0.25")
        .variable("SNOOZE_LOGGING__LOG_LEVEL", "DEBUG")
        .variable("SNOOZE_SELF_STOP", "yes")
        .variable("PATH", "/bin");
    let config = loaded(&source);
    assert_eq!(
        Value::Object(config.policy),
        json!({"mode": "act", "naptime_minutes": 0.25, "cpu_threshold_percent": 10, "self_stop": true})
    );
    assert_eq!(config.local.logging.log_level, "debug");
    assert_eq!(config.notices, []);
}

#[test]
fn lists_maps_and_levels_can_be_set_by_variables() {
    let source = FixedSource::default()
        .variable("SNOOZE_ALLOWED_RESTARTER_IDS", "UserPortal,JobScheduler")
        .variable("SNOOZE_PLUGINS__DIRECTORIES", "/a, /b")
        .variable("SNOOZE_VOTERS__MEMORY__ROLE", "advisory")
        .variable("SNOOZE_VOTERS__CPU__WEIGHT", "2")
        .variable("SNOOZE_COMBINE__QUORUM", "2");
    let config = loaded(&source);
    assert_eq!(
        Value::Object(config.policy),
        json!({
            "allowed_restarter_ids": ["UserPortal", "JobScheduler"],
            "voters": {"memory": {"role": "advisory"}, "cpu": {"weight": 2}},
            "combine": {"quorum": 2},
        })
    );
    assert_eq!(
        config.local.plugins.directories,
        [Path::new("/a"), Path::new("/b")]
    );
}

#[test]
fn voters_merge_and_combine_is_replaced_whole() {
    let source = file(r#"{"mode": "act", "combine": {"weighted": 3}, "voters": {"memory": {"weight": 2}}}"#)
        .variable("SNOOZE_COMBINE__QUORUM", "2")
        .variable("SNOOZE_VOTERS__MEMORY__ROLE", "advisory");
    let config = loaded(&source);
    assert_eq!(config.policy["combine"], json!({"quorum": 2}));
    assert_eq!(
        config.policy["voters"],
        json!({"memory": {"weight": 2, "role": "advisory"}})
    );
}

#[test]
fn a_variable_finds_the_files_own_spelling_below_a_plugins_configuration() {
    let source = file(r#"{"mode": "act", "plugins": {"plugin_configs": {"redis-monitor": {"ConnectionThreshold": 3, "host": "a"}}}}"#)
        .variable("SNOOZE_PLUGINS__PLUGIN_CONFIGS__REDIS_MONITOR__CONNECTIONTHRESHOLD", "5")
        .variable("SNOOZE_PLUGINS__PLUGIN_CONFIGS__REDIS_MONITOR__PORT", "6379");
    let config = loaded(&source);
    assert_eq!(
        Value::Object(config.local.plugins.configs["redis-monitor"].clone()),
        json!({"ConnectionThreshold": 5, "host": "a", "port": 6379})
    );
}

#[test]
fn an_older_name_in_the_environment_beats_the_plugins_block_of_the_file() {
    let source =
        file(r#"{"mode": "act", "plugins": {"enabled": true}}"#).variable("SNOOZE_PLUGINS_ENABLED", "false");
    assert!(!loaded(&source).local.plugins.enabled);
}

#[test]
fn mistakes_of_the_file_and_of_the_environment_come_together() {
    let source = file(r#"{"mode": 3}"#)
        .variable("SNOOZE_NAPTIME_MINUTES", "long")
        .variable("SNOOZE_HOST_ID", "fleet")
        .variable("SNOOZE_LOGGING", "{}");
    let told: Vec<_> = load(&source, None)
        .expect_err("wrong")
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        told,
        [
            "/etc/snooze/snooze.json: mode: expected one of observe, act, found 3",
            "environment variable SNOOZE_HOST_ID: host_id: expected 1 to 64 of A-Z a-z 0-9 _ -, and not the word fleet, found the text \"fleet\"",
            "environment variable SNOOZE_LOGGING: logging: it is a group of keys: set one of them, as SNOOZE_LOGGING__<KEY>",
            "environment variable SNOOZE_NAPTIME_MINUTES: naptime_minutes: expected a number from 0.01 to 43200, found the text \"long\"",
        ]
    );
}

#[test]
fn an_unknown_variable_is_named_and_arguments_are_not() {
    let source = FixedSource::default()
        .variable("SNOOZE_NAPTIME_MINUTE", "5")
        .variable("SNOOZE_LOGGING__COLOUR", "blue")
        .variable("SNOOZE_NATS_URL", "nats://127.0.0.1")
        .variable("SNOOZE_HOST", "i-0");
    let told: Vec<_> = loaded(&source).notices.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "environment variable SNOOZE_LOGGING__COLOUR: unknown key logging.colour, has no effect",
            "environment variable SNOOZE_NAPTIME_MINUTE: unknown key naptime_minute, has no effect; did you mean naptime_minutes?",
        ]
    );
}
