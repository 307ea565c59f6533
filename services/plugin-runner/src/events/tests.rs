//! The desk with a bus, and without any plugin.

use super::*;
use crate::config_book::ConfigBook;
use serde_json::{Map, json};
use snooze_bus::{Stream, SubjectFilter};
use snooze_schemas::{audit::AuditRecord, event::Severity};
use snooze_test_harness::{NatsServer, wait_until};
use std::{
    fs::{self, OpenOptions},
    path::Path,
};

const SOON: Duration = Duration::from_secs(20);

/// What a desk has whose journal is in this folder, and the sender that keeps its policy in force.
fn parts(folder: &Path, bus: &Bus) -> (Parts, watch::Sender<Arc<PolicyInForce>>) {
    let host: HostId = "h1".parse().expect("a host id");
    let policy = Arc::new(PolicyInForce::local(&Map::new()).expect("the defaults hold"));
    let (policy_in, policy) = watch::channel(policy);
    let configs = Arc::new(ConfigBook::new(BTreeMap::new()));
    let own = crate::plugins::OwnWord::default();
    let plugins = Plugins::new(bus.clone(), host.clone(), configs, own, &policy.borrow());
    let leaving = Leaving::kept_in(None, "boot", Clocks::real(), plugins.clone());
    let parts = Parts {
        host,
        boot_id: "boot".to_owned(),
        clocks: Clocks::real(),
        plugins,
        leaving: Arc::new(leaving),
        policy,
        journal: folder.join("events.jsonl"),
        shutdown: CancellationToken::new(),
    };
    (parts, policy_in)
}

async fn bus(server: &NatsServer) -> Bus {
    let host: HostId = "h1".parse().expect("a host id");
    server.bus(&snooze_bus::User::host(&host)).await
}

fn known(id: &str) -> Known {
    let event = json!({
        "id": id, "type": "custom.backup", "severity": 1, "source": "custom.test", "host": "h1",
        "noticed_at": "2026-01-01T00:00:00Z", "data": {},
    });
    Known {
        event: serde_json::from_value(event).expect("an event"),
        boot_id: "boot".to_owned(),
        accepted_at: None,
        deadline_boottime_ms: u64::MAX,
        traceparent: None,
        handlers: BTreeMap::new(),
        begun: BTreeMap::new(),
    }
}

fn outcome(id: &str) -> EventOutcome {
    let outcome = json!({"id": id, "type": "custom.backup", "handlers": []});
    serde_json::from_value(outcome).expect("an outcome")
}

/// A line of the journal.
fn finished(id: &str, severity: u8) -> String {
    let finished = json!({"finished": {"outcome": outcome(id), "severity": severity}});
    format!("{finished}\n")
}

/// What is to be reported next.
async fn next(desk: &Desk) -> Option<EventOutcome> {
    let next = desk.journal.look(|journal| journal.unreported()).await;
    next.expect("the journal is read")
        .map(|finished| finished.outcome)
}

/// What was filed, as it was filed.
async fn filed_outcomes(bus: &Bus) -> Vec<EventOutcome> {
    let filter = SubjectFilter::AuditOf(Scope::Host("h1".parse().expect("a host id")));
    let trail = bus.history::<AuditRecord>(Stream::Audit, &filter, 10_000).await;
    let trail = trail.unwrap_or_default().into_iter();
    let outcome = |details| serde_json::from_value(serde_json::Value::Object(details)).expect("an outcome");
    trail.map(|stored| outcome(stored.message.details)).collect()
}

async fn filed(bus: &Bus) -> Vec<String> {
    let outcomes = filed_outcomes(bus).await.into_iter();
    outcomes.map(|outcome| outcome.id.to_string()).collect()
}

