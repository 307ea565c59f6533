//! Between the types on the wire and the pure ones that deciding knows. Nothing is decided here, and
//! nothing is guessed: what does not fit is an error with the key's own name.

pub mod state;

use crate::provider::InstanceState;
use snooze_decision::{self as pure, Wall, claim};
use snooze_schemas::{
    Timestamp, audit,
    host::{self, Action},
    policy::{Combine, Mode, Policy},
    roster::RosterRecord,
    verdict::{Role, Verdict, Vote, VoteState},
};

/// A policy on which nothing may be decided.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PolicyError {
    /// A layer holds a value of another kind than its key wants.
    #[error("read the policy {revision}: {reason}")]
    Read {
        /// The revisions of its layers.
        revision: String,
        /// Which key, and why.
        reason: String,
    },
    /// The values contradict each other or the protocol.
    #[error("the policy {revision} cannot be used: {mistakes}")]
    Check {
        /// The revisions of its layers.
        revision: String,
        /// All of them.
        mistakes: String,
    },
}

/// A policy as deciding knows it.
///
/// # Errors
/// Every mistake in it at once.
pub fn policy(wire: &Policy, revision: &str) -> Result<pure::Policy, PolicyError> {
    let seconds = |value: f64| milliseconds(value, 1_000.0);
    let minutes = |value: f64| milliseconds(value, 60_000.0);
    let values = pure::PolicyValues {
        mode: match wire.mode {
            Mode::Observe => pure::Mode::Observe,
            Mode::Act => pure::Mode::Act,
        },
        combine: match wire.combine {
            Combine::All => pure::Combine::All,
            Combine::Any => pure::Combine::Any,
            Combine::Quorum(least) => pure::Combine::Quorum(least),
            Combine::Weighted(threshold) => pure::Combine::Weighted(threshold),
        },
        voters: wire
            .voters
            .iter()
            .map(|(voter, rule)| {
                let rule = pure::VoterRule {
                    role: rule.role.map(role),
                    weight: rule.weight,
                };
                (voter.as_str().to_owned(), rule)
            })
            .collect(),
        action: action(wire.action),
        self_stop: wire.self_stop,
        opt_in_tag: wire.opt_in_tag.clone(),
        opt_out_tag: wire.opt_out_tag.clone(),
        check_interval_ms: seconds(wire.check_interval_seconds),
        naptime_ms: minutes(wire.naptime_minutes),
        heartbeat_ms: seconds(wire.heartbeat_seconds),
        boot_grace_ms: minutes(wire.boot_grace_minutes),
        cooldown_ms: minutes(wire.cooldown_minutes),
        notice_ms: seconds(wire.notice_seconds),
        pre_snooze_ms: seconds(wire.pre_snooze_seconds),
        settle_ms: seconds(wire.settle_seconds),
        freshness_ms: seconds(wire.freshness_seconds),
        call_timeout_ms: seconds(wire.call_timeout_seconds),
        signature_life_ms: seconds(wire.signature_life_seconds),
        application_ms: seconds(wire.application_seconds),
        quarantine_ms: seconds(wire.quarantine_seconds),
        beat_ms: seconds(wire.beat_seconds),
        takeover_ms: seconds(wire.takeover_seconds),
        verify_window_ms: seconds(wire.verify_window_seconds),
        plugin_timeout_ms: seconds(wire.plugin_timeout_seconds),
        max_concurrent_stops: wire.max_concurrent_stops,
        write_tags: wire.enable_instance_tags,
    };
    pure::Policy::check(values).map_err(|mistakes| PolicyError::Check {
        revision: revision.to_owned(),
        mistakes: mistakes
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("; "),
    })
}

/// Negative, infinite and what is no number become values that the check refuses: zero and too long.
fn milliseconds(value: f64, unit: f64) -> u64 {
    // The cast saturates, and makes 0 of what is negative or no number.
    let ms = (value * unit).round() as u64;
    // A positive duration below half a millisecond is a duration and not "none".
    if ms == 0 && value > 0.0 { 1 } else { ms }
}

/// What is to be done to an idle host.
#[must_use]
pub fn action(wire: Action) -> pure::StopAction {
    match wire {
        Action::Stop => pure::StopAction::Stop,
        Action::Hibernate => pure::StopAction::Hibernate,
    }
}

/// What is to be done to an idle host, as messages and clouds say it.
#[must_use]
pub fn wire_action(pure: pure::StopAction) -> Action {
    match pure {
        pure::StopAction::Stop => Action::Stop,
        pure::StopAction::Hibernate => Action::Hibernate,
    }
}

fn role(wire: Role) -> pure::Role {
    match wire {
        Role::Required => pure::Role::Required,
        Role::Counted => pure::Role::Counted,
        Role::Advisory => pure::Role::Advisory,
    }
}

