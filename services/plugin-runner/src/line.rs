//! The original's line protocol: one JSON object a line, `method`, `params` and a numeric `id`.
//!
//! Pure: it writes requests and reads answers; it knows no process and no pipe. Both ways in which
//! plugins say "error" are understood, and JSON-RPC 2.0's objects as well.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a plugin can be asked, by its name on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Method {
    /// Who are you?
    Info,
    /// Take this configuration.
    Configure,
    /// Is the host idle, as far as you know?
    CheckIdle,
    /// Handle this event.
    HandleEvent,
    /// Which events can you handle?
    GetSupportedEvents,
}

#[derive(Serialize)]
struct Request<'a, P> {
    method: Method,
    params: &'a P,
    id: u64,
}

/// A request as one line, its end included.
///
/// # Errors
/// When the parameters have no form in JSON.
pub(crate) fn request(
    method: Method,
    params: &impl Serialize,
    id: u64,
) -> Result<Vec<u8>, serde_json::Error> {
    let mut line = serde_json::to_vec(&Request { method, params, id })?;
    line.push(b'\n');
    Ok(line)
}

/// What a line from a plugin turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Line {
    /// The answer to the request that was asked about.
    Result(Value),
    /// The plugin's own word that it failed, in answer to that request.
    Error(PluginSaid),
    /// An answer to something else, or to nothing: not to be used.
    Stray,
    /// Not an object of this protocol.
    Garbage,
}

/// What a plugin says went wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct PluginSaid {
    /// In its own words.
    pub text: String,
    /// Whether it says that it does not know the method.
    pub unknown_method: bool,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    id: Value,
    #[serde(default)]
    result: Option<Value>,
    #[serde(default)]
    error: Option<Value>,
}

/// "Method not found" in JSON-RPC 2.0.
const METHOD_NOT_FOUND: i64 = -32601;

/// Reads a line as the answer to the request with this id.
///
/// An answer without an id, or with `null`, counts only as an error: a plugin that could not read the
/// request does not know its id. A result has to name the request that it answers, else the second of
/// two answers to one request would count for the next.
#[must_use]
pub(crate) fn read(line: &[u8], id: u64) -> Line {
    // A derived reader would take an array of the fields' values for the object.
    let is_object = line.trim_ascii_start().starts_with(b"{");
    let Some(answer) = is_object
        .then(|| serde_json::from_slice::<Answer>(line).ok())
        .flatten()
    else {
        return Line::Garbage;
    };
    let ours = answer.id.as_u64() == Some(id);
    match (answer.error, answer.result) {
        (Some(error), _) if !error.is_null() && (ours || answer.id.is_null()) => Line::Error(said(&error)),
        (Some(Value::Null) | None, Some(result)) if ours => match result.get("error") {
            Some(error) if !error.is_null() => Line::Error(said(error)),
            Some(_) | None => Line::Result(result),
        },
        (None, None) if answer.id.is_null() => Line::Garbage,
        (_, _) => Line::Stray,
    }
}

fn said(error: &Value) -> PluginSaid {
    let text = match error {
        Value::String(text) => text.clone(),
        Value::Object(object) => match object.get("message") {
            Some(Value::String(text)) => text.clone(),
            Some(_) | None => error.to_string(),
        },
        other => other.to_string(),
    };
    let by_code = error.get("code").and_then(Value::as_i64) == Some(METHOD_NOT_FOUND);
    let lower = text.to_lowercase();
    PluginSaid {
        unknown_method: by_code
            || lower.contains("unknown method")
            || lower.contains("method not found")
            || lower.contains("unsupported method"),
        text: text.chars().take(500).collect(),
    }
}

/// What a plugin says of a host.
#[derive(Debug, Clone, PartialEq)]
pub struct PluginOpinion {
    /// Whether nobody uses what it watches.
    pub is_idle: bool,
    /// Why, for people.
    pub reason: String,
    /// What it rests on.
    pub details: Map<String, Value>,
}

/// Reads the result of `CheckIdle`. Nothing but a plain `true` is idle.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn opinion(result: &Value) -> Result<PluginOpinion, String> {
    let is_idle = match result.get("is_idle") {
        Some(Value::Bool(is_idle)) => *is_idle,
        Some(other) => {
            return Err(format!("its answer says is_idle: {}", brief(&other.to_string())));
        }
        None => return Err("its answer has no is_idle".to_owned()),
    };
    let reason = result
        .get("reason")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let details = match result.get("details") {
        Some(Value::Object(details)) => details.clone(),
        Some(_) | None => Map::new(),
    };
    Ok(PluginOpinion {
        is_idle,
        reason,
        details,
    })
}

fn brief(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_request_is_the_originals_line() {
        let metrics = json!({"metrics": {"cpu_usage": 1.5}});
        let line = request(Method::CheckIdle, &metrics, 12345).expect("serialises");
        assert_eq!(
            String::from_utf8(line).expect("text"),
            "{\"method\":\"CheckIdle\",\"params\":{\"metrics\":{\"cpu_usage\":1.5}},\"id\":12345}\n"
        );
    }

    #[test]
    fn an_answer_is_matched_by_its_id() {
        assert_eq!(
            read(br#"{"result":{"a":1},"id":7}"#, 7),
            Line::Result(json!({"a": 1}))
        );
        for stray in [
            r#"{"result":{"a":1},"id":6}"#,
            r#"{"result":{"a":1},"id":"7"}"#,
            r#"{"result":{"a":1},"id":null}"#,
            r#"{"result":{"a":1}}"#,
            r#"{"error":"old","id":6}"#,
        ] {
            assert_eq!(read(stray.as_bytes(), 7), Line::Stray, "{stray}");
        }
    }

    #[test]
    fn both_forms_of_an_error_are_understood_and_json_rpcs_too() {
        for (line, text, unknown_method) in [
            (r#"{"error":"text","id":null}"#, "text", false),
            (r#"{"error":"text","id":7}"#, "text", false),
            (r#"{"result":{"error":"text"},"id":7}"#, "text", false),
            (
                r#"{"result":{"error":"Unknown method: X"},"id":7}"#,
                "Unknown method: X",
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
            assert_eq!(read(line.as_bytes(), 7), Line::Error(said), "{line}");
        }
    }

    #[test]
    fn a_result_beside_an_empty_error_is_a_result() {
        let line = br#"{"jsonrpc":"2.0","result":{"a":1},"error":null,"id":7}"#;
        assert_eq!(read(line, 7), Line::Result(json!({"a": 1})));
    }

    #[test]
    fn what_is_no_object_of_the_protocol_is_garbage() {
        for line in ["", "hello", "[1]", "7", r#"{"a":1}"#, r#"{"result":NaN,"id":7}"#] {
            assert_eq!(read(line.as_bytes(), 7), Line::Garbage, "{line}");
        }
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
}
