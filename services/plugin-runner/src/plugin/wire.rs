//! Events and what handlers say of them, in the words of the line protocol.

use serde::Serialize;
use serde_json::{Map, Value};
use snooze_schemas::{
    EventType,
    event::{Event, HandlerResult},
};
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
        && let Some(Value::Object(data)) = value.get_mut("data")
    {
        data.insert("timeRemaining".to_owned(), Value::from(left.as_secs()));
    }
    value
}

/// A handler's result in its own words. The original's handlers say `handled` and a `status` or
/// `success`; ours say `succeeded`. What failed without saying so is not told apart from what worked.
pub(super) fn handler_result(result: &Value) -> HandlerResult {
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
    HandlerResult {
        handled,
        succeeded: flag("succeeded").or_else(|| flag("success")).unwrap_or(handled),
        message: message.chars().take(500).collect(),
        details,
    }
}

pub(super) fn supported(result: &Value) -> Vec<EventType> {
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