/// A verdict as deciding knows it. Roles are left behind: those come from the policy, never from the host.
#[must_use]
pub fn verdict(wire: Verdict) -> pure::Verdict {
    pure::Verdict {
        boot_id: wire.boot_id,
        agent: wire.agent,
        seq: wire.seq,
        policy_revision: wire.policy_revision,
        sample_age_ms: wire.sample_age_ms,
        uptime_ms: wire.uptime_ms,
        boot_grace_left_ms: wire.boot_grace_left_ms,
        votes: wire.votes.into_iter().map(vote).collect(),
    }
}

fn vote(wire: Vote) -> pure::Vote {
    pure::Vote {
        voter: wire.voter.into(),
        state: vote_state(wire.state),
        raw: vote_state(wire.raw),
        reason: wire.reason,
        idle_ms: wire.idle_ms,
    }
}

fn vote_state(wire: VoteState) -> pure::VoteState {
    match wire {
        VoteState::Idle => pure::VoteState::Idle,
        VoteState::Busy => pure::VoteState::Busy,
        VoteState::Unknown => pure::VoteState::Unknown,
    }
}

/// A host's answer to a verification; `last_heard` is the agent that was the last to publish a verdict.
#[must_use]
pub fn verified(wire: host::Verified, last_heard: Option<String>) -> claim::Verified {
    claim::Verified {
        claim: claim::ClaimNumber(wire.claim),
        nonce: wire.nonce,
        prepared: wire.prepared,
        last_heard,
        verdict: verdict(wire.verdict),
    }
}

/// The instance that a host's record names, as its claim keeps it.
#[must_use]
pub fn target(record: &RosterRecord) -> claim::Target {
    claim::Target {
        provider: record.provider.as_str().to_owned(),
        account: record.account.clone(),
        region: record.region.clone(),
        instance: record.instance.clone(),
    }
}

/// How far a preparation is.
#[must_use]
pub fn prepare_state(wire: host::PrepareState) -> claim::PrepareState {
    match wire {
        host::PrepareState::Accepted => claim::PrepareState::Accepted,
        host::PrepareState::Working => claim::PrepareState::Working,
        host::PrepareState::Done => claim::PrepareState::Done,
        host::PrepareState::Failed => claim::PrepareState::Failed,
    }
}

/// What an instance is doing; nothing where the cloud says what is not known here.
#[must_use]
pub fn instance_state(state: InstanceState) -> Option<claim::InstanceState> {
    Some(match state {
        InstanceState::Pending => claim::InstanceState::Pending,
        InstanceState::Running => claim::InstanceState::Running,
        InstanceState::Stopping => claim::InstanceState::Stopping,
        InstanceState::Stopped => claim::InstanceState::Stopped,
        InstanceState::ShuttingDown => claim::InstanceState::ShuttingDown,
        InstanceState::Terminated => claim::InstanceState::Terminated,
        InstanceState::Unrecognised => return None,
    })
}

/// The kind of an entry that a claim files.
#[must_use]
pub fn audit_kind(pure: claim::AuditKind) -> audit::AuditKind {
    match pure {
        claim::AuditKind::Intent => audit::AuditKind::Intent,
        claim::AuditKind::Notice => audit::AuditKind::Notice,
        claim::AuditKind::Verified => audit::AuditKind::Verified,
        claim::AuditKind::Committed => audit::AuditKind::Committed,
        claim::AuditKind::Call => audit::AuditKind::Call,
        claim::AuditKind::Stopped => audit::AuditKind::Stopped,
        claim::AuditKind::Cancelled => audit::AuditKind::Cancelled,
        claim::AuditKind::Takeover => audit::AuditKind::Takeover,
        claim::AuditKind::Alarm => audit::AuditKind::Alarm,
    }
}

/// A time of day; one before 1970 is 1970.
#[must_use]
pub fn wall(time: Timestamp) -> Wall {
    Wall(u64::try_from(time.as_millisecond()).unwrap_or(0))
}

/// A time of day; one that no calendar has is the last that there is.
#[must_use]
pub fn timestamp(wall: Wall) -> Timestamp {
    let ms = i64::try_from(wall.0).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_policy_can_be_used_and_says_the_same_in_both_worlds() {
        let policy = policy(&Policy::default(), "0/0/0").expect("the defaults fit");
        assert_eq!(*policy, pure::PolicyValues::default());
    }

    #[test]
    fn every_mistake_is_reported_at_once() {
        let wire = Policy {
            naptime_minutes: -1.0,
            quarantine_seconds: 1.0,
            max_concurrent_stops: 0,
            heartbeat_seconds: f64::NAN,
            ..Policy::default()
        };
        let text = policy(&wire, "1/2/3").expect_err("four mistakes").to_string();
        for part in [
            "1/2/3",
            "naptime",
            "quarantine",
            "max_concurrent_stops",
            "heartbeat",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn a_short_duration_is_not_none() {
        assert_eq!(milliseconds(0.000_1, 1_000.0), 1);
        assert_eq!(milliseconds(0.25, 60_000.0), 15_000);
        assert_eq!(milliseconds(f64::INFINITY, 1.0), u64::MAX);
        assert_eq!(milliseconds(f64::NAN, 1.0), 0);
    }
}
