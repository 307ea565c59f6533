//! What an answer has to be: a value with the operators of the folder's README, held against another one.
//!
//! Pure: it knows neither plugins nor forms.

use serde_json::{Map, Value};
use snooze_schemas::{EventType, PluginName};
use std::collections::BTreeMap;

/// What `$same` has seen so far in a case, by name.
pub(crate) type Seen = BTreeMap<String, Value>;

/// Where an answer is not what it has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mismatch {
    /// Where in the answer, as `result.is_idle`; empty for all of it.
    pub(crate) at: String,
    /// What has to be there.
    pub(crate) expected: String,
}

/// Holds a value against a pattern.
///
/// # Errors
/// The first place where it differs.
pub(crate) fn hold(pattern: &Value, value: Option<&Value>, seen: &mut Seen) -> Result<(), Mismatch> {
    at("", pattern, value, seen)
}

fn at(place: &str, pattern: &Value, value: Option<&Value>, seen: &mut Seen) -> Result<(), Mismatch> {
    let holds = match (pattern, value) {
        (Value::Object(map), _) => match operator(map) {
            Some((name, operand)) => return by_operator(place, name, operand, value, seen),
            None => {
                let Some(Value::Object(found)) = value else {
                    return Err(mismatch(place, pattern));
                };
                for (key, pattern) in map {
                    at(&below(place, key), pattern, found.get(key), seen)?;
                }
                true
            }
        },
        // What is left out is as unknown as what is null.
        (Value::Null, found) => found.is_none_or(Value::is_null),
        (_, None) => false,
        (Value::Array(list), Some(Value::Array(found))) => {
            if list.len() != found.len() {
                return Err(mismatch(place, pattern));
            }
            for (index, (pattern, value)) in list.iter().zip(found).enumerate() {
                at(&below(place, &index.to_string()), pattern, Some(value), seen)?;
            }
            true
        }
        (Value::Number(wanted), Some(Value::Number(found))) => wanted.as_f64() == found.as_f64(),
        (wanted, Some(found)) => wanted == found,
    };
    if holds {
        Ok(())
    } else {
        Err(mismatch(place, pattern))
    }
}

/// The operator that an object stands for: its only key, which begins with `$`.
fn operator(map: &Map<String, Value>) -> Option<(&str, &Value)> {
    let (key, operand) = map.iter().next().filter(|_| map.len() == 1)?;
    Some((key.strip_prefix('$')?, operand))
}

fn by_operator(
    place: &str,
    name: &str,
    operand: &Value,
    value: Option<&Value>,
    seen: &mut Seen,
) -> Result<(), Mismatch> {
    let text = value.and_then(Value::as_str);
    let holds = match (name, operand) {
        ("any", Value::Array(patterns)) => patterns.iter().any(|pattern| {
            let mut tried = seen.clone();
            let holds = at(place, pattern, value, &mut tried).is_ok();
            if holds {
                *seen = tried;
            }
            holds
        }),
        ("all", Value::Array(patterns)) => {
            for pattern in patterns {
                at(place, pattern, value, seen)?;
            }
            true
        }
        ("not", pattern) => at(place, pattern, value, &mut seen.clone()).is_err(),
        ("type", Value::String(kind)) => value.is_some_and(|value| is_a(kind, value)),
        ("contains", Value::String(part)) => text.is_some_and(|text| text.contains(part.as_str())),
        ("begins", Value::String(start)) => text.is_some_and(|text| text.starts_with(start.as_str())),
        ("ends", Value::String(end)) => text.is_some_and(|text| text.ends_with(end.as_str())),
        ("each", pattern) => {
            let Some(Value::Array(list)) = value else {
                return Err(mismatch(place, &Value::from("a list")));
            };
            for (index, value) in list.iter().enumerate() {
                at(&below(place, &index.to_string()), pattern, Some(value), seen)?;
            }
            true
        }
        ("has", pattern) => match value {
            Some(Value::Array(list)) => list
                .iter()
                .any(|value| at(place, pattern, Some(value), &mut seen.clone()).is_ok()),
            _ => false,
        },
        ("same", Value::String(name)) => match (seen.get(name), value) {
            (Some(before), Some(now)) if before == now => true,
            (Some(before), _) => {
                let expected = format!("{before} as before");
                return Err(Mismatch {
                    at: place.to_owned(),
                    expected,
                });
            }
            (None, Some(now)) => {
                seen.insert(name.clone(), now.clone());
                true
            }
            (None, None) => false,
        },
        ("exactly", wanted) => value == Some(wanted),
        _ => false,
    };
    if holds {
        Ok(())
    } else {
        let operator: Map<String, Value> = [(format!("${name}"), operand.clone())].into_iter().collect();
        Err(mismatch(place, &Value::Object(operator)))
    }
}

