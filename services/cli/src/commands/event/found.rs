//! Events as they are filed, and what became of them: from the streams of events, the audit trail and the notes
//! of those that are not over.

use crate::{
    session::of_bus,
    view::event::{Ending, How, Story, Waits},
};
use snooze_bus::{Bucket, Bus, BusError, Stored, Stream, Subject, SubjectFilter, keys};
use snooze_schemas::{
    EventId, HostId, Timestamp,
    audit::{AuditKind, AuditRecord},
    event::{Event, EventOutcome, OpenEvent, OpenState, Scope},
};
use snooze_service_runtime::{Exit, Failure};
use std::collections::{BTreeSet, HashMap};

/// How many entries of the audit trail are looked through: as many as one look returns.
const ENTRIES: usize = 10_000;

/// Events of one id that are looked at: there is one, unless somebody gives many of his own the same.
const OF_ONE_ID: usize = 1_000;

/// Hosts that are named where several say that they have an event.
const SHOWN: usize = 5;

/// The newest events of a family, at most so many, the oldest of them first.
pub(super) async fn newest(
    bus: &Bus,
    filter: &SubjectFilter,
    limit: usize,
) -> Result<Vec<(Stream, Stored<Event>)>, Failure> {
    let mut events = Vec::new();
    for stream in [Stream::EventsUrgent, Stream::EventsRoutine] {
        let found = bus.history::<Event>(stream, filter, limit).await;
        let found = found.map_err(|error| of_bus(&error))?;
        // A host's word is good for its own subjects alone.
        let is_true = |stored: &Stored<Event>| Subject::from(&stored.message) == stored.subject;
        let found = found.into_iter().filter(is_true);
        events.extend(found.map(|stored| (stream, stored)));
    }
    events.sort_by_key(|(_, stored)| stored.filed_at);
    Ok(events)
}

/// The event with an id: of this host, or of the fleet, where that is said. What concerns the fleet concerns each of its
/// hosts. A host writes what it likes under subjects of its own, an id of another's event too: where several say that they
/// have it, the person has to say which is meant. None where no stream has it.
pub(super) async fn the_one(
    bus: &Bus,
    id: &EventId,
    scope: Option<&Scope>,
) -> Result<Option<(Stream, Stored<Event>)>, Failure> {
    let of = |scope: &Scope| SubjectFilter::EventOf(scope.clone(), id.clone());
    let filter = scope.map_or_else(|| SubjectFilter::EventsOfId(id.clone()), of);
    let mut found = newest(bus, &filter, OF_ONE_ID).await?;
    if let (Some(Scope::Host(_)), true) = (scope, found.is_empty()) {
        found = newest(bus, &of(&Scope::Fleet), OF_ONE_ID).await?;
    }
    let scopes: BTreeSet<&str> = found
        .iter()
        .map(|(_, stored)| stored.message.host.as_str())
        .collect();
    if scopes.len() > 1 {
        let named: Vec<&str> = scopes.into_iter().take(SHOWN).collect();
        let line = format!(
            "there are events {id} of {}: say which with --host",
            named.join(", ")
        );
        return Err(Failure::new(Exit::Usage, line));
    }
    Ok(found.pop())
}

/// How an event ended that no stream has: one of a host's own, as the work before a stop, is filed nowhere, and one that
/// was filed is kept for seven days.
pub(super) async fn of_no_stream(
    bus: &Bus,
    id: &EventId,
    scope: Option<&Scope>,
) -> Result<Vec<Ending>, Failure> {
    let mut found = endings(bus, scope).await?;
    found.by_id.remove(id).ok_or_else(|| {
        let line = format!("no event {id} is kept; `snooze event list` shows those that are, for seven days");
        Failure::new(Exit::Refused, line)
    })
}

/// How events ended, as far back as it was looked for.
pub(super) struct Endings {
    by_id: HashMap<EventId, Vec<Ending>>,
    /// At which host; at all of them where it is none.
    at: Option<HostId>,
    /// Before this nothing was looked at; absent where all was.
    since: Option<Timestamp>,
}

