//! Streams, buckets and durable consumers as data: what the set-up makes, and nothing else does.
//!
//! None allows roll-ups, purges or deletes by hand (rule I4), all have a largest size and a largest
//! number of consumers.

use crate::subject::{Subject, SubjectFilter};
use serde_json::{Value, json};
use snooze_schemas::event::Severity;
use std::time::Duration;

const KIB: i64 = 1024;
pub(super) const MIB: i64 = 1024 * KIB;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The largest event with its headers: [`MAX_DATA_BYTES`](snooze_schemas::event::MAX_DATA_BYTES) and room for
/// the rest. A full stream of them still holds more than a thousand.
pub(super) const MAX_EVENT_BYTES: i64 = 80 * KIB;

/// For how long a message's identity is remembered where it has one.
const ONCE_FOR: Duration = Duration::from_secs(60 * 60);

/// For how long events are kept, and their ids remembered.
const EVENTS_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A stream of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    /// The last verdict of each host, written in the background.
    Verdicts,
    /// What was decided and done.
    Audit,
    /// Events of severity 2 and 3, synced at every write.
    EventsUrgent,
    /// Events of severity 0 and 1, written in the background (rule E2).
    EventsRoutine,
    /// Events that could not be handled.
    Dead,
}

impl Stream {
    /// All of them.
    pub const ALL: [Stream; 5] = [
        Self::Verdicts,
        Self::Audit,
        Self::EventsUrgent,
        Self::EventsRoutine,
        Self::Dead,
    ];

    /// The stream's name on the server.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Verdicts => "VERDICTS",
            Self::Audit => "AUDIT",
            Self::EventsUrgent => "EVENTS_URGENT",
            Self::EventsRoutine => "EVENTS_ROUTINE",
            Self::Dead => "DEAD",
        }
    }

    /// The stream that events of a severity are filed in.
    #[must_use]
    pub fn of_events(severity: Severity) -> Stream {
        match severity {
            Severity::Critical | Severity::Urgent => Self::EventsUrgent,
            Severity::Warning | Severity::Info => Self::EventsRoutine,
        }
    }

    /// The stream that takes a subject, where one does.
    pub(super) fn of(subject: &Subject) -> Option<Stream> {
        match subject {
            Subject::Verdict(_) => Some(Self::Verdicts),
            Subject::Audit { .. } => Some(Self::Audit),
            Subject::Event { severity, .. } => Some(Self::of_events(*severity)),
            Subject::Dead { .. } => Some(Self::Dead),
            _ => None,
        }
    }

    /// What the server is asked to make.
    pub(super) fn config(self) -> Value {
        let severity = |severity| SubjectFilter::EventsOfSeverity(severity).to_string();
        let mut config = match self {
            Self::Verdicts => json!({
                "subjects": [SubjectFilter::AllVerdicts.to_string()],
                // In a file: a stream in memory is gone for good when the server starts again, and nobody
                // but the set-up could make it anew. What a crash loses is said again within a heartbeat.
                "persist_mode": "async",
                // No ack: a verdict is published without waiting, and a forged reply subject would make
                // the ack a message to anybody (rule I3).
                "no_ack": true,
                "max_msgs_per_subject": 1,
                // About 80,000 hosts of ten voters each.
                "max_bytes": 128 * MIB,
                "max_age": 0,
            }),
            Self::Audit => json!({
                "subjects": [SubjectFilter::AllAudit.to_string()],
                "max_bytes": 512 * MIB,
                "max_age": nanoseconds(400 * DAY),
            }),
            Self::EventsUrgent => json!({
                "subjects": [severity(Severity::Urgent), severity(Severity::Critical)],
                "max_bytes": 128 * MIB,
                "max_age": nanoseconds(EVENTS_FOR),
                "max_msg_size": MAX_EVENT_BYTES,
                // The oldest make room, and nearly always those were dispatched long ago. A full stream that
                // refused instead would let whoever fills it silence every critical event for days. Gateways
                // look at it and say when it fills, and what was dropped before it was dispatched.
            }),
            Self::EventsRoutine => json!({
                "subjects": [severity(Severity::Info), severity(Severity::Warning)],
                "max_bytes": 256 * MIB,
                "max_age": nanoseconds(EVENTS_FOR),
                "max_msg_size": MAX_EVENT_BYTES,
                "persist_mode": "async",
            }),
            Self::Dead => json!({
                "subjects": [SubjectFilter::AllDead.to_string()],
                "max_bytes": 64 * MIB,
                "max_age": nanoseconds(EVENTS_FOR),
                // Only gateways write here, so that nobody can spend the identity that another one's entry
                // has; two of them that end the same event do so within their patience of each other.
                "duplicate_window": nanoseconds(ONCE_FOR),
            }),
        };
        let fixed = json!({
            "name": self.name(),
            "allow_direct": true,
            "discard": "old",
            // The durable ones, and a few that an administrator looks with; never one a host.
            "max_consumers": 8,
        });
        complete(&mut config, fixed);
        complete(&mut config, everywhere());
        config
    }
}

