//! What was decided arrives on an event bus: once each, whoever publishes and however often it is restarted.

use super::found::{REGION, messages};
use crate::centre::{Centre, Gateway, LIMIT, host, now};
use serde_json::{Value, json};
use snooze_bus::{Bus, DECISIONS, Expect, Role, Subject, User};
use snooze_event_gateway::aws::{Connection, publish::Settings};
use snooze_schemas::{
    audit::{AuditKind, AuditRecord},
    event::Scope,
};
use snooze_service_runtime::Clocks;
use snooze_test_harness::{MotoServer, wait_until};
use std::{collections::BTreeSet, time::Duration};

/// Where a rule puts all that comes from us.
const SEEN: &str = "seen";

/// A broker with all that is on it, and moto with a rule on its default bus.
pub(super) struct Stage {
    pub(super) centre: Centre,
    pub(super) moto: MotoServer,
    executor: Bus,
    told: Vec<Value>,
}

impl Stage {
    pub(super) async fn start() -> Stage {
        Stage::on(Centre::start().await).await
    }

    pub(super) async fn on(centre: Centre) -> Stage {
        let executor = User::named(Role::Executor, "executor").expect("a name");
        let executor = centre.server.bus(&executor).await;
        let moto = MotoServer::start().await;
        let made = moto
            .api(REGION, "AmazonSQS.CreateQueue", &json!({"QueueName": SEEN}))
            .await;
        made.expect("makes");
        let stage = Stage {
            centre,
            moto,
            executor,
            told: Vec::new(),
        };
        stage.lead_from("default").await;
        stage
    }

    /// Leads what comes from us on an event bus to the queue.
    pub(super) async fn lead_from(&self, event_bus: &str) {
        let rule = json!({
            "Name": "ours", "EventBusName": event_bus,
            "EventPattern": json!({"source": ["cloudsnooze"]}).to_string(),
        });
        self.moto
            .api(REGION, "AWSEvents.PutRule", &rule)
            .await
            .expect("puts");
        let arn = format!("arn:aws:sqs:{REGION}:123456789012:{SEEN}");
        let target = json!({
            "Rule": "ours", "EventBusName": event_bus, "Targets": [{"Id": "1", "Arn": arn}],
        });
        self.moto
            .api(REGION, "AWSEvents.PutTargets", &target)
            .await
            .expect("puts");
    }

    pub(super) fn settings(&self, url: &str) -> Settings {
        let to = Connection::to(Some(REGION.to_owned()), Some(url.to_owned()));
        Settings {
            connection: to.with_keys("test", "test"),
            event_bus: "default".to_owned(),
            kinds: DECISIONS.to_vec(),
            max_age: Duration::from_secs(3_600),
            first_pause: Duration::from_millis(20),
        }
    }

    pub(super) async fn gateway(&self, settings: Settings) -> Gateway {
        self.centre
            .gateway(|config| config.publish = Some(settings))
            .await
    }

    /// Files an entry as an executor does.
    pub(super) async fn file(&self, kind: AuditKind, message: &str, details: &Value) {
        let record = AuditRecord {
            at: now(),
            host: Scope::Host(host("h1")),
            kind,
            actor: "executor".to_owned(),
            claim: Some(7),
            message: message.to_owned(),
            details: details.as_object().cloned().unwrap_or_default(),
        };
        let subject = Subject::Audit {
            scope: record.host.clone(),
            kind,
        };
        let filed = self
            .executor
            .file(&subject, &record, Expect::Anything, LIMIT)
            .await;
        filed.expect("files");
    }

    pub(super) async fn file_stops(&self, numbers: std::ops::Range<u32>) {
        for number in numbers {
            self.file(AuditKind::Stopped, &format!("stop {number}"), &json!({}))
                .await;
        }
    }

    /// Waits until so many events have arrived, and returns all that have.
    pub(super) async fn arrived(&mut self, number: usize) -> &[Value] {
        let Stage { moto, told, .. } = self;
        wait_until(LIMIT, "they have arrived", async || {
            told.extend(messages(moto, SEEN).await);
            told.len() >= number
        })
        .await;
        told
    }

    /// Waits until everything in the trail is settled; on a broker without fences.
    pub(super) async fn all_settled(&self) {
        wait_until(LIMIT, "all is settled", async || self.waiting().await == (0, 0)).await;
    }

    /// Entries never taken, and taken and not settled; on a broker without fences.
    pub(super) async fn waiting(&self) -> (u64, u64) {
        let subject = "$JS.API.CONSUMER.INFO.AUDIT.published-aws";
        let info = self.executor.raw_request(subject, &[], b"", LIMIT).await;
        let info: Value = serde_json::from_slice(&info.expect("is answered").payload).expect("JSON");
        let number = |key: &str| info[key].as_u64().expect("the consumer is there");
        (number("num_pending"), number("num_ack_pending"))
    }
}

