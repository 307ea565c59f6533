//! The one table of what happened to how urgent it is (rule E1).
//!
//! Type and severity are part of an event's subject, so two sources that disagreed would file one
//! happening twice. People's own events may state a severity; nobody else may.

use super::Severity;
use crate::EventType;

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

/// How urgent an event of this type is; none for `custom`, whose sender says so, and for types of a later
/// version.
#[must_use]
pub fn severity_of(event_type: &EventType) -> Option<Severity> {
    let found = TABLE.iter().find(|(name, _)| *name == event_type.as_str());
    found.map(|(_, severity)| *severity)
}

/// The types of everything that is noticed, and not sent by people.
pub fn noticed_types() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|(name, _)| *name)
}

/// Who an event comes from, as far as its type says: people can file nothing but `custom`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventOrigin {
    /// Something noticed it.
    Noticed,
    /// People sent it, or their programs.
    People,
}

impl EventOrigin {
    /// Of events of this type.
    #[must_use]
    pub fn of(event_type: &EventType) -> EventOrigin {
        match event_type.as_str().split('.').next() {
            Some("custom") => Self::People,
            _ => Self::Noticed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e1_severity_follows_from_the_type_by_one_table() {
        let severity = |text: &str| severity_of(&text.parse().expect("a type"));
        assert_eq!(severity("cloud.spot.interrupt"), Some(Severity::Critical));
        assert_eq!(severity("system.disk.low"), Some(Severity::Urgent));
        assert_eq!(severity("snooze.cancelled"), Some(Severity::Warning));
        assert_eq!(severity("custom.backup"), None);
    }

    #[test]
    fn what_people_send_is_told_from_what_was_noticed_by_its_type() {
        let origin = |text: &str| EventOrigin::of(&text.parse().expect("a type"));
        assert_eq!(origin("custom"), EventOrigin::People);
        assert_eq!(origin("custom.cloud.spot.interrupt"), EventOrigin::People);
        assert_eq!(origin("customs"), EventOrigin::Noticed);
        for (name, _) in TABLE {
            assert_eq!(origin(name), EventOrigin::Noticed);
        }
    }

    #[test]
    fn every_name_in_the_table_is_a_type() {
        for (name, _) in TABLE {
            assert!(name.parse::<EventType>().is_ok(), "{name}");
        }
    }
}
