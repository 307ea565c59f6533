//! What every way of sending people's own events shares: the check against the source's record, and the filing.
//!
//! The record fixes which hosts a source may name and how urgent its events may be; nothing in a body does. Who the
//! source is, the caller has found out. It answers nobody.

use super::{custom_type::custom_type, ids::filed_id};
use snooze_bus::{Bucket, Bus, BusError, Expect, FileError, Format, Subject, keys};
use snooze_schemas::{
    ErrorCode, EventId, EventType, Refusal, SourceName, Timestamp,
    event::{CustomEvent, Event, FARTHEST_DEADLINE, Filed, MAX_DATA_BYTES, Scope, Severity},
    roster::SourceRecord,
};
use snooze_service_runtime::exit::one_line;
use std::time::Duration;

/// A synced write takes a millisecond or two; the asker waits 15 s at most.
const FILE_WITHIN: Duration = Duration::from_secs(5);
/// How deep data may be nested: the bus reads 128 levels, and the messages that carry an event on have some of
/// their own.
const MAX_DATA_DEPTH: usize = 100;
/// The most bytes that an event has on the wire: less than its stream takes, so that what was checked is not
/// refused there. Only a list of numbers has more bytes there than as JSON.
const MAX_ENCODED_BYTES: usize = MAX_DATA_BYTES + 12 * 1024;

/// The part of an event for which it is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Whom it concerns: the source may not name them.
    Host,
    /// How urgent it is: the source may not send that.
    Severity,
    /// What it is called.
    Type,
    /// Until when something can be done.
    Deadline,
    /// What else is known.
    Data,
}

/// Why an event is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotTaken {
    /// For which part of it.
    pub(crate) part: Part,
    /// What is wrong with that.
    pub(crate) text: String,
}

impl NotTaken {
    fn new(part: Part, text: impl Into<String>) -> NotTaken {
        let text = text.into();
        NotTaken { part, text }
    }

    /// Whether the source may not send it, however it is written.
    pub(crate) fn is_forbidden(&self) -> bool {
        matches!(self.part, Part::Host | Part::Severity)
    }
}

impl From<NotTaken> for Refusal {
    fn from(not_taken: NotTaken) -> Refusal {
        let code = if not_taken.is_forbidden() {
            ErrorCode::Forbidden
        } else {
            ErrorCode::BadRequest
        };
        Refusal::new(code, not_taken.text)
    }
}

/// Why a checked event is not known to be filed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotFiled {
    /// Twice the stream did not say whether it has it.
    Unsaid,
    /// It has more bytes than its stream takes.
    TooLarge,
    /// It is not filed, and why.
    Unavailable(String),
}

/// What a source may send.
///
/// # Errors
/// Where it has no record, or the record cannot be read.
pub(crate) async fn record_of(bus: &Bus, source: &SourceName) -> Result<SourceRecord, Refusal> {
    match bus.bucket(Bucket::Config).get(&keys::source_key(source)).await {
        Ok(Some(entry)) => Ok(entry.value),
        Ok(None) => {
            let text =
                format!("the source {source} is not known: an administrator must write its record first");
            Err(Refusal::new(ErrorCode::Forbidden, text))
        }
        Err(BusError::Decode { .. }) => {
            let text =
                format!("the record of the source {source} cannot be read: an administrator must mend it");
            Err(Refusal::new(ErrorCode::Internal, text))
        }
        Err(error) => Err(Refusal::new(ErrorCode::Unavailable, one_line(&error))),
    }
}

/// The event as it will be filed.
///
/// # Errors
/// Where the record does not permit it, and where it is none that can be filed and handed on.
pub(crate) fn checked(
    (source, record): (&SourceName, &SourceRecord),
    asked: &EventType,
    sent: CustomEvent,
    own_id: &EventId,
    now: Timestamp,
) -> Result<Event, NotTaken> {
    let severity = sent.severity.unwrap_or(Severity::Info);
    permitted(source, record, &sent, severity)?;
    let within_days = FARTHEST_DEADLINE.as_secs() / (24 * 60 * 60);
    if let Some(deadline) = sent.deadline {
        let left = Duration::try_from(deadline.duration_since(now)).unwrap_or_default();
        if left.is_zero() {
            return Err(NotTaken::new(Part::Deadline, "the deadline has passed"));
        }
        if left > FARTHEST_DEADLINE {
            let text = format!(
                "a deadline lies at most {within_days} days ahead: an event is not kept for much longer"
            );
            return Err(NotTaken::new(Part::Deadline, text));
        }
    }
    let event_type = custom_type(asked).map_err(|error| NotTaken::new(Part::Type, error.to_string()))?;
    let scope = sent.host.map_or(Scope::Fleet, Scope::Host);
    let event = Event {
        id: filed_id(source, &scope, &event_type, severity, own_id),
        event_type,
        severity,
        source: format!("custom.{source}"),
        host: scope,
        happened_at: sent.happened_at,
        noticed_at: now,
        deadline: sent.deadline,
        data: sent.data,
    };
    fits(&event).map_err(|text| NotTaken::new(Part::Data, text))?;
    Ok(event)
}

