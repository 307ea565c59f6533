//! One model for what all sources notice, and the id that follows from it (rule E1).
//!
//! Two reports of one happening have one id, whoever noticed it and however often: it is drawn from what makes
//! the happening what it is, and never from when or by whom it was noticed. A change (cleared, cancelled, moved)
//! is another happening, and has an id of its own.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use snooze_schemas::{
    EventId, EventType, HostId, Timestamp,
    event::{Event, Scope, Severity, severity_of},
};

/// How much of an id's hash is kept: 128 bits, as hexadecimal digits.
const HASH_DIGITS: usize = 32;

/// Where something that can end stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It has begun, or will happen.
    Raised,
    /// It is over.
    Cleared,
    /// It will not happen.
    Cancelled,
}

impl State {
    /// As it stands in an event's data.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Cleared => "cleared",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What a source noticed about one host.
#[derive(Debug, Clone, PartialEq)]
pub struct Happening {
    /// What it is; one of the table of severities.
    pub event_type: EventType,
    /// Who noticed it, as `aws.ec2.metadata-service`.
    pub source: &'static str,
    /// What tells it from others of its type in the same launch of the host: the same from every source that
    /// can notice it. Empty where there is only one in a launch.
    pub occurrence: String,
    /// The launch of the instance that it is about, where the source knows it; else the desk's own word for it.
    pub launch: Option<String>,
    /// Where it stands.
    pub state: State,
    /// When it happened, where the source is told that.
    pub happened_at: Option<Timestamp>,
    /// Until when something can be done, in the clock of whoever set it.
    pub deadline: Option<Timestamp>,
    /// What else is known.
    pub data: Map<String, Value>,
}

/// The host that a happening is about, in one of its launches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whose {
    /// The host.
    pub host: HostId,
    /// Its launch generation: what is new each time that its instance is started.
    pub launch: String,
}

impl Happening {
    /// The id under which it is filed: the same for the same happening, and for no other.
    #[must_use]
    pub fn id(&self, whose: &Whose) -> EventId {
        self.id_as(self.state, whose)
    }

    /// The id that it has, or had, in another state.
    fn id_as(&self, state: State, whose: &Whose) -> EventId {
        let event_type = self.event_type.as_str();
        let mut hash = Sha256::new();
        for part in [
            whose.host.as_str(),
            event_type,
            self.launch.as_deref().unwrap_or(&whose.launch),
            &self.occurrence,
            state.as_str(),
        ] {
            // With its length first, so that no two lists of parts read the same.
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        let digest: [u8; 32] = hash.finalize().into();
        let half = digest.first_chunk().expect("16 of 32 bytes are there");
        let shown = event_type.replace('.', "-");
        let shown = &shown[..shown.len().min(64 - 1 - HASH_DIGITS)];
        let text = format!("{shown}-{:032x}", u128::from_be_bytes(*half));
        text.parse().expect("an id's own characters, 64 at most")
    }

    /// The event that it is filed as.
    #[must_use]
    pub fn into_event(self, whose: &Whose, noticed_at: Timestamp) -> Event {
        let id = self.id(whose);
        let raised_as = self.id_as(State::Raised, whose);
        let mut data = self.data;
        if self.state != State::Raised {
            data.insert("raised_as".to_owned(), Value::from(raised_as.as_str()));
        }
        data.insert("state".to_owned(), Value::from(self.state.as_str()));
        Event {
            id,
            severity: severity_of(&self.event_type).unwrap_or(Severity::Info),
            event_type: self.event_type,
            source: self.source.to_owned(),
            host: Scope::Host(whose.host.clone()),
            happened_at: self.happened_at,
            noticed_at,
            deadline: self.deadline,
            data,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn whose(host: &str, launch: &str) -> Whose {
        Whose {
            host: host.parse().expect("a host"),
            launch: launch.to_owned(),
        }
    }

    fn happening(event_type: &str, occurrence: &str, state: State) -> Happening {
        Happening {
            event_type: event_type.parse().expect("a type"),
            source: "aws.ec2.metadata-service",
            occurrence: occurrence.to_owned(),
            launch: None,
            state,
            happened_at: None,
            deadline: None,
            data: Map::new(),
        }
    }

    #[test]
    fn e1_two_sources_give_one_happening_one_id() {
        let first = happening("cloud.spot.interrupt", "", State::Raised);
        let second = Happening {
            source: "aws.eventbridge",
            deadline: Some("2030-01-01T00:02:00Z".parse().expect("a time")),
            ..first.clone()
        };
        let whose = whose("i-0abc", "2030-01-01T00:00:00Z");
        assert_eq!(first.id(&whose), second.id(&whose));
        assert!(first.id(&whose).as_str().starts_with("cloud-spot-interrupt-"));
    }

    #[test]
    fn e1_a_source_that_knows_the_launch_is_believed_over_the_boot() {
        let known = Happening {
            launch: Some("2030-01-01T00:00:00Z".to_owned()),
            ..happening("cloud.spot.interrupt", "", State::Raised)
        };
        let by_launch = happening("cloud.spot.interrupt", "", State::Raised);
        let by_launch = by_launch.id(&whose("i-0abc", "2030-01-01T00:00:00Z"));
        for boot in ["a boot", "another boot"] {
            assert_eq!(known.id(&whose("i-0abc", boot)), by_launch);
        }
    }

    #[test]
    fn e1_whatever_makes_it_another_happening_gives_another_id() {
        let maintenance = |occurrence, state| happening("cloud.instance.maintenance", occurrence, state);
        let ids: BTreeSet<EventId> = [
            maintenance("a", State::Raised).id(&whose("i-1", "x")),
            maintenance("a", State::Cancelled).id(&whose("i-1", "x")),
            maintenance("b", State::Raised).id(&whose("i-1", "x")),
            maintenance("a", State::Raised).id(&whose("i-1", "y")),
            maintenance("a", State::Raised).id(&whose("i-2", "x")),
            maintenance("", State::Raised).id(&whose("i-1", "xa")),
            happening("cloud.spot.rebalance", "a", State::Raised).id(&whose("i-1", "x")),
        ]
        .into_iter()
        .collect();
        assert_eq!(ids.len(), 7);
    }

    #[test]
    fn e1_severity_and_state_follow_from_what_happened() {
        let whose = whose("i-1", "x");
        let noticed_at = "2030-01-01T00:00:00Z".parse().expect("a time");
        let event = happening("cloud.spot.interrupt", "", State::Raised).into_event(&whose, noticed_at);
        assert_eq!(event.severity, Severity::Critical);
        assert_eq!(event.data["state"], "raised");
        assert_eq!(event.host, Scope::Host(whose.host));
    }

    #[test]
    fn e1_a_change_names_what_it_changes() {
        let whose = whose("i-1", "x");
        let noticed_at = "2030-01-01T00:00:00Z".parse().expect("a time");
        let raised = happening("cloud.instance.maintenance", "a", State::Raised).id(&whose);
        let cancelled = happening("cloud.instance.maintenance", "a", State::Cancelled);
        let cancelled = cancelled.into_event(&whose, noticed_at);
        assert_eq!(cancelled.data["raised_as"], raised.as_str());
        assert_ne!(cancelled.id, raised);
    }

    #[test]
    fn the_longest_type_makes_an_id_too() {
        let long = ["abcdefghij"; 8].join(".");
        let id = happening(&long, "", State::Raised).id(&whose("h", "x"));
        assert!(id.as_str().len() <= 64, "{id}");
    }
}