/// Looks for how events ended at a host, or at all hosts.
pub(super) async fn endings(bus: &Bus, scope: Option<&Scope>) -> Result<Endings, Failure> {
    let at = scope.and_then(Scope::host).cloned();
    let filter = match at.clone() {
        Some(host) => SubjectFilter::AuditOf(Scope::Host(host)),
        None => SubjectFilter::AuditOfKind(AuditKind::Event),
    };
    let found = bus.history::<AuditRecord>(Stream::Audit, &filter, ENTRIES).await;
    let found = found.map_err(|error| of_bus(&error))?;
    let oldest = found.first().map(|entry| entry.filed_at);
    let since = oldest.filter(|_| found.len() >= ENTRIES);
    let mut by_id: HashMap<EventId, Vec<Ending>> = HashMap::new();
    for entry in found {
        if let Some((id, ending)) = ending(&entry.subject, &entry.message) {
            by_id.entry(id).or_default().push(ending);
        }
    }
    Ok(Endings { by_id, at, since })
}

/// The event that an entry of the audit trail is about, and how it ended. At which host says the subject, which the server
/// fences, and never the body (rule I1).
pub(super) fn ending(subject: &Subject, record: &AuditRecord) -> Option<(EventId, Ending)> {
    let Subject::Audit {
        scope,
        kind: AuditKind::Event,
    } = subject
    else {
        return None;
    };
    let id: EventId = record.details.get("id")?.as_str()?.parse().ok()?;
    let how = if record.details.get("dead").is_some() {
        let reason = record.details.get("reason").and_then(|reason| reason.as_str());
        How::Dead(reason.unwrap_or(&record.message).to_owned())
    } else {
        let details = serde_json::Value::Object(record.details.clone());
        How::Reported(serde_json::from_value::<EventOutcome>(details).ok()?)
    };
    let ending = Ending {
        host: scope.clone(),
        at: record.at,
        how,
    };
    Some((id, ending))
}

/// What is known of one event; what it waits for is looked up where it has not ended at the host that is asked about. What
/// concerns the fleet is told as that host has it, where it is one.
pub(super) async fn story(
    bus: &Bus,
    stream: Stream,
    stored: Stored<Event>,
    endings: &Endings,
) -> Result<Story, Failure> {
    let event = stored.message;
    let at = event.host.host().or(endings.at.as_ref()).cloned();
    // What concerns one host nobody else ends, whatever he says.
    let concerns = |ending: &&Ending| at.is_none() || ending.host.host() == at.as_ref();
    let ended: Vec<Ending> = endings
        .by_id
        .get(&event.id)
        .into_iter()
        .flatten()
        .filter(concerns)
        .cloned()
        .collect();
    let is_looked_at = endings.since.is_none_or(|since| since <= stored.filed_at);
    let waits = match (&at, ended.is_empty()) {
        (_, false) => None,
        (None, true) => (!is_looked_at).then_some(Waits::Forgotten),
        (Some(host), true) => {
            let noted = noted(bus, host, &event.id)
                .await
                .map_err(|error| of_bus(&error))?;
            Some(noted.unwrap_or(match (is_looked_at, &event.host) {
                (false, _) => Waits::Forgotten,
                (true, Scope::Host(_)) => Waits::Dispatch,
                (true, Scope::Fleet) => Waits::Unheard,
            }))
        }
    };
    Ok(Story {
        event,
        stream: stream.name().to_owned(),
        sequence: stored.sequence,
        filed_at: stored.filed_at,
        waits,
        progress: None,
        endings: ended,
    })
}

/// What it waits for at a host, where that is noted.
async fn noted(bus: &Bus, host: &HostId, id: &EventId) -> Result<Option<Waits>, BusError> {
    let key = keys::open_key(&Scope::Host(host.clone()), id);
    let noted = bus.bucket(Bucket::Open).get::<OpenEvent>(&key).await?;
    Ok(match noted.map(|entry| entry.value.state) {
        Some(OpenState::Accepted) => Some(Waits::Outcome),
        Some(OpenState::Parked) => Some(Waits::Host),
        Some(OpenState::Unknown) | None => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn i1_at_which_host_an_event_ended_says_the_subject_and_not_the_body() {
        let record: AuditRecord = serde_json::from_value(json!({
            "at": "2030-01-01T00:00:00Z", "host": "victim", "kind": "event", "actor": "runner", "message": "x",
            "details": {"id": "e1", "dead": true, "reason": "none"},
        }))
        .expect("a record");
        let told_by = |host: &str, kind| Subject::Audit {
            scope: Scope::try_from(host.to_owned()).expect("a scope"),
            kind,
        };
        let (id, ending) = ending(&told_by("thief", AuditKind::Event), &record).expect("an end");
        assert_eq!((id.as_str(), ending.host.as_str()), ("e1", "thief"));
        assert!(super::ending(&told_by("thief", AuditKind::Alarm), &record).is_none());
    }
}
