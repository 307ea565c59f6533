//! Every key that is known, as data: its kind, range, default and what it does here.
//!
//! The policy keys are those of the shared policy type, which this crate may not name; a test of the
//! workspace compares the two.

use super::{event_publish::PUBLISHABLE, kind::Kind};

mod key;

pub use key::{Effect, Key, Since};
use key::{idle, local, of, original, policy};

/// The key of that canonical name.
#[must_use]
pub fn key(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// Whether there are keys below this path.
pub(super) fn is_section(path: &str) -> bool {
    KEYS.iter().any(|key| {
        key.path
            .strip_prefix(path)
            .is_some_and(|rest| rest.starts_with('.'))
    })
}

const PERCENT: Kind = Kind::Number { min: 0.0, max: 100.0 };
/// Beyond a terabyte a second a threshold is a slip of the finger.
const RATE: Kind = Kind::Number { min: 0.0, max: 1e9 };
/// A tenth of a second is the shortest that the readings' own clocks resolve well; a day the longest that is of use.
const INTERVAL: Kind = Kind::Number {
    min: 0.1,
    max: 86_400.0,
};
/// Every verb answers within fifteen seconds, the slowest reader and a plugin's time-out included.
const VERIFY_WINDOW: Kind = Kind::Number { min: 0.1, max: 10.0 };
/// Waits that may be left out.
const PAUSE: Kind = Kind::Number {
    min: 0.0,
    max: 86_400.0,
};
/// Up to thirty days. A naptime of nothing would stop a host at its first quiet moment.
const NAPTIME: Kind = Kind::Number {
    min: 0.01,
    max: 43_200.0,
};
const MINUTES: Kind = Kind::Number {
    min: 0.0,
    max: 43_200.0,
};
/// The shortest notice of a cloud is thirty seconds, and whoever asks more often is refused by some.
const ASK: Kind = Kind::Number { min: 0.1, max: 10.0 };
/// The same, in whole seconds, as the server takes them.
const WAIT: Kind = Kind::Whole { min: 1, max: 20 };
/// The time-out of a lifecycle hook is half a minute at least and two hours at most.
const BEAT: Kind = Kind::Number {
    min: 1.0,
    max: 3_600.0,
};

/// Every question costs; and after more than a minute half of what an interruption leaves would be gone.
const POLL: Kind = Kind::Number { min: 0.1, max: 60.0 };
/// A host that looked at itself more often would be busy with itself.
const LOOK: Kind = Kind::Number {
    min: 1.0,
    max: 3_600.0,
};
/// Beyond this nothing that was raised would ever be cleared.
const MARGIN: Kind = Kind::Number { min: 0.0, max: 90.0 };

/// The stream of urgent events takes a thousand and some a second from all.
const SENT: Kind = Kind::Number {
    min: 0.01,
    max: 1_000.0,
};
/// A gateway holds as many bodies as it has connections.
const BODY: Kind = Kind::Whole {
    min: 1_024,
    max: 4_194_304,
};

/// A month is the longest that somebody would want to be told of late.
const MAX_AGE: Kind = Kind::Number {
    min: 1.0,
    max: 43_200.0,
};

const LOGS_GO_TO_STDERR: &str = "logs go to stderr, where systemd's journal keeps them";
const TAGS_ARE_READ_BEFORE_A_STOP: &str = "tags are read right before a stop";
const PROVIDER_IS_FOUND: &str = "provider, account and region come from the host's record in the roster";

/// All of them.
pub const KEYS: &[Key] = &[
    original("check_interval_seconds", INTERVAL, "60").also(&["check_interval"]),
    original("naptime_minutes", NAPTIME, "30").also(&["naptime"]),
    original("cpu_threshold_percent", PERCENT, "10").also(&["cpu_threshold"]),
    original("memory_threshold_percent", PERCENT, "30").also(&["memory_threshold"]),
    original("network_threshold_kbps", RATE, "50").also(&["network_threshold"]),
    original("disk_io_threshold_kbps", RATE, "100").also(&["disk_io_threshold"]),
    original(
        "input_idle_threshold_secs",
        Kind::Whole {
            min: 0,
            max: 2_592_000,
        },
        "900",
    )
    .also(&["input_idle_threshold"]),
    original("gpu_monitoring_enabled", Kind::Bool, "true").also(&["gpu_monitoring"]),
    original("gpu_threshold_percent", PERCENT, "5").also(&["gpu_threshold"]),
    policy("mode", Kind::Choice(&["observe", "act"]), "\"observe\""),
    policy("combine", Kind::Combine, "\"all\""),
    policy("voters", Kind::Voters, "{}"),
    policy("action", Kind::Choice(&["stop", "hibernate"]), "\"stop\""),
    policy("self_stop", Kind::Bool, "false"),
    policy("opt_in_tag", Kind::Text, "null"),
    policy("opt_out_tag", Kind::Text, "\"cloudsnooze:disable\""),
    policy(
        "stop_despite",
        Kind::Choices(&["stop_protected", "instance_store", "one_time_spot", "asg_member"]),
        "[]",
    ),
    policy("notice_seconds", PAUSE, "60"),
    policy("settle_seconds", PAUSE, "5"),
    policy("heartbeat_seconds", INTERVAL, "60"),
    policy("pre_snooze_seconds", PAUSE, "300"),
    policy("boot_grace_minutes", MINUTES, "10"),
    policy("cooldown_minutes", MINUTES, "10"),
    policy("freshness_seconds", INTERVAL, "20"),
    policy("call_timeout_seconds", INTERVAL, "10"),
    policy("signature_life_seconds", PAUSE, "300"),
    policy("application_seconds", PAUSE, "300"),
    policy("quarantine_seconds", INTERVAL, "900"),
    policy("beat_seconds", INTERVAL, "2"),
    policy("takeover_seconds", INTERVAL, "10"),
    policy("verify_window_seconds", VERIFY_WINDOW, "5"),
    policy("plugin_timeout_seconds", INTERVAL, "5"),
    policy("max_concurrent_stops", Kind::Whole { min: 1, max: 100_000 }, "5"),
    original("enable_instance_tags", Kind::Bool, "true"),
    original("tagging_prefix", Kind::Text, "\"CloudSnooze\""),
    original("detailed_instance_tags", Kind::Bool, "true"),
    policy("enable_restart_flag", Kind::Bool, "false"),
    policy("allowed_restarter_ids", Kind::Texts, "[]"),
    local("host_id", Kind::HostId, "null"),
    of(
        "logging.log_level",
        Kind::Choice(&["error", "warn", "info", "debug", "trace"]),
        "\"info\"",
        Effect::Local,
        Since::Original,
    ),
    idle(
        "logging.enable_file_logging",
        Kind::Bool,
        "true",
        LOGS_GO_TO_STDERR,
    ),
    idle(
        "logging.log_file_path",
        Kind::Text,
        "\"/var/log/cloudsnooze.log\"",
        LOGS_GO_TO_STDERR,
    ),
    idle("logging.enable_syslog", Kind::Bool, "false", LOGS_GO_TO_STDERR),
    idle(
        "logging.enable_cloudwatch",
        Kind::Bool,
        "false",
        LOGS_GO_TO_STDERR,
    ),
    idle(
        "logging.cloudwatch_log_group",
        Kind::Text,
        "\"CloudSnooze\"",
        LOGS_GO_TO_STDERR,
    ),
    local("telemetry.otlp_endpoint", Kind::SecretText, "null"),
    local("plugins.enabled", Kind::Bool, "true"),
    local(
        "plugins.directories",
        Kind::Texts,
        "[\"/etc/cloudsnooze/plugins\"]",
    ),
    local("plugins.require_isolation", Kind::Bool, "false"),
    local("plugins.plugin_configs", Kind::PluginConfigs, "{}"),
    local("event_http.enabled", Kind::Bool, "false"),
    local("event_http.listen", Kind::Address, "\"127.0.0.1:7420\""),
    local("event_http.secrets", Kind::Text, "\"/etc/snooze/event-http\""),
    local("event_http.events_per_second", SENT, "100"),
    local("event_http.max_body_bytes", BODY, "1048576"),
    local("event_publish.aws.enabled", Kind::Bool, "false"),
    local("event_publish.aws.event_bus", Kind::Text, "\"default\""),
    local("event_publish.aws.region", Kind::Text, "null"),
    local("event_publish.aws.endpoint", Kind::Text, "null"),
    local(
        "event_publish.aws.kinds",
        Kind::Choices(PUBLISHABLE),
        "[\"decision\", \"intent\", \"stopped\", \"cancelled\", \"alarm\", \"gate\", \"lease\", \"wake\"]",
    ),
    local("event_publish.aws.max_age_minutes", MAX_AGE, "1440"),
    local("event_sources.aws_metadata.enabled", Kind::Bool, "false"),
    local(
        "event_sources.aws_metadata.endpoint",
        Kind::Text,
        "\"http://169.254.169.254\"",
    ),
    local("event_sources.aws_metadata.poll_interval_seconds", POLL, "1"),
    local("event_sources.aws_queue.enabled", Kind::Bool, "false"),
    local("event_sources.aws_queue.queue_url", Kind::Text, "null"),
    local("event_sources.aws_queue.region", Kind::Text, "null"),
    local("event_sources.aws_queue.endpoint", Kind::Text, "null"),
    local(
        "event_sources.aws_queue.lifecycle_hooks",
        Kind::Texts,
        "[\"cloudsnooze\"]",
    ),
    local("event_sources.aws_queue.heartbeat_seconds", BEAT, "10"),
    local("event_sources.azure.enabled", Kind::Bool, "false"),
    local(
        "event_sources.azure.endpoint",
        Kind::Text,
        "\"http://169.254.169.254\"",
    ),
    local("event_sources.azure.poll_interval_seconds", ASK, "1"),
    local("event_sources.azure.approve", Kind::Bool, "false"),
    local("event_sources.azure.approve_after_seconds", PAUSE, "60"),
    local("event_sources.gcp.enabled", Kind::Bool, "false"),
    local(
        "event_sources.gcp.endpoint",
        Kind::Text,
        "\"http://169.254.169.254\"",
    ),
    local("event_sources.gcp.wait_seconds", WAIT, "5"),
    local("event_sources.system.enabled", Kind::Bool, "false"),
    local("event_sources.system.disk_free_percent", PERCENT, "10"),
    local("event_sources.system.inodes_free_percent", PERCENT, "5"),
    local("event_sources.system.cpu_percent", PERCENT, "95"),
    local("event_sources.system.cpu_pressure_percent", PERCENT, "60"),
    local("event_sources.system.memory_available_percent", PERCENT, "5"),
    local("event_sources.system.memory_pressure_percent", PERCENT, "40"),
    local("event_sources.system.memory_stall_percent", PERCENT, "10"),
    local("event_sources.system.hysteresis_percent", MARGIN, "20"),
    local("event_sources.system.interval_seconds", LOOK, "10"),
    local("event_sources.system.for_seconds", PAUSE, "30"),
    local("event_sources.system.cpu_for_seconds", PAUSE, "300"),
    of(
        "plugins.external_repositories",
        Kind::Anything,
        "[]",
        Effect::None("not used yet; install plugins with `snooze plugin install PATH`"),
        Since::Here,
    ),
    of(
        "plugins_enabled",
        Kind::Bool,
        "true",
        Effect::OlderNameOf("plugins.enabled"),
        Since::Original,
    ),
    of(
        "plugins_dir",
        Kind::Text,
        "\"/etc/cloudsnooze/plugins\"",
        Effect::OlderNameOf("plugins.directories"),
        Since::Original,
    ),
    idle("provider_type", Kind::MaybeEmptyText, "\"\"", PROVIDER_IS_FOUND),
    idle(
        "aws_region",
        Kind::MaybeEmptyText,
        "\"us-east-1\"",
        "it never counts: the region comes from the host's record in the roster",
    ),
    of(
        "provider",
        Kind::Anything,
        "null",
        Effect::None(PROVIDER_IS_FOUND),
        Since::Here,
    ),
    of(
        "provider_configs",
        Kind::Anything,
        "null",
        Effect::None(PROVIDER_IS_FOUND),
        Since::Here,
    ),
    idle(
        "tag_polling_enabled",
        Kind::Bool,
        "true",
        TAGS_ARE_READ_BEFORE_A_STOP,
    ),
    idle(
        "tag_polling_interval_secs",
        Kind::Whole { min: 0, max: 86_400 },
        "60",
        TAGS_ARE_READ_BEFORE_A_STOP,
    ),
    idle(
        "monitoring_mode",
        Kind::Text,
        "\"basic\"",
        "every reading is always taken",
    ),
    local("event_handlers", Kind::EventHandlers, "{}"),
    of(
        "webhooks",
        Kind::Anything,
        "null",
        Effect::None("nothing calls webhooks yet"),
        Since::Here,
    ),
];

#[cfg(test)]
mod tests;
