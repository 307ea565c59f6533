//! The desk with a bus, and without any plugin.

use super::*;
use crate::config_book::ConfigBook;
use serde_json::{Map, json};
use snooze_test_harness::{NatsServer, wait_until};
use std::{
    fmt::Write,
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

#[tokio::test]
async fn e7_however_much_waits_to_be_reported_keeps_no_start_waiting() {
    let mut server = NatsServer::open().await;
    let bus = bus(&server).await;
    server.kill();
    let folder = tempfile::tempdir().expect("a folder");
    let mut journal = String::new();
    for number in 0..=2 * REPORTS {
        let outcome = outcome(&format!("e{number}"));
        writeln!(journal, "{}", json!({"finished": {"outcome": outcome}})).expect("writes");
    }
    fs::write(folder.path().join("events.jsonl"), journal).expect("writes");
    let (parts, _policy) = parts(folder.path(), &bus);
    let shutdown = parts.shutdown.clone();
    let (desk, outcomes) = Desk::open(parts).expect("opens");
    assert_eq!(outcomes.earlier.len(), 2 * REPORTS + 1, "all of them are read");
    let reporting = report(desk.clone(), bus, "agent".to_owned(), outcomes, shutdown.clone());
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
    let (desk, mut outcomes) = Desk::open(parts).expect("opens");
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
    assert!(outcomes.new.try_recv().is_err(), "and nothing is said of it");
    let full = desk.with(|journal| Ok(journal.write_to(well))).await;
    drop(full.expect("is done"));
    wait_until(SOON, "it has ended", async || !is_open().await).await;
    let reported = tokio::time::timeout(SOON, outcomes.new.recv()).await;
    assert_eq!(reported.expect("in time"), Some(outcome("e1")));
}
