//! One entry of the list, as the service writes it.

use crate::happening::{Happening, State};
use jiff::fmt::rfc2822::DateTimeParser;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use snooze_schemas::{EventType, Timestamp};

/// An identifier is a GUID of 36 characters.
const LONGEST_ID: usize = 128;
/// A description is a sentence.
const LONGEST_TEXT: usize = 512;
/// The documents' own examples name the wrong day of the week.
const NOT_BEFORE: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);

/// An entry. What only people read may be missing or of another kind.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    event_id: String,
    event_type: String,
    event_status: String,
    resources: Vec<String>,
    #[serde(default = "virtual_machine")]
    resource_type: String,
    #[serde(default)]
    not_before: Value,
    #[serde(default)]
    description: Value,
    #[serde(default)]
    event_source: Value,
    #[serde(default)]
    duration_in_seconds: Value,
}

fn virtual_machine() -> String {
    "VirtualMachine".to_owned()
}

/// Why an entry is not known.
#[derive(Debug, thiserror::Error)]
pub(super) enum Wrong {
    #[error("it lacks what every event has, or has it in another form")]
    Form(#[source] serde_json::Error),
    #[error("its EventId is empty or longer than {LONGEST_ID} characters")]
    Id,
    #[error("its EventType is none of Freeze, Reboot, Redeploy, Preempt and Terminate")]
    Type,
    #[error("its EventStatus is neither Scheduled nor Started")]
    Status,
}

/// What an entry says of this machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Reported {
    /// As the service writes it.
    pub id: String,
    /// By the table below.
    pub event_type: EventType,
    /// Whether it has begun.
    pub is_started: bool,
    /// Before this it does not begin. It is blank once it has begun.
    pub not_before: Option<Timestamp>,
    /// What else it says.
    pub data: Map<String, Value>,
}

/// Who noticed it.
pub(super) const SOURCE: &str = "azure.scheduled-events";

/// What they can become here.
pub(super) const TYPES: [&str; 3] = [
    "cloud.spot.interrupt",
    "cloud.instance.termination",
    "cloud.instance.maintenance",
];

/// The one table from Azure's types to ours. Of a reboot, a redeployment and a freeze the machine comes back.
fn type_of(azure: &str) -> Option<&'static str> {
    Some(match azure {
        "Preempt" => "cloud.spot.interrupt",
        "Terminate" => "cloud.instance.termination",
        "Freeze" | "Reboot" | "Redeploy" => "cloud.instance.maintenance",
        _ => return None,
    })
}

impl Reported {
    /// Reads an entry; nothing where it does not concern this machine.
    pub(super) fn read(entry: &Value, machine: &str) -> Result<Option<Reported>, Wrong> {
        let entry = Entry::deserialize(entry).map_err(Wrong::Form)?;
        // Azure's names do not differ by case.
        let concerns = |name: &String| name.eq_ignore_ascii_case(machine);
        if entry.resource_type != "VirtualMachine" || !entry.resources.iter().any(concerns) {
            return Ok(None);
        }
        if !(1..=LONGEST_ID).contains(&entry.event_id.len()) {
            return Err(Wrong::Id);
        }
        let event_type = type_of(&entry.event_type).ok_or(Wrong::Type)?;
        let is_started = match entry.event_status.as_str() {
            "Scheduled" => false,
            "Started" => true,
            _ => return Err(Wrong::Status),
        };
        Ok(Some(Reported {
            // An interruption is told even when its time cannot be read: the text of it is in the data.
            not_before: entry.not_before.as_str().and_then(time),
            event_type: event_type.parse().expect("a type of the table of severities"),
            is_started,
            data: entry.data(),
            id: entry.event_id,
        }))
    }

    /// As it is told: raised, under what makes it another happening beside its id.
    pub(super) fn raised(&self, moved_to: Option<Timestamp>) -> Happening {
        let mut occurrence = self.id.to_ascii_lowercase();
        if let Some(time) = moved_to {
            occurrence.push_str(&format!("@{time}"));
        }
        Happening {
            event_type: self.event_type.clone(),
            source: SOURCE,
            occurrence,
            // An event has an id of its own for good: one that starts the machine anew is the same afterwards.
            launch: Some(String::new()),
            state: State::Raised,
            happened_at: None,
            deadline: self.not_before,
            data: self.data.clone(),
        }
    }
}

impl Entry {
    fn data(&self) -> Map<String, Value> {
        let shortened = |value: &Value| match value.as_str() {
            Some(text) => Value::from(text.chars().take(LONGEST_TEXT).collect::<String>()),
            None if value.is_number() => value.clone(),
            None => Value::Null,
        };
        let said = [
            ("event_id", Value::from(self.event_id.as_str())),
            ("event_type", Value::from(self.event_type.as_str())),
            ("status", Value::from(self.event_status.as_str())),
            ("resource_count", Value::from(self.resources.len())),
            ("not_before", shortened(&self.not_before)),
            ("description", shortened(&self.description)),
            ("event_source", shortened(&self.event_source)),
            ("duration_seconds", shortened(&self.duration_in_seconds)),
        ];
        let known = said
            .into_iter()
            .filter(|(_, value)| !value.is_null() && *value != "");
        known.map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// As `Mon, 19 Sep 2016 18:29:47 GMT`.
fn time(text: &str) -> Option<Timestamp> {
    NOT_BEFORE.parse_timestamp(text.trim()).ok()
}
