//! The desk without the bus that it reports to.

use super::*;
use crate::config_book::ConfigBook;
use serde_json::{Map, json};
use std::{fmt::Write, fs};

#[tokio::test]
async fn e7_however_much_waits_to_be_reported_keeps_no_start_waiting() {
    let mut server = snooze_test_harness::NatsServer::open().await;
    let host: HostId = "h1".parse().expect("a host id");
    let bus = server.bus(&snooze_bus::User::host(&host)).await;
    server.kill();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("events.jsonl");
    let mut journal = String::new();
    for number in 0..=2 * REPORTS {
        let outcome = json!({"id": format!("e{number}"), "type": "custom.backup", "handlers": []});
        writeln!(journal, "{}", json!({"finished": {"outcome": outcome}})).expect("writes");
    }
    fs::write(&path, journal).expect("writes");
    let policy = Arc::new(PolicyInForce::local(&Map::new()).expect("the defaults hold"));
    let (_policy_in, policy) = watch::channel(policy);
    let shutdown = CancellationToken::new();
    let configs = Arc::new(ConfigBook::new(BTreeMap::new()));
    let plugins = Plugins::new(
        bus.clone(),
        host.clone(),
        configs,
        crate::plugins::OwnWord::default(),
        &policy.borrow(),
    );
    let leaving = Leaving::kept_in(None, "boot", Clocks::real(), plugins.clone());
    let parts = Parts {
        host,
        boot_id: "boot".to_owned(),
        clocks: Clocks::real(),
        plugins,
        leaving: Arc::new(leaving),
        policy,
        journal: path,
        shutdown: shutdown.clone(),
    };
    let (desk, outcomes) = Desk::open(parts).expect("opens");
    assert_eq!(outcomes.earlier.len(), 2 * REPORTS + 1, "all of them are read");
    let reporting = report(desk.clone(), bus, "agent".to_owned(), outcomes, shutdown.clone());
    let reporting = tokio::spawn(reporting);
    let resumed = tokio::time::timeout(Duration::from_secs(20), desk.resume()).await;
    resumed
        .expect("it does not wait for the bus")
        .expect("the journal is read");
    shutdown.cancel();
    reporting.await.expect("it ends");
}
