//! A bus with everything set up, executors on it, and hosts that answer as a test tells them to.

use crate::host::{FakeHost, Script};
use serde_json::{Value, json};
use snooze_bus::{Bucket, Bus, Role, Stream, Subject, SubjectFilter, User, keys};
use snooze_executor::{
    Config, ExecutorError,
    provider::{Clouds, simulated::SimulatedCloud},
};
use snooze_schemas::{
    HostId,
    audit::{AuditKind, AuditRecord},
    event::Scope,
    ops::{Query, QueryResult},
    policy::ConfigLayer,
    roster::RosterRecord,
    state::{self, HostRecord, Phase},
};
use snooze_service_runtime::CancellationToken;
use snooze_test_harness::{NatsServer, wait_for, wait_until};
use std::time::Duration;
use tokio::task::JoinHandle;

/// Long enough for a machine that compiles beside the tests.
pub(crate) const LONG: Duration = Duration::from_secs(30);
/// What an answer over the bus may take.
pub(crate) const ANSWER: Duration = Duration::from_secs(10);

/// A policy under which a claim takes a second and a quarantine six.
pub(crate) fn quick() -> Value {
    json!({
        "mode": "act", "check_interval_seconds": 1, "naptime_minutes": 0.01, "heartbeat_seconds": 1,
        "notice_seconds": 0.2, "pre_snooze_seconds": 5, "settle_seconds": 0.1, "boot_grace_minutes": 0,
        "cooldown_minutes": 10, "freshness_seconds": 3, "call_timeout_seconds": 1, "signature_life_seconds": 1,
        "application_seconds": 1, "quarantine_seconds": 5.5, "beat_seconds": 0.25, "takeover_seconds": 1.5,
        "verify_window_seconds": 0.2, "plugin_timeout_seconds": 0.2,
    })
}

/// The quick policy with some keys set otherwise.
pub(crate) fn quick_but(changes: Value) -> Value {
    let mut policy = quick();
    let (Value::Object(policy_keys), Value::Object(changes)) = (&mut policy, changes) else {
        panic!("a policy is an object");
    };
    policy_keys.extend(changes);
    policy
}

/// A set-up bus and a cloud.
pub(crate) struct World {
    pub(crate) server: NatsServer,
    pub(crate) admin: Bus,
    pub(crate) cloud: SimulatedCloud,
    pub(crate) revision: String,
}

impl World {
    /// With a policy for the fleet.
    pub(crate) async fn with(policy: Value) -> World {
        let server = NatsServer::with_roles().await;
        let set_up = server
            .bus(&User::named(Role::SetUp, "set-up").expect("a name"))
            .await;
        set_up.set_up().await.expect("the set-up may make everything");
        let admin = server
            .bus(&User::named(Role::Administrator, "ada").expect("a name"))
            .await;
        let mut world = World {
            server,
            admin,
            cloud: SimulatedCloud::new(Duration::from_millis(300)),
            revision: String::new(),
        };
        world.set_policy(policy).await;
        world
    }

    /// Another policy for the fleet.
    pub(crate) async fn set_policy(&mut self, policy: Value) {
        let layer: ConfigLayer = serde_json::from_value(json!({ "policy": policy })).expect("a layer");
        let config = self.admin.bucket(Bucket::Config);
        let revision = config
            .put(keys::FLEET, &layer)
            .await
            .expect("an administrator writes the policy");
        self.revision = format!("{revision}/0/0");
    }

    /// Puts a host into the roster, with some fields set otherwise.
    pub(crate) async fn enroll(&self, host: &str, changes: Value) {
        let mut record = json!({
            "provider": "simulated", "region": "eu-central-1", "account": "123456789012",
            "instance": format!("i-{host}"), "enrolled_at": "2026-01-01T00:00:00Z",
        });
        let (Value::Object(fields), Value::Object(changes)) = (&mut record, changes) else {
            panic!("a record is an object");
        };
        fields.extend(changes);
        let record: RosterRecord = serde_json::from_value(record).expect("a record");
        let config = self.admin.bucket(Bucket::Config);
        config
            .put(&keys::roster_key(&id(host)), &record)
            .await
            .expect("an administrator enrols");
    }

    /// What the roster says of a host.
    pub(crate) async fn roster(&self, host: &str) -> RosterRecord {
        let config = self.admin.bucket(Bucket::Config);
        let entry = config.get::<RosterRecord>(&keys::roster_key(&id(host))).await;
        entry.expect("the roster is read").expect("it is enrolled").value
    }

    /// Waits until the roster says something of a host.
    pub(crate) async fn wait_for_roster(
        &self,
        host: &str,
        what: &str,
        wanted: impl Fn(&RosterRecord) -> bool,
    ) {
        wait_until(LONG, what, async || wanted(&self.roster(host).await)).await;
    }

    /// Starts an executor in this process.
    pub(crate) async fn executor(&self, name: &str) -> Executor {
        let clouds = Clouds::default().with_simulated(self.cloud.clone());
        self.executor_with(name, Config::new(clouds)).await
    }

