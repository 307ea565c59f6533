//! Lifecycle actions of Auto Scaling: through EventBridge, and as its hooks send them to a queue or topic by
//! themselves.
//!
//! An instance leaves its group's service, to be terminated or to wait in a warm pool, or it comes into it. Each
//! action waits in a hook, by whose name, group and token it is answered.

use super::{
    Notice, Read, Unreadable, about,
    envelope::Envelope,
    field::{instance, maybe_text, text, time},
    happening,
};
use crate::{happening::State, source::aws};
use serde_json::{Map, Value};

/// A lifecycle action that waits for an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hook {
    /// The hook's name.
    pub(crate) name: String,
    /// The Auto Scaling group.
    pub(crate) group: String,
    /// What the action is answered by.
    pub(crate) token: String,
    /// The instance.
    pub(crate) instance: String,
    /// Where the group is, where that is said.
    pub(crate) region: Option<String>,
    /// Whether the instance comes or goes.
    pub(crate) way: Way,
}

/// Where an instance in a hook is bound for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Into the group's service.
    Coming,
    /// Out of it.
    Leaving,
}

/// Through EventBridge.
pub(super) fn event(event: &Envelope<'_>) -> Result<Read, Unreadable> {
    let notice = event.notice();
    action(event.detail, notice)
}

/// As a hook sends it by itself; there is no region in it.
pub(super) fn notification(message: &Map<String, Value>) -> Result<Read, Unreadable> {
    if maybe_text(message, "Event")? == Some("autoscaling:TEST_NOTIFICATION") {
        return Ok(Read::Nothing("a test notification of Auto Scaling"));
    }
    if !message.contains_key("LifecycleTransition") {
        return Err(Unreadable::new(
            "it is neither an event of EventBridge nor a notification of a lifecycle hook",
        ));
    }
    let notice = Notice {
        account: maybe_text(message, "AccountId")?.map(str::to_owned),
        region: None,
        id: text(message, "LifecycleActionToken")?.to_owned(),
        about: Vec::new(),
        hook: None,
    };
    let mut read = action(message, notice)?;
    if let Read::Notice(notice) = &mut read {
        let happened_at = time(message, "Time").ok();
        for (_, happening) in &mut notice.about {
            happening.happened_at = happened_at;
        }
    }
    Ok(read)
}

fn action(detail: &Map<String, Value>, notice: Notice) -> Result<Read, Unreadable> {
    let transition = text(detail, "LifecycleTransition")?;
    let destination = maybe_text(detail, "Destination")?;
    let token = text(detail, "LifecycleActionToken")?;
    let (way, occurrence) = match (transition, destination) {
        ("autoscaling:EC2_INSTANCE_LAUNCHING", _) => (Way::Coming, aws::coming(token)),
        ("autoscaling:EC2_INSTANCE_TERMINATING", Some("WarmPool")) => (Way::Leaving, aws::POOLED.to_owned()),
        ("autoscaling:EC2_INSTANCE_TERMINATING", _) => (Way::Leaving, aws::TERMINATED.to_owned()),
        _ => return Err(Unreadable::new("LifecycleTransition is none that is known")),
    };
    let id = instance(detail, "EC2InstanceId")?;
    let hook = Hook {
        name: text(detail, "LifecycleHookName")?.to_owned(),
        group: text(detail, "AutoScalingGroupName")?.to_owned(),
        token: token.to_owned(),
        instance: id.to_owned(),
        region: notice.region.clone(),
        way,
    };
    let mut happening = happening("cloud.autoscaling.scale", &occurrence, State::Raised);
    // Whichever launch the host is known by when this is read.
    happening.launch = (way == Way::Coming).then(String::new);
    for (key, value) in [
        ("transition", Some(transition)),
        ("group", Some(hook.group.as_str())),
        ("hook", Some(hook.name.as_str())),
        ("origin", maybe_text(detail, "Origin")?),
        ("destination", destination),
    ] {
        if let Some(value) = value {
            happening.data.insert(key.to_owned(), Value::from(value));
        }
    }
    Ok(Read::Notice(Box::new(Notice {
        about: vec![about(id, happening)],
        hook: Some(hook),
        ..notice
    })))
}
