//! The desk with a bus, and without any plugin.

use super::*;
use crate::config_book::ConfigBook;
use serde_json::{Map, json};
use snooze_bus::{Stream, SubjectFilter};
use snooze_schemas::audit::AuditRecord;
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
        handlers: BTreeMap::new(),
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
    let next = desk.with(|journal| Ok(journal.unreported())).await;
    next.expect("the journal is read")
}

/// What was filed, as it was filed.
async fn filed(bus: &Bus) -> Vec<String> {
    let filter = SubjectFilter::AuditOf(Scope::Host("h1".parse().expect("a host id")));
    let trail = bus.history::<AuditRecord>(Stream::Audit, &filter, 10_000).await;
    let trail = trail.unwrap_or_default().into_iter();
    trail
        .map(|stored| stored.message.details["id"].as_str().expect("an id").to_owned())
        .collect()
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
    let accepted = desk.with(|journal| journal.accept_own(known("late"))).await;
    accepted.expect("is written");
    desk.conclude(outcome("late")).await;
    bus.set_up().await.expect("the streams are made");
    let reporting = report(desk.clone(), bus.clone(), "agent".to_owned(), shutdown.clone());
    let reporting = tokio::spawn(reporting);
    wait_until(SOON, "all are filed", async || next(&desk).await.is_none()).await;
    let all = filed(&bus).await;
    assert_eq!(all[..3], ["critical", "late", "e0"]);
    assert_eq!(all.len(), 1_102);
    // And what ends once nothing waited any more.
    let accepted = desk.with(|journal| journal.accept_own(known("last"))).await;
    accepted.expect("is written");
    desk.conclude(outcome("last")).await;
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
    let accepted = desk.with(|journal| journal.accept(known("e1"))).await;
    assert_eq!(accepted.expect("is written"), journal::Acceptance::New);
    let full = OpenOptions::new().append(true).open("/dev/full").expect("opens");
    let well = desk
        .with(|journal| Ok(journal.write_to(full)))
        .await
        .expect("is done");
    desk.conclude(outcome("e1")).await;
    let is_open = async || {
        !desk
            .with(|journal| Ok(journal.unfinished()))
            .await
            .expect("reads")
            .is_empty()
    };
    assert!(is_open().await, "it has not ended");
    assert_eq!(next(&desk).await, None, "and nothing is said of it");
    let full = desk.with(|journal| Ok(journal.write_to(well))).await;
    drop(full.expect("is done"));
    wait_until(SOON, "it has ended", async || !is_open().await).await;
    let told = tokio::time::timeout(SOON, desk.unreported.notified()).await;
    told.expect("who reports is told");
    assert_eq!(next(&desk).await, Some(outcome("e1")));
}
