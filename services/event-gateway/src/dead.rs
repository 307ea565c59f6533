//! Where an event ends that nobody could handle: DEAD, with the reason, and a line in the audit trail.

use crate::audit_subject;
use snooze_bus::{Bus, Expect, FileError, Subject};
use snooze_schemas::{
    audit::{AuditKind, AuditRecord},
    event::{DeadEvent, Event, Scope},
};
use snooze_service_runtime::Clocks;
use std::time::Duration;

const FILE_WITHIN: Duration = Duration::from_secs(5);

/// Files an event in DEAD for a host, or for the fleet where no host is known. Only when this returned is
/// the event accounted for; a second call files it twice, which is better than not at all.
pub(crate) async fn bury(
    bus: &Bus,
    clocks: &Clocks,
    actor: &str,
    scope: Scope,
    event: &Event,
    reason: &str,
) -> Result<(), FileError> {
    let subject = Subject::Dead {
        scope: scope.clone(),
        event_type: event.event_type.clone(),
    };
    let dead = DeadEvent {
        event: event.clone(),
        reason: reason.to_owned(),
    };
    bus.file(&subject, &dead, Expect::Anything, FILE_WITHIN).await?;
    tracing::warn!(event = %event.id, host = %scope, reason, "an event ended unhandled");
    let record = AuditRecord {
        at: clocks.wall(),
        host: scope.clone(),
        kind: AuditKind::Event,
        actor: actor.to_owned(),
        claim: None,
        message: format!("{} {} ended in DEAD: {reason}", event.event_type, event.id),
        details: [
            ("id".to_owned(), event.id.to_string().into()),
            ("type".to_owned(), event.event_type.to_string().into()),
            ("dead".to_owned(), true.into()),
        ]
        .into_iter()
        .collect(),
    };
    bus.file(&audit_subject(scope), &record, Expect::Anything, FILE_WITHIN)
        .await?;
    Ok(())
}
