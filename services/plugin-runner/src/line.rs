//! The original's line protocol: one JSON object a line, `method`, `params` and a numeric `id`.
//!
//! Pure: it writes requests and reads answers; it knows no process and no pipe. JSON-RPC 2.0's requests are
//! written for who asks for them; its answers are understood from everybody, as are both of the original's
//! ways to say "error".

use serde::Serialize;
use serde_json::{Map, Value};
use snooze_schemas::{EventType, unambiguous::Unambiguous};

/// What a plugin can be asked, by its name on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Method {
    /// Who are you?
    Info,
    /// Take this configuration.
    Configure,
    /// Make ready: you have your configuration.
    Initialize,
    /// Is the host idle, as far as you know?
    CheckIdle,
    /// Handle this event.
    HandleEvent,
    /// Which events can you handle?
    GetSupportedEvents,
    /// Tidy up: you are about to be ended.
    Shutdown,
}

/// In which words requests are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Dialect {
    /// The original's.
    #[default]
    Original,
    /// JSON-RPC 2.0.
    JsonRpc,
}

impl Method {
    fn as_str(self) -> &'static str {
        match self {
            Self::Info => "Info",
            Self::Configure => "Configure",
            Self::Initialize => "Initialize",
            Self::CheckIdle => "CheckIdle",
            Self::HandleEvent => "HandleEvent",
            Self::GetSupportedEvents => "GetSupportedEvents",
            Self::Shutdown => "Shutdown",
        }
    }
}

#[derive(Serialize)]
struct Request<'a, P> {
    #[serde(skip_serializing_if = "Option::is_none")]
    jsonrpc: Option<&'static str>,
    method: Method,
    params: &'a P,
    id: u64,
}

/// What JSON-RPC's objects say of themselves.
const JSON_RPC: &str = "2.0";

/// A request as one line, its end included.
///
/// # Errors
/// When the parameters have no form in JSON.
pub(crate) fn request(
    dialect: Dialect,
    method: Method,
    params: &impl Serialize,
    id: u64,
) -> Result<Vec<u8>, serde_json::Error> {
    let jsonrpc = (dialect == Dialect::JsonRpc).then_some(JSON_RPC);
    let request = Request {
        jsonrpc,
        method,
        params,
        id,
    };
    let mut line = serde_json::to_vec(&request)?;
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
    /// Not an object of this protocol, for this reason.
    Garbage(String),
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

/// "Method not found" in JSON-RPC 2.0.
const METHOD_NOT_FOUND: i64 = -32601;

/// Reads a line as the answer to the request with this method and id.
///
/// An answer without an id, or with `null`, counts only as an error: a plugin that could not read the
/// request does not know its id. A result has to name the request that it answers, else the second of
/// two answers to one request would count for the next; and so has an error that takes a vote away.
#[must_use]
pub(crate) fn read(line: &[u8], method: Method, id: u64) -> Line {
    let mut answer = match serde_json::from_slice(line) {
        Ok(Unambiguous(Value::Object(answer))) => answer,
        Ok(Unambiguous(_)) => return Line::Garbage("it is no object".to_owned()),
        Err(error) => return Line::Garbage(error.to_string()),
    };
    // Whoever speaks JSON-RPC may still answer in the original's words; another version of it is neither.
    if let Some(version) = answer.get("jsonrpc")
        && !version.is_null()
        && version != JSON_RPC
    {
        return Line::Garbage(format!("its jsonrpc is {}", brief(&version.to_string())));
    }
    let id_of_it = answer.remove("id").unwrap_or_default();
    let (ours, unnamed) = (id_of_it.as_u64() == Some(id), id_of_it.is_null());
    let error = answer.remove("error").unwrap_or_default();
    match (error, answer.remove("result")) {
        (Value::Null, Some(result)) if ours => match result.get("error") {
            Some(error) if !error.is_null() => Line::Error(said(error, method)),
            Some(_) | None => Line::Result(result),
        },
        (Value::Null, None) if ours || unnamed => Line::Garbage("it has neither result nor error".to_owned()),
        (Value::Null, _) => Line::Stray,
        (error, _) if ours || unnamed => {
            let mut said = said(&error, method);
            said.unknown_method &= ours || method != Method::CheckIdle;
            Line::Error(said)
        }
        (_, _) => Line::Stray,
    }
}

fn said(error: &Value, method: Method) -> PluginSaid {
    let text = match error {
        Value::String(text) => text.clone(),
        Value::Object(object) => match object.get("message") {
            Some(Value::String(text)) => text.clone(),
            Some(_) | None => error.to_string(),
        },
        other => other.to_string(),
    };
    let by_code = error.get("code").and_then(Value::as_i64) == Some(METHOD_NOT_FOUND);
    PluginSaid {
        unknown_method: by_code || says_unknown(&text, method),
        text: text.chars().take(500).collect(),
    }
}

/// Reads the answer of a method that only succeeds or fails, where it has no envelope.
///
/// # Errors
/// What it says went wrong.
pub(crate) fn success(answer: &Value, method: Method) -> Result<(), PluginSaid> {
    match (answer.get("error"), answer.get("success")) {
        (Some(error), _) if !error.is_null() => Err(said(error, method)),
        (_, Some(Value::Bool(false))) => Err(said(&Value::from("success: false"), method)),
        _ => Ok(()),
    }
}

/// Whether a text says that this method is not known, and nothing else. A failure's text may well contain
/// these words of something else, and must not be taken for it.
fn says_unknown(text: &str, method: Method) -> bool {
    let text = text.trim().to_lowercase();
    match text.strip_prefix("unknown method") {
        Some("") => true,
        Some(rest) => rest
            .strip_prefix(':')
            .is_some_and(|named| named.trim() == method.as_str().to_lowercase()),
        None => false,
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

/// Reads the result of `GetSupportedEvents`. What is no list of event types names none.
#[must_use]
pub(crate) fn supported_events(result: &Value) -> Vec<EventType> {
    let list = match result {
        Value::Array(list) => list,
        Value::Object(object) => match object.get("events") {
            Some(Value::Array(list)) => list,
            Some(_) | None => return Vec::new(),
        },
        _ => return Vec::new(),
    };
    list.iter()
        .take(100)
        .filter_map(|name| name.as_str()?.parse().ok())
        .collect()
}

fn brief(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests;
