//! Events and what handlers say of them, in the words of the line protocol.

use serde::Serialize;
use serde_json::{Map, Value};
use snooze_schemas::event::{Event, HandlerResult};
use std::time::Duration;

/// An event in the original's words, with ours beside them.
#[derive(Serialize)]
struct EventOnTheWire<'a> {
    #[serde(flatten)]
    event: &'a Event,
    timestamp: &'a snooze_schemas::Timestamp,
    left_ms: u64,
}

/// `data.timeRemaining` in seconds is what the original's handlers look at: it is reckoned here, where
/// the time is spent, and takes the place of whatever a source wrote long ago.
pub(super) fn on_the_wire(event: &Event, left: Duration) -> Value {
    let left_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
    let on_the_wire = EventOnTheWire {
        event,
        timestamp: &event.noticed_at,
        left_ms,
    };
    let mut value = serde_json::to_value(on_the_wire).unwrap_or(Value::Null);
    if event.deadline.is_some()
        && let Some(data) = value.get_mut("data")
    {
        *data = Value::Object(told_data(event, left));
    }
    value
}

/// An event's data as handlers are told it.
pub(crate) fn told_data(event: &Event, left: Duration) -> Map<String, Value> {
    let mut data = event.data.clone();
    if event.deadline.is_some() {
        data.insert("timeRemaining".to_owned(), Value::from(left.as_secs()));
    }
    data
}

/// A handler's result in its own words. The original's handlers say `handled` and a `status` or
/// `success`; ours say `succeeded`. What failed says so, or answers with an error: to have nothing to do with an event is
/// no failure.
pub(super) fn handler_result(result: &Value) -> HandlerResult {
    if let Some(wrong) = wrong_in(result) {
        return HandlerResult {
            handled: false,
            succeeded: false,
            message: wrong,
            details: Map::new(),
        };
    }
    let flag = |name: &str| result.get(name).and_then(Value::as_bool);
    let handled = flag("handled").unwrap_or(false);
    let text = |name: &str| result.get(name).and_then(Value::as_str);
    let message = text("message")
        .or_else(|| text("reason"))
        .or_else(|| text("status"))
        .unwrap_or_default();
    let details = match result.get("details") {
        Some(Value::Object(details)) => details.clone(),
        Some(_) | None => Map::new(),
    };
    bounded(HandlerResult {
        handled,
        succeeded: flag("succeeded").or_else(|| flag("success")).unwrap_or(true),
        message: message.to_owned(),
        details,
    })
}

/// What of an answer cannot be a handler's, for whoever reads what became of the event.
fn wrong_in(result: &Value) -> Option<String> {
    let Value::Object(said) = result else {
        return Some("its answer is no object with `handled` and `succeeded`".to_owned());
    };
    let flags = ["handled", "succeeded", "success"];
    let is_no_flag = |name: &&str| said.get(*name).is_some_and(|value| !value.is_boolean());
    if let Some(name) = flags.into_iter().find(is_no_flag) {
        return Some(format!(
            "its answer says a `{name}` that is neither true nor false"
        ));
    }
    let says_nothing = ["handled", "succeeded", "success", "message", "reason", "status"]
        .iter()
        .all(|name| !said.contains_key(*name));
    says_nothing.then(|| "its answer says neither `handled` nor `succeeded`".to_owned())
}

/// The longest message of a handler, in characters.
const MESSAGE_LIMIT: usize = 500;

/// So many bytes of details are kept of a handler, written as JSON. What became of an event is one message,
/// which has to hold those of all its handlers.
const DETAILS_LIMIT: usize = 4 * 1024;

/// A handler's result as far as it is kept: what does not fit is left out, the smaller entries first kept.
pub(super) fn bounded(result: HandlerResult) -> HandlerResult {
    let mut entries: Vec<(String, Value, usize)> = result
        .details
        .into_iter()
        .map(|(name, value)| {
            let size = name.len() + value.to_string().len();
            (name, value, size)
        })
        .collect();
    entries.sort_by_key(|(_, _, size)| *size);
    let mut left = DETAILS_LIMIT;
    let mut details = Map::new();
    for (name, value, size) in entries {
        let Some(rest) = left.checked_sub(size) else { break };
        left = rest;
        details.insert(name, value);
    }
    HandlerResult {
        message: result.message.chars().take(MESSAGE_LIMIT).collect(),
        details,
        ..result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_no_answer_of_a_handler_is_a_failure_with_its_reason() {
        let wrong = [
            (json!(null), "no object"),
            (json!([]), "no object"),
            (json!({}), "neither `handled` nor `succeeded`"),
            (json!({"handled": "yes", "succeeded": true}), "`handled`"),
            (json!({"handled": true, "succeeded": 1}), "`succeeded`"),
            (json!({"handled": true, "success": "no"}), "`success`"),
        ];
        for (answer, why) in wrong {
            let result = handler_result(&answer);
            assert!(!result.handled && !result.succeeded, "{answer}");
            assert!(result.message.contains(why), "{answer}: {}", result.message);
        }
        // As the original's handlers say it.
        let result = handler_result(&json!({"handled": true, "status": "saved"}));
        assert!(result.handled && result.succeeded && result.message == "saved");
        let result = handler_result(&json!({"handled": false}));
        assert!(!result.handled && result.succeeded, "it is none of its business");
        let result = handler_result(&json!({"handled": false, "succeeded": false}));
        assert!(!result.succeeded, "it says that it failed");
    }

    #[test]
    fn what_a_handler_says_too_much_is_left_out() {
        let result = handler_result(&json!({
            "handled": true,
            "message": "m".repeat(10_000),
            "details": {"code": 0, "output": "o".repeat(1_000_000), "path": "/a"},
        }));
        assert_eq!(result.message.len(), MESSAGE_LIMIT);
        let kept: Vec<&str> = result.details.keys().map(String::as_str).collect();
        assert_eq!(kept, ["code", "path"]);
    }
}
