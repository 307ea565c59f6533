//! Events as gateways file them, and filing them.

use serde_json::json;
use snooze_bus::{Bus, Expect, Subject};
use snooze_schemas::{
    HostId, Timestamp,
    event::{Event, Scope, Severity},
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::Semaphore, task::JoinSet};

/// How long a stream may take to acknowledge one.
const ACK: Duration = Duration::from_secs(30);
/// What an interruption leaves.
const NOTICE: Duration = Duration::from_secs(120);

/// An interruption of a host.
pub(crate) fn interruption(id: &str, host: &HostId) -> Event {
    Event {
        deadline: Some(Timestamp::now() + NOTICE),
        ..event(id, "cloud.spot.interrupt", Severity::Critical, host)
    }
}

/// Something that nobody is in a hurry with.
pub(crate) fn report(id: &str, host: &HostId) -> Event {
    event(id, "custom.report", Severity::Info, host)
}

/// Something urgent that the measured host handles and that suspends nothing.
pub(crate) fn probe(id: &str, host: &HostId) -> Event {
    Event {
        deadline: Some(Timestamp::now() + NOTICE),
        ..event(id, "custom.probe", Severity::Critical, host)
    }
}

fn event(id: &str, event_type: &str, severity: Severity, host: &HostId) -> Event {
    let data = json!({"instanceID": host, "instanceType": "m7g.large", "detail": "as many words as one has"});
    Event {
        id: id.parse().expect("an id"),
        event_type: event_type.parse().expect("a type"),
        severity,
        source: "aws.eventbridge".to_owned(),
        host: Scope::Host(host.clone()),
        happened_at: None,
        noticed_at: Timestamp::now(),
        deadline: None,
        data: data.as_object().cloned().unwrap_or_default(),
    }
}

/// Files one, once.
pub(crate) async fn file(bus: &Bus, event: &Event) {
    let filed = bus.file(&Subject::from(event), event, Expect::New, ACK).await;
    filed.expect("the stream takes it");
}

/// Files all, so many at once, and returns when the last one is in its stream.
pub(crate) async fn file_all(bus: &Bus, events: impl Iterator<Item = Event>, at_once: usize) {
    let places = Arc::new(Semaphore::new(at_once));
    let mut filing = JoinSet::new();
    for event in events {
        let place = places.clone().acquire_owned().await.expect("it is never closed");
        let bus = bus.clone();
        filing.spawn(async move {
            file(&bus, &event).await;
            drop(place);
        });
    }
    while let Some(filed) = filing.join_next().await {
        filed.expect("none panics");
    }
}
