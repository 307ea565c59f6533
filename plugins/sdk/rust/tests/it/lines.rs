//! The plugin as a child process.

use crate::child::{Child, interrupt, terminate};
use snooze_plugin::serde_json::{Value, json};
use std::{io::Write as _, os::unix::net::UnixListener};

fn event(event_type: &str, data: Value) -> Value {
    let mut event = json!({ "id": "a-1", "type": event_type });
    event["data"] = data;
    json!({ "event": event })
}

fn readings(cpu: impl Into<Value>) -> Value {
    json!({ "metrics": { "cpu_usage": cpu.into() } })
}

#[test]
fn the_start_is_answered_and_the_end_of_the_input_is_the_end() {
    let mut child = Child::start("example-rust");
    assert_eq!(child.ask("Info", json!({}))["result"]["name"], "example-rust");
    for (method, params) in [("Configure", json!({ "config": {} })), ("Initialize", json!({}))] {
        assert_eq!(child.ask(method, params)["result"], json!({ "success": true }));
    }
    assert_eq!(
        child.ask("GetSupportedEvents", json!({}))["result"],
        json!({ "events": ["custom"] })
    );
    assert_eq!(
        child.ask("Shutdown", json!({}))["result"],
        json!({ "success": true })
    );
    child.close();
    assert_eq!(child.end().code(), Some(0));
}

#[test]
fn it_votes_by_its_threshold_and_a_refused_one_changes_nothing() {
    let mut child = Child::start("example-rust");
    let idle =
        json!({ "is_idle": true, "reason": "cpu at 9.5 %, below 10 %", "details": { "cpu_usage": 9.5 } });
    assert_eq!(child.ask("CheckIdle", readings(9.5))["result"], idle);
    let busy = json!({ "is_idle": false, "reason": "cpu at 10 %", "details": { "cpu_usage": 10.0 } });
    assert_eq!(child.ask("CheckIdle", readings(10.0))["result"], busy);
    assert_eq!(
        child.ask("CheckIdle", readings(Value::Null))["error"],
        "cpu_usage is unknown"
    );
    for wrong in [json!(0), json!("20"), json!(true), Value::Null, json!([20])] {
        let answer = child.ask("Configure", json!({ "config": { "threshold": wrong } }));
        assert!(
            answer["error"]
                .as_str()
                .is_some_and(|error| error.contains("threshold")),
            "{wrong}: {answer}"
        );
    }
    assert_eq!(child.ask("CheckIdle", readings(9.5))["result"], idle);
    child.ask("Configure", json!({ "config": { "threshold": 2.5 } }));
    assert_eq!(
        child.ask("CheckIdle", readings(2.25))["result"]["reason"],
        "cpu at 2.25 %, below 2.5 %"
    );
}

#[test]
fn what_the_plugin_prints_does_not_get_between_its_answers() {
    let mut child = Child::start("example-rust");
    let data = json!({ "text": "ä→𝄞\u{2028}\"\\\n", "fail": true });
    let answer = child.ask("HandleEvent", event("custom.backup", data.clone()));
    let outcome = json!({ "handled": true, "succeeded": false, "message": "seen a-1", "details": data });
    assert_eq!(answer["result"], outcome);
    let answer = child.ask("HandleEvent", event("customary", json!({})));
    assert_eq!(answer["result"]["handled"], false);
    child.close();
    assert!(child.end().success());
    assert_eq!(child.errors(), "noise\n");
}

#[test]
fn the_plugin_cannot_read_the_requests() {
    let mut child = Child::start("test-plugin");
    let request =
        |id: u64| json!({ "method": "HandleEvent", "params": event("custom.read", json!({})), "id": id });
    child.write(format!("{}\n{}\n", request(1), request(2)).as_bytes());
    for id in [1, 2] {
        let answer = child.line();
        assert_eq!(
            (&answer["id"], &answer["result"]["message"]),
            (&json!(id), &json!(""))
        );
    }
}

#[test]
fn a_panic_and_a_left_out_method_are_answered() {
    let mut child = Child::start("test-plugin");
    let answer = child.ask("HandleEvent", event("custom.panic", json!({})));
    assert_eq!(answer["error"], "the plugin panicked: as it was told");
    let answer = child.ask("CheckIdle", readings(1));
    assert_eq!(answer["error"], "Unknown method: CheckIdle");
    let answer = child.ask("HandleEvent", event("custom.long", json!({})));
    assert!(
        answer["error"]
            .as_str()
            .is_some_and(|error| error.contains("1048576 at most")),
        "an answer longer than a line is told of"
    );
    child.close();
    assert_eq!(child.end().code(), Some(0));
    assert!(child.errors().ends_with("shut down\n"), "{}", child.errors());
}

