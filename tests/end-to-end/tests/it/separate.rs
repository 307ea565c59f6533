//! The four services as four processes, each with its role's credentials, on a broker that fences every
//! role: how systemd runs them. The host is this machine, under another name.

use crate::place::{LONG, Place, Run};
use serde_json::{Value, json};
use snooze_bus::{Bucket, Bus, OpsVerb, Role, Stream, Subject, SubjectFilter, User, keys};
use snooze_schemas::{
    HostId,
    audit::{AuditKind, AuditRecord},
    event::Scope,
    ops::{HostReport, Query, QueryResult},
    policy::ConfigLayer,
    roster::RosterRecord,
};
use snooze_test_harness::{NatsServer, wait_for};
use std::time::Duration;

/// The host that this machine plays.
pub(crate) const HOST: &str = "web";
/// What an answer over the bus may take.
const ANSWER: Duration = Duration::from_secs(2);

/// A fleet of one host.
pub(crate) struct Fleet {
    runs: Vec<Run>,
    admin: Bus,
    pub(crate) server: NatsServer,
    pub(crate) place: Place,
}

impl Fleet {
    /// With a policy for the fleet, and nothing running yet.
    pub(crate) async fn with(policy: &Value) -> Fleet {
        let server = NatsServer::with_roles().await;
        let set_up = server.bus(&named(Role::SetUp, "set-up")).await;
        set_up.set_up().await.expect("the set-up may make everything");
        let admin = server.bus(&named(Role::Administrator, "ada")).await;
        let layer: ConfigLayer = serde_json::from_value(json!({ "policy": policy })).expect("a layer");
        let config = admin.bucket(Bucket::Config);
        config
            .put(keys::FLEET, &layer)
            .await
            .expect("an administrator writes the policy");
        Fleet {
            runs: Vec::new(),
            admin,
            server,
            place: Place::new(),
        }
    }

    /// Puts the host into the roster.
    pub(crate) async fn enrol(&self, record: Value) {
        let mut fields = json!({"enrolled_at": "2026-01-01T00:00:00Z"});
        let (Value::Object(fields_map), Value::Object(record)) = (&mut fields, record) else {
            panic!("a record is an object");
        };
        fields_map.extend(record);
        let record: RosterRecord = serde_json::from_value(fields).expect("a record");
        let config = self.admin.bucket(Bucket::Config);
        config
            .put(&keys::roster_key(&host()), &record)
            .await
            .expect("an administrator enrols");
    }

    /// What the services on the host read at their start.
    pub(crate) fn configure(&self, plugin_configs: &Value) {
        let config = json!({"plugins": {
            "enabled": true, "directories": [self.place.text("plugins")], "plugin_configs": plugin_configs,
        }});
        self.place.write("snooze.json", &config.to_string());
    }

    /// Starts the services of the host.
    pub(crate) fn start_host(&mut self) {
        let user = User::host(&host());
        let state = self.place.text("state");
        self.start("snooze-collector", &user, &["--host", HOST]);
        self.start(
            "snooze-plugin-runner",
            &user,
            &["--host", HOST, "--state", &state],
        );
    }

    /// Starts the gateway at the centre.
    pub(crate) fn start_gateway(&mut self) {
        self.start("snooze-event-gateway", &named(Role::Gateway, "gateway"), &[]);
    }

    /// Starts an executor, and returns which of the runs it is.
    pub(crate) fn start_executor(&mut self, name: &str, arguments: &[&str]) -> usize {
        let mut all = vec!["--name", name];
        all.extend(arguments);
        self.start("snooze-executor", &named(Role::Executor, name), &all)
    }

    fn start(&mut self, service: &str, user: &User, arguments: &[&str]) -> usize {
        let run = self.place.start_on((&self.server, user), service, &[], arguments);
        self.runs.push(run);
        self.runs.len() - 1
    }

    /// Whether one of the runs has said so in its log.
    #[cfg(feature = "aws")]
    pub(crate) fn said(&self, run: usize, text: &str) -> bool {
        self.runs[run].errors().contains(text)
    }

