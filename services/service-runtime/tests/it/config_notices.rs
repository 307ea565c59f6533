//! What is told about a configuration that is not quite as it should be: what stops the start, what does
//! not, and what is never shown.

use crate::config_file::{file, loaded, mistakes};

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
