//! Many light hosts in this process, each on a connection of its own with its own credentials.
//!
//! A light host answers `handle_event` as a runner does, knows what it was asked before, and reports each outcome to
//! the audit trail, one after the other, trying again as a runner does. It runs no plugin. Thousands of hosts have
//! thousands of disks, so that it only waits for as long as a journal's synced write takes.

use serde_json::{Map, json};
use snooze_bus::{Bus, Delivery, Expect, Subject, SubjectFilter, User};
use snooze_schemas::{
    EventId, HostId, Timestamp,
    audit::{AuditKind, AuditRecord},
    event::{Accepted, Event, EventOutcome, HandleEvent, HandlerOutcome, HandlerResult, Scope, Severity},
};
use snooze_test_harness::NatsServer;
use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::{sync::watch, task::JoinSet};

/// So many connect at once.
const CONNECTING: usize = 64;
/// What a disk takes for a synced write.
const DISK: Duration = Duration::from_millis(1);
/// As a runner waits for the stream, and before it tries again at first and at most.
const ACK: Duration = Duration::from_secs(5);
const RETRY: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(32)];

/// What all of them did so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts {
    accepted: [usize; Severity::DESCENDING.len()],
    last: [Option<Instant>; Severity::DESCENDING.len()],
    reported: usize,
}

impl Counts {
    /// How many events of a severity were accepted.
    pub(crate) fn accepted(&self, severity: Severity) -> usize {
        self.accepted[usize::from(u8::from(severity))]
    }

    /// When the last one of a severity was accepted.
    pub(crate) fn last(&self, severity: Severity) -> Option<Instant> {
        self.last[usize::from(u8::from(severity))]
    }

    /// Whether every outcome is reported.
    pub(crate) fn is_quiet(&self) -> bool {
        self.reported == self.accepted.iter().sum::<usize>()
    }
}

/// All light hosts.
pub(crate) struct Fleet {
    hosts: Vec<HostId>,
    counts: Arc<watch::Sender<Counts>>,
    running: JoinSet<()>,
}

impl Fleet {
    /// Without hosts.
    pub(crate) fn new() -> Fleet {
        Fleet {
            hosts: Vec::new(),
            counts: Arc::new(watch::Sender::new(Counts::default())),
            running: JoinSet::new(),
        }
    }

    /// Connects more, until there are so many.
    pub(crate) async fn grow(&mut self, server: &NatsServer, size: usize) {
        let more = (self.hosts.len()..size).map(|n| format!("i-{n:017x}").parse().expect("a host id"));
        let more: Vec<HostId> = more.collect();
        for some in more.chunks(CONNECTING) {
            let connecting = some.iter().map(|host| self.connect(server, host.clone()));
            for host in futures_util::future::join_all(connecting).await {
                self.running.spawn(host);
            }
        }
        self.hosts.extend(more);
    }

    async fn connect(&self, server: &NatsServer, host: HostId) -> impl Future<Output = ()> + use<> {
        let bus = server.bus(&User::host(&host)).await;
        let asked = bus.subscribe(&SubjectFilter::RunnerOf(host.clone()), None).await;
        let mut asked = asked.expect("a host hears what its runner is asked");
        let light = Arc::new(LightHost {
            host,
            bus,
            counts: self.counts.clone(),
            known: Mutex::default(),
            reporting: tokio::sync::Mutex::default(),
        });
        async move {
            while let Some(delivery) = asked.next().await {
                tokio::spawn(light.clone().take(delivery));
            }
        }
    }

    /// Their names.
    pub(crate) fn hosts(&self) -> &[HostId] {
        &self.hosts
    }

    /// What they did so far, and what they will do.
    pub(crate) fn counts(&self) -> watch::Receiver<Counts> {
        self.counts.subscribe()
    }
}

struct LightHost {
    host: HostId,
    bus: Bus,
    counts: Arc<watch::Sender<Counts>>,
    known: Mutex<HashSet<EventId>>,
    reporting: tokio::sync::Mutex<()>,
}

impl LightHost {
    async fn take(self: Arc<Self>, delivery: Delivery) {
        let HandleEvent { event, .. } = delivery.read().expect("only events are sent here");
        let is_new = {
            let mut known = self.known.lock().expect("nothing panics while it holds this");
            known.insert(event.id.clone())
        };
        if is_new {
            tokio::time::sleep(DISK).await;
        }
        let accepted = Accepted {
            accepted: true,
            duplicate: !is_new,
        };
        delivery.answer(Ok(accepted)).await.expect("the server runs");
        if is_new {
            let at = usize::from(u8::from(event.severity));
            self.counts.send_modify(|counts| {
                counts.accepted[at] += 1;
                counts.last[at] = Some(Instant::now());
            });
            self.report(&event).await;
            self.counts.send_modify(|counts| counts.reported += 1);
        }
    }

    async fn report(&self, event: &Event) {
        let scope = Scope::Host(self.host.clone());
        let subject = Subject::Audit {
            scope: scope.clone(),
            kind: AuditKind::Event,
        };
        let record = AuditRecord {
            at: Timestamp::now(),
            host: scope,
            kind: AuditKind::Event,
            actor: "plugin-runner 0f8fad5b".to_owned(),
            claim: None,
            message: format!("{} {}: 1 of 1 plugins handled it", event.event_type, event.id),
            details: outcome(event),
        };
        let [mut pause, longest] = RETRY;
        let _one_at_a_time = self.reporting.lock().await;
        while self
            .bus
            .file(&subject, &record, Expect::Anything, ACK)
            .await
            .is_err()
        {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    }
}

fn outcome(event: &Event) -> Map<String, serde_json::Value> {
    let now = Timestamp::now();
    let outcome = EventOutcome {
        id: event.id.clone(),
        event_type: event.event_type.clone(),
        accepted_at: Some(now),
        handlers: vec![HandlerOutcome {
            plugin: "app-checkpointer".parse().expect("a name"),
            result: HandlerResult {
                handled: true,
                succeeded: true,
                message: "saved".to_owned(),
                details: Map::new(),
            },
            took_ms: 0,
            started_at: Some(now),
            left_ms: Some(119_000),
            within_ms: None,
            interrupted: false,
            asked_again: 0,
        }],
        not_asked: None,
    };
    json!(outcome).as_object().cloned().unwrap_or_default()
}
