//! What fits which kind, and what is said where it does not.

use super::*;
use serde_json::json;

#[test]
fn a_value_out_of_range_says_what_was_expected_and_what_is_there() {
    let percent = Kind::Number { min: 0.0, max: 100.0 };
    assert_eq!(percent.check(&json!(10)), Ok(json!(10)));
    let misfit = percent.check(&json!(101)).expect_err("too much");
    assert_eq!(misfit.to_string(), "expected a number from 0 to 100, found 101");
    let misfit = percent.check(&json!("ten")).expect_err("a text");
    assert_eq!(
        misfit.to_string(),
        "expected a number from 0 to 100, found the text \"ten\""
    );
}

#[test]
fn a_whole_number_may_be_written_with_a_fraction_of_zero() {
    let seconds = Kind::Whole { min: 0, max: 1_000 };
    assert_eq!(seconds.check(&json!(900.0)), Ok(json!(900)));
    for wrong in [json!(1.5), json!(-1), json!(1_001), json!(true)] {
        assert!(seconds.check(&wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_list_of_words_holds_only_those() {
    let kind = Kind::Choices(&["one", "two"]);
    assert_eq!(kind.check(&kind.read_text("Two,one")), Ok(json!(["two", "one"])));
    assert!(kind.check(&json!(["three"])).is_err() && kind.check(&json!("one")).is_err());
}

#[test]
fn combine_is_a_word_or_one_word_with_its_number() {
    for right in [
        json!("all"),
        json!("any"),
        json!({"quorum": 2}),
        json!({"weighted": 1.5}),
    ] {
        assert_eq!(Kind::Combine.check(&right), Ok(right.clone()));
    }
    for wrong in [
        json!("most"),
        json!({"quorum": 0}),
        json!({"quorum": 1, "weighted": 2}),
        json!({"weighted": -1}),
        json!("quorum"),
    ] {
        assert!(Kind::Combine.check(&wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_voter_has_a_role_and_a_weight_and_nothing_else() {
    assert!(
        Kind::Voters
            .check(&json!({"memory": {"role": "advisory"}, "redis-check": {"weight": 2}}))
            .is_ok()
    );
    for wrong in [
        json!({"memory": "advisory"}),
        json!({"m": {"role": "king"}}),
        json!({"m": {"weight": -1}}),
        json!({"m": {"rôle": "counted"}}),
        json!({"a.b": {}}),
    ] {
        assert!(Kind::Voters.check(&wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_misfit_never_shows_what_plugins_are_configured_with() {
    let misfit = Kind::PluginConfigs
        .check(&json!("user:pass@db"))
        .expect_err("a text");
    assert!(!misfit.to_string().contains("pass"), "{misfit}");
}

#[test]
fn a_variables_text_becomes_a_value_of_its_kind() {
    assert_eq!(Kind::Bool.read_text("Yes"), json!(true));
    assert_eq!(Kind::Whole { min: 0, max: 9 }.read_text(" 7 "), json!(7));
    assert_eq!(Kind::Texts.read_text("a, b,"), json!(["a", "b"]));
    assert_eq!(Kind::Texts.read_text("[\"a,b\"]"), json!(["a,b"]));
    assert_eq!(Kind::Combine.read_text("{\"quorum\": 2}"), json!({"quorum": 2}));
    assert_eq!(Kind::Text.read_text("7"), json!("7"));
}
