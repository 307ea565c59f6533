//! Events as they are filed, and what became of them: from the streams of events, the audit trail and the notes
//! of those that are not over.

use crate::{
    session::{Session, of_bus},
    view::event::{Ending, How, Story, Waits},
};
use snooze_bus::{Bucket, BusError, Stored, Stream, SubjectFilter, keys};
use snooze_schemas::{
    EventId,
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
        events.extend(found.into_iter().map(|stored| (stream, stored)));
    }
    events.sort_by_key(|(_, stored)| stored.filed_at);
    Ok(events)
}

/// How events ended, by their ids.
pub(super) async fn endings(
    session: &Session,
    filter: &SubjectFilter,
) -> Result<HashMap<EventId, Vec<Ending>>, Failure> {
    let found = session
        .bus
        .history::<AuditRecord>(Stream::Audit, filter, ENTRIES)
        .await;
    let mut endings: HashMap<EventId, Vec<Ending>> = HashMap::new();
    for entry in found.map_err(|error| of_bus(&error))? {
        if let Some((id, ending)) = ending(&entry.message) {
            endings.entry(id).or_default().push(ending);
        }
    }
    Ok(endings)
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
    endings: Vec<Ending>,
) -> Result<Story, Failure> {
    let event = stored.message;
    let waits = match (&event.host, endings.is_empty()) {
        (Scope::Host(_), true) => waits(session, &event).await.map_err(|error| of_bus(&error))?,
        _ => None,
    };
    Ok(Story {
        event,
        stream: stream.name().to_owned(),
        sequence: stored.sequence,
        filed_at: stored.filed_at,
        waits,
        endings,
    })
}

async fn waits(session: &Session, event: &Event) -> Result<Option<Waits>, BusError> {
    let key = keys::open_key(&event.host, &event.id);
    let noted = session.bus.bucket(Bucket::Open).get::<OpenEvent>(&key).await?;
    Ok(Some(match noted.map(|entry| entry.value.state) {
        Some(OpenState::Accepted) => Waits::Outcome,
        Some(OpenState::Parked) => Waits::Host,
        Some(OpenState::Unknown) | None => Waits::Dispatch,
    }))
}
