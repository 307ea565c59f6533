//! The words of scenarios: durations, states, steps, modes.

use crate::bench::Step;
use snooze_decision::claim::{AuditKind, InstanceState};
use snooze_decision::{Combine, Role, VoteState};

/// What was said is not a word here.
pub(super) fn not_understood<T>(what: &str) -> Result<T, String> {
    Err(format!("not understood: {what:?}"))
}

/// `30 min`, `90 s`, `2 h`, `250 ms`.
pub(super) fn duration(text: &str) -> Result<u64, String> {
    let (number, unit) = text
        .split_once(' ')
        .ok_or_else(|| format!("no duration: {text:?}"))?;
    let number: u64 = number.parse().map_err(|_| format!("no number: {number:?}"))?;
    let unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        other => return Err(format!("no unit of time: {other:?}")),
    };
    Ok(number * unit)
}

pub(super) fn combine(text: &str) -> Result<Combine, String> {
    let number = |text: &str| text.parse().map_err(|_| format!("no number: {text:?}"));
    Ok(match text.split_once(' ') {
        None if text == "all" => Combine::All,
        None if text == "any" => Combine::Any,
        Some(("quorum", k)) => Combine::Quorum(number(k)?),
        Some(("weighted", threshold)) => {
            Combine::Weighted(threshold.parse().map_err(|_| "no number".to_owned())?)
        }
        _ => return not_understood(text),
    })
}

pub(super) fn role(text: &str) -> Result<Role, String> {
    Ok(match text {
        "required" => Role::Required,
        "counted" => Role::Counted,
        "advisory" => Role::Advisory,
        _ => return not_understood(text),
    })
}

pub(super) fn vote(text: &str) -> Result<VoteState, String> {
    Ok(match text {
        "busy" => VoteState::Busy,
        "unknown" => VoteState::Unknown,
        _ => return not_understood(text),
    })
}

pub(super) fn instance(text: &str) -> Result<InstanceState, String> {
    Ok(match text {
        "pending" => InstanceState::Pending,
        "running" => InstanceState::Running,
        "stopping" => InstanceState::Stopping,
        "stopped" => InstanceState::Stopped,
        "terminated" => InstanceState::Terminated,
        _ => return not_understood(text),
    })
}

/// The steps that an operator knows a claim by.
pub(super) fn step(text: &str) -> Result<Step, String> {
    Ok(match text {
        "the intent" => Step::Audit(AuditKind::Intent),
        "the preparation" => Step::Prepare,
        "the notice" => Step::Audit(AuditKind::Notice),
        "the protections" => Step::Protections,
        "the verification" => Step::Verify,
        "the commit" => Step::Commit,
        "the call" => Step::Call,
        "the watch" => Step::Watch,
        "the tags" => Step::Tags,
        "the undoing" => Step::Cancel,
        "the release" => Step::Free,
        "an alarm" => Step::Audit(AuditKind::Alarm),
        _ => return not_understood(text),
    })
}
