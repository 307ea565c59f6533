//! What a pattern takes and leaves, and which patterns cannot be.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn map(value: &Value) -> Map<String, Value> {
    value.as_object().expect("a map").clone()
}

fn data() -> Map<String, Value> {
    map(&json!({
        "volume": "a", "timeRemaining": 45, "dry": false, "none": null,
        "disk": {"mount": "/data", "free": 3.5}, "groups": ["web", "db"], "deep": [{"a": 1}, {"a": 2}],
    }))
}

#[test]
fn every_key_has_to_match_by_one_of_its_alternatives() {
    for (pattern, is_so) in [
        (json!({}), true),
        (json!({"volume": "a"}), true),
        (json!({"volume": ["b", "a"], "dry": [false]}), true),
        (json!({"volume": ["a"], "dry": [true]}), false),
        (json!({"timeRemaining": [45.0]}), true),
        (json!({"timeRemaining": ["45"]}), false),
        (json!({"timeRemaining": [{"numeric": [">=", 30]}]}), true),
        (
            json!({"timeRemaining": [{"numeric": [">=", 30, "<", 45]}]}),
            false,
        ),
        (json!({"timeRemaining": [{"numeric": ["=", 45]}, 7]}), true),
        (json!({"volume": [{"numeric": [">", 0]}]}), false),
        (
            json!({"disk": {"mount": [{"prefix": "/da"}], "free": [{"numeric": ["<", 5]}]}}),
            true,
        ),
        (json!({"disk": {"mount": [{"prefix": "/home"}]}}), false),
        (json!({"volume": {"mount": ["a"]}}), false),
        (json!({"volume": [{"anything-but": "a"}]}), false),
        (json!({"volume": [{"anything-but": ["b", "c"]}]}), true),
        (json!({"groups": ["db"]}), true),
        (json!({"groups": ["mail"]}), false),
        (json!({"deep": {"a": [2]}}), true),
        (json!({"none": [null]}), true),
    ] {
        assert_eq!(flaws("", &pattern), [], "{pattern}");
        assert_eq!(matches(&map(&pattern), &data()), is_so, "{pattern}");
    }
}

#[test]
fn what_the_data_does_not_have_matches_nothing() {
    for wanted in [
        json!([{"anything-but": "a"}]),
        json!([null]),
        json!(null),
        json!({}),
        json!([{"prefix": ""}]),
    ] {
        assert!(!matches(&map(&json!({ "absent": wanted })), &data()), "{wanted}");
    }
}

#[test]
fn a_pattern_that_cannot_be_is_told_with_its_place_and_what_was_expected() {
    for (pattern, pointer, expected) in [
        (json!(["volume"]), "", "a map by what the event's data has"),
        (json!({"volume": []}), "/volume", "an empty list matches nothing"),
        (
            json!({"left": {"numeric": [">", 1]}}),
            "/left",
            r#"a test stands in a list, as [{"numeric":…}]"#,
        ),
        (
            json!({"left": [{"numeric": [">", "1"]}]}),
            "/left/0/numeric",
            "one or two comparisons",
        ),
        (
            json!({"left": [{"numeric": ["!=", 1]}]}),
            "/left/0/numeric",
            "one or two comparisons",
        ),
        (
            json!({"left": [{"numeric": []}]}),
            "/left/0/numeric",
            "one or two comparisons",
        ),
        (
            json!({"left": [{"numeric": [">", 1, "<"]}]}),
            "/left/0/numeric",
            "one or two comparisons",
        ),
        (
            json!({"a": [{"prefix": 1}]}),
            "/a/0/prefix",
            "expected a text, found 1",
        ),
        (
            json!({"a": [{"anything-but": [{}]}]}),
            "/a/0/anything-but",
            "a value or a list of values",
        ),
        (json!({"a": [{"exists": false}]}), "/a/0/exists", "unknown key"),
        (json!({"a": ["b", {}]}), "/a/1", "a value or one test"),
        (json!({"a": [["b"]]}), "/a/0", "a value or one test"),
    ] {
        let flaws = flaws("", &pattern);
        assert_eq!(flaws.len(), 1, "{pattern}: {flaws:?}");
        assert_eq!(flaws[0].pointer, pointer, "{pattern}");
        assert!(flaws[0].text.contains(expected), "{pattern}: {}", flaws[0].text);
    }
    let mut deep = json!({"a": ["b"]});
    for _ in 0..DEPTH {
        deep = json!({ "a": deep });
    }
    assert_eq!(flaws("", &deep).len(), 1, "a bound on how deep it is");
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..3).prop_map(Value::from),
        "[ab]{0,2}".prop_map(Value::from),
    ]
}

proptest! {
    #[test]
    fn anything_but_is_the_opposite_of_equality_where_there_is_a_value(one in scalar(), there in scalar()) {
        let data = map(&json!({ "a": there }));
        let equal = matches(&map(&json!({ "a": [one] })), &data);
        let other = matches(&map(&json!({ "a": [{ "anything-but": one }] })), &data);
        prop_assert_ne!(equal, other);
    }

    #[test]
    fn a_pattern_of_what_is_there_matches_it(there in proptest::collection::btree_map("[a-c]", scalar(), 0..4)) {
        let data: Map<String, Value> = there.into_iter().collect();
        prop_assert!(matches(&data, &data));
    }
}
