//! The ids of people's own events (rule E1).
//!
//! Hosts, notes and journals know an event by its id alone, so two events must never share one, whatever
//! their senders call them. `custom-` begins the ids of people's own events and of nothing else: no source
//! can spend the id that another happening will have.

use sha2::{Digest, Sha256};
use snooze_schemas::{
    EventId, EventType, SourceName,
    event::{Scope, Severity},
};

/// What every id of a person's own event begins with.
const PREFIX: &str = "custom-";

/// How much of the sender's own id is shown, for people; with the rest an id has 62 characters of 64.
const SHOWN: usize = 22;

/// The id that an event is filed under: the same for the same event of the same source, and for no other.
pub(crate) fn filed_id(
    source: &SourceName,
    scope: &Scope,
    event_type: &EventType,
    severity: Severity,
    own: &EventId,
) -> EventId {
    let severity = u8::from(severity).to_string();
    let mut hash = Sha256::new();
    for part in [
        source.as_str(),
        scope.as_str(),
        event_type.as_str(),
        &severity,
        own.as_str(),
    ] {
        hash.update(part);
        // No part has this byte, so that no two lists of parts read the same.
        hash.update([0]);
    }
    let digest: [u8; 32] = hash.finalize().into();
    let half = digest.first_chunk().expect("16 of 32 bytes are there");
    let shown = &own.as_str()[..own.as_str().len().min(SHOWN)];
    let text = format!("{PREFIX}{shown}-{:032x}", u128::from_be_bytes(*half));
    text.parse().expect("an id's own characters, 62 at most")
}

/// The own id of what a sender names by its source and an id there, as a CloudEvent does: any texts without the
/// character NUL.
pub(crate) fn own_id_of(source: &str, id: &str) -> EventId {
    let mut hash = Sha256::new();
    for part in [source, id] {
        hash.update(part);
        hash.update([0]);
    }
    let digest: [u8; 32] = hash.finalize().into();
    let half = digest.first_chunk().expect("16 of 32 bytes are there");
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '_' {
            c
        } else {
            '-'
        }
    };
    let shown: String = id.chars().take(SHOWN).map(plain).collect();
    let text = format!("{shown}-{:032x}", u128::from_be_bytes(*half));
    text.parse().expect("an id's own characters, 55 at most")
}

/// A sender's id for a happening that it did not name.
pub(crate) fn drawn_id() -> EventId {
    let text = format!("{:016x}", rand::random::<u64>());
    text.parse().expect("hexadecimal digits are an event id")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn filed(source: &str, host: &str, event_type: &str, severity: Severity, own: &str) -> EventId {
        let scope = Scope::try_from(host.to_owned()).expect("a scope");
        filed_id(
            &source.parse().expect("a source"),
            &scope,
            &event_type.parse().expect("a type"),
            severity,
            &own.parse().expect("an id"),
        )
    }

    #[test]
    fn e1_the_same_event_has_the_same_id_and_any_other_another() {
        let first = || filed("nightly", "h1", "custom.x", Severity::Info, "b-1");
        assert_eq!(first(), first());
        let all: BTreeSet<EventId> = [
            first(),
            filed("other", "h1", "custom.x", Severity::Info, "b-1"),
            filed("nightly", "h2", "custom.x", Severity::Info, "b-1"),
            filed("nightly", "fleet", "custom.x", Severity::Info, "b-1"),
            filed("nightly", "h1", "custom.y", Severity::Info, "b-1"),
            filed("nightly", "h1", "custom.x", Severity::Urgent, "b-1"),
            filed("nightly", "h1", "custom.x", Severity::Info, "b-2"),
        ]
        .into_iter()
        .collect();
        assert_eq!(all.len(), 7);
    }

    #[test]
    fn e1_nobody_can_spend_the_id_of_what_is_not_custom() {
        for own in ["snooze-pending-7", &"x".repeat(64), "custom-x"] {
            let id = filed("nightly", "h1", "custom.x", Severity::Critical, own);
            assert!(id.as_str().starts_with("custom-"), "{id}");
            assert_ne!(id.as_str(), own);
        }
    }

    #[test]
    fn e1_an_own_id_follows_from_source_and_id_whatever_they_are() {
        let texts = ["", "a", "b", "é/1 2", "a-", &"x".repeat(900)];
        let all: BTreeSet<EventId> = texts
            .iter()
            .flat_map(|source| texts.iter().map(|id| own_id_of(source, id)))
            .collect();
        assert_eq!(all.len(), texts.len() * texts.len());
        assert_eq!(own_id_of("/ci", "b 1"), own_id_of("/ci", "b 1"));
        assert!(own_id_of("/ci", "b 1").as_str().starts_with("b-1-"));
    }
}
