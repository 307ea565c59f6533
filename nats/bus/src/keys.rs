//! Every key of the buckets: nothing else builds a key string.
//!
//! Keys are subjects below `$KV.<bucket>.`, so that a name that could break out of its token would
//! be another key; the names are checked types.

use snooze_schemas::{EventId, GroupName, HostId, SourceName, event::Scope};

/// `snooze_config`: the layer that holds for every host.
pub const FLEET: &str = "fleet";
/// `snooze_state`: the kill switch.
pub const GATE: &str = "gate";
/// `snooze_state`: the counts that the census writes.
pub const CENSUS: &str = "census";

/// `snooze_config`: the layer of a group.
#[must_use]
pub fn group_key(group: &GroupName) -> String {
    format!("group.{group}")
}

/// `snooze_config`: the layer of a host.
#[must_use]
pub fn host_key(host: &HostId) -> String {
    format!("host.{host}")
}

/// `snooze_config`: what a host is.
#[must_use]
pub fn roster_key(host: &HostId) -> String {
    format!("roster.{host}")
}

/// `snooze_config`: what a source of custom events may say.
#[must_use]
pub fn source_key(source: &SourceName) -> String {
    format!("source.{source}")
}

/// `snooze_config`: what every host is, to be watched.
pub const ALL_ROSTER: &str = "roster.*";

/// `snooze_state`: what is rewritten now and then to see whether the broker still takes writes. It says nothing,
/// and nobody reads it for what it says.
pub const PROBE: &str = "probe";

/// `snooze_state`: a host's claim, leases and last stop.
#[must_use]
pub fn state_key(host: &HostId) -> String {
    format!("host.{host}")
}

/// `snooze_state`: every host's key, to be watched.
pub const ALL_STATES: &str = "host.*";

/// `snooze_state`: a slot of a group's budget or concurrency limit.
#[must_use]
pub fn slot_key(group: &GroupName, number: u32) -> String {
    format!("slot.{group}.{number}")
}

/// `snooze_state`: all slots of a group.
#[must_use]
pub fn slots_of(group: &GroupName) -> String {
    format!("slot.{group}.*")
}

/// `snooze_state`: a slot of a group's rate limit; it expires.
#[must_use]
pub fn rate_key(group: &GroupName, number: u32) -> String {
    format!("rate.{group}.{number}")
}

/// `snooze_open`: an event that is parked or accepted and not yet ended.
#[must_use]
pub fn open_key(scope: &Scope, id: &EventId) -> String {
    format!("{scope}.{id}")
}

/// `snooze_open`: all open events of a host.
#[must_use]
pub fn open_of(scope: &Scope) -> String {
    format!("{scope}.*")
}

/// The host of a key that ends in one, as [`state_key`] and [`roster_key`] build them.
#[must_use]
pub fn host_of(key: &str) -> Option<HostId> {
    let (area, host) = key.split_once('.')?;
    matches!(area, "host" | "roster")
        .then(|| host.parse().ok())
        .flatten()
}

/// Group and number of a slot's key, as [`slot_key`] builds it.
#[must_use]
pub fn slot_of(key: &str) -> Option<(GroupName, u32)> {
    let (group, number) = key.strip_prefix("slot.")?.split_once('.')?;
    Some((group.parse().ok()?, number.parse().ok()?))
}

/// Scope and id of a key of `snooze_open`.
#[must_use]
pub fn open_parts(key: &str) -> Option<(Scope, EventId)> {
    let (scope, id) = key.split_once('.')?;
    Some((Scope::try_from(scope.to_owned()).ok()?, id.parse().ok()?))
}

/// Whether a text can be a key: tokens of letters, digits, `_` and `-`, joined by dots.
pub(crate) fn is_key(text: &str) -> bool {
    text.len() <= 256
        && text.split('.').all(|token| {
            !token.is_empty()
                && token
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_leads_back_to_its_host() {
        let host: HostId = "i-0abc".parse().expect("a host id");
        assert_eq!(host_of(&state_key(&host)), Some(host.clone()));
        assert_eq!(host_of(&roster_key(&host)), Some(host.clone()));
        assert_eq!(host_of(GATE), None);
        let group: GroupName = "batch".parse().expect("a group name");
        assert_eq!(slot_of(&slot_key(&group, 7)), Some((group.clone(), 7)));
        assert_eq!(slot_of(&rate_key(&group, 7)), None);
        let id: EventId = "e1".parse().expect("an id");
        let scope = Scope::Host(host);
        assert_eq!(open_parts(&open_key(&scope, &id)), Some((scope, id)));
    }

    #[test]
    fn a_wildcard_is_no_key() {
        for text in ["", "a.", ".a", "a..b", "*", "host.>", "a b"] {
            assert!(!is_key(text), "{text:?}");
        }
        assert!(is_key("slot.default.3"));
    }
}
