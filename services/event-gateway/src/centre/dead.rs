//! Where an event ends that nobody could handle: DEAD, with the reason, and a line in the audit trail.
//!
//! Two gateways may come to the same end, and one may die between the two lines. So an end is looked for
//! before it is filed, and an entry has an identity by which the stream refuses a second one.

use super::{audit_subject, outcomes};
use snooze_bus::{Bus, BusError, Expect, FileError, Once, Searched, Subject};
use snooze_schemas::{
    audit::{AuditKind, AuditRecord},
    event::{DeadEvent, Event, Scope},
};
use snooze_service_runtime::Clocks;
use std::time::Duration;

const FILE_WITHIN: Duration = Duration::from_secs(5);

/// What is added to a reason that may be wrong.
const NOT_ALL_SEEN: &str =
    "its host has reported so much since that not all of it was looked through for an outcome";

/// Why an event is not accounted for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeadError {
    /// Whether it was reported is not known.
    #[error("look for the outcome of an event")]
    Look(#[source] BusError),
    /// It could not be filed.
    #[error("file an event in DEAD")]
    File(#[source] FileError),
}

/// Files in DEAD.
#[derive(Debug, Clone)]
pub(crate) struct DeadEvents {
    pub(crate) bus: Bus,
    pub(crate) clocks: Clocks,
    /// Who it is, in the audit trail.
    pub(crate) name: String,
}

impl DeadEvents {
    /// Files an event in DEAD for a host, or for the fleet where no host is known, unless its outcome is
    /// reported. Only when this returned is the event accounted for; calling it again changes nothing.
    pub(crate) async fn file(&self, scope: Scope, event: &Event, reason: &str) -> Result<(), DeadError> {
        let reason = match self.reported(&scope, event).await? {
            Searched::Found => {
                tracing::info!(event = %event.id, host = %scope, "an event's outcome was reported already");
                return Ok(());
            }
            Searched::Nowhere => reason,
            Searched::Unknown => &format!("{reason}; {NOT_ALL_SEEN}"),
        };
        let subject = Subject::Dead {
            scope: scope.clone(),
            event_type: event.event_type.clone(),
        };
        let dead = DeadEvent {
            event: filed_of(event, &scope),
            reason: reason.to_owned(),
        };
        let severity = u8::from(event.severity);
        let identity = format!("{scope}.{severity}.{}.{}", event.id, event.event_type);
        let filed = self.bus.file_once(&subject, &dead, &identity, FILE_WITHIN).await;
        let once = filed.map_err(DeadError::File)?;
        if once == Once::Before && self.reported(&scope, event).await? == Searched::Found {
            return Ok(());
        }
        tracing::warn!(event = %event.id, host = %scope, reason, "an event ended unhandled");
        let record = self.record(&scope, event, reason);
        let filed = self
            .bus
            .file(&audit_subject(scope), &record, Expect::Anything, FILE_WITHIN)
            .await;
        filed.map(drop).map_err(DeadError::File)
    }

    async fn reported(&self, scope: &Scope, event: &Event) -> Result<Searched, DeadError> {
        let reported = outcomes::reported(&self.bus, scope, event).await;
        reported.map_err(DeadError::Look)
    }

    fn record(&self, scope: &Scope, event: &Event, reason: &str) -> AuditRecord {
        AuditRecord {
            at: self.clocks.wall(),
            host: scope.clone(),
            kind: AuditKind::Event,
            actor: self.name.clone(),
            claim: None,
            message: format!("{} {} ended in DEAD: {reason}", event.event_type, event.id),
            details: [
                ("id".to_owned(), event.id.to_string().into()),
                ("type".to_owned(), event.event_type.to_string().into()),
                ("dead".to_owned(), true.into()),
                ("reason".to_owned(), reason.into()),
            ]
            .into_iter()
            .collect(),
        }
    }
}

/// The event as it is filed for one host or for all. One of the fleet ends for each host by itself, and as often with
/// all its data it would push everybody else's out: that stands in its stream.
fn filed_of(event: &Event, scope: &Scope) -> Event {
    let mut filed = event.clone();
    if event.host == Scope::Fleet && *scope != Scope::Fleet {
        filed.data.clear();
    }
    filed
}
