//! A broker with everything set up, a gateway on it, and runners of hosts that do what a test says.

mod runner;

pub(crate) use runner::{Runner, accept};

use serde_json::json;
use snooze_bus::{Bucket, BucketHandle, Bus, Expect, Role, Stream, Subject, SubjectFilter, User, keys};
use snooze_event_gateway::{GatewayError, centre::Config};
use snooze_schemas::{
    EventId, EventType, HostId, SourceName, Timestamp,
    audit::AuditRecord,
    event::{DeadEvent, Event, Scope, Severity},
};
use snooze_service_runtime::CancellationToken;
use snooze_test_harness::{NatsServer, wait_for, wait_until};
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
    filer: Bus,
}

impl Centre {
    pub(crate) async fn start() -> Centre {
        let centre = Centre::before_set_up(NatsServer::with_roles().await).await;
        centre.set_up().await;
        centre
    }

    /// As [`start`](Centre::start), without fences: a test may look at what no role needs to.
    pub(crate) async fn open() -> Centre {
        let centre = Centre::before_set_up(NatsServer::open().await).await;
        centre.set_up().await;
        centre
    }

    /// A broker without streams and buckets.
    pub(crate) async fn before_set_up(server: NatsServer) -> Centre {
        let named = |role, name| User::named(role, name).expect("a name");
        Centre {
            administrator: server.bus(&named(Role::Administrator, "ada")).await,
            filer: server.bus(&named(Role::Gateway, "source")).await,
            server,
        }
    }

    pub(crate) async fn set_up(&self) {
        let set_up = User::named(Role::SetUp, "set-up").expect("a name");
        self.server.bus(&set_up).await.set_up().await.expect("sets up");
    }

    /// Enrols a host.
    pub(crate) async fn enrol(&self, name: &str) {
        let record = json!({"provider": "simulated", "instance": name, "enrolled_at": now()});
        let key = keys::roster_key(&host(name));
        let config = self.administrator.bucket(Bucket::Config);
        config.put(&key, &record).await.expect("enrols");
    }

    /// The bucket of open events, as another gateway sees it.
    pub(crate) fn open_events(&self) -> BucketHandle {
        self.filer.bucket(Bucket::Open)
    }

    /// Of a severity: events never taken, and taken without an ack so far; on a broker without fences.
    pub(crate) async fn backlog(&self, severity: Severity) -> (u64, u64) {
        let stream = Stream::of_events(severity).name();
        let subject = format!("CONSUMER.INFO.{stream}.severity-{}", u8::from(severity));
        let info = self.api(&subject, "").await;
        let number = |key: &str| info[key].as_u64().expect("the consumer is there");
        (number("num_pending"), number("num_ack_pending"))
    }

    /// Makes a stream smaller than the set-up has made it; on a broker without fences.
    pub(crate) async fn shrink(&self, stream: Stream, max_bytes: u64) {
        self.reconfigure(stream, &json!({ "max_bytes": max_bytes })).await;
    }

    /// Makes the bucket of open events smaller than the set-up has made it; on a broker without fences.
    pub(crate) async fn shrink_open_events(&self, max_bytes: u64) {
        let changes = json!({ "max_bytes": max_bytes });
        self.reconfigure_named(Bucket::Open.stream(), &changes).await;
    }

    /// Makes a stream other than the set-up has made it; on a broker without fences.
    pub(crate) async fn reconfigure(&self, stream: Stream, changes: &serde_json::Value) {
        self.reconfigure_named(stream.name(), changes).await;
    }

    async fn reconfigure_named(&self, name: &str, changes: &serde_json::Value) {
        let mut config = self.api(&format!("STREAM.INFO.{name}"), "").await["config"].take();
        let changes = changes.as_object().expect("an object");
        for (key, value) in changes {
            config[key] = value.clone();
        }
        let updated = self
            .api(&format!("STREAM.UPDATE.{name}"), &config.to_string())
            .await;
        for (key, value) in changes {
            assert_eq!(&updated["config"][key], value, "{updated}");
        }
    }

    /// Lets no gateway hear of open events any more; on a broker without fences.
    pub(crate) async fn pause_watches_of_open_events(&self) {
        let stream = Bucket::Open.stream();
        let watches = self.api(&format!("CONSUMER.NAMES.{stream}"), "").await;
        let watches = watches["consumers"].as_array().expect("a list");
        assert!(!watches.is_empty());
        let until = json!({ "pause_until": now() + Duration::from_secs(3_600) }).to_string();
        for watch in watches.iter().filter_map(serde_json::Value::as_str) {
            let paused = self
                .api(&format!("CONSUMER.PAUSE.{stream}.{watch}"), &until)
                .await;
            assert_eq!(paused["paused"], true, "{paused}");
        }
    }