    /// SIGKILL to one of the runs.
    #[cfg(feature = "aws")]
    pub(crate) fn kill(&mut self, run: usize) {
        self.runs[run].kill();
    }

    /// What the executors say of the host, once they do.
    pub(crate) async fn report(&self) -> Option<HostReport> {
        let subject = Subject::Ops(OpsVerb::Query);
        let query = Query {
            host: Some(host()),
            ..Query::default()
        };
        let result: QueryResult = self.admin.request(&subject, &query, ANSWER).await.ok()?;
        result.hosts.into_iter().next()
    }

    /// Waits until they say what is wanted.
    pub(crate) async fn wait_for_report(
        &self,
        what: &str,
        mut wanted: impl FnMut(&HostReport) -> bool,
    ) -> HostReport {
        wait_for(LONG, what, async || {
            self.report().await.filter(|report| wanted(report))
        })
        .await
    }

    /// The trail of the host, the oldest first; without the entries that tell a decision.
    pub(crate) async fn audit(&self) -> Vec<AuditRecord> {
        let filter = SubjectFilter::AuditOf(Scope::Host(host()));
        let stored = self
            .admin
            .history::<AuditRecord>(Stream::Audit, &filter, 1_000)
            .await;
        let records = stored
            .unwrap_or_default()
            .into_iter()
            .map(|stored| stored.message);
        records
            .filter(|record| record.kind != AuditKind::Decision)
            .collect()
    }

    /// Waits for the first entry of a kind.
    pub(crate) async fn wait_for_audit(&self, kind: AuditKind) -> AuditRecord {
        wait_for(LONG, &format!("{kind:?} is in the trail"), async || {
            self.audit().await.into_iter().find(|record| record.kind == kind)
        })
        .await
    }

    /// How many entries of a kind there are.
    pub(crate) async fn count(&self, kind: AuditKind) -> usize {
        let is = |record: &AuditRecord| record.kind == kind;
        self.audit().await.into_iter().filter(is).count()
    }

    /// What a person is told in another terminal.
    #[cfg(feature = "aws")]
    pub(crate) async fn snooze(&self, arguments: &[&str]) -> String {
        let server = self.server.url();
        let credentials = self.server.credentials(&named(Role::Operator, "otto"));
        let credentials = credentials.to_str().expect("temporary folders have plain names");
        let mut all = vec!["--server", &server, "--credentials", credentials];
        all.extend(arguments);
        let done = self.place.run("snooze", &all).await;
        assert_eq!(done.code, 0, "{arguments:?}: {done:?}");
        done.out
    }
}

/// A policy under which a stop takes some seconds. The built-in voters vote by real readings, against
/// thresholds that a machine busy with tests is below.
pub(crate) fn quick(changes: Value) -> Value {
    let mut policy = json!({
        "mode": "act", "check_interval_seconds": 1, "naptime_minutes": 0.05, "heartbeat_seconds": 1,
        "notice_seconds": 1, "pre_snooze_seconds": 5, "settle_seconds": 0.5, "boot_grace_minutes": 0,
        "cooldown_minutes": 10, "verify_window_seconds": 1, "plugin_timeout_seconds": 2,
        "beat_seconds": 1, "takeover_seconds": 4,
        "cpu_threshold_percent": 101, "memory_threshold_percent": 101,
        "network_threshold_kbps": 1e9, "disk_io_threshold_kbps": 1e9,
        "voters": {"input": {"role": "advisory"}, "people": {"role": "advisory"}},
    });
    let (Value::Object(keys), Value::Object(changes)) = (&mut policy, changes) else {
        panic!("a policy is an object");
    };
    keys.extend(changes);
    policy
}

/// The record of an instance of the simulated cloud.
pub(crate) fn simulated() -> Value {
    json!({"provider": "simulated", "instance": "sim-web"})
}

pub(crate) fn host() -> HostId {
    HOST.parse().expect("a host id")
}

pub(crate) fn named(role: Role, name: &str) -> User {
    User::named(role, name).expect("a valid name")
}
