//! What people's own events may be called. Their ids have a file of their own.

use snooze_schemas::{EventType, InvalidToken};

/// Why a type cannot be a person's own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the type would be {text}")]
pub(crate) struct NotCustom {
    /// What it would have become.
    text: String,
    /// The rule that it breaks.
    source: InvalidToken,
}

/// The type of a person's own event, always `custom` or below it, whatever was asked for.
///
/// # Errors
/// When the result would be too long for a type.
pub(crate) fn custom_type(asked: &EventType) -> Result<EventType, NotCustom> {
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