/// A bucket of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bucket {
    /// Policy, plugins and roster; written by administrators and enrolment.
    Config,
    /// Claims, gate, slots and census; written by executors alone, but for the probe, which says nothing.
    State,
    /// Events that are parked or accepted and not yet ended; written by gateways.
    Open,
}

impl Bucket {
    /// All of them.
    pub const ALL: [Bucket; 3] = [Self::Config, Self::State, Self::Open];

    /// The bucket's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Config => "snooze_config",
            Self::State => "snooze_state",
            Self::Open => "snooze_open",
        }
    }

    /// The name of the stream that holds it.
    #[must_use]
    pub fn stream(self) -> &'static str {
        match self {
            Self::Config => "KV_snooze_config",
            Self::State => "KV_snooze_state",
            Self::Open => "KV_snooze_open",
        }
    }

    /// Whether it is read by direct get. A direct get may be answered by a replica that is behind, which
    /// would do for configuration and never for claims.
    pub(super) fn is_direct(self) -> bool {
        match self {
            Self::Config | Self::Open => true,
            Self::State => false,
        }
    }

    /// What the server is asked to make.
    pub(super) fn config(self) -> Value {
        let mut config = match self {
            Self::Config => json!({ "max_bytes": 64 * MIB }),
            Self::State => json!({ "max_bytes": 128 * MIB, "allow_atomic": true, "allow_msg_ttl": true }),
            // Its delete markers expire: ids of events never come back, and would fill it.
            Self::Open => json!({ "max_bytes": 128 * MIB, "allow_atomic": true, "allow_msg_ttl": true }),
        };
        let fixed = json!({
            "name": self.stream(),
            "subjects": [format!("$KV.{}.>", self.name())],
            "allow_direct": self.is_direct(),
            "max_msgs_per_subject": 1,
            // A full bucket refuses: forgetting a claim or a freeze would be worse.
            "discard": "new",
            "max_age": 0,
            // One or two a replica of the services at the centre.
            "max_consumers": 256,
        });
        complete(&mut config, fixed);
        complete(&mut config, everywhere());
        config
    }
}

/// What holds for all of them.
pub(super) fn everywhere() -> Value {
    json!({
        "retention": "limits",
        "num_replicas": 1,
        "max_msgs": -1,
        "max_msg_size": MIB,
        "allow_rollup_hdrs": false,
        "deny_delete": true,
        "deny_purge": true,
        "duplicate_window": nanoseconds(Duration::from_secs(120)),
    })
}

/// The name of the durable consumer of a severity, the same for every dispatcher.
pub(super) fn consumer_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "severity-3",
        Severity::Urgent => "severity-2",
        Severity::Warning => "severity-1",
        Severity::Info => "severity-0",
    }
}