    /// How long the broker waits for the ack of an event of a severity; on a broker without fences.
    pub(crate) async fn wait_for_acks(&self, severity: Severity, ack_wait: Duration) {
        let stream = Stream::of_events(severity).name();
        let consumer = format!("severity-{}", u8::from(severity));
        let subject = format!("CONSUMER.INFO.{stream}.{consumer}");
        let mut config = self.api(&subject, "").await["config"].take();
        config["ack_wait"] = u64::try_from(ack_wait.as_nanos()).expect("a short wait").into();
        let filter = SubjectFilter::EventsOfSeverity(severity);
        let subject = format!("CONSUMER.CREATE.{stream}.{consumer}.{filter}");
        let body = json!({ "stream_name": stream, "config": config });
        let updated = self.api(&subject, &body.to_string()).await;
        assert_eq!(updated["config"]["ack_wait"], config["ack_wait"], "{updated}");
    }

    async fn api(&self, subject: &str, body: &str) -> serde_json::Value {
        let subject = format!("$JS.API.{subject}");
        let answer = self
            .filer
            .raw_request(&subject, &[], body.as_bytes(), LIMIT)
            .await;
        serde_json::from_slice(&answer.expect("is answered").payload).expect("JSON")
    }

    /// Waits until every event of a severity was taken and acked.
    pub(crate) async fn all_acked(&self, severity: Severity) {
        wait_until(LIMIT, "every event is acked", async || {
            self.backlog(severity).await == (0, 0)
        })
        .await;
    }

    /// What ended in DEAD for a scope.
    pub(crate) async fn dead(&self, scope: Scope) -> Vec<DeadEvent> {
        let filter = SubjectFilter::DeadOf(scope);
        let found = self
            .administrator
            .history::<DeadEvent>(Stream::Dead, &filter, 100)
            .await;
        let found = found.expect("reads");
        found.into_iter().map(|stored| stored.message).collect()
    }

    /// How often the audit trail of a scope tells of events.
    pub(crate) async fn told(&self, scope: Scope) -> usize {
        let filter = SubjectFilter::AuditOf(scope);
        let found = self
            .administrator
            .history::<AuditRecord>(Stream::Audit, &filter, 100)
            .await;
        found.expect("reads").len()
    }

    /// Waits until something has ended in DEAD for a scope.
    pub(crate) async fn first_dead(&self, scope: Scope) -> DeadEvent {
        wait_for(LIMIT, "it ends in DEAD", async || {
            self.dead(scope.clone()).await.pop()
        })
        .await
    }

    /// A gateway with limits that suit the test.
    pub(crate) async fn gateway(&self, change: impl FnOnce(&mut Config)) -> Gateway {
        let user = User::named(Role::Gateway, "gateway").expect("a name");
        let bus = self.server.bus(&user).await;
        let mut config = Config::new("gateway under test".to_owned());
        change(&mut config);
        let stop = CancellationToken::new();
        let task = tokio::spawn(snooze_event_gateway::centre::run(config, bus, stop.clone()));
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
        let filed = self
            .filer
            .file(&subject_of(event), event, Expect::New, LIMIT)
            .await;
        filed.expect("files");
    }

    /// Files many, at once.
    pub(crate) async fn file_all(&self, events: &[Event]) {
        for some in events.chunks(256) {
            futures_util::future::join_all(some.iter().map(|event| self.file(event))).await;
        }
    }

    /// A host on the bus, whose runner does what the test says.
    pub(crate) async fn runner(&self, name: &str) -> Runner {
        let runner = self.runner_without_hello(name).await;
        runner.hello().await;
        runner
    }

    /// One that is on the bus and did not say so.
    pub(crate) async fn runner_without_hello(&self, name: &str) -> Runner {
        let host = host(name);
        let bus = self.server.bus(&User::host(&host)).await;
        Runner::on(bus, host).await
    }
}

pub(crate) struct Gateway {
    stop: CancellationToken,
    task: JoinHandle<Result<(), GatewayError>>,
}

impl Gateway {
    /// Ends it as a crash would: what it had in hand is as if it had never been taken.
    pub(crate) async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.is_err_and(|error| error.is_cancelled()));
    }

    pub(crate) async fn end(self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(LIMIT, self.task).await;
        ended.expect("in time").expect("no panic").expect("no failure");
    }
}

pub(crate) fn subject_of(event: &Event) -> Subject {
    Subject::from(event)
}

pub(crate) fn event(name: &str, scope: Scope, severity: Severity) -> Event {
    Event {
        id: id(name),
        event_type: event_type("custom.test"),
        severity,
        source: "custom.test".to_owned(),
        host: scope,
        happened_at: None,
        noticed_at: now(),
        deadline: None,
        data: serde_json::Map::new(),
    }
}

pub(crate) fn now() -> Timestamp {
    snooze_service_runtime::Clocks::real().wall()
}
