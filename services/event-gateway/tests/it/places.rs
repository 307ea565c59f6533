//! A host, or somebody who speaks of one, that files without end: it has its places, and the rest ends.

use crate::centre::{Centre, LIMIT, event, event_type, host};
use snooze_bus::keys;
use snooze_schemas::{
    EventId,
    event::{Event, OpenEvent, OpenState, Scope, Severity},
};
use snooze_test_harness::wait_for;
use std::collections::BTreeSet;

const FLOOD: usize = 150;

fn flood(count: usize, severity: Severity) -> Vec<Event> {
    let gone = || Scope::Host(host("gone"));
    let id = |number| format!("flood-{}-{number}", u8::from(severity));
    (0..count)
        .map(|number| event(&id(number), gone(), severity))
        .collect()
}

async fn noted(centre: &Centre) -> BTreeSet<String> {
    let notes = centre.open_events().snapshot::<OpenEvent>(">").await;
    notes.expect("reads").into_iter().map(|entry| entry.key).collect()
}

async fn until_parked(centre: &Centre, event: &Event, name: &str) {
    let key = keys::open_key(&Scope::Host(host(name)), &event.id);
    let noted = wait_for(LIMIT, "it is noted", async || {
        centre.open_events().get::<OpenEvent>(&key).await.expect("reads")
    })
    .await;
    assert_eq!(noted.value.state, OpenState::Parked);
}

#[tokio::test]
async fn e3_a_host_that_files_without_end_has_its_places_and_holds_up_nobody() {
    let centre = Centre::open().await;
    let mut runner = centre.runner("h1").await;
    let gateway = centre.gateway(|config| config.open_at_most = 64).await;
    centre.file_all(&flood(FLOOD, Severity::Critical)).await;
    let mine = event("mine", Scope::Host(host("h1")), Severity::Critical);
    centre.file(&mine).await;
    assert_eq!(runner.accept().await, mine);
    // Nothing is tried again and again, where it would fill the window of its severity.
    centre.all_acked(Severity::Critical).await;
    let own = keys::open_key(&mine.host, &mine.id);
    let of_the_flood = noted(&centre).await.into_iter().filter(|key| *key != own);
    assert_eq!(of_the_flood.count(), 64);
    // Each of the rest is accounted for, with the reason.
    let gone = Scope::Host(host("gone"));
    let dead = wait_for(LIMIT, "the rest ends", async || {
        Some(centre.dead(gone.clone()).await).filter(|dead| dead.len() == FLOOD - 64)
    })
    .await;
    assert!(
        dead.iter()
            .all(|dead| dead.reason.starts_with("as many events of its host")),
        "{dead:?}"
    );
    let ended: BTreeSet<&EventId> = dead.iter().map(|dead| &dead.event.id).collect();
    assert_eq!(ended.len(), FLOOD - 64, "each once");
    gateway.end().await;
}

#[tokio::test]
async fn e3_what_people_send_and_what_is_less_urgent_takes_no_place_of_a_spot_notice() {
    let centre = Centre::open().await;
    let gateway = centre.gateway(|config| config.open_at_most = 4).await;
    for severity in [Severity::Info, Severity::Critical] {
        centre.file_all(&flood(40, severity)).await;
        centre.all_acked(severity).await;
    }
    let urgent = event("urgent", Scope::Host(host("gone")), Severity::Urgent);
    let notice = Event {
        event_type: event_type("cloud.spot.interrupt"),
        ..event("notice", Scope::Host(host("gone")), Severity::Critical)
    };
    for event in [urgent, notice] {
        centre.file(&event).await;
        until_parked(&centre, &event, "gone").await;
    }
    assert_eq!(noted(&centre).await.len(), 4 + 4 + 2);
    gateway.end().await;
}

#[tokio::test]
async fn e5_events_of_the_fleet_take_no_place_of_a_host() {
    let centre = Centre::open().await;
    centre.enrol("away").await;
    let gateway = centre.gateway(|config| config.open_at_most = 1).await;
    for number in 0..3 {
        let all = event(&format!("all-{number}"), Scope::Fleet, Severity::Critical);
        centre.file(&all).await;
        until_parked(&centre, &all, "away").await;
    }
    let own = event("own", Scope::Host(host("away")), Severity::Critical);
    centre.file(&own).await;
    until_parked(&centre, &own, "away").await;
    gateway.end().await;
}
