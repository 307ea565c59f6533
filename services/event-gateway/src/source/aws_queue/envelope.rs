//! What messages come in: EventBridge's own envelope, and that of SNS around it.

use super::{
    Notice, Read, Unreadable, about,
    field::{instance, maybe_text, text, time},
};
use crate::happening::Happening;
use serde_json::{Map, Value};
use snooze_schemas::Timestamp;

/// What SNS carries, where this is a notification of SNS. Its signature is not checked: what lets others than the topic
/// send to the queue is the queue's own policy.
pub(super) fn notification(message: &Map<String, Value>) -> Result<Option<&str>, Unreadable> {
    if message.get("Type").and_then(Value::as_str) != Some("Notification") {
        return Ok(None);
    }
    let inner = message.get("Message").and_then(Value::as_str);
    inner
        .map(Some)
        .ok_or_else(|| Unreadable::new("a notification of SNS has no Message"))
}

/// Whether it is what SNS says about itself, as that a subscription waits to be confirmed.
pub(super) fn is_of_sns(message: &Map<String, Value>) -> bool {
    message.contains_key("TopicArn") && message.contains_key("Type")
}

/// Whether it is meant to be an event of EventBridge.
pub(super) fn is_event(message: &Map<String, Value>) -> bool {
    message.contains_key("detail-type") || message.contains_key("detail")
}

/// An event as EventBridge delivers it.
#[derive(Debug)]
pub(super) struct Envelope<'a> {
    pub(super) id: &'a str,
    pub(super) source: &'a str,
    pub(super) detail_type: &'a str,
    pub(super) account: Option<&'a str>,
    pub(super) region: Option<&'a str>,
    pub(super) time: Timestamp,
    pub(super) detail: &'a Map<String, Value>,
}

impl<'a> Envelope<'a> {
    pub(super) fn read(message: &'a Map<String, Value>) -> Result<Envelope<'a>, Unreadable> {
        let detail = message.get("detail").and_then(Value::as_object);
        Ok(Envelope {
            id: text(message, "id")?,
            source: text(message, "source")?,
            detail_type: text(message, "detail-type")?,
            account: maybe_text(message, "account")?,
            region: maybe_text(message, "region")?,
            time: time(message, "time")?,
            detail: detail.ok_or_else(|| Unreadable::new("detail is no object"))?,
        })
    }

    /// What happened to the instance that the detail names.
    pub(super) fn of_one(&self, happening: Happening) -> Result<Read, Unreadable> {
        let instance = instance(self.detail, "instance-id")?;
        Ok(Read::Notice(Box::new(Notice {
            about: vec![about(instance, happening)],
            ..self.notice()
        })))
    }

    /// A notice about nobody yet.
    pub(super) fn notice(&self) -> Notice {
        Notice {
            account: self.account.map(str::to_owned),
            region: self.region.map(str::to_owned),
            id: self.id.to_owned(),
            about: Vec::new(),
            hook: None,
        }
    }
}