/// Whether a value is of a type; a kind that is not known is none.
fn is_a(kind: &str, value: &Value) -> bool {
    match kind {
        "text" => value.is_string(),
        "bool" => value.is_boolean(),
        "number" => value.is_number(),
        "whole" => value.is_i64() || value.is_u64(),
        "list" => value.is_array(),
        "object" => value.is_object(),
        "plugin-name" => value
            .as_str()
            .is_some_and(|text| text.parse::<PluginName>().is_ok()),
        "event-type" => value
            .as_str()
            .is_some_and(|text| text.parse::<EventType>().is_ok()),
        _ => false,
    }
}

fn below(place: &str, key: &str) -> String {
    if place.is_empty() {
        key.to_owned()
    } else {
        format!("{place}.{key}")
    }
}

fn mismatch(place: &str, pattern: &Value) -> Mismatch {
    Mismatch {
        at: place.to_owned(),
        expected: pattern.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn holds(pattern: &Value, value: &Value) -> bool {
        hold(pattern, Some(value), &mut Seen::new()).is_ok()
    }

    #[test]
    fn an_object_may_hold_more_than_it_has_to() {
        assert!(holds(&json!({"a": 1}), &json!({"a": 1.0, "b": 2})));
        assert!(!holds(&json!({"a": 1}), &json!({"b": 1})));
        assert!(holds(&json!({"a": null}), &json!({"b": 1})));
        assert!(!holds(&json!({"a": null}), &json!({"a": 1})));
        assert!(!holds(&json!({"$exactly": {"a": 1}}), &json!({"a": 1, "b": 2})));
    }

    #[test]
    fn each_operator_can_fail() {
        for (pattern, good, bad) in [
            (json!({"$any": [1, "a"]}), json!("a"), json!(2)),
            (
                json!({"$not": {"a": true}}),
                json!({"a": false}),
                json!({"a": true}),
            ),
            (json!({"$contains": "dl"}), json!("idle"), json!("busy")),
            (json!({"$begins": "id"}), json!("idle"), json!("an id")),
            (json!({"$ends": "le"}), json!("idle"), json!("leap")),
            (
                json!({"$all": [{"a": 1}, {"b": 1}]}),
                json!({"a": 1, "b": 1}),
                json!({"a": 1}),
            ),
            (json!({"$each": {"$type": "text"}}), json!(["a"]), json!([1])),
            (
                json!({"$has": {"a": 1}}),
                json!([{"a": 2}, {"a": 1}]),
                json!([{"a": 2}]),
            ),
            (json!({"$type": "bool"}), json!(true), json!(1)),
            (json!({"$type": "whole"}), json!(1), json!(1.5)),
            (json!({"$type": "plugin-name"}), json!("a-1"), json!("A")),
            (json!({"$type": "event-type"}), json!("a.b"), json!("a..b")),
            (json!([1, 2]), json!([1, 2]), json!([1])),
        ] {
            assert!(holds(&pattern, &good), "{pattern} {good}");
            assert!(!holds(&pattern, &bad), "{pattern} {bad}");
        }
        assert!(!holds(&json!({"$unheard-of": 1}), &json!(1)));
        assert!(!holds(&json!({"$type": "unheard-of"}), &json!(1)));
    }

    #[test]
    fn the_same_is_what_was_seen_first() {
        let mut seen = Seen::new();
        let pattern = json!({"name": {"$same": "n"}});
        assert!(hold(&pattern, Some(&json!({"name": "a"})), &mut seen).is_ok());
        let other = hold(&pattern, Some(&json!({"name": "b"})), &mut seen).expect_err("differs");
        assert_eq!(
            (other.at.as_str(), other.expected.as_str()),
            ("name", "\"a\" as before")
        );
    }
}