    /// Starts an executor with a configuration of its own, and waits until it answers.
    pub(crate) async fn executor_with(&self, name: &str, config: Config) -> Executor {
        let bus = self
            .server
            .bus(&User::named(Role::Executor, name).expect("a name"))
            .await;
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(snooze_executor::run(config, bus, shutdown.clone()));
        let executor = Executor { shutdown, task };
        self.wait_for_an_answer().await;
        executor
    }

    /// Waits until some executor has read everything and answers.
    pub(crate) async fn wait_for_an_answer(&self) {
        wait_until(LONG, "an executor answers", async || {
            let query = Query::default();
            let subject = Subject::Ops(snooze_bus::OpsVerb::Query);
            self.admin
                .request::<_, QueryResult>(&subject, &query, Duration::from_secs(1))
                .await
                .is_ok()
        })
        .await;
    }

    /// A host that is idle, answers, and heartbeats.
    pub(crate) async fn host(&self, host: &str) -> FakeHost {
        self.scripted_host(host, &self.revision, |_| {}).await
    }

    /// As [`World::host`], under another revision of the policy, and told what to do from the beginning.
    pub(crate) async fn scripted_host(
        &self,
        host: &str,
        revision: &str,
        script: impl FnOnce(&mut Script),
    ) -> FakeHost {
        let bus = self.server.bus(&User::host(&id(host))).await;
        FakeHost::begin(bus, id(host), revision.to_owned(), script).await
    }

    /// What lies in a host's key.
    pub(crate) async fn record(&self, host: &str) -> HostRecord {
        let executor = self.reader().await;
        let entry = executor
            .bucket(Bucket::State)
            .get::<HostRecord>(&keys::state_key(&id(host)))
            .await;
        entry
            .expect("the key is read")
            .map(|entry| entry.value)
            .unwrap_or_default()
    }

    /// The state can be read by executors alone.
    pub(crate) async fn reader(&self) -> Bus {
        self.server
            .bus(&User::named(Role::Executor, "reader").expect("a name"))
            .await
    }

    /// Waits until a host's record is as wanted, and returns it.
    pub(crate) async fn wait_for_record(
        &self,
        host: &str,
        what: &str,
        wanted: impl Fn(&HostRecord) -> bool,
    ) -> HostRecord {
        let reader = self.reader().await;
        let key = keys::state_key(&id(host));
        wait_for(LONG, what, async || {
            let entry = reader.bucket(Bucket::State).get::<HostRecord>(&key).await.ok()?;
            let record = entry.map(|entry| entry.value).unwrap_or_default();
            wanted(&record).then_some(record)
        })
        .await
    }

    /// Waits until a host's claim is in this phase.
    pub(crate) async fn wait_for_phase(&self, host: &str, phase: Phase) -> state::Claim {
        let what = format!("{host} is {phase:?}");
        let is = |record: &HostRecord| record.claim.as_ref().is_some_and(|claim| claim.phase == phase);
        self.wait_for_record(host, &what, is)
            .await
            .claim
            .expect("it has a claim")
    }

    /// Waits until a host was stopped by us and is free again.
    pub(crate) async fn wait_until_stopped(&self, host: &str) {
        let stopped = |record: &HostRecord| record.claim.is_none() && record.last_stop.is_some();
        self.wait_for_record(host, &format!("{host} was stopped and is free"), stopped)
            .await;
    }

    /// Waits until the audit trail has an entry of this kind about a host, and returns it.
    pub(crate) async fn wait_for_audit(&self, host: &str, kind: AuditKind) -> AuditRecord {
        wait_for(
            LONG,
            &format!("{kind:?} of {host} is in the audit trail"),
            async || {
                self.audit(host)
                    .await
                    .into_iter()
                    .rev()
                    .find(|record| record.kind == kind)
            },
        )
        .await
    }

    /// The audit trail of a host, the oldest first.
    pub(crate) async fn audit(&self, host: &str) -> Vec<AuditRecord> {
        let filter = SubjectFilter::AuditOf(Scope::Host(id(host)));
        let stored = self
            .admin
            .history::<AuditRecord>(Stream::Audit, &filter, 1_000)
            .await;
        stored
            .expect("the trail is read")
            .into_iter()
            .map(|stored| stored.message)
            .collect()
    }

    /// The kinds of entries about a host, decisions left out.
    pub(crate) async fn audit_kinds(&self, host: &str) -> Vec<AuditKind> {
        let kinds = self.audit(host).await.into_iter().map(|record| record.kind);
        kinds.filter(|kind| *kind != AuditKind::Decision).collect()
    }
}

/// A running executor.
pub(crate) struct Executor {
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), ExecutorError>>,
}

impl Executor {
    /// Asks it to end, and waits until it has.
    pub(crate) async fn end(self) {
        self.shutdown.cancel();
        let ended = tokio::time::timeout(LONG, self.task)
            .await
            .expect("it ends in time");
        ended.expect("it does not panic").expect("it ends well");
    }

    /// Drops everything where it stands.
    pub(crate) async fn crash(self) {
        self.task.abort();
        let ended = self.task.await;
        assert!(
            ended.is_err_and(|error| error.is_cancelled()),
            "it was running until now"
        );
    }
}

pub(crate) fn id(host: &str) -> HostId {
    host.parse().expect("a host id")
}