pub(super) fn texts(events: &[Value], key: &str) -> Vec<String> {
    let texts = events
        .iter()
        .map(|event| event["detail"][key].as_str().expect("a text"));
    texts.map(str::to_owned).collect()
}

#[tokio::test]
async fn each_kind_that_is_asked_for_is_told_with_what_stands_in_the_trail() {
    let mut stage = Stage::start().await;
    stage.centre.enrol("h1").await;
    let mut settings = stage.settings(&stage.moto.url());
    settings.kinds = vec![AuditKind::Stopped, AuditKind::Lease];
    let gateway = stage.gateway(settings).await;
    for kind in DECISIONS {
        stage.file(kind, kind.as_str(), &json!({"idle_ms": 5})).await;
    }
    let told = stage.arrived(2).await;
    let types: BTreeSet<&str> = told
        .iter()
        .filter_map(|event| event["detail-type"].as_str())
        .collect();
    assert_eq!(types, BTreeSet::from(["Instance Stopped", "Lease Changed"]));
    let stopped = told
        .iter()
        .find(|event| event["detail"]["kind"] == "stopped")
        .expect("it was told");
    assert_eq!(stopped["source"], "cloudsnooze");
    let detail = &stopped["detail"];
    let said = json!([
        detail["version"],
        detail["host"],
        detail["actor"],
        detail["claim"],
        detail["message"]
    ]);
    assert_eq!(said, json!([1, "h1", "executor", 7, "stopped"]));
    assert_eq!(detail["details"], json!({"idle_ms": 5}));
    let instance = json!({"provider": "simulated", "account": "", "region": "", "id": "h1"});
    assert_eq!(detail["instance"], instance, "as the roster has it");
    let at: jiff::Timestamp = detail["at"].as_str().expect("a text").parse().expect("a time");
    let time: jiff::Timestamp = stopped["time"].as_str().expect("a text").parse().expect("a time");
    assert_eq!(
        at.as_second(),
        time.as_second(),
        "when it was, not when it was told"
    );
    gateway.end().await;
}

#[tokio::test]
async fn nothing_is_lost_or_told_twice_over_restarts_and_by_several_gateways() {
    let mut stage = Stage::start().await;
    let settings = stage.settings(&stage.moto.url());
    stage.file_stops(0..15).await;
    let first = stage.gateway(settings.clone()).await;
    stage.arrived(15).await;
    first.end().await;
    stage.file_stops(15..30).await;
    let second = stage.gateway(settings.clone()).await;
    let third = stage.gateway(settings).await;
    stage.file_stops(30..60).await;
    let told = stage.arrived(60).await;
    let messages: BTreeSet<String> = texts(told, "message").into_iter().collect();
    let expected: BTreeSet<String> = (0..60).map(|number| format!("stop {number}")).collect();
    assert_eq!(messages, expected);
    assert_eq!(texts(told, "id").into_iter().collect::<BTreeSet<_>>().len(), 60);
    second.end().await;
    third.end().await;
    assert_eq!(stage.arrived(60).await.len(), 60, "none twice");
}

#[tokio::test]
async fn what_is_too_old_is_settled_and_not_told() {
    let mut stage = Stage::on(Centre::open().await).await;
    stage.file_stops(0..40).await;
    let settings = stage.settings(&stage.moto.url());
    // In 2030 all of it is years old.
    let clocks = Clocks::manual();
    let gateway = stage
        .centre
        .gateway(|config| {
            config.publish = Some(settings.clone());
            config.clocks = clocks.clocks();
        })
        .await;
    stage.all_settled().await;
    gateway.end().await;
    let gateway = stage.gateway(settings).await;
    stage.file_stops(40..41).await;
    assert_eq!(texts(stage.arrived(1).await, "message"), ["stop 40"]);
    gateway.end().await;
}

#[tokio::test]
async fn what_nobody_can_read_holds_nothing_up() {
    let mut stage = Stage::on(Centre::open().await).await;
    let gateway = stage.gateway(stage.settings(&stage.moto.url())).await;
    let headers = [("Snooze-Kind", "audit"), ("Snooze-Version", "1")];
    let subject = Subject::Audit {
        scope: Scope::Fleet,
        kind: AuditKind::Alarm,
    };
    for body in [&b"{\"x\":1}"[..], b"", b"\xff\xff", b"{}"] {
        let stored = stage
            .executor
            .raw_request(&subject.to_string(), &headers, body, LIMIT)
            .await;
        stored.expect("is stored");
    }
    stage.file_stops(0..1).await;
    assert_eq!(texts(stage.arrived(1).await, "message"), ["stop 0"]);
    stage.all_settled().await;
    gateway.end().await;
}
