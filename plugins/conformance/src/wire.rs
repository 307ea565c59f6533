//! Questions and answers as bytes, in each form, and answers as one value that patterns are held against.
//!
//! Pure. Nothing in it forgives what the form does not allow.

use crate::case::{Form, Piece, written_out};
use serde_json::{Map, Value};
use snooze_schemas::unambiguous::Unambiguous;

/// "Method not found" in JSON-RPC 2.0.
const METHOD_NOT_FOUND: i64 = -32601;

/// A question as a line, its end included.
pub(crate) fn question(form: Form, method: &str, params: &Map<String, Value>, id: u64) -> Vec<u8> {
    let request = [
        ("method", Value::from(method)),
        ("params", Value::Object(params.clone())),
        ("id", id.into()),
    ];
    let request = request.map(|(key, value)| (key.to_owned(), value));
    line(form, &request.into_iter().collect())
}

/// A request in the order of the original's lines, which the runner keeps: a plugin may be a few lines of shell.
fn line(form: Form, request: &Map<String, Value>) -> Vec<u8> {
    let version = (form == Form::JsonRpc).then(|| ("jsonrpc", Value::from("2.0")));
    let parts = ["method", "params", "id"].map(|key| Some((key, written_out(request.get(key)?))));
    let members: Vec<String> = version
        .into_iter()
        .chain(parts.into_iter().flatten())
        .map(|(key, value)| format!("\"{key}\":{value}"))
        .collect();
    format!("{{{}}}\n", members.join(",")).into_bytes()
}

/// What a case writes, as bytes.
pub(crate) fn bytes(form: Form, pieces: &[Piece]) -> Vec<u8> {
    let piece = |piece: &Piece| match piece {
        Piece::Text(text) => text.clone().into_bytes(),
        Piece::Bytes { bytes } => bytes.clone(),
        Piece::Request { request } => line(form, request),
    };
    pieces.iter().flat_map(piece).collect()
}

/// Reads a line as an answer: `result` or `error` (its text), `id`, where there is one `code`, and
/// `unknown_method`, whether the error says of this method that it is not known.
///
/// # Errors
/// What of the form it breaks.
pub(crate) fn answer(form: Form, line: &[u8], method: &str) -> Result<Value, String> {
    let answer = serde_json::from_slice(line)
        .map_err(|cause| format!("a line of JSON in which no key stands twice ({cause})"))?;
    let Unambiguous(Value::Object(answer)) = answer else {
        return Err("a JSON object".to_owned());
    };
    let id = answer.get("id").cloned().unwrap_or_default();
    let mut read = match form {
        Form::JsonRpc => json_rpc(&answer, method)?,
        Form::Lines | Form::NatsJson | Form::NatsMessagepack => original(&answer, method)?,
    };
    read.insert("id".to_owned(), id);
    Ok(Value::Object(read))
}

/// Reads a body of NATS in the same way; it has no envelope and no id.
pub(crate) fn body(answer: Value, method: &str) -> Map<String, Value> {
    match answer.get("error") {
        Some(error) if !error.is_null() => failure(error, method),
        Some(_) | None => [("result".to_owned(), answer)].into_iter().collect(),
    }
}

fn original(answer: &Map<String, Value>, method: &str) -> Result<Map<String, Value>, String> {
    let error = answer.get("error").filter(|error| !error.is_null());
    let within = answer.get("result").and_then(|result| result.get("error"));
    match (error, within, answer.get("result")) {
        (Some(error), _, _) => Ok(failure(error, method)),
        (None, Some(error), _) if !error.is_null() => Ok(failure(error, method)),
        (None, _, Some(result)) => Ok([("result".to_owned(), result.clone())].into_iter().collect()),
        (None, _, None) => Err("an object with `result` or `error`".to_owned()),
    }
}

fn json_rpc(answer: &Map<String, Value>, method: &str) -> Result<Map<String, Value>, String> {
    if answer.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Err("an object with \"jsonrpc\":\"2.0\"".to_owned());
    }
    if !answer.contains_key("id") {
        return Err("an object with `id`".to_owned());
    }
    match (answer.get("result"), answer.get("error")) {
        (Some(result), None) => Ok([("result".to_owned(), result.clone())].into_iter().collect()),
        (None, Some(error)) => {
            let code = error.get("code").is_some_and(Value::is_i64);
            let message = error.get("message").is_some_and(Value::is_string);
            if code && message {
                Ok(failure(error, method))
            } else {
                Err("an error with a whole `code` and a text as `message`".to_owned())
            }
        }
        (Some(_), Some(_)) | (None, None) => Err("either `result` or `error`".to_owned()),
    }
}

