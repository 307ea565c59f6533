//! One CloudEvent as a person's own event: its attributes by the specification (CloudEvents 1.0.2, "Context
//! Attributes" and "Type System"), and what of it is filed.
//!
//! `type` becomes the type below `custom`; the extension `snoozehost`, else `subject`, is the host; the extensions
//! `snoozeseverity` and `snoozedeadline` are what they say. The other attributes are checked and not filed. It
//! knows no credential: who sends is never in here.

use crate::centre::{ids::own_id_of, taking::Part};
use serde_json::{Map, Value};
use snooze_schemas::{
    EventId, EventType, HostId, Timestamp,
    event::{CustomEvent, Severity},
};

/// The most attributes that one event may have.
const MAX_ATTRIBUTES: usize = 64;
/// The most bytes that the name or the text of an attribute may have.
const MAX_TEXT_BYTES: usize = 1024;

const HOST: &str = "snoozehost";
const SEVERITY: &str = "snoozeseverity";
const DEADLINE: &str = "snoozedeadline";
/// Those that the specification gives a meaning, which are texts and never empty.
const DEFINED: [&str; 11] = [
    "id",
    "source",
    "specversion",
    "type",
    "time",
    "subject",
    "datacontenttype",
    "dataschema",
    HOST,
    DEADLINE,
    SEVERITY,
];

/// What is wrong with a request's body or its `ce-` headers, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mistake {
    /// The field: `id`, `[2].id` in a batch, `ce-id` in a header, `body` for all of it.
    pub(super) path: String,
    /// What is wrong with it.
    pub(super) text: String,
}

impl Mistake {
    pub(super) fn new(path: impl Into<String>, text: impl Into<String>) -> Mistake {
        Mistake {
            path: path.into(),
            text: text.into(),
        }
    }
}

/// How the fields of one event are called where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// What comes before the name of an attribute.
    pub(super) before_attributes: String,
    /// The data.
    pub(super) data: String,
    /// All of it.
    pub(super) whole: String,
}

impl Place {
    fn of(&self, attribute: &str) -> String {
        format!("{}{attribute}", self.before_attributes)
    }

    fn mistake(&self, attribute: &str, text: impl Into<String>) -> Mistake {
        Mistake::new(self.of(attribute), text)
    }
}

/// A CloudEvent, read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CloudEvent {
    /// Its attribute `id`.
    pub(super) id: String,
    /// Its attribute `source`.
    pub(super) source: String,
    /// What both of them make of it here.
    pub(super) own_id: EventId,
    /// What it is called.
    pub(super) event_type: EventType,
    /// The rest.
    pub(super) sent: CustomEvent,
    place: Place,
    host_field: &'static str,
}

impl CloudEvent {
    /// From its attributes, an absent one being left out or null, and from the data as it is filed.
    pub(super) fn read(
        attributes: &Map<String, Value>,
        data: Map<String, Value>,
        place: Place,
    ) -> Result<CloudEvent, Mistake> {
        all_well_formed(attributes, &place)?;
        let text = |name: &str| attributes.get(name).and_then(Value::as_str);
        let required = |name: &str| text(name).ok_or_else(|| place.mistake(name, "it is missing"));
        let (id, source) = (required("id")?, required("source")?);
        if required("specversion")? != "1.0" {
            return Err(place.mistake("specversion", "only 1.0 is understood"));
        }
        let event_type = required("type")?
            .parse::<EventType>()
            .map_err(|error| place.mistake("type", error.to_string()))?;
        let host_field = if text(HOST).is_some() { HOST } else { "subject" };
        let sent = CustomEvent {
            id: None,
            host: host(text(host_field), host_field, &place)?,
            severity: severity(attributes.get(SEVERITY), &place)?,
            happened_at: time(attributes, "time", &place)?,
            deadline: time(attributes, DEADLINE, &place)?,
            data,
        };
        Ok(CloudEvent {
            own_id: own_id_of(source, id),
            id: id.to_owned(),
            source: source.to_owned(),
            event_type,
            sent,
            place,
            host_field,
        })
    }

    /// The field that a part of the event stood in.
    pub(super) fn field(&self, part: Part) -> String {
        match part {
            Part::Host => self.place.of(self.host_field),
            Part::Severity => self.place.of(SEVERITY),
            Part::Type => self.place.of("type"),
            Part::Deadline => self.place.of(DEADLINE),
            Part::Data => self.place.data.clone(),
        }
    }
}

fn all_well_formed(attributes: &Map<String, Value>, place: &Place) -> Result<(), Mistake> {
    if attributes.len() > MAX_ATTRIBUTES {
        let text = format!("an event has {MAX_ATTRIBUTES} attributes at most");
        return Err(Mistake::new(place.whole.clone(), text));
    }
    for (name, value) in attributes {
        let is_name = (1..=MAX_TEXT_BYTES).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if !is_name {
            let shown: String = name.chars().take(80).collect();
            return Err(place.mistake(&shown, "the name of an attribute is made of a-z 0-9"));
        }
        let wrong = |text: &str| Err(place.mistake(name, text));
        match value {
            Value::Null => {}
            Value::String(text) if text.len() > MAX_TEXT_BYTES => {
                return wrong(&format!("it has {MAX_TEXT_BYTES} bytes at most"));
            }
            Value::String(text) if text.chars().any(char::is_control) => {
                return wrong("it has a control character");
            }
            Value::String(text) if text.is_empty() && DEFINED.contains(&name.as_str()) => {
                return wrong("it is empty");
            }
            Value::String(_) => {}
            Value::Number(number) if name == SEVERITY || !DEFINED.contains(&name.as_str()) => {
                let is_integer = number
                    .as_i64()
                    .is_some_and(|number| i32::try_from(number).is_ok());
                if !is_integer {
                    return wrong("a number is an integer of 32 bits");
                }
            }
            Value::Bool(_) if !DEFINED.contains(&name.as_str()) => {}
            _ if DEFINED.contains(&name.as_str()) => return wrong("it is a text"),
            _ => return wrong("an attribute is a text, an integer or a boolean"),
        }
    }
    Ok(())
}

fn time(attributes: &Map<String, Value>, name: &str, place: &Place) -> Result<Option<Timestamp>, Mistake> {
    let Some(text) = attributes.get(name).and_then(Value::as_str) else {
        return Ok(None);
    };
    let time = text.parse();
    time.map(Some)
        .map_err(|_| place.mistake(name, "it is no time of RFC 3339, as 2030-01-31T12:00:00Z"))
}

/// None is the fleet. A subject that is no host is refused: taken for the fleet it would reach all of them.
fn host(named: Option<&str>, field: &str, place: &Place) -> Result<Option<HostId>, Mistake> {
    match named {
        None | Some("fleet") => Ok(None),
        Some(name) => name.parse().map(Some).map_err(|_| {
            let text = "it is no host id; the extension snoozehost says which host is meant, or fleet";
            place.mistake(field, text)
        }),
    }
}

/// A header holds a text.
fn severity(value: Option<&Value>, place: &Place) -> Result<Option<Severity>, Mistake> {
    let digit = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text.parse::<u8>().ok(),
        Some(other) => other.as_u64().and_then(|digit| u8::try_from(digit).ok()),
    };
    let severity = digit.and_then(|digit| Severity::try_from(digit).ok());
    severity
        .map(Some)
        .ok_or_else(|| place.mistake(SEVERITY, "it is 0 info, 1 warning, 2 urgent or 3 critical"))
}
