//! What a host notices itself, while its own gateway is killed: every notice is filed and handled once.

use super::{
    LIMIT,
    moment::Plan,
    stage::{Part, Stage},
};
use crate::separate::host;
use serde_json::{Value, json};
use snooze_bus::{Stream, SubjectFilter};
use snooze_schemas::{
    Timestamp,
    audit::AuditRecord,
    event::{Event, Scope},
};
use snooze_test_harness::{ImdsServer, wait_for, wait_until};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::Duration,
};

const IDENTITY: &str = "/latest/dynamic/instance-identity/document";
const INTERRUPT: &str = "/latest/meta-data/spot/instance-action";
const SCHEDULED: &str = "/latest/meta-data/events/maintenance/scheduled";

/// So many maintenances are listed at once; the one that is not listed any more is cancelled.
const LISTED: usize = 60;
/// So many more than are waited for are announced between two kills, less one.
const MORE: usize = 4;

/// A metadata service that announces ever more.
pub(super) struct Announcer {
    service: ImdsServer,
    /// How many maintenances there were.
    pub(super) maintenances: usize,
    /// How many of them in earlier launches.
    earlier: usize,
    /// How many launches with an interruption.
    pub(super) launches: usize,
}

impl Announcer {
    pub(super) async fn start() -> Announcer {
        let service = ImdsServer::start().await;
        let mut announcer = Announcer {
            service,
            maintenances: 0,
            earlier: 0,
            launches: 0,
        };
        announcer.launch();
        announcer
    }

    /// What the host's file says of it.
    pub(super) fn config(&self, poll_seconds: f64) -> Value {
        json!({"event_sources": {"aws_metadata": {
            "enabled": true, "endpoint": self.service.url(), "poll_interval_seconds": poll_seconds,
        }}})
    }

    /// Waits until somebody looks for an interruption.
    pub(super) async fn until_asked(&self) {
        let asked = async || !self.service.requests_for(INTERRUPT).is_empty();
        wait_until(LIMIT, "the service is asked", asked).await;
    }

    /// The instance is launched anew, and nothing is announced of it.
    pub(super) fn launch(&mut self) {
        self.launches += 1;
        let launch = since_2030(self.launches);
        let document = json!({"instanceId": "i-0abc", "instanceType": "m7g.large", "pendingTime": launch});
        self.earlier = self.maintenances;
        self.service.withdraw(INTERRUPT);
        self.service.withdraw(SCHEDULED);
        self.service.announce(IDENTITY, &document.to_string());
    }

    /// It is to be interrupted in two minutes.
    pub(super) fn interrupt(&self) {
        let time = Timestamp::now() + Duration::from_secs(120);
        let time = Timestamp::from_second(time.as_second()).expect("a time of this century");
        let notice = json!({"action": "terminate", "time": time.to_string()});
        self.service.announce(INTERRUPT, &notice.to_string());
    }

    /// So many more maintenances.
    fn schedule(&mut self, more: usize) {
        self.maintenances += more;
        let first = self.earlier.max(self.maintenances.saturating_sub(LISTED));
        let list: Vec<Value> = (first..self.maintenances)
            .map(|number| {
                let id = format!("instance-event-{number}");
                let starts = since_2030(number);
                json!({"NotBefore": starts, "Code": "system-reboot", "State": "active", "EventId": id})
            })
            .collect();
        self.service.announce(SCHEDULED, &Value::from(list).to_string());
    }
}

/// What the gateway's journal says of events: those that it says have been noticed.
fn noticed(stage: &Stage) -> BTreeMap<String, Event> {
    let text = fs::read_to_string(stage.place.path("state/gateway/events.jsonl")).unwrap_or_default();
    let lines = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let events = lines.filter_map(|line| serde_json::from_value(line["noticed"]["event"].clone()).ok());
    events.map(|event: Event| (event.id.to_string(), event)).collect()
}

/// What is filed of this host's events.
pub(super) async fn filed(stage: &Stage) -> Vec<Event> {
    let filter = SubjectFilter::EventsOf(Scope::Host(host()));
    let found = stage
        .admin
        .history::<Event>(Stream::EventsUrgent, &filter, 10_000)
        .await;
    found
        .unwrap_or_default()
        .into_iter()
        .map(|stored| stored.message)
        .collect()
}

