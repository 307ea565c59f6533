//! The tags that outside tools read: which are written when a host was stopped, and which mend a stale one.
//!
//! Keys are `<prefix>:<name>`, in the documented form of the original. Times are RFC 3339. This file
//! only says which tags; it neither reads nor writes any.

use snooze_schemas::{Timestamp, policy::Policy, verdict::Verdict};
use std::collections::BTreeMap;

/// EC2 takes at most 256 characters in a tag's value.
const VALUE_LIMIT: usize = 256;

/// What is known of a stop when its tags are written.
#[derive(Debug, Clone)]
pub struct StopFacts<'a> {
    /// When it was confirmed, or, on a host that stops itself, when it was asked for.
    pub at: Timestamp,
    /// Why, for people.
    pub reason: &'a str,
    /// The kind of the instance; empty where unknown.
    pub instance_type: &'a str,
    /// The region that it was stopped in; empty where it has none.
    pub region: &'a str,
    /// The votes that it rested on, where they are at hand; a watcher after a takeover has none.
    pub verdict: Option<&'a Verdict>,
}

/// The tags of a stopped host, or none where the policy writes none.
#[must_use]
pub fn stopped(policy: &Policy, facts: &StopFacts<'_>) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::new();
    if !policy.enable_instance_tags {
        return tags;
    }
    let mut set = |name: &str, value: String| {
        tags.insert(key(policy, name), value.chars().take(VALUE_LIMIT).collect());
    };
    set("Status", "Stopped".to_owned());
    set("StopTimestamp", facts.at.to_string());
    set("StopReason", facts.reason.to_owned());
    if policy.enable_restart_flag {
        set("RestartAllowed", "true".to_owned());
        if !policy.allowed_restarter_ids.is_empty() {
            set("AllowedRestarters", policy.allowed_restarter_ids.join(","));
        }
    }
    if policy.detailed_instance_tags {
        let naptime = policy.naptime_minutes;
        set("NaptimeMinutes", format!("{naptime}"));
        if !facts.instance_type.is_empty() {
            set("InstanceType", facts.instance_type.to_owned());
        }
        if !facts.region.is_empty() {
            set("Region", facts.region.to_owned());
        }
        for (name, value) in facts.verdict.map(readings).unwrap_or_default() {
            set(name, value);
        }
    }
    tags
}

/// The tags that say a machine runs; written only where one says that it is stopped. Time and reason of a
/// stop that is over, or never came, are emptied: taking a tag away would need one more permission. None
/// where the policy writes none.
#[must_use]
pub fn mended(policy: &Policy) -> BTreeMap<String, String> {
    if !policy.enable_instance_tags {
        return BTreeMap::new();
    }
    BTreeMap::from([
        (key(policy, "Status"), "Running".to_owned()),
        (key(policy, "StopTimestamp"), String::new()),
        (key(policy, "StopReason"), String::new()),
    ])
}

/// What these tags say that the machine is: `Stopped`, `Running` or what somebody else wrote there.
#[must_use]
pub fn status<'a>(policy: &Policy, tags: &'a BTreeMap<String, String>) -> Option<&'a str> {
    tags.get(&key(policy, "Status")).map(String::as_str)
}

fn key(policy: &Policy, name: &str) -> String {
    format!("{}:{name}", policy.tagging_prefix)
}

