//! People's own events: checked, and filed under `custom`.
//!
//! The record of the source, found by the source token of the *subject*, fixes which hosts it may name
//! and how urgent its events may be; nothing in the body does.

use super::{
    custom_type::custom_type,
    ids::{drawn_id, filed_id},
};
use snooze_bus::{Bucket, Bus, BusError, Delivery, Expect, FileError, Subject, keys};
use snooze_schemas::{
    ErrorCode, EventId, EventType, Refusal, SourceName,
    event::{CustomEvent, Event, Filed, MAX_DATA_BYTES, Scope, Severity},
    roster::SourceRecord,
};
use snooze_service_runtime::Clocks;
use std::time::Duration;

/// A synced write takes a millisecond or two; the asker waits 15 s at most.
const FILE_WITHIN: Duration = Duration::from_secs(5);
/// How far ahead a deadline may lie: events are kept for seven days, and one that is waited for has to be there
/// until its time is over.
const FARTHEST_DEADLINE: Duration = Duration::from_secs(6 * 24 * 60 * 60);

/// Files one and answers. Sent as a request it is answered once the stream has it (rule E8); published
/// bare, a refusal is only logged.
pub(crate) async fn file(delivery: Delivery, bus: Bus, clocks: Clocks) {
    let result = take(&delivery, &bus, &clocks).await;
    if let (Err(refusal), false) = (&result, delivery.wants_reply()) {
        tracing::warn!(%refusal, "a custom event was published bare and not filed");
    }
    if delivery.wants_reply()
        && let Err(error) = delivery.answer(result).await
    {
        tracing::warn!(%error, "the sender of a custom event was not answered");
    }
}

async fn take(delivery: &Delivery, bus: &Bus, clocks: &Clocks) -> Result<Filed, Refusal> {
    let Subject::Custom { source, event_type } = delivery.subject() else {
        return Err(Refusal::new(
            ErrorCode::BadRequest,
            "this is no subject of a custom event",
        ));
    };
    let sent: CustomEvent = delivery.read()?;
    permitted(bus, source, &sent).await?;
    let own_id = sent.id.clone().unwrap_or_else(drawn_id);
    let event = checked(source, event_type, sent, &own_id, clocks)?;
    let subject = Subject::from(&event);
    // An id that was filed before is refused by the stream, for as long as it remembers (rule E1). Whether
    // an unacknowledged one was filed is found out in the same way, by filing it again.
    for _ in 0..2 {
        match bus.file(&subject, &event, Expect::New, FILE_WITHIN).await {
            Ok(_) => return Ok(filed(event.id, false)),
            Err(FileError::Exists { .. }) => return Ok(filed(event.id, true)),
            Err(FileError::Ambiguous { .. }) => {}
            // More bytes on the wire than as JSON, as a list of numbers may have.
            Err(FileError::TooLarge { .. }) => {
                let text = format!("the event is too large: data may have {MAX_DATA_BYTES} bytes at most");
                return Err(Refusal::new(ErrorCode::BadRequest, text));
            }
            Err(error) => return Err(unavailable(&error)),
        }
    }
    let text = format!(
        "the stream did not say whether it has the event; send it again with the id {own_id}, and nothing \
         is filed twice"
    );
    Err(Refusal::new(ErrorCode::Timeout, text))
}

fn filed(id: EventId, duplicate: bool) -> Filed {
    Filed { id, duplicate }
}

async fn permitted(bus: &Bus, source: &SourceName, sent: &CustomEvent) -> Result<(), Refusal> {
    let found = bus.bucket(Bucket::Config).get(&keys::source_key(source)).await;
    let record: SourceRecord = match found {
        Ok(Some(entry)) => entry.value,
        Ok(None) => {
            let text =
                format!("the source {source} is not known: an administrator must write its record first");
            return Err(Refusal::new(ErrorCode::Forbidden, text));
        }
        Err(BusError::Decode { .. }) => {
            let text =
                format!("the record of the source {source} cannot be read: an administrator must mend it");
            return Err(Refusal::new(ErrorCode::Internal, text));
        }
        Err(error) => return Err(unavailable(&error)),
    };
    if !record.permits(sent.host.as_ref()) {
        let named = sent
            .host
            .as_ref()
            .map_or("the fleet".to_owned(), |host| format!("the host {host}"));
        let text = format!("the source {source} may not name {named}");
        return Err(Refusal::new(ErrorCode::Forbidden, text));
    }
    let (asked, most) = (severity_of(sent), record.max_severity);
    if asked > most {
        let (asked, most) = (u8::from(asked), u8::from(most));
        let text = format!("the source {source} may send severity {most} at most, and not {asked}");
        return Err(Refusal::new(ErrorCode::Forbidden, text));
    }
    Ok(())
}

fn severity_of(sent: &CustomEvent) -> Severity {
    sent.severity.unwrap_or(Severity::Info)
}

fn checked(
    source: &SourceName,
    asked: &EventType,
    sent: CustomEvent,
    own_id: &EventId,
    clocks: &Clocks,
) -> Result<Event, Refusal> {
    let bad = |text: String| Refusal::new(ErrorCode::BadRequest, text);
    let noticed_at = clocks.wall();
    let size = serde_json::to_vec(&sent.data).map_or(usize::MAX, |text| text.len());
    if size > MAX_DATA_BYTES {
        return Err(bad(format!(
            "data has {size} bytes; at most {MAX_DATA_BYTES} are taken"
        )));
    }
    if sent.deadline.is_some_and(|deadline| deadline <= noticed_at) {
        return Err(bad("the deadline has passed".to_owned()));
    }
    let ahead = sent.deadline.map(|deadline| deadline.duration_since(noticed_at));
    if ahead.is_some_and(|ahead| Duration::try_from(ahead).is_ok_and(|ahead| ahead > FARTHEST_DEADLINE)) {
        return Err(bad(format!(
            "a deadline lies at most {} days ahead: an event is not kept for much longer",
            FARTHEST_DEADLINE.as_secs() / (24 * 60 * 60)
        )));
    }
    let event_type = custom_type(asked).map_err(|error| bad(error.to_string()))?;
    let severity = severity_of(&sent);
    let scope = sent.host.map_or(Scope::Fleet, Scope::Host);
    Ok(Event {
        id: filed_id(source, &scope, &event_type, severity, own_id),
        event_type,
        severity,
        source: format!("custom.{source}"),
        host: scope,
        noticed_at,
        deadline: sent.deadline,
        data: sent.data,
    })
}

fn unavailable(error: &(dyn std::error::Error + 'static)) -> Refusal {
    Refusal::new(
        ErrorCode::Unavailable,
        snooze_service_runtime::exit::one_line(error),
    )
}