/// Has the stream of the trail be made as the set-up makes it, but for this.
async fn trail_is(bus: &Bus, over: serde_json::Value) {
    bus.set_up().await.expect("the streams are made");
    let ask = async |verb: &str, config: String| -> serde_json::Value {
        let subject = format!("$JS.API.STREAM.{verb}.{}", Stream::Audit.name());
        let answer = bus.raw_request(&subject, &[], config.as_bytes(), SOON).await;
        serde_json::from_slice(&answer.expect("it is answered").payload).expect("JSON")
    };
    let mut config = ask("INFO", String::new()).await["config"].take();
    for (key, value) in over.as_object().expect("a map") {
        config[key] = value.clone();
    }
    let updated = ask("UPDATE", config.to_string()).await;
    assert_eq!(updated["error"], serde_json::Value::Null);
}

/// An outcome in whose words so many handlers say a lot.
fn wordy(id: &str, handlers: usize) -> EventOutcome {
    let handler = |number| json!({"plugin": format!("p{number}"), "handled": true, "succeeded": true, "took_ms": 1, "message": "m".repeat(500)});
    let handlers: Vec<_> = (0..handlers).map(handler).collect();
    let outcome = json!({"id": id, "type": "custom.backup", "handlers": handlers});
    serde_json::from_value(outcome).expect("an outcome")
}

#[tokio::test]
async fn e4_an_outcome_that_is_too_large_is_shortened_or_given_up_and_keeps_none_waiting() {
    let server = NatsServer::open().await;
    let bus = bus(&server).await;
    trail_is(&bus, json!({"max_msg_size": 2_000})).await;
    let folder = tempfile::tempdir().expect("a folder");
    let (parts, _policy) = parts(folder.path(), &bus);
    let shutdown = parts.shutdown.clone();
    let desk = Desk::open(parts).expect("opens");
    for outcome in [wordy("never", 1_000), wordy("short", 4), wordy("whole", 1)] {
        desk.conclude(Severity::Info, outcome).await;
    }
    let reporting = report(desk.clone(), bus.clone(), "agent".to_owned(), shutdown.clone());
    let reporting = tokio::spawn(reporting);
    wait_until(SOON, "nothing waits any more", async || {
        next(&desk).await.is_none()
    })
    .await;
    let told = filed_outcomes(&bus).await;
    let words: Vec<_> = told
        .iter()
        .map(|outcome| (outcome.id.as_str(), outcome.handlers[0].result.message.len()))
        .collect();
    assert_eq!(words, [("short", 0), ("whole", 500)]);
    shutdown.cancel();
    reporting.await.expect("it ends");
}

#[tokio::test]
async fn e4_an_outcome_that_a_full_stream_refuses_is_filed_later_as_it_is() {
    let server = NatsServer::open().await;
    let bus = bus(&server).await;
    trail_is(&bus, json!({"discard": "new", "max_bytes": 10})).await;
    let folder = tempfile::tempdir().expect("a folder");
    let (parts, _policy) = parts(folder.path(), &bus);
    let shutdown = parts.shutdown.clone();
    let desk = Desk::open(parts).expect("opens");
    desk.conclude(Severity::Info, wordy("e1", 1)).await;
    let subject = SubjectFilter::AuditOf(Scope::Host("h1".parse().expect("a host id"))).to_string();
    let mut tries = bus.raw_subscribe(&subject).await.expect("it may listen");
    let reporting = report(desk.clone(), bus.clone(), "agent".to_owned(), shutdown.clone());
    let reporting = tokio::spawn(reporting);
    tries.next().await.expect("it is tried");
    trail_is(&bus, json!({})).await;
    wait_until(SOON, "it is filed", async || next(&desk).await.is_none()).await;
    assert_eq!(filed_outcomes(&bus).await, [wordy("e1", 1)]);
    shutdown.cancel();
    reporting.await.expect("it ends");
}

