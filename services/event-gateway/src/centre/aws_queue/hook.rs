//! A lifecycle hook that waits while handlers run, and is answered when they have.
//!
//! The hook is told again and again that there is somebody at work, until the event has ended: by its outcome in
//! the audit trail, handled or in DEAD. Then an instance that leaves goes on leaving, whatever came of it; one that
//! comes goes on only when its handlers succeeded, else the hook's own default says what becomes of it.
//!
//! Nothing about it is kept here: a gateway that is killed leaves the message in the queue, and who receives it next
//! finds in the audit trail where the event stands. One that is killed between the answer and the message's removal
//! lets it be answered once more, which Auto Scaling refuses: the action's token is spent.

use super::{Office, message::scope, scaling::ScalingError};
use crate::{
    centre::{
        notes::{Noted, noted},
        outcomes,
    },
    source::aws_queue::{Hook, Way},
};
use snooze_bus::{Bus, BusError};
use snooze_schemas::{HostId, audit::AuditRecord, event::Event};
use snooze_service_runtime::exit::one_line;
use std::time::Duration;
use tokio::time::sleep;

/// How often is looked whether an event has ended: at first, and later. Most end within seconds.
const LOOKS: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(3)];
/// How often the audit trail is looked into while there is a note that the event has not ended: nobody may have heard
/// how it did. Else it is read when the note is gone, for it costs more.
const AUDIT: Duration = Duration::from_secs(15);
/// Between two tries to answer: doubled each time, up to the second one.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(20)];
/// So often an answer is tried, some quarter of an hour: then the hook's own time-out has to do.
const ANSWERS: u32 = 48;
/// What is added to the longest that an event takes to end.
const SPARE: Duration = Duration::from_secs(60);

/// How the events that a hook waits for ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Well,
    Badly,
}

/// When the audit trail is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    Anyway,
    WithoutNote,
}

/// Whether it is one that is answered here.
fn is_ours(office: &Office, hook: &Hook) -> bool {
    let mut ours = office.lifecycle_hooks.iter();
    ours.any(|name| name == "*" || *name == hook.name)
}

/// Whether it is one that is answered here and holds an instance that is being launched.
pub(super) fn is_launch(office: &Office, hook: &Hook) -> bool {
    hook.way == Way::Coming && is_ours(office, hook)
}

/// Waits for the events, and answers. Cancelling it leaves the hook as it stands.
pub(super) async fn answer(office: &Office, hook: &Hook, events: &[(HostId, Event)]) {
    if !is_ours(office, hook) {
        tracing::debug!(hook = hook.name, "a lifecycle hook is left to somebody else");
        return;
    }
    let Some(ended) = wait(office, hook, events).await else {
        tracing::info!(
            hook = hook.name,
            instance = hook.instance,
            "a lifecycle action ended without an answer"
        );
        return;
    };
    if hook.way == Way::Coming && ended != Ended::Well {
        tracing::warn!(
            hook = hook.name,
            instance = hook.instance,
            "an instance comes into service and its handlers did not succeed; the hook's default result holds"
        );
        return;
    }
    go_on(office, hook).await;
}

/// Tells the hook that somebody is at work until the events have ended; nothing where the hook does not wait any more.
async fn wait(office: &Office, hook: &Hook, events: &[(HostId, Event)]) -> Option<Ended> {
    let clocks = &office.config.clocks;
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let begun = clocks.boottime_ms();
    let mut beaten = begun;
    let mut audited = None;
    let mut is_told = false;
    let [mut pause, longest] = LOOKS;
    loop {
        let now = clocks.boottime_ms();
        let is_due = audited.is_none_or(|at| now.saturating_sub(at) >= millis(AUDIT));
        let look = if is_due { Look::Anyway } else { Look::WithoutNote };
        audited = if is_due { Some(now) } else { audited };
        match ended(&office.bus, events, look).await {
            Ok(Some(ended)) => return Some(ended),
            Ok(None) => {}
            Err(error) => tracing::debug!(%error, "whether an event has ended was not read; tried again"),
        }
        if now.saturating_sub(begun) >= millis(longest_wait(office)) {
            tracing::warn!(
                hook = hook.name,
                instance = hook.instance,
                "an event did not end in its time"
            );
            return Some(Ended::Badly);
        }
        if now.saturating_sub(beaten) >= millis(office.beat) {
            beaten = now;
            match office.scaling.beat(hook).await {
                Ok(()) => tracing::debug!(
                    hook = hook.name,
                    instance = hook.instance,
                    "a lifecycle hook waits"
                ),
                Err(ScalingError::Over) => return None,
                Err(error) if !is_told => {
                    tracing::warn!(
                        error = one_line(&error),
                        hook = hook.name,
                        "a lifecycle hook may not wait"
                    );
                    is_told = true;
                }
                Err(_) => {}
            }
        }
        sleep(pause.min(office.beat)).await;
        pause = (pause * 2).min(longest);
    }
}