/// The evidence of the built-in voters, under the names and with the digits of the documented tags.
fn readings(verdict: &Verdict) -> Vec<(&'static str, String)> {
    const NAMES: [(&str, &str); 7] = [
        ("cpu_percent", "CPUPercent"),
        ("memory_percent", "MemoryPercent"),
        ("network_kbps", "NetworkKBps"),
        ("disk_io_kbps", "DiskIOKBps"),
        ("gpu_percent", "GPUPercent"),
        ("devices", "GPUCount"),
        ("input_idle_secs", "InputIdleSecs"),
    ];
    let evidence = |reading: &str| {
        verdict
            .votes
            .iter()
            .filter(|vote| vote.voter.is_built_in())
            .find_map(|vote| vote.evidence.get(reading)?.as_f64())
    };
    NAMES
        .into_iter()
        .filter_map(|(reading, name)| {
            let value = evidence(reading)?;
            let text = match name {
                "InputIdleSecs" | "GPUCount" => format!("{value:.0}"),
                _ => format!("{value:.2}"),
            };
            Some((name, text))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn verdict() -> Verdict {
        serde_json::from_value(json!({
            "host": "i-0abc", "boot_id": "b", "agent": "a", "seq": 1, "policy_revision": "1/0/0",
            "sample_age_ms": 0, "uptime_ms": 1, "votes": [
                {"voter": "cpu", "role": "required", "state": "idle", "raw": "idle", "reason": "",
                 "evidence": {"cpu_percent": 2.5}, "idle_ms": 1},
                {"voter": "input", "role": "required", "state": "idle", "raw": "idle", "reason": "",
                 "evidence": {"input_idle_secs": 1800.2}, "idle_ms": 1},
                {"voter": "gpu", "role": "required", "state": "idle", "raw": "idle", "reason": "",
                 "evidence": {"gpu_percent": 0.05, "devices": 2}, "idle_ms": 1},
            ],
        }))
        .expect("a verdict")
    }

    fn tags_under(policy: &Policy) -> BTreeMap<String, String> {
        let verdict = verdict();
        let facts = StopFacts {
            at: "2026-11-22T15:35:10Z".parse().expect("a time"),
            reason: "idle for 30 minutes",
            instance_type: "t3.medium",
            region: "us-east-1",
            verdict: Some(&verdict),
        };
        stopped(policy, &facts)
    }

    #[test]
    fn the_documented_tags_are_written_in_the_documented_form() {
        let policy = Policy {
            enable_restart_flag: true,
            allowed_restarter_ids: vec!["UserPortal".to_owned(), "JobScheduler".to_owned()],
            ..Policy::default()
        };
        let expected: BTreeMap<String, String> = [
            ("Status", "Stopped"),
            ("StopTimestamp", "2026-11-22T15:35:10Z"),
            ("StopReason", "idle for 30 minutes"),
            ("RestartAllowed", "true"),
            ("AllowedRestarters", "UserPortal,JobScheduler"),
            ("CPUPercent", "2.50"),
            ("InputIdleSecs", "1800"),
            ("GPUPercent", "0.05"),
            ("GPUCount", "2"),
            ("NaptimeMinutes", "30"),
            ("InstanceType", "t3.medium"),
            ("Region", "us-east-1"),
        ]
        .map(|(name, value)| (format!("CloudSnooze:{name}"), value.to_owned()))
        .into();
        assert_eq!(tags_under(&policy), expected);
    }

    #[test]
    fn readings_and_restart_flag_are_written_only_where_asked_for() {
        let policy = Policy {
            detailed_instance_tags: false,
            tagging_prefix: "Ours".to_owned(),
            ..Policy::default()
        };
        let tags = tags_under(&policy);
        assert_eq!(
            tags.keys().map(String::as_str).collect::<Vec<_>>(),
            ["Ours:Status", "Ours:StopReason", "Ours:StopTimestamp"]
        );
        let silent = Policy {
            enable_instance_tags: false,
            ..Policy::default()
        };
        assert!(tags_under(&silent).is_empty());
        assert!(mended(&silent).is_empty());
    }

    #[test]
    fn p4_the_tag_that_mends_is_the_one_that_was_wrong() {
        let policy = Policy::default();
        assert_eq!(status(&policy, &tags_under(&policy)), Some("Stopped"));
        assert_eq!(status(&policy, &mended(&policy)), Some("Running"));
        assert_eq!(status(&policy, &BTreeMap::new()), None);
    }

    #[test]
    fn p10_time_and_reason_of_a_stop_that_is_not_are_cleared() {
        let policy = Policy::default();
        let mut tags = tags_under(&policy);
        tags.extend(mended(&policy));
        assert_eq!(tags["CloudSnooze:StopTimestamp"], "");
        assert_eq!(tags["CloudSnooze:StopReason"], "");
    }
}
