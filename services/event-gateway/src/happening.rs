//! The one table of what happened to how urgent it is (rule E1).
//!
//! Type and severity are part of an event's subject, so two sources that disagreed would file one
//! happening twice. People's own events may state a severity; nobody else may.

use snooze_schemas::{EventType, InvalidToken, event::Severity};

/// The severity of everything that is not `custom`.
const TABLE: [(&str, Severity); 12] = [
    ("cloud.spot.interrupt", Severity::Critical),
    ("cloud.instance.termination", Severity::Critical),
    ("cloud.spot.rebalance", Severity::Urgent),
    ("cloud.instance.maintenance", Severity::Urgent),
    ("cloud.autoscaling.scale", Severity::Urgent),
    ("system.disk.low", Severity::Urgent),
    ("system.memory.pressure", Severity::Urgent),
    ("snooze.pending", Severity::Urgent),
    ("system.cpu.high", Severity::Warning),
    ("system.network.lost", Severity::Warning),
    ("system.clock.jump", Severity::Warning),
    ("snooze.cancelled", Severity::Warning),
];

/// How urgent an event of this type is; none for `custom`, whose sender says so, and for unknown types.
#[must_use]
pub fn severity_of(event_type: &EventType) -> Option<Severity> {
    let found = TABLE.iter().find(|(name, _)| *name == event_type.as_str());
    found.map(|(_, severity)| *severity)
}

/// Why a type cannot be a person's own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the type would be {text}")]
pub struct NotCustom {
    /// What it would have become.
    text: String,
    /// The rule that it breaks.
    source: InvalidToken,
}

/// The type of a person's own event, always `custom` or below it, whatever was asked for.
///
/// # Errors
/// When the result would be too long for a type.
pub fn custom_type(asked: &EventType) -> Result<EventType, NotCustom> {
    let asked = asked.as_str();
    let text = if asked == "custom" || asked.starts_with("custom.") {
        asked.to_owned()
    } else {
        format!("custom.{asked}")
    };
    text.parse().map_err(|source| NotCustom { text, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event_type(text: &str) -> EventType {
        text.parse().expect("a type")
    }

    #[test]
    fn e1_severity_follows_from_the_type_by_one_table() {
        assert_eq!(
            severity_of(&event_type("cloud.spot.interrupt")),
            Some(Severity::Critical)
        );
        assert_eq!(
            severity_of(&event_type("system.disk.low")),
            Some(Severity::Urgent)
        );
        assert_eq!(
            severity_of(&event_type("snooze.cancelled")),
            Some(Severity::Warning)
        );
        assert_eq!(severity_of(&event_type("custom.backup")), None);
    }

    #[test]
    fn e1_a_person_can_file_nothing_but_custom() {
        for (asked, filed) in [
            ("backup.done", "custom.backup.done"),
            ("custom", "custom"),
            ("custom.x", "custom.x"),
            ("cloud.spot.interrupt", "custom.cloud.spot.interrupt"),
        ] {
            assert_eq!(custom_type(&event_type(asked)), Ok(event_type(filed)));
        }
        assert!(custom_type(&event_type("a.b.c.d.e.f.g.h")).is_err());
    }
}
