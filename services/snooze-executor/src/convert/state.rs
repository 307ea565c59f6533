//! The records of the state's bucket, on the wire and as deciding knows them, one to one.

use super::{action, timestamp, wall, wire_action};
use snooze_decision::claim as pure;
use snooze_schemas::state as wire;

/// A host's record as deciding knows it.
#[must_use]
pub fn host_record(record: wire::HostRecord) -> pure::HostRecord {
    pure::HostRecord {
        claim: record.claim.map(claim),
        leases: record.leases.into_iter().map(lease).collect(),
        postponement: record.postponement.map(|postponement| pure::Postponement {
            until: wall(postponement.until),
            reason: postponement.reason,
        }),
        wake: record.wake.map(|wake| pure::Wake {
            at: wall(wake.at),
            reason: wake.reason,
            by: wake.by,
        }),
        last_stop: record.last_stop.map(|stop| pure::LastStop {
            at: wall(stop.at),
            reason: stop.reason,
        }),
        last_start: record.last_start.map(wall),
        not_before: record.not_before.map(wall),
    }
}

/// A host's record as it is written.
#[must_use]
pub fn wire_host_record(record: pure::HostRecord) -> wire::HostRecord {
    wire::HostRecord {
        claim: record.claim.map(wire_claim),
        leases: record.leases.into_iter().map(wire_lease).collect(),
        postponement: record.postponement.map(|postponement| wire::Postponement {
            until: timestamp(postponement.until),
            reason: postponement.reason,
        }),
        wake: record.wake.map(|wake| wire::Wake {
            at: timestamp(wake.at),
            reason: wake.reason,
            by: wake.by,
        }),
        last_stop: record.last_stop.map(|stop| wire::LastStop {
            at: timestamp(stop.at),
            reason: stop.reason,
        }),
        last_start: record.last_start.map(timestamp),
        not_before: record.not_before.map(timestamp),
    }
}

fn claim(claim: wire::Claim) -> pure::Claim {
    pure::Claim {
        number: pure::ClaimNumber(claim.number),
        holder: claim.holder,
        phase: phase(claim.phase, claim.progress),
        beat: claim.beat,
        freezes: claim.freezes,
        policy_revision: claim.policy_revision,
        reason: claim.reason,
        action: action(claim.action),
        agent: claim.agent,
        boot_id: claim.boot_id,
        target: claim.target.map(|target| pure::Target {
            provider: target.provider,
            account: target.account,
            region: target.region,
            instance: target.instance,
        }),
        quarantine_ms: claim.quarantine_ms.unwrap_or(0),
        group: claim.group,
        slots: claim.slots,
        claimed_at: wall(claim.claimed_at),
        committed_at: claim.committed_at.map(wall),
        stopped_by_others: claim.stopped_by_others,
        tagged: claim.tagged,
        cancelled_because: claim.cancelled_because,
    }
}

fn wire_claim(claim: pure::Claim) -> wire::Claim {
    let (phase, progress) = wire_phase(claim.phase);
    wire::Claim {
        number: claim.number.0,
        holder: claim.holder,
        phase,
        progress,
        beat: claim.beat,
        freezes: claim.freezes,
        policy_revision: claim.policy_revision,
        reason: claim.reason,
        action: wire_action(claim.action),
        agent: claim.agent,
        boot_id: claim.boot_id,
        target: claim.target.map(|target| wire::Target {
            provider: target.provider,
            account: target.account,
            region: target.region,
            instance: target.instance,
        }),
        quarantine_ms: (claim.quarantine_ms > 0).then_some(claim.quarantine_ms),
        group: claim.group,
        slots: claim.slots,
        claimed_at: timestamp(claim.claimed_at),
        committed_at: claim.committed_at.map(timestamp),
        stopped_by_others: claim.stopped_by_others,
        tagged: claim.tagged,
        cancelled_because: claim.cancelled_because,
    }
}

/// A claimed host whose progress is not said has made none: its next owner cancels it either way.
fn phase(phase: wire::Phase, progress: Option<wire::Progress>) -> pure::Phase {
    match phase {
        wire::Phase::Claimed => pure::Phase::Claimed(match progress {
            None | Some(wire::Progress::Intent) => pure::Progress::Intent,
            Some(wire::Progress::Preparing) => pure::Progress::Preparing,
            Some(wire::Progress::Noticing) => pure::Progress::Noticing,
            Some(wire::Progress::PreSnooze) => pure::Progress::PreSnooze,
            Some(wire::Progress::Protections) => pure::Progress::Protections,
            Some(wire::Progress::Settling) => pure::Progress::Settling,
            Some(wire::Progress::Verifying) => pure::Progress::Verifying,
        }),
        wire::Phase::Committed => pure::Phase::Committed,
        wire::Phase::Stopping => pure::Phase::Stopping,
        wire::Phase::Unknown => pure::Phase::Unknown,
        wire::Phase::Stopped => pure::Phase::Stopped,
        wire::Phase::Cancelled => pure::Phase::Cancelled,
    }
}

