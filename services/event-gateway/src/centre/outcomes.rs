//! Hearing how events ended, and clearing their notes.
//!
//! A host whose plugins do not care about an event has reported its end before the gateway that offered it
//! has noted it; so where there is no note yet, it is looked for once more. An outcome that is missed here
//! costs nothing but time: whoever sweeps looks into the audit trail first. Whose outcome it is says the
//! subject, which the server fences, and never the body (rule I1).

mod clearing;

use super::audit_subject;
use clearing::Clearing;
use snooze_bus::{
    Bucket, Bus, BusError, Delivery, Searched, Stored, Stream, Subject, Subscription, WriteError, keys, serve,
};
use snooze_schemas::{
    EventId,
    audit::AuditRecord,
    event::{Event, OpenEvent, Scope},
};
use snooze_service_runtime::CancellationToken;
use std::{convert::Infallible, time::Duration};

/// Most of them only wait for their second look, which costs a few hundred bytes each.
const AT_ONCE: usize = 16_384;

/// Before the second look. A note is written within milliseconds of the acceptance, unless the bucket is busy.
const SECOND_LOOK: Duration = Duration::from_secs(2);

/// So many entries of a host's audit trail are looked through for an outcome, from when its event was filed on.
const OUTCOMES: usize = 20_000;

/// So long before its event was filed an outcome may have been: a host handles what it noticed about itself at once,
/// and files both when there is a broker.
const BEFORE_FILED: Duration = Duration::from_secs(10 * 60);

/// So many of the newest, where it is not known when that was.
const NEWEST: usize = 1_000;

const GRACE: Duration = Duration::from_secs(5);

/// Clears the note of every event whose outcome is reported, until shutdown.
pub(crate) async fn clear(
    reports: Subscription,
    bus: Bus,
    shutdown: CancellationToken,
) -> Result<(), Infallible> {
    let (clearing, remover) = clearing::channel(bus.clone());
    let handler = move |delivery| clear_one(delivery, bus.clone(), clearing.clone());
    let hearing = serve(reports, AT_ONCE, GRACE, shutdown.cancelled_owned(), handler);
    tokio::join!(hearing, remover);
    Ok(())
}

async fn clear_one(delivery: Delivery, bus: Bus, clearing: Clearing) {
    let Subject::Audit { scope, .. } = delivery.subject() else {
        return tracing::warn!("an outcome came under no subject of the audit trail");
    };
    let record: AuditRecord = match delivery.read() {
        Ok(record) => record,
        Err(refusal) => return tracing::warn!(%refusal, "an outcome cannot be read"),
    };
    let Some(id) = event_of(&record) else { return };
    let key = keys::open_key(scope, &id);
    for pause in [Duration::ZERO, SECOND_LOOK] {
        tokio::time::sleep(pause).await;
        match bus.bucket(Bucket::Open).get::<OpenEvent>(&key).await {
            Ok(Some(entry)) => return clearing.clear(key, entry.revision).await,
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, event = %id, "an outcome's note was not read; tried again"),
        }
    }
}

/// Removes a note at the revision that was read; whoever wrote it in between goes on with it.
pub(crate) async fn remove(bus: &Bus, key: &str, revision: u64) {
    match bus.bucket(Bucket::Open).delete_for_good(key, revision).await {
        Ok(_) | Err(WriteError::Conflict { .. }) => {}
        Err(error) => tracing::warn!(%error, key, "a note was not removed; the sweeper will"),
    }
}

/// Whether a host's audit trail says how an event ended: by a report of its runner, or in DEAD. Looked through is all that
/// the server took since it took the event, on the server's own clock; of one that its stream has dropped, the end of it.
pub(crate) async fn reported(bus: &Bus, scope: &Scope, event: &Event) -> Result<Searched, BusError> {
    let (stream, subject) = (Stream::of_events(event.severity), Subject::from(event));
    let filed_at = match bus.last::<Event>(stream, &subject).await {
        Ok(filed) => filed.map(|filed| filed.filed_at),
        Err(BusError::Decode { .. }) => None,
        Err(error) => return Err(error),
    };
    let filter = audit_subject(scope.clone()).into();
    let is_end = |entry: &Stored<AuditRecord>| event_of(&entry.message).as_ref() == Some(&event.id);
    if let Some(since) = filed_at.and_then(|filed_at| filed_at.checked_sub(BEFORE_FILED).ok()) {
        return bus.search(Stream::Audit, &filter, since, OUTCOMES, is_end).await;
    }
    let newest = bus.history::<AuditRecord>(Stream::Audit, &filter, NEWEST).await?;
    Ok(if newest.iter().any(is_end) {
        Searched::Found
    } else if newest.len() < NEWEST {
        Searched::Nowhere
    } else {
        Searched::Unknown
    })
}

/// What a host's audit trail says of how an event ended, where it says so.
#[cfg(feature = "aws")]
pub(crate) async fn report_of(
    bus: &Bus,
    scope: &Scope,
    id: &EventId,
) -> Result<Option<AuditRecord>, BusError> {
    let filter = audit_subject(scope.clone()).into();
    let trail = bus.history::<AuditRecord>(Stream::Audit, &filter, NEWEST).await?;
    let mut records = trail.into_iter().map(|entry| entry.message);
    Ok(records.find(|record| event_of(record).as_ref() == Some(id)))
}

/// The event that an entry of the audit trail is about.
fn event_of(record: &AuditRecord) -> Option<EventId> {
    record.details.get("id")?.as_str()?.parse().ok()
}
