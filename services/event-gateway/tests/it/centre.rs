//! A broker with everything set up, a gateway on it, and runners of hosts that do what a test says.

use serde_json::json;
use snooze_bus::{
    Bucket, Bus, Delivery, Expect, Role, RunnerVerb, Subject, SubjectFilter, Subscription, User, keys,
};
use snooze_event_gateway::{Config, GatewayError};
use snooze_schemas::{
    EventId, EventType, HostId, Refusal, SourceName, Timestamp,
    audit::{AuditKind, AuditRecord},
    event::{Accepted, Event, HandleEvent, Scope, Severity},
};
use snooze_service_runtime::CancellationToken;
use snooze_test_harness::NatsServer;
use std::time::Duration;
use tokio::task::JoinHandle;

pub(crate) const LIMIT: Duration = Duration::from_secs(20);

pub(crate) fn host(name: &str) -> HostId {
    name.parse().expect("a host id")
}

pub(crate) fn event_type(text: &str) -> EventType {
    text.parse().expect("an event type")
}

pub(crate) fn id(text: &str) -> EventId {
    text.parse().expect("an event id")
}

/// A broker and the connections of those who are not under test.
pub(crate) struct Centre {
    pub(crate) server: NatsServer,
    pub(crate) administrator: Bus,
}

impl Centre {
    pub(crate) async fn start() -> Centre {
        let server = NatsServer::with_roles().await;
        let set_up = User::named(Role::SetUp, "set-up").expect("a name");
        server.bus(&set_up).await.set_up().await.expect("sets up");
        let administrator = User::named(Role::Administrator, "ada").expect("a name");
        let administrator = server.bus(&administrator).await;
        Centre {
            server,
            administrator,
        }
    }

    /// A gateway with limits that suit the test.
    pub(crate) async fn gateway(&self, change: impl FnOnce(&mut Config)) -> Gateway {
        let user = User::named(Role::Gateway, "gateway").expect("a name");
        let bus = self.server.bus(&user).await;
        let mut config = Config::new("gateway under test".to_owned());
        change(&mut config);
        let stop = CancellationToken::new();
        let task = tokio::spawn(snooze_event_gateway::run(config, bus, stop.clone()));
        Gateway { stop, task }
    }

    /// Writes what a source may say, and connects as that source.
    pub(crate) async fn source(&self, name: &str, record: serde_json::Value) -> Bus {
        let source: SourceName = name.parse().expect("a source");
        let config = self.administrator.bucket(Bucket::Config);
        config
            .put(&keys::source_key(&source), &record)
            .await
            .expect("writes the record");
        self.server.bus(&User::source(&source)).await
    }

    /// Files an event as the gateway's own sources do.
    pub(crate) async fn file(&self, event: &Event) {
        let user = User::named(Role::Gateway, "source").expect("a name");
        let subject = Subject::Event {
            scope: event.host.clone(),
            severity: event.severity,
            id: event.id.clone(),
            event_type: event.event_type.clone(),
        };
        let bus = self.server.bus(&user).await;
        bus.file(&subject, event, Expect::New, LIMIT)
            .await
            .expect("files");
    }

    /// A host on the bus, whose runner does what the test says.
    pub(crate) async fn runner(&self, name: &str) -> Runner {
        let host = host(name);
        let bus = self.server.bus(&User::host(&host)).await;
        let requests = bus
            .subscribe(&SubjectFilter::RunnerOf(host.clone()), None)
            .await
            .expect("listens");
        Runner { host, bus, requests }
    }
}

pub(crate) struct Gateway {
    stop: CancellationToken,
    task: JoinHandle<Result<(), GatewayError>>,
}

impl Gateway {
    pub(crate) async fn end(self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(LIMIT, self.task).await;
        ended.expect("in time").expect("no panic").expect("no failure");
    }
}

pub(crate) struct Runner {
    pub(crate) host: HostId,
    pub(crate) bus: Bus,
    requests: Subscription,
}

impl Runner {
    /// The next event that it is offered.
    pub(crate) async fn offered(&mut self) -> (Delivery, HandleEvent) {
        let next = tokio::time::timeout(LIMIT, self.requests.next()).await;
        let delivery = next.expect("an offer in time").expect("the connection stands");
        let expected = Subject::Runner {
            host: self.host.clone(),
            verb: RunnerVerb::HandleEvent,
        };
        assert_eq!(*delivery.subject(), expected);
        let offer = delivery.read().expect("a readable offer");
        (delivery, offer)
    }

    /// Takes the next event.
    pub(crate) async fn accept(&mut self) -> Event {
        let (delivery, offer) = self.offered().await;
        accept(&delivery).await;
        offer.event
    }

    /// Takes all that still comes, until the connection ends with the test.
    pub(crate) fn accept_the_rest(mut self) {
        tokio::spawn(async move {
            while let Some(delivery) = self.requests.next().await {
                accept(&delivery).await;
            }
        });
    }

    /// Reports how an event ended.
    pub(crate) async fn report(&self, event: &Event) {
        let scope = Scope::Host(self.host.clone());
        let record = AuditRecord {
            at: Timestamp::UNIX_EPOCH,
            host: scope.clone(),
            kind: AuditKind::Event,
            actor: "runner".to_owned(),
            claim: None,
            message: "handled".to_owned(),
            details: [("id".to_owned(), json!(event.id))].into_iter().collect(),
        };
        let subject = Subject::Audit {
            scope,
            kind: AuditKind::Event,
        };
        self.bus
            .file(&subject, &record, Expect::Anything, LIMIT)
            .await
            .expect("reports");
    }
}

pub(crate) async fn accept(delivery: &Delivery) {
    let accepted = Accepted {
        accepted: true,
        duplicate: false,
    };
    delivery
        .answer(Ok::<_, Refusal>(accepted))
        .await
        .expect("answers");
}

pub(crate) fn event(name: &str, scope: Scope, severity: Severity) -> Event {
    Event {
        id: id(name),
        event_type: event_type("custom.test"),
        severity,
        source: "custom.test".to_owned(),
        host: scope,
        noticed_at: now(),
        deadline: None,
        data: serde_json::Map::new(),
    }
}

pub(crate) fn now() -> Timestamp {
    snooze_service_runtime::Clocks::real().wall()
}