/// The durable consumer of a severity (rule E3).
pub(super) fn consumer_config(severity: Severity) -> Value {
    // Messages in flight, for all dispatchers together: each severity has its own window, so that a flood
    // of one never fills another's.
    let window = match severity {
        Severity::Critical => 2_000,
        Severity::Urgent => 1_000,
        Severity::Warning => 500,
        Severity::Info => 250,
    };
    json!({
        "durable_name": consumer_name(severity),
        "name": consumer_name(severity),
        "filter_subject": SubjectFilter::EventsOfSeverity(severity).to_string(),
        "deliver_policy": "all",
        "ack_policy": "explicit",
        // Longer than any acceptance by a runner takes; nothing stays unacked while a handler runs.
        "ack_wait": nanoseconds(Duration::from_secs(30)),
        "max_deliver": -1,
        "max_ack_pending": window,
        "max_waiting": 512,
        "replay_policy": "instant",
    })
}

pub(super) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).expect("no limit of ours is longer than 500 years")
}

/// Adds what is not said yet.
pub(super) fn complete(config: &mut Value, more: Value) {
    let (Value::Object(config), Value::Object(more)) = (config, more) else {
        unreachable!("both are written as objects above");
    };
    for (key, value) in more {
        config.entry(key).or_insert(value);
    }
}

#[cfg(test)]
mod tests {
    use super::{super::artifacts, *};

    #[test]
    fn i4_no_stream_allows_roll_ups_or_purges() {
        let configs = Stream::ALL
            .map(Stream::config)
            .into_iter()
            .chain(Bucket::ALL.map(Bucket::config))
            .chain([artifacts::config()]);
        for config in configs {
            assert_eq!(config["allow_rollup_hdrs"], false, "{config}");
            assert_eq!(config["deny_purge"], true, "{config}");
            assert_eq!(config["deny_delete"], true, "{config}");
            assert!(config["max_bytes"].as_i64() > Some(0), "{config}");
            assert!(config["max_consumers"].as_i64() > Some(0), "{config}");
        }
    }

    #[test]
    fn all_streams_together_fit_into_what_the_server_may_keep() {
        let config = include_str!("../../../server/nats-server.conf");
        let gigabytes: i64 = config
            .lines()
            .find_map(|line| line.trim().strip_prefix("max_file_store: ")?.strip_suffix("GB"))
            .and_then(|number| number.parse().ok())
            .expect("the configuration has a limit");
        let bytes: i64 = Stream::ALL
            .map(Stream::config)
            .into_iter()
            .chain(Bucket::ALL.map(Bucket::config))
            .chain([artifacts::config()])
            .filter_map(|config| config["max_bytes"].as_i64())
            .sum();
        assert!(bytes <= gigabytes * 1024 * MIB, "{bytes}");
    }

    #[test]
    fn no_stream_that_is_full_refuses_what_is_new() {
        for config in Stream::ALL.map(Stream::config) {
            assert_eq!(config["discard"], "old", "{config}");
        }
    }

    #[test]
    fn an_event_with_the_most_data_fits_its_stream() {
        for severity in Severity::DESCENDING {
            let most = Stream::of_events(severity).config()["max_msg_size"].as_u64();
            assert!(most > Some(snooze_schemas::event::MAX_DATA_BYTES as u64 + 4 * 1024));
        }
    }

    #[test]
    fn e2_only_routine_events_and_verdicts_are_written_in_the_background() {
        for stream in Stream::ALL {
            let is_async = stream.config()["persist_mode"] == "async";
            let may = matches!(stream, Stream::EventsRoutine | Stream::Verdicts);
            assert_eq!(is_async, may, "{stream:?}");
        }
    }

    #[test]
    fn no_stream_is_gone_when_the_server_starts_again() {
        for config in Stream::ALL.map(Stream::config) {
            assert!(config.get("storage").is_none(), "a file is the default: {config}");
        }
    }
}