#[tokio::test]
async fn e4_however_many_wait_to_be_reported_all_are_and_the_most_severe_first() {
    let server = NatsServer::open().await;
    let bus = bus(&server).await;
    let folder = tempfile::tempdir().expect("a folder");
    let mut journal = String::new();
    for number in 0..1_100 {
        journal.push_str(&finished(&format!("e{number}"), 0));
    }
    journal.push_str(&finished("critical", 3));
    fs::write(folder.path().join("events.jsonl"), journal).expect("writes");
    let (parts, _policy) = parts(folder.path(), &bus);
    let shutdown = parts.shutdown.clone();
    let desk = Desk::open(parts).expect("opens");
    let accepted = desk
        .journal
        .write(Severity::Info, |journal| journal.accept_own(known("late")))
        .await;
    accepted.expect("is written");
    desk.conclude(Severity::Info, outcome("late")).await;
    bus.set_up().await.expect("the streams are made");
    let reporting = report(desk.clone(), bus.clone(), "agent".to_owned(), shutdown.clone());
    let reporting = tokio::spawn(reporting);
    wait_until(SOON, "all are filed", async || next(&desk).await.is_none()).await;
    let all = filed(&bus).await;
    assert_eq!(all[..3], ["critical", "late", "e0"]);
    assert_eq!(all.len(), 1_102);
    // And what ends once nothing waited any more.
    let accepted = desk
        .journal
        .write(Severity::Info, |journal| journal.accept_own(known("last")))
        .await;
    accepted.expect("is written");
    desk.conclude(Severity::Info, outcome("last")).await;
    wait_until(SOON, "it is filed", async || filed(&bus).await.len() == 1_103).await;
    shutdown.cancel();
    reporting.await.expect("it ends");
}

#[tokio::test]
async fn e7_however_much_waits_to_be_reported_keeps_no_start_waiting() {
    let mut server = NatsServer::open().await;
    let bus = bus(&server).await;
    server.kill();
    let folder = tempfile::tempdir().expect("a folder");
    let mut journal = String::new();
    for number in 0..2_000 {
        journal.push_str(&finished(&format!("e{number}"), 1));
    }
    fs::write(folder.path().join("events.jsonl"), journal).expect("writes");
    let (parts, _policy) = parts(folder.path(), &bus);
    let shutdown = parts.shutdown.clone();
    let desk = Desk::open(parts).expect("opens");
    let reporting = report(desk.clone(), bus, "agent".to_owned(), shutdown.clone());
    let reporting = tokio::spawn(reporting);
    let resumed = tokio::time::timeout(SOON, desk.resume()).await;
    resumed
        .expect("it does not wait for the bus")
        .expect("the journal is read");
    shutdown.cancel();
    reporting.await.expect("it ends");
}

#[tokio::test]
async fn e4_an_outcome_that_cannot_be_journalled_is_tried_again_and_reported_only_then() {
    let server = NatsServer::open().await;
    let bus = bus(&server).await;
    let folder = tempfile::tempdir().expect("a folder");
    let (parts, _policy) = parts(folder.path(), &bus);
    let desk = Desk::open(parts).expect("opens");
    let accepted = desk
        .journal
        .write(Severity::Info, |journal| journal.accept(known("e1")))
        .await;
    assert_eq!(accepted.expect("is written"), journal::Acceptance::New);
    let full = OpenOptions::new().append(true).open("/dev/full").expect("opens");
    let well = desk
        .journal
        .look(|journal| journal.write_to(full))
        .await
        .expect("is done");
    desk.conclude(Severity::Info, outcome("e1")).await;
    let is_open = async || {
        !desk
            .journal
            .look(|journal| journal.unfinished())
            .await
            .expect("reads")
            .is_empty()
    };
    assert!(is_open().await, "it has not ended");
    assert_eq!(next(&desk).await, None, "and nothing is said of it");
    desk.journal
        .look(|journal| drop(journal.write_to(well)))
        .await
        .expect("is done");
    wait_until(SOON, "it has ended", async || !is_open().await).await;
    let told = tokio::time::timeout(SOON, desk.unreported.notified()).await;
    told.expect("who reports is told");
    assert_eq!(next(&desk).await, Some(outcome("e1")));
}