#[test]
fn what_is_no_request_is_answered_without_an_id() {
    let mut child = Child::start("example-rust");
    child.write(b"no JSON\n\n7\n\"Info\"\n{\"method\":\"Info\",\"params\":{\"a\":\"\xff\"},\"id\":5}\n");
    for _ in 0..4 {
        let answer = child.line();
        assert!(answer["error"].is_string() && answer["id"].is_null(), "{answer}");
    }
    child.write(b"{\"params\":{},\"id\":5}\n{\"method\":7,\"id\":6}\n");
    for id in [5, 6] {
        let answer = child.line();
        assert!(answer["error"].is_string() && answer["id"] == id, "{answer}");
    }
    assert_eq!(
        child.ask("Conformance", json!({}))["error"],
        "Unknown method: Conformance"
    );
}

#[test]
fn json_rpc_is_answered_as_json_rpc() {
    let mut child = Child::start("example-rust");
    let lines = [
        r#"{"jsonrpc":"2.0","method":"Initialize","id":"a"}"#,
        // A notification has no answer.
        r#"{"jsonrpc":"2.0","method":"Info"}"#,
        r#"{"jsonrpc":"2.0","method":"Nothing","id":9007199254740991}"#,
        r#"{"jsonrpc":"2.0","method":"CheckIdle","params":{},"id":0}"#,
        r#"{"jsonrpc":"2.0","method":"CheckIdle","params":[1],"id":1}"#,
        r#"{"jsonrpc":"2.0","id":2}"#,
        "no JSON",
    ];
    child.write((lines.join("\n") + "\n").as_bytes());
    let success = json!({ "jsonrpc": "2.0", "result": { "success": true }, "id": "a" });
    assert_eq!(child.line(), success);
    for (id, code) in [
        (json!(9_007_199_254_740_991_u64), -32601),
        (json!(0), -32000),
        (json!(1), -32602),
        (json!(2), -32600),
        (Value::Null, -32700),
    ] {
        let answer = child.line();
        assert_eq!(
            (&answer["jsonrpc"], &answer["id"], &answer["error"]["code"]),
            (&json!("2.0"), &id, &json!(code)),
            "{answer}"
        );
        assert!(answer["error"]["message"].is_string());
    }
}

#[test]
fn a_line_may_have_a_mebibyte_and_not_more() {
    let mut child = Child::start("example-rust");
    let line = |length: usize| {
        let frame = r#"{"method":"Initialize","params":{"x":""},"id":1}"#;
        frame.replace(
            r#""x":"""#,
            &format!(r#""x":"{}""#, "x".repeat(length - frame.len())),
        )
    };
    let most = 1024 * 1024;
    child.write(format!("{}\n", line(most)).as_bytes());
    assert_eq!(child.line()["result"], json!({ "success": true }));
    // Just too long, and so long that it cannot be held.
    for length in [most + 1, 10 * most] {
        child.write(format!("{}\n", line(length)).as_bytes());
        let answer = child.line();
        assert!(answer["error"].is_string() && answer["id"].is_null(), "{answer}");
        assert_eq!(
            child.ask("Initialize", json!({}))["result"],
            json!({ "success": true })
        );
    }
}

#[test]
fn half_a_line_is_the_end_too() {
    let mut child = Child::start("test-plugin");
    child.write(b"{\"method\":\"Inf");
    child.close();
    assert!(child.line()["error"].is_string());
    assert_eq!(child.end().code(), Some(0));
}

#[test]
fn sigterm_ends_it_in_order() {
    let mut child = Child::start("test-plugin");
    child.ask("Info", json!({}));
    terminate(child.id());
    assert_eq!(child.end().code(), Some(0));
    assert_eq!(child.errors(), "shut down\n");
}

#[test]
fn sigterm_waits_for_what_is_under_way_and_a_second_one_does_not() {
    for is_patient in [true, false] {
        let mut child = Child::start("test-plugin");
        let socket = child.folder().join("socket");
        let listener = UnixListener::bind(&socket).expect("a socket");
        let params = event("custom.wait", json!({ "socket": socket }));
        let request = json!({ "method": "HandleEvent", "params": params, "id": 1 });
        // The second one is not begun any more.
        child.write(format!("{request}\n{request}\n").as_bytes());
        let (mut waiting, _) = listener.accept().expect("it has begun");
        terminate(child.id());
        if is_patient {
            waiting.write_all(b"done").expect("it reads");
            drop(waiting);
            assert_eq!(child.line()["result"]["message"], "done");
            assert_eq!(child.end().code(), Some(0));
        } else {
            interrupt(child.id());
            assert_eq!(child.end().code(), Some(1));
        }
    }
}
