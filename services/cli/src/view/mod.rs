//! What a person sees of a host: a model of what was heard, and pure functions that draw it.
//!
//! **Invariant:** nothing here reads a clock, a terminal or the bus, except [`terminal`], which only
//! takes the terminal and reads keys, [`output`], which only writes, and [`feed`], which only listens.

pub mod event;
pub mod feed;
pub mod line;
pub mod model;
pub mod narrator;
pub mod output;
pub mod permissions;
pub mod plugin_files;
pub mod screen;
pub mod show;
pub mod terminal;
pub mod text;
pub mod width;

#[cfg(test)]
pub(crate) mod examples {
    //! One host in its middle of being stopped, for the tests of what draws it.

    use serde_json::json;
    use snooze_schemas::{
        HostId,
        audit::{AuditKind, AuditRecord},
        event::Scope,
        ops::{DecisionReport, HostReport, QueryResult},
        sample::Sample,
        verdict::{Role, Verdict, Vote, VoteState},
    };

    pub(crate) fn host() -> HostId {
        "web".parse().expect("a host id")
    }

    pub(crate) fn sample() -> Sample {
        serde_json::from_value(json!({
            "host": "web", "boot_id": "b", "agent": "a", "seq": 1, "taken_at": "2026-01-31T12:00:00Z",
            "covers_ms": 1_000, "ends_monotonic_ms": 5_000, "ends_boottime_ms": 5_000,
            "readings": {
                "cpu_percent": {"value": 5.23, "unit": "percent", "took_ms": 1},
                "memory_percent": {"value": 31.0, "unit": "percent", "took_ms": 1},
                "gpu_percent": {"unknown": "the driver does not answer", "took_ms": 1},
                "load_1m": {"value": 0.42, "unit": "count", "took_ms": 1},
            },
        }))
        .expect("a sample")
    }

    pub(crate) fn verdict(cpu: VoteState) -> Verdict {
        let vote = |voter: &str, role, state, reason: &str, idle_ms| Vote {
            voter: voter.parse().expect("a voter"),
            role,
            state,
            raw: state,
            reason: reason.to_owned(),
            evidence: Default::default(),
            idle_ms,
        };
        let idle_ms = if cpu == VoteState::Idle { 12_000 } else { 0 };
        Verdict {
            host: host(),
            boot_id: "b".to_owned(),
            agent: "a".to_owned(),
            seq: 1,
            policy_revision: "3/0/0".to_owned(),
            sample_age_ms: 10,
            uptime_ms: 100_000,
            boot_grace_left_ms: 0,
            votes: vec![
                vote("cpu", Role::Required, cpu, "5.2 % of at most 25.0 %", idle_ms),
                vote(
                    "memory",
                    Role::Advisory,
                    VoteState::Busy,
                    "31.0 % of at most 30.0 %",
                    0,
                ),
            ],
        }
    }

    pub(crate) fn record() -> AuditRecord {
        AuditRecord {
            at: "2026-01-31T12:00:01Z".parse().expect("a time"),
            host: Scope::Host(host()),
            kind: AuditKind::Intent,
            actor: "executor 8f3a".to_owned(),
            claim: Some(7),
            message: "web is to be stopped: idle for 15 s".to_owned(),
            details: Default::default(),
        }
    }

    pub(crate) fn query_result(progress: &str) -> QueryResult {
        QueryResult {
            frozen: None,
            truncated: false,
            next: None,
            hosts: vec![HostReport {
                host: host(),
                group: "default".to_owned(),
                instance: "sim-web".to_owned(),
                provider: "simulated".to_owned(),
                decision: DecisionReport {
                    decision: "claimed".to_owned(),
                    summary: "It is being stopped (claimed): idle for 15 s.".to_owned(),
                    idle_ms: 15_500,
                    naptime_ms: 15_000,
                    obstacles: Vec::new(),
                    blocking: Vec::new(),
                    details: Default::default(),
                },
                phase: "claimed".to_owned(),
                progress: progress.to_owned(),
                claim: Some(7),
                next_in_ms: Some(4_200),
                verdict: None,
                verdict_age_ms: None,
                last_stop: None,
                keeps_awake: Vec::new(),
            }],
        }
    }
}
