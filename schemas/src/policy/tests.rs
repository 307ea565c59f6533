//! Policies as they are written, laid over one another, and read back.

use super::*;
use serde_json::json;

fn layer(policy: &Value) -> ConfigLayer {
    serde_json::from_value(json!({ "policy": policy })).expect("a layer")
}

#[test]
fn the_narrower_layer_wins_and_the_rest_has_the_originals_defaults() {
    let fleet =
        layer(&json!({"naptime_minutes": 60, "mode": "act", "voters": {"memory": {"role": "advisory"}}}));
    let host = layer(&json!({"naptime_minutes": 0.25, "voters": {"cpu": {"weight": 2}}}));
    let policy = Policy::from_layers([&fleet, &host]).expect("merges");
    assert_eq!(policy.naptime_minutes, 0.25);
    assert_eq!(policy.mode, Mode::Act);
    assert_eq!(policy.cpu_threshold_percent, 10.0);
    assert_eq!(policy.voters.len(), 2);
    assert_eq!(policy.role_of(&"memory".parse().expect("name")), Role::Advisory);
    assert_eq!(policy.role_of(&"cpu".parse().expect("name")), Role::Required);
}

#[test]
fn t5_people_are_required_in_every_mode_unless_the_policy_says_otherwise() {
    let policy = Policy::from_layers([&layer(&json!({"combine": "any"}))]).expect("merges");
    assert_eq!(policy.role_of(&"people".parse().expect("name")), Role::Required);
    assert_eq!(policy.role_of(&"cpu".parse().expect("name")), Role::Counted);
}

#[test]
fn s1_nothing_is_stopped_until_it_is_switched_on() {
    assert_eq!(Policy::from_layers([]).expect("defaults").mode, Mode::Observe);
}
