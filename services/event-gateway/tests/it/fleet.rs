//! Events of the fleet: every enrolled host, each once.

use crate::centre::{Centre, LIMIT, event, host};
use snooze_schemas::event::{Scope, Severity};
use std::collections::BTreeSet;

#[tokio::test]
async fn an_event_of_the_fleet_reaches_every_enrolled_host() {
    let centre = Centre::start().await;
    let mut runners = Vec::new();
    for name in ["h1", "h2", "h3"] {
        centre.enrol(name).await;
        runners.push(centre.runner(name).await);
    }
    let gateway = centre.gateway(|_| {}).await;
    centre.file(&event("all", Scope::Fleet, Severity::Critical)).await;
    let mut reached = BTreeSet::new();
    for runner in &mut runners {
        assert_eq!(runner.accept().await.id.as_str(), "all");
        reached.insert(runner.host.clone());
    }
    assert_eq!(reached.len(), 3);
    // One that is enrolled while the gateway runs is a member too.
    centre.enrol("h4").await;
    let mut late = centre.runner("h4").await;
    for number in 0.. {
        let id = format!("later-{number}");
        centre.file(&event(&id, Scope::Fleet, Severity::Critical)).await;
        for runner in &mut runners {
            runner.accept().await;
        }
        let heard = tokio::time::timeout(std::time::Duration::from_secs(1), late.offered()).await;
        if let Ok((delivery, _)) = heard {
            crate::centre::accept(&delivery).await;
            break;
        }
        assert!(number < 20, "it is never asked");
    }
    gateway.end().await;
}

#[tokio::test]
async fn a_host_that_has_an_event_of_the_fleet_is_not_asked_again_while_others_are_away() {
    let centre = Centre::start().await;
    for name in ["here", "away"] {
        centre.enrol(name).await;
    }
    let mut here = centre.runner("here").await;
    let gateway = centre.gateway(|_| {}).await;
    centre.file(&event("all", Scope::Fleet, Severity::Critical)).await;
    assert_eq!(here.accept().await.id.as_str(), "all");
    let mut away = centre.runner("away").await;
    assert_eq!(away.accept().await.id.as_str(), "all");
    // By now the event was tried at least twice; the next thing that this host hears of is another one.
    centre
        .file(&event("next", Scope::Host(host("here")), Severity::Critical))
        .await;
    assert_eq!(here.accept().await.id.as_str(), "next");
    gateway.end().await;
}

#[tokio::test]
async fn the_roster_is_read_once_however_often_events_are_tried() {
    let centre = Centre::open().await;
    centre.enrol("h1").await;
    let mut made = centre
        .administrator
        .raw_subscribe("$JS.EVENT.ADVISORY.CONSUMER.CREATED.KV_snooze_config.>")
        .await
        .expect("subscribes");
    let mut end = centre
        .administrator
        .raw_subscribe("test.end")
        .await
        .expect("subscribes");
    let gateway = centre.gateway(|_| {}).await;
    let flood: Vec<_> = (0..40)
        .map(|number| event(&format!("e{number}"), Scope::Fleet, Severity::Critical))
        .collect();
    centre.file_all(&flood).await;
    centre.all_acked(Severity::Critical).await;
    let mut runner = centre.runner("h1").await;
    for _ in 0..40 {
        runner.accept().await;
    }
    centre.all_acked(Severity::Critical).await;
    gateway.end().await;
    centre
        .administrator
        .raw_publish("test.end", None, &[], b"")
        .await
        .expect("publishes");
    tokio::time::timeout(LIMIT, end.next()).await.expect("in time");
    let mut consumers = 0;
    while let Ok(Some(_)) = tokio::time::timeout(std::time::Duration::ZERO, made.next()).await {
        consumers += 1;
    }
    assert_eq!(consumers, 1);
}
