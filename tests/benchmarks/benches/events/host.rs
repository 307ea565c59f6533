//! One whole host: the gateway's part on it, its runner and a plugin that handles, each a release process, and the
//! metadata service that it asks.

use crate::{
    handler,
    stage::{Service, set_up},
};
use serde_json::{Value, json};
use snooze_bus::{Bus, Role, SubjectFilter, Subscription, User};
use snooze_schemas::{
    HostId, Timestamp,
    audit::{AuditKind, AuditRecord},
    event::{EventOutcome, Scope},
};
use snooze_test_harness::{ImdsServer, NatsServer};
use std::{env, fs, time::Duration};
use tempfile::TempDir;

/// How long one event may take: a handler is asked within a second or two.
const LIMIT: Duration = Duration::from_secs(60);

/// A host that runs.
pub(crate) struct Host {
    pub(crate) id: HostId,
    pub(crate) metadata: ImdsServer,
    outcomes: Subscription,
    _services: [Service; 2],
    _home: TempDir,
}

/// What the handler said of an event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Handled {
    /// When the event was noticed, as it says itself.
    pub(crate) noticed_at: Timestamp,
    /// When the handler began with it.
    pub(crate) began_at: Timestamp,
}

impl Host {
    /// Sets the bus up for it and starts it.
    pub(crate) async fn start(server: &NatsServer) -> Host {
        let id: HostId = "bench".parse().expect("a host id");
        set_up(server, &id).await;
        let home = tempfile::tempdir().expect("a temporary folder");
        let plugins = home.path().join("plugins");
        fs::create_dir(&plugins).expect("the temporary folder can be written");
        let own = env::current_exe().expect("this program has a path");
        // A copy: what a plugin may read is the system's and its own.
        fs::copy(own, plugins.join(handler::NAME)).expect("the temporary folder can be written");
        let metadata = ImdsServer::start().await;
        let identity = json!({"instanceId": "i-0123456789abcdef0", "instanceType": "m7g.large",
            "pendingTime": "2030-01-01T00:00:00Z"});
        metadata.announce(
            "/latest/dynamic/instance-identity/document",
            &identity.to_string(),
        );
        let of_plugin = json!({
            "permissions": {"events": ["cloud.instance.maintenance", "custom"]},
            "events": {"cloud.instance.maintenance": {"priority": 100}, "custom": {"priority": 100}},
        });
        let configuration = json!({
            "plugins": {"enabled": true, "directories": [plugins], "plugin_configs": {handler::NAME: of_plugin}},
            "event_sources": {"aws_metadata": {"enabled": true, "endpoint": metadata.url()}},
        });
        let operator = User::named(Role::Operator, "ada").expect("a name");
        let outcomes = server.bus(&operator).await;
        let outcomes = outcomes
            .subscribe(&SubjectFilter::AuditOf(Scope::Host(id.clone())), None)
            .await;
        let services = ["snooze-plugin-runner", "snooze-event-gateway host"]
            .map(|name| Service::start(name, server, &User::host(&id), &id, home.path(), &configuration));
        for service in &services {
            service.runs().await;
        }
        Host {
            id,
            metadata,
            outcomes: outcomes.expect("an operator hears the audit trail"),
            _services: services,
            _home: home,
        }
    }

    /// The next event that this host's handler handled.
    pub(crate) async fn handled(&mut self) -> Handled {
        let next = async {
            loop {
                let delivery = self.outcomes.next().await.expect("the server runs");
                let record: AuditRecord = delivery.read().expect("an entry of the audit trail");
                if record.kind == AuditKind::Event {
                    return record;
                }
            }
        };
        let record = tokio::time::timeout(LIMIT, next).await;
        let details = Value::Object(record.expect("an outcome is reported").details);
        let outcome: EventOutcome = serde_json::from_value(details).expect("an outcome");
        let handler = outcome.handlers.first();
        let details = &handler.expect("one handles it").result.details;
        let time = |key: &str| -> Timestamp {
            let text = details.get(key).and_then(Value::as_str);
            let text = text.unwrap_or_else(|| panic!("the handler says {key}: {handler:?}"));
            text.parse().expect("a time")
        };
        Handled {
            noticed_at: time("noticed_at"),
            began_at: time("began_at"),
        }
    }

    /// Files urgent events of the centre for this host, one after the other; milliseconds from before each was sent
    /// to when its handler began.
    pub(crate) async fn probe(&mut self, bus: &Bus, name: &str, count: usize, pause: Duration) -> Vec<f64> {
        let mut times = Vec::with_capacity(count);
        for number in 0..count {
            tokio::time::sleep(pause).await;
            let event = crate::events::probe(&format!("{name}-{number}"), &self.id);
            let sent_at = Timestamp::now();
            let (handled, ()) = tokio::join!(self.handled(), crate::events::file(bus, &event));
            times.push(crate::times::millis(sent_at, handled.began_at));
        }
        times
    }
}
