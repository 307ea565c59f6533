//! What is told about a configuration that is not quite as it should be: what stops the start, what does
//! not, and what is never shown.

use crate::config_file::{file, loaded, mistakes};
use std::path::Path;

#[test]
fn secrets_never_show_in_what_is_told_of_a_spelling() {
    let config = loaded(&file(
        r#"{"mode": "act", "Web-Hooks": ["https://x/hunter2"], "Provider-Configs": {"key": "hunter2"},
            "Telemetry": {"OtlpEndpoint": "http://me:hunter2@x"},
            "Plugins": {"PluginConfigs": {"db": {"Password": "hunter2"}}}}"#,
    ));
    let told: Vec<_> = config.notices.iter().map(ToString::to_string).collect();
    for expected in [
        "/etc/snooze/snooze.json: Plugins.PluginConfigs is read as plugins.plugin_configs, ***",
        "/etc/snooze/snooze.json: Telemetry.OtlpEndpoint is read as telemetry.otlp_endpoint, ***",
    ] {
        assert!(told.iter().any(|text| text == expected), "{expected}\n{told:#?}");
    }
    assert!(!told.concat().contains("hunter2"), "{told:#?}");
    assert_eq!(config.local.plugins.configs["db"]["Password"], "hunter2");
    let wrong = mistakes(r#"{"telemetry": {"otlp_endpoint": ["http://me:hunter2@x"]}}"#);
    assert!(!wrong.concat().contains("hunter2"), "{wrong:#?}");
}

#[test]
fn a_key_without_effect_never_stops_the_start() {
    let config = loaded(&file(
        r#"{"mode": "act", "tag_polling_interval_secs": 100000, "monitoring_mode": 7,
            "logging": {"cloudwatch_log_group": "", "log_file_path": ""}}"#,
    ));
    let mut told: Vec<_> = config.notices.iter().map(ToString::to_string).collect();
    told.sort();
    assert_eq!(told.len(), 4, "{told:#?}");
    assert!(
        told.iter().all(|text| text.contains("has no effect")),
        "{told:#?}"
    );
}

#[test]
fn an_empty_text_of_the_originals_file_is_one_that_is_not_set() {
    let config = loaded(&file(
        r#"{"mode": "act", "plugins_dir": "", "tagging_prefix": " "}"#,
    ));
    assert!(!config.policy.contains_key("tagging_prefix"));
    assert_eq!(
        config.local.plugins.directories,
        [Path::new("/etc/cloudsnooze/plugins")]
    );
    let told: Vec<_> = config.notices.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "/etc/snooze/snooze.json: plugins_dir is empty and counts as not set: \"/etc/cloudsnooze/plugins\" holds",
            "/etc/snooze/snooze.json: tagging_prefix is empty and counts as not set: \"CloudSnooze\" holds",
        ]
    );
    assert!(
        mistakes(r#"{"opt_in_tag": ""}"#)[0].contains("not empty"),
        "no limit is lifted by a slip"
    );
}

#[test]
fn what_the_collector_would_not_do_is_a_mistake() {
    for (text, range) in [
        (
            r#"{"check_interval_seconds": 86401}"#,
            "a number from 0.1 to 86400",
        ),
        (r#"{"verify_window_seconds": 11}"#, "a number from 0.1 to 10"),
    ] {
        assert!(mistakes(text)[0].contains(range), "{text}");
    }
}

#[test]
fn s1_a_service_of_its_own_says_that_its_policy_is_on_the_bus() {
    let source = file(r#"{"NaptimeMinutes": 60, "combine": "any", "logging": {"log_level": "info"}}"#)
        .variable("SNOOZE_CPU_THRESHOLD_PERCENT", "5");
    let notices = loaded(&source).service_notices();
    let told: Vec<_> = notices.iter().map(ToString::to_string).collect();
    for expected in [
        "environment variable SNOOZE_CPU_THRESHOLD_PERCENT: without effect on a service of its own, whose policy is what stands below \"policy\" in the keys fleet, group.<group> and host.<host> of the bucket snooze_config: cpu_threshold_percent",
        "of the bucket snooze_config: combine, NaptimeMinutes",
        "{\"policy\": {\"mode\": \"act\"}} stands in the key fleet, group.<group> or host.<host> of the bucket snooze_config",
    ] {
        assert!(
            told.iter().any(|text| text.contains(expected)),
            "{expected}\n{told:#?}"
        );
    }
    assert!(
        !told.iter().any(|text| text.contains("add \"mode\"")),
        "advice that would change nothing: {told:#?}"
    );
    let acting = loaded(&file(r#"{"mode": "act"}"#)).service_notices();
    assert!(
        acting[0].to_string().ends_with("snooze_config: mode"),
        "{acting:?}"
    );
}
