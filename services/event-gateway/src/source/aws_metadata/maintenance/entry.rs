//! One maintenance as the metadata service lists it.

use super::super::field::{Unreadable, text, time};
use crate::{happening::State, source::aws};
use serde_json::{Map, Value};
use snooze_schemas::Timestamp;
use std::collections::BTreeMap;

/// More than this is no list of one instance's maintenances.
const MOST: usize = 64;

/// One entry of a list.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) occurrence: String,
    pub(super) starts: Timestamp,
    pub(super) state: State,
    /// The service's own name for it; not the queue's, and so no part of what tells it from others.
    id: Option<String>,
    pub(super) data: Map<String, Value>,
}

impl Entry {
    /// Whether this is the other one at its new time.
    pub(super) fn is_later_word_on(&self, other: &Entry) -> bool {
        self.id.is_some() && self.id == other.id && self.state == State::Raised
    }
}

/// Those of a list that can be read, and why others cannot. None is a 404: an empty list.
pub(super) fn entries(answer: Option<&[u8]>) -> (BTreeMap<String, Entry>, Option<Unreadable>) {
    let mut read: BTreeMap<String, Entry> = BTreeMap::new();
    let Some(answer) = answer else {
        return (read, None);
    };
    let Ok(Value::Array(list)) = serde_json::from_slice(answer) else {
        return (read, Some(Unreadable::new("it is no JSON list")));
    };
    let mut trouble = (list.len() > MOST).then(|| Unreadable::new(format!("it lists more than {MOST}")));
    for value in list.iter().take(MOST) {
        match entry(value) {
            // Two of the same effect at the same time are one; it holds while either does.
            Ok(entry) => match read.get(&entry.occurrence) {
                Some(there) if there.state == State::Raised => {}
                _ => drop(read.insert(entry.occurrence.clone(), entry)),
            },
            Err(why) => trouble = Some(why),
        }
    }
    (read, trouble)
}

fn entry(value: &Value) -> Result<Entry, Unreadable> {
    let object = value
        .as_object()
        .ok_or_else(|| Unreadable::new("an entry is no JSON object"))?;
    let code = text(object, "Code")?;
    let starts = time(object, "NotBefore")?;
    let state = match text(object, "State")? {
        "active" => State::Raised,
        "completed" => State::Cleared,
        "canceled" => State::Cancelled,
        _ => return Err(Unreadable::new("State is none of active, completed and canceled")),
    };
    let id = text(object, "EventId").ok().map(str::to_owned);
    let mut data = Map::new();
    data.insert("code".to_owned(), Value::from(code));
    data.insert("notBefore".to_owned(), Value::from(starts.to_string()));
    for (key, field) in [
        ("notAfter", "NotAfter"),
        ("notBeforeDeadline", "NotBeforeDeadline"),
    ] {
        // Either may be missing; what is there in vain is no reason to miss the maintenance.
        if let Ok(time) = time(object, field) {
            data.insert(key.to_owned(), Value::from(time.to_string()));
        }
    }
    if let Ok(description) = text(object, "Description") {
        data.insert("description".to_owned(), Value::from(description));
    }
    if let Some(id) = &id {
        data.insert("eventID".to_owned(), Value::from(id.as_str()));
    }
    Ok(Entry {
        occurrence: aws::maintenance(code, starts),
        starts,
        state,
        id,
        data,
    })
}