/// An event without a deadline waits so long for its host, is tried there so long, and has so long to be reported.
fn longest_wait(office: &Office) -> Duration {
    let config = &office.config;
    config.patience * 2 + config.busy_patience + config.report_grace + SPARE
}

/// How all of them ended; nothing while one has not.
async fn ended(bus: &Bus, events: &[(HostId, Event)], look: Look) -> Result<Option<Ended>, BusError> {
    let mut all = Ended::Well;
    for (host, event) in events {
        if look == Look::WithoutNote
            && let Noted::ThisEvent(_) = noted(bus, host, event).await?
        {
            return Ok(None);
        }
        match outcomes::report_of(bus, &scope(host), &event.id).await? {
            None => return Ok(None),
            Some(report) if went_well(&report) => {}
            Some(_) => all = Ended::Badly,
        }
    }
    Ok(Some(all))
}

/// Whether no handler failed, and the event reached its host.
fn went_well(report: &AuditRecord) -> bool {
    let is_dead = report.details.get("dead").is_some();
    let handlers = report.details.get("handlers").and_then(|list| list.as_array());
    // One that failed or had no time has handled nothing either; one that it does not concern succeeds.
    let failed = handlers
        .into_iter()
        .flatten()
        .any(|handler| handler.get("succeeded").and_then(serde_json::Value::as_bool) == Some(false));
    !is_dead && !failed
}

async fn go_on(office: &Office, hook: &Hook) {
    let [mut pause, longest] = PAUSES;
    let mut is_told = false;
    for _ in 0..ANSWERS {
        match office.scaling.go_on(hook).await {
            Ok(()) => {
                tracing::info!(
                    hook = hook.name,
                    group = hook.group,
                    instance = hook.instance,
                    "a lifecycle action goes on"
                );
                return;
            }
            Err(ScalingError::Over) => {
                tracing::info!(
                    hook = hook.name,
                    instance = hook.instance,
                    "a lifecycle action was answered before"
                );
                return;
            }
            Err(error) if !is_told => {
                tracing::warn!(
                    error = one_line(&error),
                    hook = hook.name,
                    "a lifecycle action was not answered; tried again"
                );
                is_told = true;
            }
            Err(_) => {}
        }
        sleep(pause).await;
        pause = (pause * 2).min(longest);
    }
    tracing::error!(
        hook = hook.name,
        group = hook.group,
        instance = hook.instance,
        "a lifecycle action could not be answered: it ends with its hook's time-out; look at the gateway's permissions"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn report(details: &Value) -> AuditRecord {
        let record = json!({"at": "2030-01-01T00:00:00Z", "host": "h1", "kind": "event", "actor": "runner",
            "message": "handled", "details": details});
        serde_json::from_value(record).expect("a record")
    }

    #[test]
    fn an_event_went_well_when_it_reached_its_host_and_no_handler_failed() {
        let well = json!({"handlers": [{"handled": true, "succeeded": true}, {"handled": false, "succeeded": true}]});
        assert!(went_well(&report(&well)));
        assert!(
            went_well(&report(&json!({"handlers": []}))),
            "nobody cares about it"
        );
        let badly = json!({"handlers": [{"handled": true, "succeeded": true}, {"handled": false, "succeeded": false}]});
        assert!(!went_well(&report(&badly)));
        assert!(!went_well(&report(
            &json!({"dead": true, "reason": "its host is not on the bus"})
        )));
    }
}