/// How many maintenances and launches that are interrupted these events tell of.
fn told(events: &[Event]) -> (usize, usize) {
    let raised = events.iter().filter(|event| event.data["state"] == "raised");
    let (interruptions, maintenances): (Vec<_>, Vec<_>) =
        raised.partition(|event| event.event_type.as_str() == "cloud.spot.interrupt");
    let starts = maintenances
        .iter()
        .map(|event| event.data["notBefore"].to_string());
    (starts.collect::<BTreeSet<_>>().len(), interruptions.len())
}

/// How often an outcome of an event is in the trail.
pub(super) async fn reports(stage: &Stage) -> BTreeMap<String, usize> {
    let filter = SubjectFilter::AuditOf(Scope::Host(host()));
    let trail = wait_for(LIMIT, "the trail is read", async || {
        let read = stage.admin.history::<AuditRecord>(Stream::Audit, &filter, 10_000);
        read.await.ok()
    })
    .await;
    let mut reports = BTreeMap::new();
    for id in trail
        .iter()
        .filter_map(|stored| stored.message.details.get("id")?.as_str())
    {
        *reports.entry(id.to_owned()).or_default() += 1;
    }
    reports
}

fn since_2030(seconds: usize) -> String {
    let begin: Timestamp = "2030-01-01T00:00:00Z".parse().expect("a time");
    (begin + Duration::from_secs(seconds as u64)).to_string()
}

#[tokio::test]
async fn e7_a_killed_gateway_of_a_host_loses_no_notice_and_repeats_none() {
    let mut plan = Plan::drawn(Part::Host.name());
    let mut announcer = Announcer::start().await;
    let mut stage = Stage::start(&announcer.config(0.1)).await;
    stage.begin(Part::Host);
    let mut known: BTreeMap<String, Event> = BTreeMap::new();
    for _ in 0..plan.kills {
        let (what, after) = (plan.below(3), 1 + plan.below(3));
        let count = async |stage: &Stage| match what {
            0 => {
                noticed(stage)
                    .keys()
                    .filter(|id| !known.contains_key(*id))
                    .count()
                    + known.len()
            }
            1 => stage.records.begun(),
            _ => stage.records.ended(),
        };
        let before = count(&stage).await;
        announcer.schedule(after + plan.below(MORE));
        announcer.interrupt();
        wait_until(LIMIT, "something is noticed, begun or ended", async || {
            count(&stage).await >= before + after
        })
        .await;
        stage.kill(Part::Host, &mut plan).await;
        known.extend(noticed(&stage));
        let all: Vec<Event> = known.values().cloned().collect();
        if told(&all) == (announcer.maintenances, announcer.launches) {
            announcer.launch();
        }
        stage.mend(Part::Host).await;
    }
    announcer.interrupt();
    let announced = (announcer.maintenances, announcer.launches);
    wait_until(LIMIT, "everything that was announced is filed", async || {
        told(&filed(&stage).await) == announced
    })
    .await;
    stage.until_all_is_dispatched().await;
    known.extend(noticed(&stage));
    wait_until(
        LIMIT,
        "everything that was noticed is filed and reported",
        async || {
            let (filed, reports) = (filed(&stage).await, reports(&stage).await);
            let ids: BTreeSet<&str> = filed.iter().map(|event| event.id.as_str()).collect();
            let is_over = |id: &str| ids.contains(id) && reports.contains_key(id);
            known.keys().all(|id| is_over(id)) && ids.iter().all(|id| is_over(id))
        },
    )
    .await;
    let filed = filed(&stage).await;
    let ids: BTreeSet<&str> = filed.iter().map(|event| event.id.as_str()).collect();
    assert_eq!(filed.len(), ids.len(), "each is filed once");
    assert_eq!(told(&filed), announced);
    let reports = reports(&stage).await;
    for id in &ids {
        assert_eq!(reports[*id], 1, "the outcome of {id} is filed once");
        for handler in super::records::HANDLERS {
            let runs = stage.records.runs(handler, id);
            assert_eq!((runs.begun.len(), runs.ended.len()), (1, 1), "{handler}: {id}");
        }
    }
    println!(
        "{:?}: {} kills, seed {}\n  {} maintenances and {} interruptions announced, {} seen in the journal, {} filed, {} \
         handled, 0 in DEAD, 0 lost",
        Part::Host,
        plan.kills,
        plan.seed,
        announcer.maintenances,
        announcer.launches,
        known.len(),
        filed.len(),
        ids.len()
    );
}
