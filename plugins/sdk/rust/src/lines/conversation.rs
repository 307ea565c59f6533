//! Requests and answers as lines: the original's objects, or JSON-RPC 2.0's where the request is one. Each line
//! that is not blank has one answer, but for JSON-RPC's notifications, which have none.

use super::MAX_LINE;
use crate::{
    dispatch::{Method, Session},
    failure::{BROKEN, Failure, NO_JSON, NO_REQUEST},
    plugin::Plugin,
};
use serde_json::{Map, Value, json};

/// What the asker speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Form {
    #[default]
    Original,
    JsonRpc,
}

/// What is known of the asker.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    /// As the last request was, for what cannot be told from a line that is no request.
    form: Form,
}

impl Conversation {
    /// The line that answers a line, with its end; nothing for what has no answer.
    pub(crate) fn answer<P: Plugin>(&mut self, session: &mut Session<P>, line: &[u8]) -> Option<Vec<u8>> {
        if line.trim_ascii().is_empty() {
            return None;
        }
        match serde_json::from_slice(line) {
            Ok(Value::Object(request)) => self.answer_request(session, request),
            Ok(_) => Some(self.refuse(&Failure::new(NO_REQUEST, "a request has to be an object"))),
            Err(error) => {
                Some(self.refuse(&Failure::new(NO_JSON, &format!("a line has to be JSON: {error}"))))
            }
        }
    }

    /// The answer to what has no id.
    pub(super) fn refuse(&self, failure: &Failure) -> Vec<u8> {
        self.line(Err(failure), &Value::Null)
    }

    fn answer_request<P: Plugin>(
        &mut self,
        session: &mut Session<P>,
        mut request: Map<String, Value>,
    ) -> Option<Vec<u8>> {
        self.form = match request.get("jsonrpc") {
            Some(Value::String(version)) if version == "2.0" => Form::JsonRpc,
            _ => Form::Original,
        };
        let id = request.remove("id");
        let params = request.remove("params").unwrap_or_default();
        let result = match request.get("method") {
            Some(Value::String(name)) => Method::named(name).and_then(|method| session.ask(method, params)),
            _ => {
                let failure = Failure::new(NO_REQUEST, "a request has to name its method");
                return Some(self.line(Err(&failure), &id.unwrap_or_default()));
            }
        };
        if self.form == Form::JsonRpc && id.is_none() {
            return None;
        }
        let id = id.unwrap_or_default();
        let line = self.line(result.as_ref(), &id);
        if line.len() <= MAX_LINE {
            return Some(line);
        }
        let text = format!(
            "the answer has {} bytes, and a line {MAX_LINE} at most",
            line.len()
        );
        Some(self.line(Err(&Failure::new(BROKEN, &text)), &id))
    }

    fn line(&self, result: Result<&Value, &Failure>, id: &Value) -> Vec<u8> {
        let answer = match (self.form, result) {
            (Form::Original, Ok(result)) => json!({ "result": result, "id": id }),
            (Form::Original, Err(failure)) => json!({ "error": failure.text, "id": id }),
            (Form::JsonRpc, Ok(result)) => json!({ "jsonrpc": "2.0", "result": result, "id": id }),
            (Form::JsonRpc, Err(failure)) => {
                let error = json!({ "code": failure.code, "message": failure.text });
                json!({ "jsonrpc": "2.0", "error": error, "id": id })
            }
        };
        let mut line = answer.to_string().into_bytes();
        line.push(b'\n');
        line
    }
}