fn failure(error: &Value, method: &str) -> Map<String, Value> {
    let text = match error {
        Value::String(text) => Value::from(text.as_str()),
        Value::Object(object) => object.get("message").unwrap_or(error).clone(),
        other => other.clone(),
    };
    let code = error.get("code").cloned();
    let by_code = code.as_ref().and_then(Value::as_i64) == Some(METHOD_NOT_FOUND);
    let unknown = by_code || text.as_str().is_some_and(|text| says_unknown(text, method));
    let mut read: Map<String, Value> = [
        ("error".to_owned(), text),
        ("unknown_method".to_owned(), unknown.into()),
    ]
    .into_iter()
    .collect();
    if let Some(code) = code {
        read.insert("code".to_owned(), code);
    }
    read
}

/// The words that the runner takes for "I do not have this method", and no others.
fn says_unknown(text: &str, method: &str) -> bool {
    let text = text.trim().to_lowercase();
    match text.strip_prefix("unknown method") {
        Some("") => true,
        Some(rest) => rest
            .strip_prefix(':')
            .is_some_and(|named| named.trim() == method.to_lowercase()),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(form: Form, line: &str) -> Result<Value, String> {
        answer(form, line.as_bytes(), "Info")
    }

    #[test]
    fn a_question_is_the_originals_line() {
        let Value::Object(params) = json!({"metrics": {"cpu_usage": 1.5}}) else {
            panic!("an object was written");
        };
        let line = |form| String::from_utf8(question(form, "CheckIdle", &params, 7)).expect("text");
        let rest = "\"method\":\"CheckIdle\",\"params\":{\"metrics\":{\"cpu_usage\":1.5}},\"id\":7}\n";
        assert_eq!(line(Form::Lines), format!("{{{rest}"));
        assert_eq!(line(Form::JsonRpc), format!("{{\"jsonrpc\":\"2.0\",{rest}"));
    }

    #[test]
    fn both_ways_to_fail_are_one() {
        for line in [r#"{"error":"e","id":1}"#, r#"{"result":{"error":"e"},"id":1}"#] {
            let failed = json!({"error": "e", "unknown_method": false, "id": 1});
            assert_eq!(read(Form::Lines, line), Ok(failed), "{line}");
        }
        let unknown = read(Form::Lines, r#"{"error":"Unknown method: info","id":1}"#).expect("reads");
        assert_eq!(unknown["unknown_method"], true);
        let other = read(Form::Lines, r#"{"error":"Unknown method: Configure","id":1}"#).expect("reads");
        assert_eq!(other["unknown_method"], false);
    }

    #[test]
    fn a_line_that_says_a_thing_twice_is_no_answer() {
        for line in [
            r#"{"result":{"a":{"b":1,"b":1}},"id":1}"#,
            r#"{"result":{},"id":1,"id":1}"#,
        ] {
            let why = read(Form::Lines, line).expect_err(line);
            assert!(why.contains("no key stands twice"), "{why}");
        }
    }

    #[test]
    fn json_rpc_is_taken_by_its_word() {
        let good = r#"{"jsonrpc":"2.0","error":{"code":-32601,"message":"m"},"id":1}"#;
        assert_eq!(read(Form::JsonRpc, good).expect("reads")["unknown_method"], true);
        for line in [
            r#"{"result":{},"id":1}"#,
            r#"{"jsonrpc":"2.0","result":{}}"#,
            r#"{"jsonrpc":"2.0","result":{},"error":null,"id":1}"#,
            r#"{"jsonrpc":"2.0","error":"text","id":1}"#,
            r#"{"jsonrpc":"2.0","error":{"code":"1","message":"m"},"id":1}"#,
            "[]",
            "noise",
        ] {
            assert!(read(Form::JsonRpc, line).is_err(), "{line}");
        }
    }
}
