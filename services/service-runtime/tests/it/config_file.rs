//! The original's file: its true defaults, the templates' spellings, and everything that is wrong, at once.

use serde_json::{Value, json};
use snooze_service_runtime::{
    Exit, Failure,
    config::{FixedSource, LoadedConfig, Notice, load},
};
use std::path::Path;

const PATH: &str = "/etc/snooze/snooze.json";

pub(crate) fn file(text: impl Into<String>) -> FixedSource {
    FixedSource::default().file(PATH, text)
}

pub(crate) fn loaded(source: &FixedSource) -> LoadedConfig {
    load(source, None).unwrap_or_else(|errors| panic!("{}", Failure::from(errors)))
}

pub(crate) fn mistakes(text: &str) -> Vec<String> {
    let errors = load(&file(text), None).expect_err("it is wrong");
    errors.iter().map(ToString::to_string).collect()
}

/// The original's file with its true defaults, as it lies on users' machines.
const ORIGINAL: &str = r#"{
  "check_interval_seconds": 60,   "naptime_minutes": 30,
  "cpu_threshold_percent": 10.0,  "memory_threshold_percent": 30.0,
  "network_threshold_kbps": 50.0, "disk_io_threshold_kbps": 100.0,
  "input_idle_threshold_secs": 900,
  "gpu_monitoring_enabled": true, "gpu_threshold_percent": 5.0,
  "provider_type": "",            "aws_region": "us-east-1",
  "enable_instance_tags": true,   "tagging_prefix": "CloudSnooze",
  "detailed_instance_tags": true,
  "tag_polling_enabled": true,    "tag_polling_interval_secs": 60,
  "logging": { "log_level": "info", "enable_file_logging": true,
    "log_file_path": "/var/log/cloudsnooze.log", "enable_syslog": false,
    "enable_cloudwatch": false, "cloudwatch_log_group": "CloudSnooze" },
  "monitoring_mode": "basic",
  "plugins_enabled": true,        "plugins_dir": "/etc/cloudsnooze/plugins"
}"#;

#[test]
fn the_originals_file_is_read_as_it_is() {
    let config = loaded(&file(ORIGINAL));
    assert_eq!(config.file.as_deref(), Some(Path::new(PATH)));
    assert_eq!(
        Value::Object(config.policy),
        json!({
            "check_interval_seconds": 60, "naptime_minutes": 30,
            "cpu_threshold_percent": 10.0, "memory_threshold_percent": 30.0,
            "network_threshold_kbps": 50.0, "disk_io_threshold_kbps": 100.0,
            "input_idle_threshold_secs": 900,
            "gpu_monitoring_enabled": true, "gpu_threshold_percent": 5.0,
            "enable_instance_tags": true, "tagging_prefix": "CloudSnooze", "detailed_instance_tags": true,
        })
    );
    assert!(config.local.plugins.enabled);
    assert_eq!(
        config.local.plugins.directories,
        [Path::new("/etc/cloudsnooze/plugins")]
    );
    assert_eq!(config.local.logging.log_level, "info");
}

#[test]
fn a_check_interval_of_hours_is_no_mistake() {
    for seconds in [7_200, 86_400] {
        let config = loaded(&file(json!({"check_interval_seconds": seconds}).to_string()));
        assert_eq!(config.policy["check_interval_seconds"], seconds);
    }
}

#[test]
fn every_known_key_without_effect_is_named() {
    let config = loaded(&file(ORIGINAL));
    let mut named: Vec<_> = config
        .notices
        .iter()
        .filter_map(|notice| match notice {
            Notice::NoEffect { key, .. } => Some(key.as_str()),
            _ => None,
        })
        .collect();
    named.sort_unstable();
    assert_eq!(
        named,
        [
            "aws_region",
            "logging.cloudwatch_log_group",
            "logging.enable_cloudwatch",
            "logging.enable_file_logging",
            "logging.enable_syslog",
            "logging.log_file_path",
            "monitoring_mode",
            "provider_type",
            "tag_polling_enabled",
            "tag_polling_interval_secs",
        ]
    );
    let region = config
        .notices
        .iter()
        .map(ToString::to_string)
        .find(|text| text.contains("aws_region"));
    assert!(region.expect("named").contains("it never counts"));
}

