//! What a host's own event gateway sends to the runner over its socket: a line that says itself what headers say on
//! the bus.

use super::HandleEvent;
use crate::{ErrorCode, Message, Refusal, message::VERSION};
use serde::{Deserialize, Serialize};

/// "Handle this" without a bus: one line of JSON, answered by one line with the reply to [`HandleEvent`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct HandOver {
    /// `handle_event`
    pub kind: String,
    /// 1
    pub version: u32,
    /// The W3C trace context of whoever hands it over, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// The event.
    pub body: HandleEvent,
}

impl HandOver {
    /// With the kind and version of today.
    #[must_use]
    pub fn new(body: HandleEvent) -> HandOver {
        HandOver {
            kind: HandleEvent::KIND.to_owned(),
            version: VERSION,
            traceparent: None,
            body,
        }
    }

    /// The event, where it is what this version knows.
    ///
    /// # Errors
    /// When it is of another kind or version.
    pub fn into_body(self) -> Result<HandleEvent, Refusal> {
        if self.kind != HandleEvent::KIND {
            let said = format!("the kind is not {}", HandleEvent::KIND);
            return Err(Refusal::new(ErrorCode::BadRequest, said));
        }
        if self.version != VERSION {
            let said = format!("version {} of {} is not known here", self.version, self.kind);
            return Err(Refusal::new(ErrorCode::UnknownVersion, said));
        }
        Ok(self.body)
    }
}
