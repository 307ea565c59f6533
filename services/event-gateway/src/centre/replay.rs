//! Filing an event again that was filed before, under an id of its own, because a person asks for it.
//!
//! It is the same event for whoever handles it: its type, its severity, its source, its data. What is left of its
//! time is what there was when it was noticed.

use super::audit_subject;
use snooze_bus::{Bus, BusError, Delivery, Expect, FileError, Stored, Stream, Subject, SubjectFilter};
use snooze_schemas::{
    ErrorCode, EventId, Refusal, Timestamp,
    audit::{AuditKind, AuditRecord},
    event::{Event, Filed, Replay, Scope},
};
use snooze_service_runtime::{Clocks, exit::one_line};
use std::{collections::BTreeSet, time::Duration};

const FILE_WITHIN: Duration = Duration::from_secs(5);
/// Events of one id that are looked at: there is one, unless somebody gives many of his own the same.
const LOOKED_AT: usize = 1_000;
/// Hosts that are named where several say that they have it.
const SHOWN: usize = 5;

/// Files it and answers with its new id.
pub(crate) async fn file_again(delivery: Delivery, bus: Bus, clocks: Clocks) {
    let result = take(&delivery, &bus, &clocks).await;
    if let Err(error) = delivery.answer(result).await {
        tracing::warn!(%error, "whoever asked for a replay was not answered");
    }
}

async fn take(delivery: &Delivery, bus: &Bus, clocks: &Clocks) -> Result<Filed, Refusal> {
    let asked: Replay = delivery.read()?;
    let event = find(bus, &asked).await?;
    let event = again(event, &asked, clocks.wall())?;
    let subject = Subject::from(&event);
    let is_new = file(bus, &subject, &event).await?;
    if !is_new {
        return Ok(Filed {
            id: event.id,
            duplicate: true,
        });
    }
    tracing::info!(event = %event.id, of = %asked.id, by = asked.by, "an event was filed again");
    note(bus, &event, &asked, clocks).await;
    Ok(Filed {
        id: event.id,
        duplicate: false,
    })
}

/// Files it, and says whether it is new. Whether an unacknowledged one was filed is found out by filing it again, under
/// the same id.
async fn file(bus: &Bus, subject: &Subject, event: &Event) -> Result<bool, Refusal> {
    for attempt in 0..2 {
        match bus.file(subject, event, Expect::New, FILE_WITHIN).await {
            Ok(_) => return Ok(true),
            // By the first attempt, of which the stream did not say so.
            Err(FileError::Exists { .. }) => return Ok(attempt > 0),
            Err(FileError::Ambiguous { .. }) => {}
            Err(error) => return Err(Refusal::new(ErrorCode::Unavailable, one_line(&error))),
        }
    }
    let text = format!(
        "the stream did not say whether it has the event: `snooze event show {}` tells",
        event.id
    );
    Err(Refusal::new(ErrorCode::Timeout, text))
}

/// Who wanted it stands in the audit trail. It has no `id`, which is what an end has.
async fn note(bus: &Bus, event: &Event, asked: &Replay, clocks: &Clocks) {
    let record = AuditRecord {
        at: clocks.wall(),
        host: event.host.clone(),
        kind: AuditKind::Event,
        actor: asked.by.clone(),
        claim: None,
        message: format!("{} {} is replayed as {}", event.event_type, asked.id, event.id),
        details: [
            ("replay_of".to_owned(), asked.id.to_string().into()),
            ("replayed_as".to_owned(), event.id.to_string().into()),
        ]
        .into_iter()
        .collect(),
    };
    let subject = audit_subject(event.host.clone());
    if let Err(error) = bus.file(&subject, &record, Expect::Anything, FILE_WITHIN).await {
        tracing::warn!(error = one_line(&error), event = %event.id, "that an event was replayed is not in the audit trail");
    }
}

/// The event as it was filed, as long as its stream keeps it.
///
/// A host writes what it likes under subjects of its own, an id of another's event too: so one that several say they have
/// is taken from whom the person names, and from nobody else.
async fn find(bus: &Bus, asked: &Replay) -> Result<Event, Refusal> {
    let id = &asked.id;
    let all = SubjectFilter::EventsOfId(id.clone());
    let filters = match &asked.host {
        None => vec![all],
        // What is for all hosts is filed by a gateway, and goes before what a host says of itself.
        Some(host) => [Scope::Fleet, Scope::Host(host.clone())]
            .map(|scope| SubjectFilter::EventOf(scope, id.clone()))
            .into(),
    };
    for filter in &filters {
        let found = newest(bus, filter).await?;
        let scopes: BTreeSet<&str> = found.iter().map(|event| event.host.as_str()).collect();
        if scopes.len() > 1 {
            let scopes: Vec<&str> = scopes.into_iter().take(SHOWN).collect();
            let text = format!(
                "there are events {id} of {}: say which with --host",
                scopes.join(", ")
            );
            return Err(Refusal::new(ErrorCode::Conflict, text));
        }
        if let Some(event) = found.into_iter().next_back() {
            return Ok(event);
        }
    }
    Err(not_found(bus, asked).await?)
}

/// What is kept under a filter, the newest last; without what is not what its subject says.
async fn newest(bus: &Bus, filter: &SubjectFilter) -> Result<Vec<Event>, Refusal> {
    let mut found = Vec::new();
    for stream in [Stream::EventsUrgent, Stream::EventsRoutine] {
        let kept = bus.history::<Event>(stream, filter, LOOKED_AT).await;
        let kept = kept.map_err(|error| unavailable(&error))?;
        let is_true = |stored: &Stored<Event>| Subject::from(&stored.message) == stored.subject;
        found.extend(kept.into_iter().filter(is_true));
    }
    found.sort_by_key(|stored| stored.filed_at);
    Ok(found.into_iter().map(|stored| stored.message).collect())
}

