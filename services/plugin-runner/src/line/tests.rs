//! Lines as plugins write them, and as they should not.

use super::*;
use serde_json::json;

#[test]
fn a_request_is_the_originals_line() {
    let metrics = json!({"metrics": {"cpu_usage": 1.5}});
    let line = request(Dialect::Original, Method::CheckIdle, &metrics, 12345).expect("serialises");
    assert_eq!(
        String::from_utf8(line).expect("text"),
        "{\"method\":\"CheckIdle\",\"params\":{\"metrics\":{\"cpu_usage\":1.5}},\"id\":12345}\n"
    );
}

#[test]
fn a_request_in_json_rpc_says_so_and_is_otherwise_the_same() {
    let line = request(Dialect::JsonRpc, Method::Shutdown, &json!({}), 7).expect("serialises");
    assert_eq!(
        String::from_utf8(line).expect("text"),
        "{\"jsonrpc\":\"2.0\",\"method\":\"Shutdown\",\"params\":{},\"id\":7}\n"
    );
}

#[test]
fn an_answer_in_another_json_rpc_is_garbage() {
    let read = |line: &str| read(line.as_bytes(), Method::CheckIdle, 7);
    assert_eq!(
        read(r#"{"jsonrpc":"2.0","result":1,"id":7}"#),
        Line::Result(json!(1))
    );
    for odd in [
        r#"{"jsonrpc":"1.0","result":1,"id":7}"#,
        r#"{"jsonrpc":2.0,"result":1,"id":7}"#,
        r#"[{"jsonrpc":"2.0","result":1,"id":7}]"#,
    ] {
        assert!(matches!(read(odd), Line::Garbage(_)), "{odd}");
    }
}

#[test]
fn an_answer_is_matched_by_its_id() {
    assert_eq!(
        read(br#"{"result":{"a":1},"id":7}"#, Method::CheckIdle, 7),
        Line::Result(json!({"a": 1}))
    );
    for stray in [
        r#"{"result":{"a":1},"id":6}"#,
        r#"{"result":{"a":1},"id":"7"}"#,
        r#"{"result":{"a":1},"id":null}"#,
        r#"{"result":{"a":1}}"#,
        r#"{"error":"old","id":6}"#,
    ] {
        assert_eq!(
            read(stray.as_bytes(), Method::CheckIdle, 7),
            Line::Stray,
            "{stray}"
        );
    }
}

#[test]
fn both_forms_of_an_error_are_understood_and_json_rpcs_too() {
    for (line, text, unknown_method) in [
        (r#"{"error":"text","id":null}"#, "text", false),
        (r#"{"error":"text","id":7}"#, "text", false),
        (r#"{"result":{"error":"text"},"id":7}"#, "text", false),
        (
            r#"{"result":{"error":"Unknown method: CheckIdle"},"id":7}"#,
            "Unknown method: CheckIdle",
            true,
        ),
        (
            r#"{"jsonrpc":"2.0","error":{"code":-32601,"message":"nope"},"id":7}"#,
            "nope",
            true,
        ),
    ] {
        let said = PluginSaid {
            text: text.to_owned(),
            unknown_method,
        };
        assert_eq!(
            read(line.as_bytes(), Method::CheckIdle, 7),
            Line::Error(said),
            "{line}"
        );
    }
}

#[test]
fn s2_an_error_that_merely_contains_the_words_is_an_error() {
    let unknown = |text: &str| {
        let line = serde_json::to_vec(&json!({"error": text, "id": 7})).expect("writes");
        match read(&line, Method::CheckIdle, 7) {
            Line::Error(said) => said.unknown_method,
            other => panic!("{other:?}"),
        }
    };
    for text in [
        "Unknown method",
        " unknown method\n",
        "UNKNOWN METHOD: checkidle ",
        "Unknown method: CheckIdle",
    ] {
        assert!(unknown(text), "{text:?}");
    }
    for text in [
        "the server says: unknown method",
        "Unknown method: Configure",
        "Unknown method: CheckIdle of the database",
        "unknown methods",
        "method not found in table",
        "unsupported method",
    ] {
        assert!(!unknown(text), "{text:?}");
    }
}

#[test]
fn an_answer_of_null_is_an_answer_and_none_is_garbage() {
    assert_eq!(
        read(br#"{"result":null,"id":7}"#, Method::CheckIdle, 7),
        Line::Result(Value::Null)
    );
    let without = read(br#"{"id":7}"#, Method::CheckIdle, 7);
    assert_eq!(
        without,
        Line::Garbage("it has neither result nor error".to_owned())
    );
    assert_eq!(
        read(br#"{"result":null,"id":6}"#, Method::CheckIdle, 7),
        Line::Stray
    );
}

#[test]
fn a_result_beside_an_empty_error_is_a_result() {
    let line = br#"{"jsonrpc":"2.0","result":{"a":1},"error":null,"id":7}"#;
    assert_eq!(read(line, Method::CheckIdle, 7), Line::Result(json!({"a": 1})));
}

#[test]
fn what_is_no_object_of_the_protocol_is_garbage() {
    for line in ["", "hello", "[1]", "7", r#"{"a":1}"#, r#"{"result":NaN,"id":7}"#] {
        let read = read(line.as_bytes(), Method::CheckIdle, 7);
        assert!(matches!(read, Line::Garbage(_)), "{line}: {read:?}");
    }
}

#[test]
fn s2_a_line_that_says_a_thing_twice_is_no_answer_and_is_told_by_the_key() {
    for (line, key) in [
        (r#"{"result":{"is_idle":false,"is_idle":true},"id":7}"#, "is_idle"),
        (
            r#"{"result":{"is_idle":false},"result":{"is_idle":true},"id":7}"#,
            "result",
        ),
        (r#"{"result":{"is_idle":true},"id":6,"id":7}"#, "id"),
        (
            r#"{"result":{"is_idle":true},"error":"e","error":null,"id":7}"#,
            "error",
        ),
        (
            r#"{"result":{"is_idle":true,"details":{"a":{"b":1,"b":2}}},"id":7}"#,
            "b",
        ),
        (r#"{"more":{"c":1,"c":1},"result":{"is_idle":true},"id":7}"#, "c"),
    ] {
        match read(line.as_bytes(), Method::CheckIdle, 7) {
            Line::Garbage(why) => assert!(why.contains(&format!("the key {key:?}")), "{line}: {why}"),
            other => panic!("{line}: {other:?}"),
        }
    }
}

#[test]
fn s2_only_an_answer_to_the_question_itself_takes_a_vote_away() {
    let unknown = |line: &str, method| match read(line.as_bytes(), method, 7) {
        Line::Error(said) => said.unknown_method,
        other => panic!("{line}: {other:?}"),
    };
    assert!(unknown(r#"{"error":"Unknown method","id":7}"#, Method::CheckIdle));
    assert!(!unknown(
        r#"{"error":"Unknown method","id":null}"#,
        Method::CheckIdle
    ));
    assert!(!unknown(
        r#"{"error":{"code":-32601,"message":"no"}}"#,
        Method::CheckIdle
    ));
    assert!(unknown(
        r#"{"error":"Unknown method","id":null}"#,
        Method::Initialize
    ));
}

#[test]
fn only_a_plain_true_is_idle() {
    assert!(
        opinion(&json!({"is_idle": true, "reason": "r"}))
            .expect("reads")
            .is_idle
    );
    assert!(!opinion(&json!({"is_idle": false})).expect("reads").is_idle);
    for odd in [
        json!({}),
        json!({"is_idle": 1}),
        json!({"is_idle": "true"}),
        json!(null),
        json!(true),
    ] {
        assert!(opinion(&odd).is_err(), "{odd}");
    }
}
