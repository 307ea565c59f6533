//! Connections and messages that the tests share.

use snooze_bus::{
    Bus, BusConfig, Delivery, EventConsumer, EventDelivery, OnDenial, RawMessage, RawSubscription, Role,
    Stream, Subject, SubjectFilter, Subscription, User,
};
use snooze_schemas::{
    HostId,
    audit::{AuditKind, AuditRecord},
    event::{Event, Scope, Severity},
    sample::Sample,
    verdict::Verdict,
};
pub(crate) use snooze_test_harness::{NatsServer, Process, nats_cli, wait_for, wait_until};
use std::{collections::BTreeMap, path::PathBuf, time::Duration};

/// More than a loaded machine needs; a test that waits so long has failed.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// For a thousand writes and more, each of them synced to a disk that others use too.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// For answers that are known not to come.
pub(crate) const SHORT: Duration = Duration::from_millis(200);

pub(crate) fn host(name: &str) -> HostId {
    name.parse().expect("a host id")
}

pub(crate) fn config(url: String, role: Role, name: &str, credentials: Option<PathBuf>) -> BusConfig {
    BusConfig {
        servers: url,
        credentials,
        role,
        name: name.to_owned(),
        service: format!("test of {role}"),
        connect_timeout: LIMIT,
        on_denial: OnDenial::End,
    }
}

/// A connection to a server without fences.
pub(crate) async fn open(server: &NatsServer, role: Role, name: &str) -> Bus {
    Bus::connect(config(server.url(), role, name, None))
        .await
        .expect("the server is there")
}

/// A connection of a user behind its fence.
pub(crate) async fn fenced(server: &NatsServer, user: &User) -> Bus {
    let credentials = server.credentials(user);
    Bus::connect(config(server.url(), user.role(), user.name(), Some(credentials)))
        .await
        .expect("the server is there and knows the user")
}

/// A server without fences, with all streams and buckets, and a connection to it.
pub(crate) async fn set_up() -> (NatsServer, Bus) {
    let server = NatsServer::open().await;
    let bus = open(&server, Role::SetUp, "test").await;
    bus.set_up().await.expect("streams and buckets can be made");
    (server, bus)
}

pub(crate) fn verdict(name: &str, seq: u64) -> Verdict {
    Verdict {
        host: host(name),
        boot_id: "b".to_owned(),
        agent: "a".to_owned(),
        seq,
        policy_revision: "0/0/0".to_owned(),
        sample_age_ms: 1,
        uptime_ms: 1,
        boot_grace_left_ms: 0,
        votes: Vec::new(),
    }
}

pub(crate) fn sample(name: &str, seq: u64) -> Sample {
    Sample {
        host: host(name),
        boot_id: "b".to_owned(),
        agent: "a".to_owned(),
        seq,
        taken_at: "2026-01-02T03:04:05Z".parse().expect("a time"),
        covers_ms: 1,
        ends_monotonic_ms: 1,
        ends_boottime_ms: 1,
        readings: BTreeMap::new(),
        gpus: Vec::new(),
    }
}

pub(crate) fn event(name: &str, severity: Severity, id: &str) -> (Subject, Event) {
    let event = Event {
        id: id.parse().expect("an id"),
        event_type: "custom.test".parse().expect("a type"),
        severity,
        source: "custom.test".to_owned(),
        host: Scope::Host(host(name)),
        happened_at: None,
        noticed_at: "2026-01-02T03:04:05Z".parse().expect("a time"),
        deadline: None,
        data: serde_json::Map::new(),
    };
    let subject = Subject::Event {
        scope: event.host.clone(),
        severity,
        id: event.id.clone(),
        event_type: event.event_type.clone(),
    };
    (subject, event)
}

pub(crate) fn audit(name: &str, kind: AuditKind, message: &str) -> (Subject, AuditRecord) {
    let record = AuditRecord {
        at: "2026-01-02T03:04:05Z".parse().expect("a time"),
        host: Scope::Host(host(name)),
        kind,
        actor: "test".to_owned(),
        claim: None,
        message: message.to_owned(),
        details: serde_json::Map::new(),
    };
    let subject = Subject::Audit {
        scope: record.host.clone(),
        kind,
    };
    (subject, record)
}

/// The messages of the last so many audit entries of a family.
pub(crate) async fn told(bus: &Bus, filter: SubjectFilter, limit: usize) -> Vec<String> {
    bus.history::<AuditRecord>(Stream::Audit, &filter, limit)
        .await
        .expect("AUDIT can be read")
        .into_iter()
        .map(|stored| stored.message.message)
        .collect()
}

/// The next message of a subscription, which must come.
pub(crate) async fn hear(heard: &mut Subscription) -> Delivery {
    let delivery = tokio::time::timeout(LIMIT, heard.next()).await.expect("is heard");
    delivery.expect("the connection is open")
}

/// The next message of a subscription as it came, which must come.
pub(crate) async fn hear_raw(heard: &mut RawSubscription) -> RawMessage {
    let message = tokio::time::timeout(LIMIT, heard.next()).await.expect("is heard");
    message.expect("the connection is open")
}

/// The next event of a consumer, which must come and be readable.
pub(crate) async fn take(consumer: &mut EventConsumer) -> EventDelivery {
    let taken = tokio::time::timeout(LIMIT, consumer.next())
        .await
        .expect("one comes");
    let taken = taken.expect("the consumer is there");
    taken.readable().expect("it can be read")
}
