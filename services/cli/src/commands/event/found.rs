//! Events as they are filed, and what became of them: from the streams of events, the audit trail and the notes
//! of those that are not over.

use crate::{
    session::{Session, of_bus},
    view::event::{Ending, How, Story, Waits},
};
use snooze_bus::{Bucket, BusError, Stored, Stream, Subject, SubjectFilter, keys};
use snooze_schemas::{
    EventId, Timestamp,
    audit::{AuditKind, AuditRecord},
    event::{Event, EventOutcome, OpenEvent, OpenState, Scope},
};
use snooze_service_runtime::Failure;
use std::collections::HashMap;

/// How many entries of the audit trail are looked through: as many as one look returns.
const ENTRIES: usize = 10_000;

/// The newest events of a family, at most so many, the oldest of them first.
pub(super) async fn newest(
    session: &Session,
    filter: &SubjectFilter,
    limit: usize,
) -> Result<Vec<(Stream, Stored<Event>)>, Failure> {
    let mut events = Vec::new();
    for stream in [Stream::EventsUrgent, Stream::EventsRoutine] {
        let found = session.bus.history::<Event>(stream, filter, limit).await;
        let found = found.map_err(|error| of_bus(&error))?;
        // A host's word is good for its own subjects alone.
        let is_true = |stored: &Stored<Event>| Subject::from(&stored.message) == stored.subject;
        let found = found.into_iter().filter(is_true);
        events.extend(found.map(|stored| (stream, stored)));
    }
    events.sort_by_key(|(_, stored)| stored.filed_at);
    Ok(events)
}

/// How events ended, as far back as it was looked for.
pub(super) struct Endings {
    by_id: HashMap<EventId, Vec<Ending>>,
    /// Before this nothing was looked at; absent where all was.
    since: Option<Timestamp>,
}

/// Looks for how events ended.
pub(super) async fn endings(session: &Session, filter: &SubjectFilter) -> Result<Endings, Failure> {
    let found = session
        .bus
        .history::<AuditRecord>(Stream::Audit, filter, ENTRIES)
        .await;
    let found = found.map_err(|error| of_bus(&error))?;
    let oldest = found.first().map(|entry| entry.filed_at);
    let since = oldest.filter(|_| found.len() >= ENTRIES);
    let mut by_id: HashMap<EventId, Vec<Ending>> = HashMap::new();
    for entry in found {
        if let Some((id, ending)) = ending(&entry.message) {
            by_id.entry(id).or_default().push(ending);
        }
    }
    Ok(Endings { by_id, since })
}

/// How the events of a host, or of all hosts, ended.
pub(super) fn endings_of(scope: Option<&Scope>) -> SubjectFilter {
    match scope {
        Some(scope @ Scope::Host(_)) => SubjectFilter::AuditOf(scope.clone()),
        Some(Scope::Fleet) | None => SubjectFilter::AuditOfKind(AuditKind::Event),
    }
}

/// The event that an entry of the audit trail is about, and how it ended.
pub(super) fn ending(record: &AuditRecord) -> Option<(EventId, Ending)> {
    if record.kind != AuditKind::Event {
        return None;
    }
    let id: EventId = record.details.get("id")?.as_str()?.parse().ok()?;
    let how = if record.details.get("dead").is_some() {
        let reason = record.details.get("reason").and_then(|reason| reason.as_str());
        How::Dead(reason.unwrap_or(&record.message).to_owned())
    } else {
        let details = serde_json::Value::Object(record.details.clone());
        How::Reported(serde_json::from_value::<EventOutcome>(details).ok()?)
    };
    let ending = Ending {
        host: record.host.clone(),
        at: record.at,
        how,
    };
    Some((id, ending))
}

/// What is known of one event; what it waits for is looked up where it has not ended at its host.
pub(super) async fn story(
    session: &Session,
    stream: Stream,
    stored: Stored<Event>,
    endings: &Endings,
) -> Result<Story, Failure> {
    let event = stored.message;
    let ended = endings.by_id.get(&event.id).cloned().unwrap_or_default();
    let waits = match (&event.host, ended.is_empty()) {
        (Scope::Host(_), true) => {
            let is_looked_at = endings.since.is_none_or(|since| since <= stored.filed_at);
            let waits = waits(session, &event).await.map_err(|error| of_bus(&error))?;
            Some(waits.unwrap_or(if is_looked_at {
                Waits::Dispatch
            } else {
                Waits::Forgotten
            }))
        }
        _ => None,
    };
    Ok(Story {
        event,
        stream: stream.name().to_owned(),
        sequence: stored.sequence,
        filed_at: stored.filed_at,
        waits,
        endings: ended,
    })
}

/// What it waits for, where that is noted.
async fn waits(session: &Session, event: &Event) -> Result<Option<Waits>, BusError> {
    let key = keys::open_key(&event.host, &event.id);
    let noted = session.bus.bucket(Bucket::Open).get::<OpenEvent>(&key).await?;
    Ok(match noted.map(|entry| entry.value.state) {
        Some(OpenState::Accepted) => Some(Waits::Outcome),
        Some(OpenState::Parked) => Some(Waits::Host),
        Some(OpenState::Unknown) | None => None,
    })
}
