//! Wakes (P2): a wish in the host's key, which takes back a claim that is not committed, blocks new ones,
//! and is cleared only when the machine is seen running.

use super::{change, hold::cut};
use crate::{
    context::Context,
    perform::chain,
    provider::{CallOutcome, CloudError, InstanceState, Target},
    store::StoreError,
};
use snooze_bus::Delivery;
use snooze_decision::claim::{Entry, HostRecord, Wake, apply_wake, note_running, wake_is_late};
use snooze_schemas::{
    HostId, Refusal,
    audit::AuditKind,
    event::Scope,
    ops::{WakeRequest, WakeResult},
};
use std::time::Duration;

/// For how long a start's answer is waited for.
const START_WITHIN: Duration = Duration::from_secs(10);

pub(super) async fn wake(context: &Context, delivery: &Delivery) -> Result<WakeResult, Refusal> {
    let request: WakeRequest = delivery.read()?;
    let wake = Wake {
        at: context.now().wall,
        reason: cut(&request.reason),
        by: cut(&request.by),
    };
    let message = format!("{} wants it started: {}", wake.by, wake.reason);
    let entry = change(context, &request.host, |entry| {
        Ok(apply_wake(entry, wake.clone()))
    })
    .await?;
    context
        .file(Scope::Host(request.host.clone()), AuditKind::Wake, message)
        .await;
    let waits_since = wake_is_late(&entry.value).map(crate::convert::timestamp);
    Ok(WakeResult { waits_since })
}

/// Asks for the start of a host that somebody wants and nobody has a claim on, or notes that it runs.
///
/// `seen` is the key at which the attempt was found to be due; where it has moved, another executor makes
/// the attempt, or it is not wanted any more.
pub(crate) async fn start(context: &Context, host: &HostId, seen: &Entry<HostRecord>) {
    match try_start(context, host, seen).await {
        Ok(()) => {}
        Err(reason) => tracing::warn!(host = %host, reason, "a host that is to be started was not"),
    }
}

async fn try_start(context: &Context, host: &HostId, seen: &Entry<HostRecord>) -> Result<(), String> {
    // The same record once more: of several executors that find the attempt due, one writes it.
    let entry = match context
        .store
        .update(host, seen.value.clone(), seen.revision)
        .await
    {
        Ok(revision) => Entry {
            revision,
            value: seen.value.clone(),
        },
        Err(StoreError::Moved | StoreError::Ambiguous) => return Ok(()),
        Err(error) => return Err(chain(&error)),
    };
    let record = context.store.roster(host).await.map_err(|error| chain(&error))?;
    let (_, record) = record.ok_or_else(|| chain(&CloudError::NotEnrolled))?;
    let target = Target::from_roster(host, &record);
    let cloud = context.clouds.of(&target).map_err(|error| chain(&error))?;
    let seen = cloud.see(&target).await.map_err(|error| chain(&error))?;
    match seen.state {
        InstanceState::Running => {
            let running = note_running(&entry, context.now().wall);
            settle(context, host, running, &entry, "The machine runs.").await
        }
        InstanceState::Stopped => {
            let outcome = cloud.start(&target, START_WITHIN).await;
            let message = match &outcome {
                CallOutcome::Accepted { .. } => "The cloud accepted the start.".to_owned(),
                CallOutcome::Refused { code, message } => {
                    format!("The cloud refused the start: {code}: {message}")
                }
                CallOutcome::NotSent { reason } | CallOutcome::Unknown { reason } => {
                    format!("Nobody knows what became of the start: {reason}")
                }
            };
            context
                .file(Scope::Host(host.clone()), AuditKind::Wake, message)
                .await;
            Ok(())
        }
        // On its way up or down: looked at again in a while.
        InstanceState::Pending | InstanceState::Stopping | InstanceState::Unrecognised => Ok(()),
        InstanceState::ShuttingDown | InstanceState::Terminated => {
            let given_up = HostRecord {
                wake: None,
                ..entry.value.clone()
            };
            let message = "It cannot be started: the instance is terminated.";
            settle(context, host, given_up, &entry, message).await
        }
    }
}

/// Ends a wake, and says so once it is written.
async fn settle(
    context: &Context,
    host: &HostId,
    record: HostRecord,
    entry: &Entry<HostRecord>,
    message: &str,
) -> Result<(), String> {
    match context.store.update(host, record, entry.revision).await {
        Ok(_) => {
            let scope = Scope::Host(host.clone());
            context.file(scope, AuditKind::Wake, message.to_owned()).await;
            Ok(())
        }
        // Where the key has moved, the next attempt tells what is still to be done.
        Err(error @ (StoreError::Moved | StoreError::Ambiguous)) => {
            tracing::debug!(host = %host, error = %chain(&error), "a wake is not cleared yet");
            Ok(())
        }
        Err(error) => Err(chain(&error)),
    }
}