fn wire_phase(phase: pure::Phase) -> (wire::Phase, Option<wire::Progress>) {
    match phase {
        pure::Phase::Claimed(progress) => {
            let progress = match progress {
                pure::Progress::Intent => wire::Progress::Intent,
                pure::Progress::Preparing => wire::Progress::Preparing,
                pure::Progress::Noticing => wire::Progress::Noticing,
                pure::Progress::PreSnooze => wire::Progress::PreSnooze,
                pure::Progress::Protections => wire::Progress::Protections,
                pure::Progress::Settling => wire::Progress::Settling,
                pure::Progress::Verifying => wire::Progress::Verifying,
            };
            (wire::Phase::Claimed, Some(progress))
        }
        pure::Phase::Committed => (wire::Phase::Committed, None),
        pure::Phase::Stopping => (wire::Phase::Stopping, None),
        pure::Phase::Unknown => (wire::Phase::Unknown, None),
        pure::Phase::Stopped => (wire::Phase::Stopped, None),
        pure::Phase::Cancelled => (wire::Phase::Cancelled, None),
    }
}

fn lease(lease: wire::Lease) -> pure::Lease {
    pure::Lease {
        id: lease.id,
        until: wall(lease.until),
        reason: lease.reason,
        holder: lease.holder,
    }
}

fn wire_lease(lease: pure::Lease) -> wire::Lease {
    wire::Lease {
        id: lease.id,
        until: timestamp(lease.until),
        reason: lease.reason,
        holder: lease.holder,
    }
}

/// The kill switch as deciding knows it.
#[must_use]
pub fn gate(gate: wire::Gate) -> pure::Gate {
    pure::Gate {
        frozen: gate.frozen.map(|frozen| pure::Frozen {
            since: wall(frozen.since),
            reason: frozen.reason,
            by: frozen.by,
        }),
        freezes: gate.freezes,
        commits: gate.commits,
    }
}

/// The kill switch as it is written.
#[must_use]
pub fn wire_gate(gate: pure::Gate) -> wire::Gate {
    wire::Gate {
        frozen: gate.frozen.map(|frozen| wire::Frozen {
            since: timestamp(frozen.since),
            reason: frozen.reason,
            by: frozen.by,
        }),
        freezes: gate.freezes,
        commits: gate.commits,
    }
}

/// A taken slot as deciding knows it.
#[must_use]
pub fn slot(slot: wire::Slot) -> pure::Slot {
    pure::Slot {
        host: slot.host,
        holder: slot.holder,
    }
}

/// A taken slot as it is written.
#[must_use]
pub fn wire_slot(slot: pure::Slot) -> wire::Slot {
    wire::Slot {
        host: slot.host,
        holder: slot.holder,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_record_survives_the_way_there_and_back() {
        let text = json!({
            "claim": {
                "number": 7, "holder": "h", "phase": "claimed", "progress": "pre_snooze", "beat": 3, "freezes": 1,
                "policy_revision": "1/0/2", "reason": "idle", "action": "hibernate", "agent": "a", "boot_id": "b",
                "target": {"provider": "aws", "account": "123", "region": "eu-central-1", "instance": "i-1"},
                "group": "default", "slots": [2], "claimed_at": "2026-01-02T03:04:05.678Z",
                "committed_at": "2026-01-02T03:04:06Z", "stopped_by_others": true, "tagged": true,
                "cancelled_because": "why",
            },
            "leases": [{"id": "l", "until": "2026-01-02T04:00:00Z", "reason": "r", "holder": "p"}],
            "postponement": {"until": "2026-01-02T05:00:00Z", "reason": "later"},
            "wake": {"at": "2026-01-02T06:00:00Z", "reason": "needed", "by": "p"},
            "last_stop": {"at": "2026-01-01T00:00:00Z", "reason": "idle"},
            "last_start": "2026-01-01T01:00:00Z",
            "not_before": "2026-01-01T02:00:00Z",
        });
        let record: wire::HostRecord = serde_json::from_value(text).expect("a record");
        assert_eq!(wire_host_record(host_record(record.clone())), record);
        let mut old = record.clone();
        old.claim.as_mut().expect("the claim").target = None;
        assert_eq!(wire_host_record(host_record(old.clone())), old);
        for phase in ["committed", "stopping", "unknown", "stopped", "cancelled"] {
            let mut record = record.clone();
            let claim = record.claim.as_mut().expect("the claim");
            claim.phase = serde_json::from_value(json!(phase)).expect("a phase");
            claim.progress = None;
            assert_eq!(wire_host_record(host_record(record.clone())), record, "{phase}");
        }
    }

    #[test]
    fn the_kill_switch_survives_the_way_there_and_back() {
        let text = json!({
            "frozen": {"since": "2026-01-02T03:04:05Z", "reason": "r", "by": "p"}, "freezes": 4, "commits": 9,
        });
        let record: wire::Gate = serde_json::from_value(text).expect("a gate");
        assert_eq!(wire_gate(gate(record.clone())), record);
    }
}
