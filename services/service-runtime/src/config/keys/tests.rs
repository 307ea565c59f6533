//! The table against itself.

use super::*;
use std::collections::BTreeSet;

#[test]
fn every_default_is_a_value_of_its_own_kind() {
    for key in KEYS {
        let default: serde_json::Value = serde_json::from_str(key.default).expect(key.path);
        if !default.is_null() {
            assert_eq!(key.kind.check(&default).map(drop), Ok(()), "{}", key.path);
        }
    }
}

#[test]
fn no_two_keys_can_be_written_alike() {
    let mut seen = BTreeSet::new();
    for key in KEYS {
        let (section, last) = key.path.rsplit_once('.').unwrap_or(("", key.path));
        for name in std::iter::once(&last).chain(key.also) {
            let squashed = crate::config::spelling::squash(name);
            assert!(seen.insert((section, squashed)), "{} as {name}", key.path);
        }
    }
}

#[test]
fn an_older_name_points_to_a_key() {
    for known in KEYS {
        if let Effect::OlderNameOf(path) = known.effect {
            assert!(key(path).is_some(), "{path}");
        }
    }
}

#[test]
fn units_are_those_of_the_names() {
    assert_eq!(key("network_threshold_kbps").and_then(Key::unit), Some("KiB/s"));
    assert_eq!(key("input_idle_threshold_secs").and_then(Key::unit), Some("s"));
    assert_eq!(key("mode").and_then(Key::unit), None);
}