/// Files one that was checked, and says whether it had been before.
///
/// # Errors
/// Where the stream does not say that it has it.
pub(crate) async fn file(bus: &Bus, event: &Event) -> Result<Filed, NotFiled> {
    let subject = Subject::from(event);
    let filed = |duplicate| Filed {
        id: event.id.clone(),
        duplicate,
    };
    // An id that was filed before is refused by the stream, for as long as it remembers (rule E1). Whether
    // an unacknowledged one was filed is found out in the same way, by filing it again.
    for _ in 0..2 {
        match bus.file(&subject, event, Expect::New, FILE_WITHIN).await {
            Ok(_) => return Ok(filed(false)),
            Err(FileError::Exists { .. }) => return Ok(filed(true)),
            Err(FileError::Ambiguous { .. }) => {}
            Err(FileError::TooLarge { .. }) => return Err(NotFiled::TooLarge),
            Err(error) => return Err(NotFiled::Unavailable(one_line(&error))),
        }
    }
    Err(NotFiled::Unsaid)
}

/// What is said of data that does not fit.
pub(crate) fn too_large() -> String {
    format!("the event is too large: data may have {MAX_DATA_BYTES} bytes at most")
}

fn permitted(
    source: &SourceName,
    record: &SourceRecord,
    sent: &CustomEvent,
    severity: Severity,
) -> Result<(), NotTaken> {
    if !record.permits(sent.host.as_ref()) {
        let named = sent
            .host
            .as_ref()
            .map_or("the fleet".to_owned(), |host| format!("the host {host}"));
        let text = format!("the source {source} may not name {named}");
        return Err(NotTaken::new(Part::Host, text));
    }
    if severity > record.max_severity {
        let (asked, most) = (u8::from(severity), u8::from(record.max_severity));
        let text = format!("the source {source} may send severity {most} at most, and not {asked}");
        return Err(NotTaken::new(Part::Severity, text));
    }
    Ok(())
}

fn fits(event: &Event) -> Result<(), String> {
    let too_deep = event
        .data
        .values()
        .any(|value| is_deeper_than(value, MAX_DATA_DEPTH - 1));
    if too_deep {
        return Err(format!("data may be nested {MAX_DATA_DEPTH} levels deep at most"));
    }
    let size = serde_json::to_vec(&event.data).map_or(usize::MAX, |text| text.len());
    if size > MAX_DATA_BYTES {
        return Err(format!(
            "data has {size} bytes; at most {MAX_DATA_BYTES} are taken"
        ));
    }
    match snooze_bus::encode(event, Format::MessagePack) {
        Ok(body) if body.len() <= MAX_ENCODED_BYTES => Ok(()),
        Ok(_) | Err(_) => Err(too_large()),
    }
}

/// Whether a value has more levels of lists and objects; what was read has few enough to be walked.
fn is_deeper_than(value: &serde_json::Value, levels: usize) -> bool {
    let deeper = |inner| levels == 0 || is_deeper_than(inner, levels - 1);
    match value {
        serde_json::Value::Array(list) => levels == 0 || list.iter().any(deeper),
        serde_json::Value::Object(map) => levels == 0 || map.values().any(deeper),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use snooze_schemas::event::HandleEvent;

    fn taken(data: &Value) -> Result<Event, NotTaken> {
        let record = serde_json::from_value(json!({"hosts": "all", "max_severity": 3})).expect("a record");
        let source = "nightly".parse().expect("a source");
        let sent = CustomEvent {
            data: data.as_object().expect("an object").clone(),
            ..CustomEvent::default()
        };
        let (asked, own) = ("x".parse().expect("a type"), "1".parse().expect("an id"));
        checked((&source, &record), &asked, sent, &own, Timestamp::UNIX_EPOCH)
    }

    fn nested(levels: usize) -> Value {
        (0..levels).fold(json!(1), |inner, _| json!({ "x": inner }))
    }

    #[test]
    fn data_is_nested_no_deeper_than_whoever_it_is_handed_to_can_read() {
        let event = taken(&nested(MAX_DATA_DEPTH)).expect("is taken");
        let handed = HandleEvent { event, left_ms: None };
        for format in [Format::MessagePack, Format::Json] {
            let body = snooze_bus::encode(&handed, format).expect("is written");
            assert!(snooze_bus::decode::<HandleEvent>(&body).is_ok());
        }
        let refused = taken(&nested(MAX_DATA_DEPTH + 1)).expect_err("is too deep");
        assert_eq!(refused.part, Part::Data);
    }

    #[test]
    fn what_was_checked_is_never_too_large_for_its_stream() {
        let numbers = |count| taken(&json!({"x": vec![1e1; count]}));
        assert!(numbers(8_000).is_ok());
        // Small as JSON, and nine bytes a number on the wire.
        let refused = numbers(12_000).expect_err("is too large");
        assert_eq!((refused.part, refused.text), (Part::Data, too_large()));
    }
}
