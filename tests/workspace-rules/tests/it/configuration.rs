//! The list of known keys and the shared policy type, which may not know each other, say the same.

use serde_json::{Value, json};
use snooze_schemas::policy::{ConfigLayer, Policy};
use snooze_service_runtime::config::{Effect, FixedSource, KEYS, Kind, load};
use std::collections::BTreeMap;

fn of_policy() -> BTreeMap<String, Value> {
    let value = serde_json::to_value(Policy::default()).expect("a policy is a map");
    value
        .as_object()
        .expect("a policy is a map")
        .clone()
        .into_iter()
        .collect()
}

fn of_keys() -> BTreeMap<String, Value> {
    KEYS.iter()
        .filter(|key| key.effect == Effect::Policy)
        .map(|key| {
            (
                key.path.to_owned(),
                serde_json::from_str(key.default).expect("JSON"),
            )
        })
        .collect()
}

/// 60 and 60.0 are one number.
fn plain(value: &Value) -> Value {
    value
        .as_f64()
        .map_or_else(|| value.clone(), |number| json!(number))
}

#[test]
fn every_policy_key_is_known_with_its_default() {
    let plainly = |map: BTreeMap<String, Value>| -> BTreeMap<_, _> {
        map.into_iter()
            .map(|(name, value)| (name, plain(&value)))
            .collect()
    };
    assert_eq!(plainly(of_keys()), plainly(of_policy()));
}

#[test]
fn whatever_the_configuration_lets_through_is_a_policy() {
    let extreme = KEYS
        .iter()
        .filter(|key| key.effect == Effect::Policy)
        .flat_map(|key| {
            let values = match key.kind {
                Kind::Number { min, max } => vec![json!(min), json!(max)],
                Kind::Whole { min, max } => vec![json!(min), json!(max), json!(max as f64)],
                Kind::Bool => vec![json!(true), json!(false)],
                Kind::Choice(words) => words.iter().map(|word| json!(word)).collect(),
                Kind::Choices(words) => vec![json!([]), json!(words)],
                Kind::Texts => vec![json!([]), json!(["a", "b"])],
                Kind::Combine => vec![
                    json!("all"),
                    json!("any"),
                    json!({"quorum": 2}),
                    json!({"weighted": 0.5}),
                ],
                Kind::Voters => vec![json!({}), json!({"memory": {"role": "advisory", "weight": 0}})],
                _ => vec![json!("text")],
            };
            values.into_iter().map(|value| (key.path, value))
        });
    for (path, value) in extreme {
        let file = json!({ path: value, "quarantine_seconds": 86_400 }).to_string();
        let source = FixedSource::default().file("/etc/snooze/snooze.json", file);
        // An extreme that contradicts the other defaults is refused before it becomes a policy.
        let Ok(loaded) = load(&source, None) else { continue };
        let layer = ConfigLayer {
            policy: loaded.policy,
            ..ConfigLayer::default()
        };
        let policy = Policy::from_layers([&layer]);
        assert!(policy.is_ok(), "{path}: {value}: {policy:?}");
    }
}