#[test]
fn s1_an_old_file_starts_in_observe_mode_and_says_how_to_switch_stopping_on() {
    let config = loaded(&file(ORIGINAL));
    assert!(!config.policy.contains_key("mode"));
    let notice = config.notices.last().expect("a notice").to_string();
    assert!(
        notice.contains("observed and never stopped") && notice.contains("\"mode\": \"act\""),
        "{notice}"
    );

    let acting = loaded(&file(r#"{"mode": "act"}"#));
    assert_eq!(acting.policy["mode"], "act");
    assert_eq!(acting.notices, []);
}

#[test]
fn a_templates_spellings_count_and_what_was_used_before_is_told() {
    let config = loaded(&file(
        r#"{ "CPUThresholdPercent": 5, "MemoryThresholdPercent": 10, "NetworkThresholdKBps": 5,
             "DiskIOThresholdKBps": 10, "GPUThresholdPercent": 5, "InputIdleThresholdSecs": 1800,
             "NaptimeMinutes": 60, "CheckIntervalSeconds": 60, "EnableInstanceTags": true,
             "DetailedInstanceTags": false, "TaggingPrefix": "Mine", "GPUMonitoringEnabled": true,
             "AWSRegion": "eu-west-1",
             "Logging": { "EnableCloudWatch": true, "CloudWatchLogGroup": "x" } }"#,
    ));
    assert_eq!(
        Value::Object(config.policy),
        json!({
            "cpu_threshold_percent": 5, "memory_threshold_percent": 10, "network_threshold_kbps": 5,
            "disk_io_threshold_kbps": 10, "gpu_threshold_percent": 5, "input_idle_threshold_secs": 1800,
            "naptime_minutes": 60, "check_interval_seconds": 60, "enable_instance_tags": true,
            "detailed_instance_tags": false, "tagging_prefix": "Mine", "gpu_monitoring_enabled": true,
        })
    );
    let told: Vec<_> = config.notices.iter().map(ToString::to_string).collect();
    let naptime = "/etc/snooze/snooze.json: NaptimeMinutes is read as naptime_minutes, 60; CloudSnooze 0.1 ignored this spelling and used 30";
    assert!(told.iter().any(|text| text == naptime), "{told:#?}");
    assert!(
        told.iter()
            .any(|text| text.contains("Logging.EnableCloudWatch has no effect")),
        "{told:#?}"
    );
    assert!(
        told.iter()
            .any(|text| text.contains("AWSRegion has no effect: it never counts")),
        "{told:#?}"
    );
}

#[test]
fn documented_and_shouted_names_are_read() {
    let config = loaded(&file(
        r#"{"cpu-threshold": 12, "memory-threshold": 40, "naptime": 20, "MODE": "act"}"#,
    ));
    assert_eq!(
        Value::Object(config.policy),
        json!({"cpu_threshold_percent": 12, "memory_threshold_percent": 40, "naptime_minutes": 20, "mode": "act"})
    );
    let shouted = loaded(&file(r#"{"NAPTIME_MINUTES": 45, "mode": "observe"}"#));
    assert_eq!(shouted.policy["naptime_minutes"], 45);
    assert_eq!(shouted.notices, [], "the original read this spelling too");
}

#[test]
fn of_two_spellings_the_canonical_one_counts_and_the_other_is_named() {
    let config = loaded(&file(
        r#"{"NaptimeMinutes": 60, "naptime_minutes": 15, "mode": "act"}"#,
    ));
    assert_eq!(config.policy["naptime_minutes"], 15);
    let told: Vec<_> = config.notices.iter().map(ToString::to_string).collect();
    assert!(
        told[0].contains("NaptimeMinutes has no effect, naptime_minutes beats it"),
        "{told:#?}"
    );
    assert_eq!(told.len(), 1, "{told:#?}");
}

#[test]
fn of_a_doubled_key_the_last_one_counts_and_it_is_named() {
    let config = loaded(&file(
        r#"{"mode": "act", "naptime_minutes": 60, "naptime_minutes": 15,
            "plugins": {"plugin_configs": {"redis": {"url": "a", "url": "b"}}}}"#,
    ));
    assert_eq!(config.policy["naptime_minutes"], 15);
    let told: Vec<_> = config.notices.iter().map(ToString::to_string).collect();
    let said =
        |key| format!("/etc/snooze/snooze.json: {key} stands there more than once; only the last one counts");
    assert_eq!(
        told,
        [said("naptime_minutes"), said("plugins.plugin_configs.redis.url")]
    );
    let beside = mistakes(r#"{"mode": 1, "naptime_minutes": 60, "naptime_minutes": 15}"#);
    assert_eq!(beside[1..], [said("naptime_minutes")]);
}

#[test]
fn unknown_keys_are_each_reported_with_the_likely_one() {
    let config = loaded(&file(
        r#"{"mode": "act", "naptime_minute": 60, "logging": {"level": "info", "log_levle": "debug"}, "favourite_colour": "blue"}"#,
    ));
    let mut told: Vec<_> = config.notices.iter().map(ToString::to_string).collect();
    told.sort();
    assert_eq!(
        told,
        [
            "/etc/snooze/snooze.json: unknown key favourite_colour, has no effect",
            "/etc/snooze/snooze.json: unknown key logging.level, has no effect; did you mean logging.log_level?",
            "/etc/snooze/snooze.json: unknown key logging.log_levle, has no effect; did you mean logging.log_level?",
            "/etc/snooze/snooze.json: unknown key naptime_minute, has no effect; did you mean naptime_minutes?",
        ]
    );
}

#[test]
fn all_mistakes_are_told_at_once_each_with_its_key_place_and_expectation() {
    let told = mistakes(
        r#"{"naptime_minutes": "thirty", "cpu_threshold_percent": 140, "gpu_monitoring_enabled": "yes",
            "input_idle_threshold_secs": 1.5, "mode": "stop", "logging": [], "combine": "most",
            "plugins": {"plugin_configs": {"redis": "redis://user:pass@host"}}}"#,
    );
    assert_eq!(told.len(), 8, "{told:#?}");
    for expected in [
        "/etc/snooze/snooze.json: naptime_minutes: expected a number from 0.01 to 43200, found the text \"thirty\"",
        "/etc/snooze/snooze.json: cpu_threshold_percent: expected a number from 0 to 100, found 140",
        "/etc/snooze/snooze.json: gpu_monitoring_enabled: expected true or false, found the text \"yes\"",
        "/etc/snooze/snooze.json: mode: expected one of observe, act, found the text \"stop\"",
        "/etc/snooze/snooze.json: logging: expected an object",
    ] {
        assert!(told.iter().any(|text| text == expected), "{expected}\n{told:#?}");
    }
    assert!(
        !told.concat().contains("pass"),
        "a secret is never shown: {told:#?}"
    );
}

#[test]
fn mistakes_end_a_program_with_64_and_a_line_for_each() {
    let failure = Failure::from(load(&file(r#"{"mode": 1, "action": 2}"#), None).expect_err("wrong"));
    assert_eq!(failure.exit, Exit::Usage);
    assert_eq!(failure.line.lines().count(), 3, "{failure}");
}

#[test]
fn values_that_contradict_each_other_are_a_mistake() {
    let told = mistakes(r#"{"quarantine_seconds": 600, "beat_seconds": 11}"#);
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(
        told[0].contains("quarantine_seconds (600 s) must be larger than freshness_seconds + signature_life_seconds + application_seconds (620 s)"),
        "{told:#?}"
    );
    let told = mistakes(r#"{"beat_seconds": 5}"#);
    assert!(
        told[0].contains("takeover_seconds (10 s) must be larger"),
        "{told:#?}"
    );
}

#[test]
fn p3_a_verification_that_no_executor_would_wait_for_is_a_mistake() {
    // As the executor checks it: an answer is waited for as long as it is fresh, and no longer than 15 s.
    for slow in [
        r#"{"plugin_timeout_seconds": 15}"#,
        r#"{"plugin_timeout_seconds": 10}"#,
        r#"{"plugin_timeout_seconds": 9.9}"#,
        r#"{"verify_window_seconds": 8, "plugin_timeout_seconds": 7, "freshness_seconds": 60}"#,
        r#"{"freshness_seconds": 10.1}"#,
    ] {
        let told = mistakes(slow);
        for part in [
            "freshness_seconds (",
            "verify_window_seconds + plugin_timeout_seconds (",
            "else no verification is ever fresh",
        ] {
            assert!(told[0].contains(part), "{slow}: {told:#?}");
        }
    }
    let told = mistakes(r#"{"plugin_timeout_seconds": 10}"#);
    assert!(told[0].contains("20 s, of which 15 s count"), "{told:#?}");
    for sound in [
        r#"{"plugin_timeout_seconds": 9.8}"#,
        r#"{"verify_window_seconds": 2, "plugin_timeout_seconds": 10}"#,
        r#"{"freshness_seconds": 10.2}"#,
    ] {
        loaded(&file(sound));
    }
}

#[test]
fn a_file_that_is_no_json_or_does_not_exist_is_one_clear_line() {
    assert!(mistakes("{,}")[0].starts_with("/etc/snooze/snooze.json: it is not JSON: "));
    assert_eq!(mistakes("[]"), ["/etc/snooze/snooze.json: expected an object"]);
    for nothing in ["", " \n"] {
        let told = "/etc/snooze/snooze.json: it is empty; a file that sets nothing holds {}";
        assert_eq!(mistakes(nothing), [told]);
    }
    let missing = load(&FixedSource::default(), Some(Path::new("/x.json"))).expect_err("not there");
    assert_eq!(missing[0].to_string(), "/x.json: there is no such file");
}

#[test]
fn without_a_file_the_defaults_hold_and_nothing_is_said() {
    let config = loaded(&FixedSource::default());
    assert_eq!(
        (config.file, config.policy.len(), config.notices.len()),
        (None, 0, 0)
    );
    assert!(config.local.plugins.enabled);
}

#[test]
fn a_null_is_a_key_that_is_not_set() {
    assert_eq!(
        loaded(&file(r#"{"mode": "act", "opt_in_tag": null}"#))
            .policy
            .len(),
        1
    );
}

#[test]
fn what_plugins_are_configured_with_is_kept_as_written() {
    let config = loaded(&file(
        r#"{"mode": "act", "plugins": {"directories": ["/a", "/b"], "enabled": false,
            "external_repositories": [{"name": "community", "url": "https://plugins.example", "trusted": true}],
            "plugin_configs": {
              "redis-monitor": {"Connection_Threshold": 3, "redis_url": "redis://localhost:6379", "ratio": 0.5, "big": 18446744073709551615, "none": null},
              "database-flusher": {"events": {"cloud.spot.interrupt": {"priority": 50, "enabled": true}}}}}}"#,
    ));
    let plugins = &config.local.plugins;
    assert!(!plugins.enabled);
    assert_eq!(plugins.directories, [Path::new("/a"), Path::new("/b")]);
    assert_eq!(
        Value::Object(plugins.configs["redis-monitor"].clone()),
        json!({"Connection_Threshold": 3, "redis_url": "redis://localhost:6379", "ratio": 0.5, "big": u64::MAX, "none": null})
    );
    assert_eq!(
        Value::Object(plugins.configs["database-flusher"].clone()),
        json!({"events": {"cloud.spot.interrupt": {"priority": 50, "enabled": true}}})
    );
    assert!(config.notices.iter().any(|notice| {
        notice
            .to_string()
            .contains("plugins.external_repositories has no effect: not used yet; install plugins with `snooze plugin install PATH`")
    }));
}

#[test]
fn the_plugins_block_beats_the_older_names() {
    let config = loaded(&file(
        r#"{"mode": "act", "plugins_enabled": true, "plugins_dir": "/old", "plugins": {"enabled": false, "directories": ["/new"]}}"#,
    ));
    assert!(!config.local.plugins.enabled);
    assert_eq!(config.local.plugins.directories, [Path::new("/new")]);
    let told: Vec<_> = config.notices.iter().map(ToString::to_string).collect();
    assert!(
        told.iter()
            .any(|text| text.contains("plugins_dir has no effect, plugins.directories beats it")),
        "{told:#?}"
    );
    assert!(
        told.iter()
            .any(|text| text.contains("plugins_enabled has no effect, plugins.enabled beats it")),
        "{told:#?}"
    );

    let old = loaded(&file(
        r#"{"mode": "act", "plugins_enabled": false, "plugins_dir": "/old"}"#,
    ));
    assert!(!old.local.plugins.enabled);
    assert_eq!(old.local.plugins.directories, [Path::new("/old")]);
}

#[test]
fn secrets_of_plugins_never_show_in_debug_output() {
    let config = loaded(&file(
        r#"{"telemetry": {"otlp_endpoint": "http://me:hunter2@x"}, "plugins": {"plugin_configs": {"db": {"dsn": "user:hunter2@tcp"}}}}"#,
    ));
    let shown = format!("{config:?}");
    assert!(shown.contains("db") && !shown.contains("hunter2"), "{shown}");
}
