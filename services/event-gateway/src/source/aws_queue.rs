//! What EventBridge and Auto Scaling put into a queue: from a message's bytes to what happened to which instances.
//!
//! A message is an event of EventBridge, a notification of a lifecycle hook that Auto Scaling sends by itself, or
//! either in the envelope of SNS. It is read and nothing else: nothing is received, filed or looked up here, and what
//! cannot be read is refused with a reason that repeats nothing of it. Whoever may send to the queue is believed; the
//! queue's own policy says who that is. What occurrences are called is in [`aws`](super::aws), for the metadata
//! service tells of the same happenings.
//!
//! Of an instance's changes of state only the end is an event: `shutting-down` and `terminated` are one
//! `cloud.instance.termination`. An instance that stops is started again with all it had, and mostly it is CloudSnooze
//! that stops it.
//!
//! Sources: Amazon EC2 User Guide, "Spot Instance interruption notices", "EC2 instance rebalance recommendations",
//! "Instance state-change notification events"; AWS Health User Guide, "AWS Health events Amazon EventBridge schema";
//! Amazon EC2 Auto Scaling User Guide, "Auto Scaling events for use with EventBridge", "Route notifications to Amazon
//! SNS or Amazon SQS"; Amazon SNS Developer Guide, "Amazon SNS and JSON formats".

mod envelope;
mod field;
mod health;
#[cfg(test)]
mod malformed;
mod scaling;
#[cfg(test)]
mod tests;

pub(crate) use super::field::Unreadable;
pub(crate) use scaling::{Hook, Way};

use crate::happening::{Happening, State};
use envelope::Envelope;
use field::text;
use serde_json::{Map, Value};
use snooze_schemas::Timestamp;
use std::time::Duration;

/// From an interruption's warning to the interruption.
const SPOT_WARNING: Duration = Duration::from_secs(120);

/// What a message says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Read {
    /// Something happened to instances.
    Notice(Box<Notice>),
    /// Nothing that is an event here; what it is instead.
    Nothing(&'static str),
}

/// What happened to instances of one account and region.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Notice {
    /// Whose instances they are; where it is not said, anybody's.
    pub(crate) account: Option<String>,
    /// Where they are; where it is not said, anywhere.
    pub(crate) region: Option<String>,
    /// The same at every delivery of the message, and of no other one.
    pub(crate) id: String,
    /// What happened to each instance, by its id.
    pub(crate) about: Vec<(String, Happening)>,
    /// What waits for an answer.
    pub(crate) hook: Option<Hook>,
}

/// Reads a message's body.
///
/// # Errors
/// When it is none of the kinds that are known here, or lacks what makes it one.
pub(crate) fn read(body: &[u8], now: Timestamp) -> Result<Read, Unreadable> {
    let outer = field::object(body)?;
    let message = match envelope::notification(&outer)? {
        Some(inner) => field::object(inner.as_bytes())?,
        None if envelope::is_of_sns(&outer) => return Ok(Read::Nothing("a message of SNS about itself")),
        None => outer,
    };
    if !envelope::is_event(&message) {
        return scaling::notification(&message);
    }
    let event = Envelope::read(&message)?;
    let mut read = read_event(&event, now)?;
    if let Read::Notice(notice) = &mut read {
        for (_, happening) in &mut notice.about {
            happening.happened_at = Some(event.time);
        }
    }
    Ok(read)
}

fn read_event(event: &Envelope<'_>, now: Timestamp) -> Result<Read, Unreadable> {
    match (event.source, event.detail_type) {
        ("aws.ec2", "EC2 Spot Instance Interruption Warning") => interruption(event, now),
        ("aws.ec2", "EC2 Instance Rebalance Recommendation") => rebalance(event),
        ("aws.ec2", "EC2 Instance State-change Notification") => state_change(event),
        ("aws.health", "AWS Health Event") => health::read(event),
        ("aws.autoscaling", "EC2 Instance-terminate Lifecycle Action")
        | ("aws.autoscaling", "EC2 Instance-launch Lifecycle Action") => scaling::event(event),
        _ => Ok(Read::Nothing("an event of another kind")),
    }
}

fn interruption(event: &Envelope<'_>, now: Timestamp) -> Result<Read, Unreadable> {
    let action = text(event.detail, "instance-action")?;
    let mut happening = happening("cloud.spot.interrupt", "", State::Raised);
    happening.data.insert("action".to_owned(), Value::from(action));
    // One that is hibernated is not warned before, but told that it begins.
    if action != "hibernate" {
        let time = event.time.checked_add(SPOT_WARNING);
        let time = time.map_err(|_| Unreadable::new("time is out of range"))?;
        let remaining = (time.as_second() - now.as_second()).max(0);
        happening
            .data
            .insert("time".to_owned(), Value::from(time.to_string()));
        happening
            .data
            .insert("timeRemaining".to_owned(), Value::from(remaining));
        happening.deadline = Some(time);
    }
    event.of_one(happening)
}

fn rebalance(event: &Envelope<'_>) -> Result<Read, Unreadable> {
    let mut happening = happening("cloud.spot.rebalance", "", State::Raised);
    happening
        .data
        .insert("noticeTime".to_owned(), Value::from(event.time.to_string()));
    event.of_one(happening)
}

fn state_change(event: &Envelope<'_>) -> Result<Read, Unreadable> {
    let state = text(event.detail, "state")?;
    match state {
        "shutting-down" | "terminated" => {
            let mut happening = happening("cloud.instance.termination", "", State::Raised);
            happening
                .data
                .insert("instanceState".to_owned(), Value::from(state));
            event.of_one(happening)
        }
        "pending" | "running" | "stopping" | "stopped" => {
            Ok(Read::Nothing("a state that is no instance's end"))
        }
        _ => Err(Unreadable::new("state is none of an instance's")),
    }
}

/// A happening of this source's; whose launch it is about is for whoever knows the instance.
fn happening(event_type: &str, occurrence: &str, state: State) -> Happening {
    Happening {
        event_type: event_type.parse().expect("a type of the table"),
        source: "aws.eventbridge",
        occurrence: occurrence.to_owned(),
        launch: None,
        state,
        happened_at: None,
        deadline: None,
        data: Map::new(),
    }
}

/// With the instance that it is about in its data, as every source of AWS names it.
fn about(instance: &str, mut happening: Happening) -> (String, Happening) {
    happening
        .data
        .insert("instanceID".to_owned(), Value::from(instance));
    (instance.to_owned(), happening)
}