/// Why there is none, in words that help.
async fn not_found(bus: &Bus, asked: &Replay) -> Result<Refusal, Refusal> {
    let id = &asked.id;
    if let Some(host) = &asked.host {
        let others = newest(bus, &SubjectFilter::EventsOfId(id.clone())).await?;
        if let Some(other) = others.last() {
            let text = format!("the event {id} concerns {}, not {host}", other.host);
            return Ok(Refusal::new(ErrorCode::BadRequest, text));
        }
    }
    let text = format!("no event {id} is kept; events are kept for seven days");
    Ok(Refusal::new(ErrorCode::NotFound, text))
}

fn unavailable(error: &BusError) -> Refusal {
    Refusal::new(ErrorCode::Unavailable, one_line(error))
}

/// The same event, to be handled once more.
fn again(mut event: Event, asked: &Replay, now: Timestamp) -> Result<Event, Refusal> {
    if let Some(host) = &asked.host {
        let named = Scope::Host(host.clone());
        if event.host != Scope::Fleet && event.host != named {
            let text = format!("the event {} concerns {}, not {host}", asked.id, event.host);
            return Err(Refusal::new(ErrorCode::BadRequest, text));
        }
        event.host = named;
    }
    // One whose time was over when it was noticed has none now: it is replayed to be handled.
    let time = event.deadline.and_then(|deadline| {
        let time = Duration::try_from(deadline.duration_since(event.noticed_at)).ok();
        time.filter(|time| !time.is_zero())
    });
    event.deadline = time.and_then(|time| now.checked_add(time).ok());
    // It happens now, to its handlers.
    event.happened_at = None;
    event.noticed_at = now;
    event
        .data
        .insert("replay_of".to_owned(), asked.id.to_string().into());
    event.id = new_id(asked)?;
    Ok(event)
}

/// The id of the new event: what whoever asks has drawn, so that asking twice files it once; else a new one, which nobody
/// could know before. It begins as no other happening's does.
fn new_id(asked: &Replay) -> Result<EventId, Refusal> {
    let own = match &asked.own_id {
        Some(own) => own.to_string(),
        None => format!("{:016x}", rand::random::<u64>()),
    };
    let text = format!("replay-{own}");
    let text: Result<EventId, _> = text.parse();
    text.map_err(|_| {
        let text = format!("the id {own} is too long for a replay's: draw a shorter one");
        Refusal::new(ErrorCode::BadRequest, text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(host: &str) -> Event {
        serde_json::from_value(json!({
            "id": "cloud-spot-interrupt-1", "type": "cloud.spot.interrupt", "severity": 3,
            "source": "aws.ec2.metadata-service", "host": host, "noticed_at": "2030-01-01T00:00:00Z",
            "deadline": "2030-01-01T00:02:00Z", "data": {"action": "terminate"},
        }))
        .expect("an event")
    }

    fn asked(host: Option<&str>) -> Replay {
        Replay {
            id: "cloud-spot-interrupt-1".parse().expect("an id"),
            host: host.map(|host| host.parse().expect("a host")),
            own_id: None,
            by: "ann".to_owned(),
        }
    }

    fn now() -> Timestamp {
        "2031-01-01T00:00:00Z".parse().expect("a time")
    }

    #[test]
    fn a_replayed_event_has_a_new_id_and_as_much_time_as_the_first() {
        let first = again(event("h1"), &asked(None), now()).expect("is made");
        let second = again(event("h1"), &asked(None), now()).expect("is made");
        assert!(first.id != second.id && first.id != asked(None).id);
        assert_eq!(first.deadline, now().checked_add(Duration::from_secs(120)).ok());
        assert_eq!(first.data["replay_of"], "cloud-spot-interrupt-1");
        assert_eq!(first.data["action"], "terminate");
        assert_eq!((first.source, first.host), (event("h1").source, event("h1").host));
    }

    #[test]
    fn one_of_the_fleet_can_be_replayed_for_one_host_and_one_of_a_host_for_no_other() {
        let narrowed = again(event("fleet"), &asked(Some("h2")), now()).expect("is made");
        assert_eq!(narrowed.host.as_str(), "h2");
        let other = again(event("h1"), &asked(Some("h2")), now()).expect_err("it is another's");
        assert_eq!(other.code, ErrorCode::BadRequest);
    }

    #[test]
    fn one_whose_time_was_over_is_not_born_dead() {
        let late = Event {
            deadline: Some("2029-12-31T23:59:59Z".parse().expect("a time")),
            ..event("h1")
        };
        assert_eq!(again(late, &asked(None), now()).expect("is made").deadline, None);
    }

    #[test]
    fn whoever_asks_twice_with_an_id_of_his_own_asks_for_one_event() {
        let with = |own: &str| Replay {
            own_id: Some(own.parse().expect("an id")),
            ..asked(None)
        };
        let first = again(event("h1"), &with("a1"), now()).expect("is made");
        let second = again(event("h1"), &with("a1"), now()).expect("is made");
        assert_eq!((first.id.as_str(), &first.id), ("replay-a1", &second.id));
        let long = again(event("h1"), &with(&"x".repeat(60)), now()).expect_err("is too long");
        assert_eq!(long.code, ErrorCode::BadRequest);
    }
}
